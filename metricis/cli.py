"""The command line: `metricis COMMAND`. Each command is thin; the work is in the rooms."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from datamodel.kernel.errors import FaultError, MetricisError, outcome
from metricis.database import app as database_app
from metricis.install import app as install_app
from metricis.ledger import app as ledger_app
from metricis.local.crash import altered
from metricis.odm import app as odm_app
from metricis.package import package
from metricis.rules import app as rules_app
from metricis.terms import app as ct_app
from metricis.terms import pins as standards_app
from metricis.testdata import app as testdata_app
from metricis.tokens import app as token_app
from metricis.vault import app as vault_app
from metricis.vault import cutover_check

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Metricis: electronic data capture and analytics for clinical trials.",
    pretty_exceptions_enable=False,
)
app.add_typer(database_app, name="db")
app.add_typer(install_app, name="install")
app.add_typer(ledger_app, name="ledger")
app.add_typer(odm_app, name="odm")
app.add_typer(rules_app, name="rules")
app.add_typer(ct_app, name="ct")
app.add_typer(standards_app, name="standards")
app.add_typer(testdata_app, name="testdata")
app.add_typer(token_app, name="token")
app.add_typer(vault_app, name="vault")
app.command("cutover-check")(cutover_check)
app.command()(package)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the first sync instead of staying open.")] = False,
    subjects: Annotated[int | None, typer.Option(help="Load only the first N subjects of the trial.")] = None,
) -> None:
    """Run the CDISC pilot trial from REDCap to dashboard, notebook and SDTM on this machine."""
    from metricis.demo.run import run_demo

    raise typer.Exit(run_demo(once=once, subjects=subjects))


@app.command()
def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8600,
) -> None:
    """Serve the researcher dashboard, the participant view and the edge."""
    from metricis.local.serve import serve

    serve(host=host, port=port)


@app.command("redcap-sim")
def redcap_sim(
    port: Annotated[int, typer.Option(help="Port to listen on (loopback).")] = 8601,
    public_url: Annotated[str | None, typer.Option(help="Address clients reach it under.")] = None,
    super_token: Annotated[
        str | None, typer.Option(envvar="REDCAP_SIM_SUPER_TOKEN", help="64-character token that may create projects.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of its data.")] = Path(".metricis/redcap-sim"),
) -> None:
    """Run the REDCap simulator alone."""
    from simulators.redcap.server import run

    run(port=port, public_url=public_url, super_token=super_token, data=data)


@app.command("mail-sink")
def mail_sink(
    smtp_port: Annotated[int, typer.Option(help="Port that takes mail (loopback).")] = 8604,
    port: Annotated[int, typer.Option(help="Port of the page that shows it (loopback).")] = 8603,
) -> None:
    """Run a mail server that keeps every mail and shows it in the browser."""
    from simulators.mail.web import run

    run(smtp_port=smtp_port, port=port)


@app.command()
def migrate() -> None:
    """Bring the database to the newest shape."""
    from datamodel.migrations.run import upgrade
    from metricis.local.installation import enter, role_url

    enter("owner", "migrator")
    typer.echo(f"The database is at revision {upgrade(role_url('migrator'))}.")


@app.command()
def link(
    sign_in_name: Annotated[str, typer.Argument(help="Sign-in name of a member of staff.")],
    minutes: Annotated[int, typer.Option(help="How long the link works.")] = 60,
) -> None:
    """Make a one-time sign-in link for a member of staff."""
    from metricis.local.people import staff_link

    typer.echo(staff_link(sign_in_name, minutes=minutes))


@app.command()
def invite(
    sign_in_name: Annotated[
        str, typer.Argument(help="Sign-in name of a member of staff; an account is made when nobody has it.")
    ],
    name: Annotated[str, typer.Option(help="Printed name of a new account, as it stands beside signatures.")] = "",
    administrator: Annotated[
        bool, typer.Option("--administrator", help="A new account manages people and studies.")
    ] = False,
) -> None:
    """Make a link with which a member of staff sets a password; makes the account, and so an installation's first people."""
    from metricis.local.people import invitation

    typer.echo(invitation(sign_in_name, name=name, is_administrator=administrator))


@app.command()
def rehearse(
    study: Annotated[str, typer.Argument(help="Code of the study.")],
    days: Annotated[int, typer.Option(help="By how many days its day is moved; 0 goes back to the real day.")],
) -> None:
    """Development only: move a study's day, to see which visits and tasks come due."""
    from metricis.local.people import move_day

    typer.echo(move_day(study, days))


def main() -> None:
    """Run the command line; errors of ours end in one sentence and their own exit code, others too when a file was altered."""
    try:
        app()
    except MetricisError as error:
        typer.echo(str(error), err=True)
        sys.exit(outcome(error)[0])
    except Exception:
        if said := altered():
            typer.echo(said, err=True)
            sys.exit(outcome(FaultError())[0])
        raise
