"""`metricis testdata`: rehearsal copies of a study and the invented data in them. Development only."""

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Development only: rehearsal copies of a study, with invented participants and data."
)
Copy = Annotated[str, typer.Argument(help="Code of the rehearsal copy.")]
_FORMATS = ["%Y-%m-%d"]


@app.command()
def copy(
    study: Annotated[str, typer.Argument(help="Code of the study to rehearse.")],
    code: Annotated[str, typer.Option(help="Code of the copy; the study's own with -uat when none is given.")] = "",
) -> None:
    """Make a copy of a study's design to rehearse in, or bring the one there is up to date."""
    from metricis.local import testdata

    typer.echo(testdata.copy(study, code=code))


@app.command()
def generate(
    study: Copy,
    participants: Annotated[int, typer.Option(help="How many participants to invent.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_FORMATS, help="Last day of the data; the study's day when none is given."),
    ] = None,
) -> None:
    """Invent participants at all stages of the study, with their forms up to a day."""
    from metricis.local import testdata

    day = until.date() if until else testdata.today(study)
    done = testdata.carry_out(study, "generate", participants=participants, seed=seed, until=day)
    typer.echo(
        f"{study} has {done.participants} more invented participants, with {done.revisions:,} forms up to {day}."
    )


@app.command()
def anchors(
    study: Copy,
    on: Annotated[datetime, typer.Option(formats=_FORMATS, help="Day from which the schedule counts.")],
) -> None:
    """Set the anchor date of all invented participants."""
    from metricis.local import testdata

    done = testdata.carry_out(study, "set_anchors", on=on.date())
    typer.echo(f"The schedule of {done.participants} invented participants of {study} counts from {on:%Y-%m-%d}.")


@app.command()
def consent(
    study: Copy,
    bypass: Annotated[
        bool, typer.Option("--bypass/--ask", help="Open tasks without a signed consent, or ask for one again.")
    ],
) -> None:
    """Bypass the consent of a rehearsal copy, or ask for it again."""
    from metricis.local import testdata

    typer.echo(testdata.bypass_consent(study, is_bypassed=bypass))


@app.command()
def clear(study: Copy) -> None:
    """Take the invented data out: forms become removed, participants withdrawn; the ledger keeps what was there."""
    from metricis.local import testdata

    done = testdata.carry_out(study, "clear")
    typer.echo(
        f"The forms of the invented participants of {study} are removed ({done.revisions:,}), and {done.participants} participants "
        "were withdrawn."
    )
