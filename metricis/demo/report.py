"""What the demo prints."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from metricis.demo.invite import CAREGIVER_MAIL, PARTICIPANT_MAIL
from metricis.demo.people import People
from metricis.demo.places import Places


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, in numbers."""

    rows_in: int
    rows_accepted: int
    rows_changed: int
    findings: int
    seconds: dict[str, float]
    snapshot: int
    position: int
    sdtm_folder: str


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print the table of what happened."""
    table = Table(title="What happened", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for label, value in (
        ("Rows read from REDCap", f"{outcome.rows_in:,}"),
        ("Rows accepted", f"{outcome.rows_accepted:,}"),
        ("Rows new or changed", f"{outcome.rows_changed:,}"),
        ("Findings (data questions)", f"{outcome.findings:,}"),
        ("Snapshot", f"{outcome.snapshot}"),
        ("Ledger position", f"{outcome.position:,}"),
        *((f"Seconds: {stage}", f"{seconds:.1f}") for stage, seconds in outcome.seconds.items()),
    ):
        table.add_row(label, value)
    console.print(table)


def print_addresses(console: Console, places: Places, people: People, outcome: Outcome) -> None:
    """Print where to go and the one-time links, each address whole on a line of its own."""
    console.print("\nWhere to go", style="italic")
    for label, address in (
        ("Dashboard, as a coordinator", people.coordinator),
        ("Dashboard, as a statistician who may see the arms", people.statistician),
        (f"Phone view, as participant {people.participant_code}", people.participant),
        (f"Sign in by mail, as {PARTICIPANT_MAIL} or {CAREGIVER_MAIL}", f"{places.web}/link/ask"),
        ("Mail sink: every mail of the demo ends here", places.mail),
        ("REDCap simulator: change a value there, then press “Run now” on the dashboard", places.redcap),
        ("Prefect", places.prefect),
        ("SDTM files", outcome.sdtm_folder),
        ("Notebook", "notebooks/tutorial.ipynb"),
    ):
        console.print(label, style="dim", soft_wrap=True, highlight=False)
        console.print(f"  {address}", soft_wrap=True, highlight=False, markup=False)
    console.print(
        "Each sign-in link works once, for an hour. New ones: .venv/bin/metricis link coordinator@demo.example",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )
