"""`metricis install …`: which files of the program belong on this machine."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from datamodel.custody.files import Change

app = typer.Typer(no_args_is_help=True, help="The program's own files: record them, check them.")
#: Names printed of each kind of change.
_SHOWN = 20


@app.command()
def record(
    reason: Annotated[str, typer.Option(help="Why, as the ledger shows it: the release and its ticket.")] = "",
) -> None:
    """Record the files that are installed now, signed with the ledger's keys; production starts on no others."""
    from metricis.local.files import record as make

    made = make(reason=reason)
    if made.doubt:
        typer.echo(f"The record before: {made.doubt}", err=True)
    if made.before and made.before.recorded:
        typer.echo(f"{len(made.before.changes)} files differ from the record before ({made.before.recorded.release}).")
        _say(made.before.changes)
    typer.echo(f"{made.files} files of Metricis {made.release} are recorded in the ledger.")
    typer.echo(f"Keep a copy of {made.copy} elsewhere: `sha256sum --check` takes it.")


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    libraries: Annotated[
        bool, typer.Option("--libraries", help="Read every file of other people's packages too; takes some seconds.")
    ] = False,
) -> None:
    """Hold every installed file against the newest record; exit 1 when one differs or nothing was recorded."""
    from metricis.local.files import verify as look

    found = look(libraries=libraries)
    if as_json:
        changes = [{"kind": one.kind, "path": one.path} for one in found.changes]
        typer.echo(json.dumps({"ok": found.is_ok, "files": found.files, "changes": changes}))
    elif found.recorded is None:
        typer.echo(f"{found.files} files are here; nobody has recorded them. Run `metricis install record`.")
    else:
        _say(found.changes)
        end = "each is as recorded" if found.is_ok else f"{len(found.changes)} differ"
        typer.echo(f"{found.files} files, recorded {found.recorded.at:%Y-%m-%d} by {found.recorded.by}: {end}.")
    raise typer.Exit(0 if found.is_ok else 1)


def _say(changes: Sequence[Change]) -> None:
    for one in changes[:_SHOWN]:
        typer.echo(f"  {one.kind:8} {one.path}")
    if len(changes) > _SHOWN:
        typer.echo(f"  and {len(changes) - _SHOWN} more")
