"""When entries got their positions, and whether they are dated as their places say.

No signature covers when an entry was sealed, and the study as it was at an instant is found by it; so an attestation holds a digest
of these instants. What an event says of its own instant is signed, but an owner may put in a new event that is dated long ago:
it would stand among those of today.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

#: An event that is dated so much before an earlier one was dated back; a clock that is put right is not off by as much.
OFF: Final = timedelta(days=1)


def said(session: Session, *, after: int, upto: int) -> dict[str, str]:
    """Return what an attestation says of when a span of entries was sealed."""
    return {"sealed_sha256": _digest(session, after + 1, upto)}


def _digest(session: Session, first: int, last: int) -> str:
    found: str | None = session.execute(text(_DIGEST), {"first": first, "last": last}).scalar_one()
    return found or ""


@dataclass(slots=True)
class Times:
    """Instants of entries, as they are met in order."""

    _newest: datetime | None = None
    #: (study, position) of entries that are dated back
    _back: list[tuple[str, int]] = field(default_factory=list)
    #: (first, last, digest)
    _spans: list[tuple[int, int, str]] = field(default_factory=list)

    def take(self, study: str, position: int, at: datetime) -> None:
        """Take in an entry that is as it was signed."""
        if self._newest is not None and at < self._newest - OFF:
            self._back.append((study, position))
        else:
            self._newest = at if self._newest is None else max(at, self._newest)

    def told(self, change: Mapping[str, Any]) -> None:
        """Take in an attestation."""
        if "sealed_sha256" in change:
            self._spans.append((int(change["from"]), int(change["to"]), change["sealed_sha256"]))

    def differences(self, session: Session, wrong: Collection[int]) -> Iterator[tuple[str, int, str]]:
        """Yield study id, position and detail of what is dated otherwise than its place or an attestation says.

        Where entries themselves are `wrong` (their positions), that is told already, and when they were sealed is not looked at.
        """
        if self._back:
            study, position = self._back[0]
            more = f"; {len(self._back) - 1} more are" if len(self._back) > 1 else ""
            yield (
                study,
                position,
                f"This entry is dated more than a day before an earlier one{more}: it was dated back.",
            )
        for first, last, digest in self._spans:
            if not any(first <= one <= last for one in wrong) and _digest(session, first, last) != digest:
                yield "", first, f"When the entries {first} to {last} were sealed was altered since it was attested."


_DIGEST: Final = """
    select encode(sha256(convert_to(string_agg(position || ' ' || (extract(epoch from sealed_at) * 1000000)::bigint, ','
        order by position), 'UTF8')), 'hex')
    from app.audit_entry where position between :first and :last
""".replace("::", "\\:\\:")
