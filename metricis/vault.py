"""`metricis vault …`: what is sealed with what, and changing keys."""

import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True, help="Keys, and what is sealed with them.")


def owner_url() -> str:
    """Return the address of the database's owner: only it sees the sealed values of all studies."""
    from metricis.local.installation import role_url

    return role_url("owner")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Show how many values of each column are sealed with which key, and what is due."""
    from metricis.local.keys import status as look

    found = look(owner_url())
    if as_json:
        held = [
            {"column": f"{one.table}.{one.column}", "key": one.key_id, "version": one.version, "values": one.number}
            for one in found.held
        ]
        typer.echo(json.dumps({"root": found.root_id, "held": held, "needs": found.needs}))
        return
    typer.echo(f"Root key {found.root_id}; {sum(one.state == 'present' for one in found.keys)} data keys.")
    totals: dict[tuple[str, str], int] = {}
    for one in found.held:
        name = (f"{one.table}.{one.column}", f"enc:{one.version}" if one.version else "not sealed")
        totals[name] = totals.get(name, 0) + one.number
    for (column, version), number in sorted(totals.items()):
        typer.echo(f"  {column:34} {version:10} {number:>9,}")
    _say_needs(found.needs)


@app.command("needs-rotation")
def needs_rotation() -> None:
    """Say what is to be sealed anew; exit 1 when there is something."""
    from metricis.local.keys import status as look

    found = look(owner_url())
    _say_needs(found.needs)
    raise typer.Exit(1 if found.is_due else 0)


@app.command()
def rotate(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this, only say what would be done.")] = False,
    approval: Annotated[
        str | None,
        typer.Option(
            help="Number of the approved key change; without it, in production, the one that was approved last."
        ),
    ] = None,
) -> None:
    """Change every key while everything runs; go on with a change that was interrupted."""
    from metricis.local.keys import rotate as turn
    from metricis.local.keys import status as look
    from metricis.local.people import installer

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    url = owner_url()
    if not apply:
        found = look(url)
        values = sum(one.number for one in found.held if (one.table, one.version) != ("participant_identity", "v3"))
        _say_needs(found.needs)
        typer.echo(f"Dry run: up to {values:,} values would be sealed anew. Nothing was changed; add --apply to do it.")
        return
    done = turn(url, installer(url), approval=UUID(approval) if approval else None, said=typer.echo)
    typer.echo(
        f"{done.values:,} values are sealed with new keys, {done.destroyed} old keys are destroyed ({done.seconds:.1f} s)."
    )


def _say_needs(needs: Mapping[Any, int]) -> None:
    due = [f"{number:,} on {what}" for what, number in needs.items() if number]
    typer.echo(f"To be sealed anew: {', '.join(due)}." if due else "Nothing is due.")


def cutover_check(
    study: Annotated[str, typer.Argument(help="Code of the study.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    restored: Annotated[str, typer.Option(help="Record first that a backup was restored for a test, and how.")] = "",
) -> None:
    """Check every go/no-go row before a study goes live; the signed result goes into the ledger; exit 1 when one is red."""
    from datamodel.custody.actions import record_restore
    from datamodel.kernel.settings import settings
    from datamodel.kernel.unit import unit_of_work
    from metricis.local.cutover import Place, check
    from metricis.local.installation import enter
    from metricis.local.people import installer

    owner, app_url = owner_url(), enter()  # in this order: what is entered is all that is known afterwards
    actor = installer(app_url)
    if restored:
        with unit_of_work(app_url, actor, reason="test restore of a backup") as unit:
            record_restore(unit, how=restored)
    found = check(Place(settings(), app_url, owner), actor, study)
    if as_json:
        lines = [{"name": one.name, "ok": one.is_green, "found": one.found, "to_do": one.to_do} for one in found.lines]
        typer.echo(
            json.dumps(
                {"ok": found.is_go, "study": study, "lines": lines, "signature": found.signature, "event": found.event}
            )
        )
    else:
        for one in found.lines:
            typer.echo(f"{'GREEN' if one.is_green else 'RED  '} {one.name}: {one.found}")
            if not one.is_green:
                typer.echo(f"      → {one.to_do}")
        typer.echo("GO." if found.is_go else "NO GO: a red row blocks.")
    raise typer.Exit(0 if found.is_go else 1)
