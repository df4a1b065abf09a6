"""The signatures of a study's forms as a frame: what stands beside the data wherever they are taken (21 CFR 11.50(b))."""

from typing import Any, Final

import polars as pl
from sqlalchemy.orm import Session

from datamodel.access.actor import Actor
from datamodel.signatures import reads

_UTC: Final = pl.Datetime("us", "UTC")
SCHEMA: Final[dict[str, Any]] = {
    "subject_id": pl.String,
    "event_id": pl.String,
    "event_repeat": pl.Int64,
    "form_id": pl.String,
    "form_repeat": pl.Int64,
    "version": pl.Int64,
    "printed_name": pl.String,
    "role": pl.String,
    "signed_at": _UTC,
    "zone": pl.String,
    "meaning": pl.String,
    "is_void": pl.Boolean,
    "void_reason": pl.String,
    "voided_at": _UTC,
    "fingerprint": pl.String,
    "content_sha256": pl.String,
    "manifestation": pl.String,
}


def signatures(session: Session, actor: Actor, *, study: str, position: int | None = None) -> pl.DataFrame:
    """Return one row a signature, oldest first: place, version, printed name, instant with zone, meaning, whether it counts.

    `content_sha256` is the hash of the version that was signed, `fingerprint` the beginning of the hash of what the signature
    covers, and `manifestation` all of it in one sentence. With `position`, as the ledger was up to there: what was signed later is
    left out, and what became void later counts. Of other sites than one's own there are none; no value of a form is in it.

    Raises
    ------
    RefusedError
        When the reader may not read form values.
    """
    rows = []
    for item, one in reads.signatures(session, actor, study=study, position=position):
        rows.append(
            (
                item.participant,
                item.event_name,
                item.event_repeat,
                item.form_name,
                item.form_repeat,
                one.version,
                one.printed_name,
                one.role,
                one.signed_at,
                one.zone,
                one.meaning,
                one.is_void,
                one.void_reason if one.is_void else None,
                one.voided_at,
                one.fingerprint,
                item.content_hash.hex(),
                one.text,
            )
        )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
