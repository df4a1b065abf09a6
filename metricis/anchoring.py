"""`metricis ledger stamp | witness | anchors`: let others vouch for the heads of the ledger."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # the command line starts fast: what only these commands need is loaded when one of them runs
    from datamodel.anchors.record import Anchor, Anchors

_SECONDS = 20.0


def stamp(
    tsa: Annotated[str, typer.Option(help="Address of a time-stamp authority (RFC 3161 over HTTP).")],
    roots: Annotated[Path, typer.Option(help="Certificates that vouch for the authority (PEM).")],
) -> None:
    """Have the newest signed head stamped by an outside authority, check the answer and keep it."""
    import httpx

    from datamodel.kernel.errors import BadInputError, TransientFault
    from datamodel.vault.timestamps import request

    anchors = _anchors()
    head, note = anchors.newest()
    try:
        answer = httpx.post(
            tsa,
            content=request(note.encode()),
            headers={"content-type": "application/timestamp-query"},
            timeout=_SECONDS,
            follow_redirects=False,
        )
    except httpx.HTTPError as error:
        raise TransientFault(
            f"The time-stamp authority did not answer ({type(error).__name__}); nothing was kept. Try again."
        ) from error
    if answer.status_code != httpx.codes.OK:
        raise BadInputError(f"The time-stamp authority answered {answer.status_code}; nothing was kept.")
    kept = anchors.keep_stamp(answer.content, head=head, note=note, roots=roots.read_bytes())
    typer.echo(_line(kept))


def witness(
    file: Annotated[Path, typer.Argument(help="A signed head of ours with a witness's co-signature (C2SP).")],
    key: Annotated[str, typer.Option(help="The witness's verifier key, the first time.")] = "",
) -> None:
    """Keep a witness's co-signature on one of the signed heads."""
    typer.echo(_line(_anchors().keep_witness(file.read_text("utf-8"), key=key)))


def anchors(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Show what stands behind the signed heads: file, time stamps, witnesses; two kinds make them anchored."""
    kept = _anchors()
    standing, is_anchored = kept.standing(), kept.is_anchored()
    if as_json:
        rows = [
            {"kind": one.kind, "entries": one.size, "by": one.by, "at": one.at.isoformat() if one.at else None}
            for one in standing
        ]
        typer.echo(json.dumps({"anchored": is_anchored, "anchors": rows}))
        return
    for one in standing:
        typer.echo(_line(one))
    typer.echo("Anchored." if is_anchored else "Not anchored yet: at least two kinds are needed.")


def _anchors() -> "Anchors":
    from datamodel.anchors.record import Anchors
    from datamodel.checkpoints.heads import Record
    from datamodel.kernel.settings import settings

    return Anchors(Record(settings().home))


def _line(one: "Anchor") -> str:
    at = f" on {one.at:%d-%b-%Y %H:%M:%S} UTC" if one.at else ""
    return f"{one.kind}: head over {one.size} entries, {one.by}{at}"
