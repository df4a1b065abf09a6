"""`metricis ledger …`: verify, prove, hand out."""

import json
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from datamodel.kernel.errors import BadInputError
from metricis import anchoring

app = typer.Typer(no_args_is_help=True, help="The ledger of everything that happened.")
app.command()(anchoring.stamp)
app.command()(anchoring.witness)
app.command()(anchoring.anchors)


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Check every event, every signed head and the record outside the database; exit 1 when something is wrong."""
    from metricis.local.check import verify_ledger

    verdict = verify_ledger()
    if as_json:
        problems = [
            {"study": one.study, "position": one.position, "kind": one.kind, "detail": one.detail}
            for one in verdict.problems
        ]
        typer.echo(json.dumps({"ok": verdict.is_ok, "checked": verdict.checked, "problems": problems}))
    else:
        for one in verdict.problems:
            typer.echo(f"Position {one.position} {one.study}: {one.detail}")
        end = "nothing is wrong" if verdict.is_ok else f"{len(verdict.problems)} problems"
        typer.echo(f"{verdict.checked} entries checked: {end}.")
    raise typer.Exit(0 if verdict.is_ok else 1)


@app.command()
def prove(
    entry: Annotated[str, typer.Argument(help="An event's id, or its position.")],
    whole: Annotated[
        bool, typer.Option("--installation", help="Prove it in the installation's tree, not in its study's.")
    ] = False,
) -> None:
    """Print the proof that an event is in the ledger, with the signed head over it, as JSON."""
    from datamodel.checkpoints.heads import Record
    from datamodel.checkpoints.proofs import prove
    from datamodel.kernel.settings import settings
    from datamodel.kernel.unit import sealing
    from metricis.local.installation import enter

    url = enter()
    with sealing(url) as session:
        proof = prove(session, Record(settings().home), entry=_entry(entry), whole=whole)
    typer.echo(json.dumps(proof.document(), separators=(",", ":"), ensure_ascii=False))


def _entry(text: str) -> UUID | int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        raise BadInputError(f"Received “{text}”; an entry is named by its position or by the event's id.") from None


@app.command()
def bundle(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    study: Annotated[str, typer.Option(help="Only this study's ledger (its code).")] = "",
) -> None:
    """Write the ledger as plain files that can be verified without this program or its database."""
    from metricis.local.check import bundle_ledger

    made = bundle_ledger(out, study=study)
    typer.echo(f"{made.entries} events and {made.checkpoints} signed heads are in {made.folder}.")
    typer.echo(f"SHA-256 of bundle.json: {made.sha256}")


@app.command()
def identity(
    renew: Annotated[
        bool, typer.Option("--renew", help="Add the present key to the log's keys; earlier ones keep verifying.")
    ] = False,
) -> None:
    """Print the log's name and public keys: keep a copy of them elsewhere."""
    from datamodel.checkpoints.sealer import Sealer
    from datamodel.kernel.settings import settings
    from metricis.local.installation import enter

    sealer = Sealer(enter(), settings())
    for line in (sealer.renew() if renew else sealer.identity()).lines():
        typer.echo(line)
