"""The whole ledger against itself, against every signed head, and against the record outside the database."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.audit.canonical import leaf_hash
from datamodel.audit.merkle import HASH_BYTES, Range
from datamodel.audit.verify import DigestCheck, Problem, StampCheck, Verdict, entries, out_of_order
from datamodel.checkpoints import held, rows, store, times
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import Head, Identity, read, wrong
from datamodel.kernel.errors import BadInputError

#: Yields study id (or ""), position and detail of what is not as it must be.
StateCheck = Callable[[Session], Iterator[tuple[str, int, str]]]
#: Problems of heads come after problems of entries: what was altered is told before what it contradicts.
_OF_HEADS: Final = frozenset({"checkpoint", "signature", "identity", "record"})


def verify(
    session: Session,
    record: Record,
    *,
    digests: dict[str, DigestCheck] | None = None,
    states: Sequence[StateCheck] = (),
    stamp: StampCheck | None = None,
) -> Verdict:
    """Verify every sealed event, every tree, every checkpoint and its signatures; problems come first bad position first.

    `digests` maps an action to the check of the rows it wrote; the rooms that write in bulk provide them. `states` look at what
    follows from the ledger or from rows that are never changed: who has which role, where a form stands. `stamp` tells whether this
    program wrote an event; who may not open the keys leaves it out.
    """
    identity = record.identity()
    if identity is None:
        return _without_identity(session, record, digests)
    return _Run(session, record, identity).verify(digests or {}, states, stamp)


def _without_identity(session: Session, record: Record, digests: dict[str, DigestCheck] | None) -> Verdict:
    checked, problems = 0, []
    for row, found in entries(session, digests or {}):
        checked += 1
        problems += [Problem(row.study_code, *one) for one in found]
    problems += out_of_order(session)
    if store.has_checkpoints(session):
        problems.append(
            Problem(
                "",
                0,
                "identity",
                f"Heads were signed, but {record.folder} does not say by whom: put the folder back from its copy.",
            )
        )
    return Verdict(checked=checked, problems=tuple(problems))


@dataclass(slots=True)
class _Tree:
    """One tree while it is recomputed."""

    origin: str
    study: UUID | None
    #: hashes recorded outside, one after the other
    outside: bytes = b""
    #: genuine heads recorded outside, with their texts
    recorded_heads: list[tuple[Head, str]] = field(default_factory=list)
    #: (size, root, where it was found), smallest size first
    heads: list[tuple[int, bytes, str]] = field(default_factory=list)
    range: Range = field(default_factory=Range)
    #: index of the first leaf that is not the recorded one
    first: int | None = None
    #: what the first head that does not fit says
    unfit: tuple[int, str] | None = None
    #: size of the largest head that fits
    good: int = 0
    #: index of an entry -> its position
    positions: dict[int, int] = field(default_factory=dict)
    #: (size, position up to which it counts) of the database's heads
    claims: list[tuple[int, int]] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Take in the next leaf, and hold it against the record and the heads."""
        at = self.range.size * HASH_BYTES
        if self.first is None and at < len(self.outside) and self.outside[at : at + HASH_BYTES] != leaf:
            self.first = self.range.size
        self.range.append(leaf)
        while self.heads and self.heads[0][0] == self.range.size:
            size, root, where = heapq.heappop(self.heads)
            if root == self.range.root():
                self.good = size
            elif self.unfit is None:
                self.unfit = (size, where)

    def end(self) -> None:
        """Look at what the recomputed tree is too small for."""
        if self.first is None and len(self.outside) > self.range.size * HASH_BYTES:
            self.first = self.range.size
        if self.heads and self.unfit is None:
            size, _, where = heapq.heappop(self.heads)
            self.unfit = (size, where)

    @property
    def recorded(self) -> int:
        """How many leaves were recorded outside."""
        return len(self.outside) // HASH_BYTES


class _Run:
    """One verification."""

    def __init__(self, session: Session, record: Record, identity: Identity) -> None:
        self.session, self.record, self.identity = session, record, identity
        self.codes = store.study_codes(session)
        self.trees: dict[UUID | None, _Tree] = {}
        self.problems: list[Problem] = []
        # The record before the database: whatever is recorded is in the database already, also while the sealer runs.
        for study in (None, *record.studies(identity)):
            self._take_record(study)

    def verify(
        self, digests: dict[str, DigestCheck], states: Sequence[StateCheck] = (), stamp: StampCheck | None = None
    ) -> Verdict:
        self._heads()
        checked, attested, changing, when = 0, rows.Attested(), held.Held(), times.Times()
        for row, found in entries(self.session, digests, stamp):
            checked += 1
            if not found:
                when.take(str(row.study_id or ""), row.position, row.at)
            if not found and (row.action == "records.redact" or rows.is_attestation(row.action, row.actor_id)):
                attested.take(row.action, row.change)
                changing.take(row.action, row.change)
                when.told(row.change)
            # Whose entry it was that is gone, the record outside knows; the next one's study would mislead.
            self.problems += [Problem("" if one[1] == "gap" else self._study(row), *one) for one in found]
            leaf = bytes(row.leaf) if row.id is None else leaf_hash(bytes(row.body))
            self._tree(None).add(leaf)
            if row.entry_study is not None:
                tree = self._tree(row.entry_study)
                tree.positions[tree.range.size] = row.position
                tree.add(leaf)
        for tree in self.trees.values():
            tree.end()
            self.problems += self._differences(tree)
            self.problems += self._claims(tree)
        self.problems += out_of_order(self.session)
        self.problems += self._damage()
        self.problems += [
            Problem(self._code(UUID(study) if study else None), position, "rows", detail)
            for study, position, detail in (
                *rows.differences(self.session, attested),
                *held.differences(self.session, changing),
                *when.differences(self.session, {one.position for one in self.problems}),
                *(found for state in states for found in state(self.session)),
            )
        ]
        return Verdict(checked=checked, problems=tuple(sorted(map(self._named, self.problems), key=_order)))

    def _tree(self, study: UUID | None) -> _Tree:
        if study not in self.trees:
            self.trees[study] = _Tree(self.identity.name_for(study), study)
        return self.trees[study]

    def _take_record(self, study: UUID | None) -> None:
        kept, tree = self.record.tree(self.identity, study), self._tree(study)
        for text in kept.heads():
            if detail := self._wrong(text, None, study=study):
                self._say(study, 0, "record", f"A head in {kept.heads_file.name} is not genuine: {detail}.")
            else:
                tree.recorded_heads.append((read(text).head, text))
        tree.outside = kept.leaves()

    def _study(self, row: object) -> str:
        return self._code(getattr(row, "entry_study", None)) or getattr(row, "study_code", "")

    def _code(self, study: UUID | None) -> str:
        return "" if study is None else self.codes.get(study, str(study))

    def _heads(self) -> None:
        """Gather every head, of the database and of the record, and check what each says of itself."""
        kept: dict[tuple[str, int], str] = {}
        for one in store.checkpoints(self.session):
            kept[one.origin, one.size] = one.note
            if detail := self._wrong(one.note, Head(one.origin, one.size, one.root), study=one.study_id):
                self._say(
                    one.study_id, one.position, "signature", f"A checkpoint of the database is not genuine: {detail}."
                )
            else:
                heapq.heappush(self._tree(one.study_id).heads, (one.size, one.root, "the database"))
                self._tree(one.study_id).claims.append((one.size, one.position))
        for tree in self.trees.values():
            self._compare(tree, kept)

    def _compare(self, tree: _Tree, kept: dict[tuple[str, int], str]) -> None:
        """Hold the heads that were recorded outside against those of the database."""
        for head, _ in tree.recorded_heads:
            heapq.heappush(tree.heads, (head.size, head.root, "the record outside"))
        lost = [head.size for head, text in tree.recorded_heads if kept.get((tree.origin, head.size)) != text]
        if lost:
            self._say(
                tree.study,
                self._place(tree, min(lost) - 1),
                "checkpoint",
                f"{len(lost)} heads that were recorded outside are not in the database, or another one is in their place; "
                f"the first has {min(lost)} entries.",
            )
        known = {head.size for head, _ in tree.recorded_heads}
        strange = [size for origin, size in kept if origin == tree.origin and size < max(known, default=0)]
        strange = [size for size in strange if size not in known]
        if strange:
            self._say(
                tree.study,
                self._place(tree, min(strange) - 1),
                "checkpoint",
                f"{len(strange)} checkpoints of the database were never recorded outside; the first has {min(strange)} entries.",
            )

    def _wrong(self, text: str, columns: Head | None, *, study: UUID | None) -> str:
        try:
            note = read(text)
        except BadInputError as error:
            return str(error).rstrip(".")
        if columns is not None and note.head != columns:
            return "its text says something else than the columns beside it"
        if note.head.origin != self.identity.name_for(study):
            return f"it names “{note.head.origin}”, not “{self.identity.name_for(study)}”"
        return wrong(note, self.identity)

    def _differences(self, tree: _Tree) -> Iterator[Problem]:
        """Say where a tree is first not what was recorded, or at least between which heads."""
        if tree.first is not None:
            place = self._place(tree, tree.first)
            study = tree.study if tree.study is not None else self._owner(tree.outside, tree.first)
            if tree.first < tree.range.size:
                kind, words = "rewritten", "is not the one that was recorded outside"
            else:
                kind, words = (
                    "lost",
                    f"is gone: {tree.recorded} entries were recorded outside, {tree.range.size} are here",
                )
            yield Problem(self._code(study), place, kind, f"Entry {tree.first + 1} of “{tree.origin}” {words}.")
        if tree.unfit is not None:
            size, where = tree.unfit
            index = tree.good if tree.first is None else tree.first
            detail = (
                f"The head with {size} entries (from {where}) does not fit the entries: what was altered or removed lies "
                f"after entry {tree.good} and up to entry {size} of “{tree.origin}”."
            )
            yield Problem(self._code(tree.study), self._place(tree, index), "checkpoint", detail)

    def _claims(self, tree: _Tree) -> Iterator[Problem]:
        """Say which head counts up to another position than the database says."""
        for size, position in tree.claims:
            if tree.study is None:
                is_right = position == size
            else:
                last, following = tree.positions.get(size - 1, 0), tree.positions.get(size)
                is_right = last <= position < (following or self._tree(None).range.size + 1)
            if not is_right:
                detail = f"The head of “{tree.origin}” with {size} entries does not count up to position {position}."
                yield Problem(self._code(tree.study), position, "checkpoint", detail)

    def _place(self, tree: _Tree, index: int) -> int:
        """Return the installation's position of a tree's entry, by the record first, else by what is here now."""
        if tree.study is None:
            return index + 1
        whole = self._tree(None)
        if 0 <= index < tree.recorded:
            found = _find(whole.outside, tree.outside[index * HASH_BYTES : (index + 1) * HASH_BYTES])
            if found is not None:
                return found + 1
        return tree.positions.get(index, 0)

    def _owner(self, outside: bytes, index: int) -> UUID | None:
        """Return the study to which a recorded entry of the installation belongs."""
        leaf = outside[index * HASH_BYTES : (index + 1) * HASH_BYTES]
        for study, tree in self.trees.items():
            if study is not None and _find(tree.outside, leaf) is not None:
                return study
        return None

    def _named(self, problem: Problem) -> Problem:
        """Name the study of an entry that is gone from the database but was recorded."""
        whole = self._tree(None)
        if problem.study or problem.kind in _OF_HEADS or not 0 < problem.position <= whole.recorded:
            return problem
        study = self._code(self._owner(whole.outside, problem.position - 1))
        return Problem(study, problem.position, problem.kind, problem.detail)

    def _damage(self) -> Iterator[Problem]:
        """Hold the record's leaves against its own heads: the record itself may be damaged."""
        for tree in self.trees.values():
            roots, at = {head.size: head.root for head, _ in tree.recorded_heads}, Range()
            for index in range(0, len(tree.outside), HASH_BYTES):
                at.append(tree.outside[index : index + HASH_BYTES])
                if at.size in roots and roots[at.size] != at.root():
                    yield self._damaged(tree, at.size)
                    break
            else:
                if max(roots, default=0) > at.size:
                    yield self._damaged(tree, max(roots))

    def _damaged(self, tree: _Tree, size: int) -> Problem:
        detail = (
            f"The recorded entries of “{tree.origin}” do not fit the recorded head with {size} entries: the record outside was "
            "damaged; put it back from its copy."
        )
        return Problem(self._code(tree.study), 0, "record", detail)

    def _say(self, study: UUID | None, position: int, kind: str, detail: str) -> None:
        self.problems.append(Problem(self._code(study), position, kind, detail))


def _order(problem: Problem) -> tuple[bool, int]:
    return problem.kind in _OF_HEADS, problem.position


def _find(leaves: bytes, leaf: bytes) -> int | None:
    """Return the index of `leaf`, or None."""
    at = leaves.find(leaf)
    while at >= 0 and at % HASH_BYTES:
        at = leaves.find(leaf, at + 1)
    return None if at < 0 else at // HASH_BYTES
