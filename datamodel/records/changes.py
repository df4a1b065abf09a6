"""Which revisions a batch needs. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.ids import new_id
from datamodel.records.content import NOTHING, Incoming, content_hash

#: An instance's place within its form: participant, event, event_repeat, form_repeat.
Key = tuple[str, str, int, int]
_REMOVED: Final = content_hash("not_started", NOTHING, is_removed=True)


class Present(NamedTuple):
    """What is kept of an instance now; identifiers as text, as they are written and hashed."""

    id: str
    revision: int
    content_hash: bytes
    is_removed: bool


class Revision(NamedTuple):
    """One revision to write."""

    instance_id: str
    number: int
    key: Key
    status: str
    values: str
    content_hash: bytes
    is_removed: bool


@dataclass(slots=True)
class Changes:
    """What to write: first revisions, newer revisions, removals; and how many instances stay as they are."""

    new: list[Revision] = field(default_factory=list)
    changed: list[Revision] = field(default_factory=list)
    removed: list[Revision] = field(default_factory=list)
    unchanged: int = 0

    @property
    def revisions(self) -> list[Revision]:
        """Every revision to write."""
        return self.new + self.changed + self.removed


def changes(
    present: Mapping[Key, Present],
    incoming: Sequence[tuple[str, str, int, int, str, str]],
    *,
    complete_for: Collection[str],
) -> Changes:
    """Compare what is kept with what came in.

    An instance of a participant in `complete_for` that did not come in is removed at its source.

    Raises
    ------
    BadInputError
        When one instance came in twice.
    """
    found, seen = Changes(), set[Key]()
    for row in incoming:
        key: Key = row[:4]
        if key in seen:
            raise BadInputError(_twice(Incoming(*row)))
        seen.add(key)
        _compare(found, present.get(key), key, status=row[4], values=row[5])
    gone = [key for key, one in present.items() if key not in seen and not one.is_removed and key[0] in complete_for]
    found.removed = [_removal(key, present[key]) for key in gone]
    return found


def _compare(found: Changes, one: Present | None, key: Key, *, status: str, values: str) -> None:
    content = content_hash(status, values)
    if one is None:
        found.new.append(Revision(str(new_id()), 1, key, status, values, content, is_removed=False))
    elif one.content_hash == content:
        found.unchanged += 1
    else:
        found.changed.append(Revision(one.id, one.revision + 1, key, status, values, content, is_removed=False))


def _removal(key: Key, one: Present) -> Revision:
    return Revision(one.id, one.revision + 1, key, "not_started", NOTHING, _REMOVED, is_removed=True)


def _twice(row: Incoming) -> str:
    return (
        f"Received the same form instance twice: {row.participant}, event “{row.event_name}”, event repeat "
        f"{row.event_repeat}, form repeat {row.form_repeat}. Nothing of this batch was written; an instance may come once."
    )
