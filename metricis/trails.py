"""The audit trail as frames. Pure."""

import warnings
from typing import Any, Final

import orjson
import polars as pl

from datamodel.trail.reads import Line, Page, ValueChange

_UTC: Final = pl.Datetime("us", "UTC")
_EVENTS: Final[dict[str, Any]] = {
    "position": pl.Int64,
    "at": _UTC,
    "who": pl.String,
    "role": pl.String,
    "what": pl.String,
    "action": pl.String,
    "subject": pl.String,
    "reason": pl.String,
    "change": pl.String,
}
_CHANGES: Final[dict[str, Any]] = {
    "subject_id": pl.String,
    "site_id": pl.String,
    "event_id": pl.String,
    "event_repeat": pl.Int64,
    "form_id": pl.String,
    "form_repeat": pl.Int64,
    "field": pl.String,
    "old": pl.String,
    "new": pl.String,
    "revision": pl.Int64,
    "at": _UTC,
    "who": pl.String,
    "reason": pl.String,
    "source": pl.String,
    "position": pl.Int64,
    "review": pl.String,
    "reviewer": pl.String,
    "reviewed_at": _UTC,
}


def events_frame(found: Page[Line]) -> pl.DataFrame:
    """Return events as a frame, newest first."""
    _tell_rest(found)
    rows = [
        (
            one.position,
            one.at,
            one.who,
            one.role,
            one.what,
            one.action,
            one.subject,
            one.reason,
            orjson.dumps(one.change).decode(),
        )
        for one in found.rows
    ]
    return pl.DataFrame(rows, schema=_EVENTS, orient="row")


def changes_frame(found: Page[ValueChange]) -> pl.DataFrame:
    """Return changes of values as a frame, newest first."""
    _tell_rest(found)
    rows = [
        (
            one.participant,
            one.site,
            one.event_name,
            one.event_repeat,
            one.form_name,
            one.form_repeat,
            one.field,
            one.old,
            one.new,
            one.revision,
            one.at,
            one.who,
            one.reason,
            one.source,
            one.position,
            one.verdict or "waiting",
            one.reviewer or None,
            one.reviewed_at,
        )
        for one in found.rows
    ]
    return pl.DataFrame(rows, schema=_CHANGES, orient="row")


def _tell_rest(found: Page[Any]) -> None:
    """Say it when there is more than one answer holds: nothing is left out in silence."""
    if found.total > len(found.rows):
        warnings.warn(
            f"These are the newest {len(found.rows):,} of {found.total:,} rows. Narrow the question to see the others.",
            stacklevel=3,
        )
