"""Which revisions a batch needs. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.ids import new_ids
from datamodel.records.content import NOTHING, blinded_hash, content_hash

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
    #: canonical text of the blinded values, with the random text among them; empty where there are none
    blinded: str = ""


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
    blinded: Mapping[Key, str] | None = None,
) -> Changes:
    """Compare what is kept with what came in.

    An instance of a participant in `complete_for` that did not come in is removed at its source. `blinded` holds the blinded
    values of instances that have any (`blinded.parted`).

    Raises
    ------
    BadInputError
        When one instance came in twice.
    """
    keys: list[Key] = [row[:4] for row in incoming]
    seen = set(keys)
    if len(seen) < len(keys):
        raise BadInputError(_twice(keys))
    apart = blinded or {}
    if apart:
        sealed = [blinded_hash(apart[key]) if key in apart else None for key in keys]
        contents = [content_hash(row[4], row[5], blinded=one) for row, one in zip(incoming, sealed, strict=True)]
    else:
        contents = [content_hash(row[4], row[5]) for row in incoming]
    if present:
        found = _compared(present, incoming, keys=keys, contents=contents)
    else:
        found = Changes(new=_first(incoming, keys, contents))
    gone = [key for key, one in present.items() if key not in seen and not one.is_removed and key[0] in complete_for]
    found.removed = [_removal(key, present[key]) for key in gone]
    if apart:
        found.new = [one._replace(blinded=apart.get(one.key, "")) for one in found.new]
        found.changed = [one._replace(blinded=apart.get(one.key, "")) for one in found.changed]
    return found


def _compared(
    present: Mapping[Key, Present],
    incoming: Sequence[tuple[str, str, int, int, str, str]],
    *,
    keys: Sequence[Key],
    contents: Sequence[bytes],
) -> Changes:
    """Sort what came in into new, changed and unchanged."""
    found, fresh = Changes(), list[int]()
    for place, (row, key, content) in enumerate(zip(incoming, keys, contents, strict=True)):
        one = present.get(key)
        if one is None:
            fresh.append(place)
        elif one.content_hash == content:
            found.unchanged += 1
        else:
            found.changed.append(Revision(one.id, one.revision + 1, key, row[4], row[5], content, is_removed=False))
    found.new = _first([incoming[n] for n in fresh], [keys[n] for n in fresh], [contents[n] for n in fresh])
    return found


def _first(
    rows: Sequence[tuple[str, str, int, int, str, str]], keys: Sequence[Key], contents: Sequence[bytes]
) -> list[Revision]:
    """Return the first revisions of instances that are not kept yet."""
    return [
        Revision(one, 1, key, row[4], row[5], content, is_removed=False)
        for one, row, key, content in zip(new_ids(len(rows)), rows, keys, contents, strict=True)
    ]


def _removal(key: Key, one: Present) -> Revision:
    return Revision(one.id, one.revision + 1, key, "not_started", NOTHING, _REMOVED, is_removed=True)


def _twice(keys: Sequence[Key]) -> str:
    participant, event, event_repeat, form_repeat = Counter(keys).most_common(1)[0][0]
    return (
        f"Received the same form instance twice: {participant}, event “{event}”, event repeat "
        f"{event_repeat}, form repeat {form_repeat}. Nothing of this batch was written; an instance may come once."
    )
