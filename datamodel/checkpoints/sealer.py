"""The sealer: gives positions, grows the trees outside the database, signs heads.

Heads are signed at most every second for a tree, positions are given each time. The order makes a crash harmless: leaves
are written down before a head over them is signed, and a head is in the database before it is written down outside.
"""

import logging
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from datamodel.audit import ledger
from datamodel.checkpoints import held, rows, store, times
from datamodel.checkpoints.heads import Record, Tree
from datamodel.checkpoints.note import Head, Identity, read, signed
from datamodel.checkpoints.store import Entry, Kept
from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import Settings
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.vault.signing import Signer, load_signer

logger = logging.getLogger("metricis.ledger")
#: Seconds between two heads of one tree.
EVERY: Final = 1.0
#: Seconds after which an event without position is an alarm.
LATE: Final = 5.0
#: Seconds between two attestations of rows.
ATTEST_EVERY: Final = 5.0
#: Entries taken into the trees in one go.
AT_ONCE: Final = 50_000


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Who attests rows: no account, and nobody's rights."""

    id: UUID
    kind: str = "machine"
    name: str = "ledger"


_KEEPER: Final = _Keeper(rows.KEEPER)


class AlteredError(FaultError):
    """The ledger in the database is not the one that was recorded outside: nothing is signed."""


class Sealer:
    """Seals the ledger at `url`; keeps its trees in the home folder that `settings` name."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.home: Path = settings.home
        self.record = Record(settings.home)
        self._settings = settings
        self._signer: Signer | None = None
        self._signed_at: dict[UUID | None, float] = {}
        self._waiting: set[UUID | None] | None = None
        self._attested: int | None = None
        self._attested_at = -ATTEST_EVERY

    def seal_once(self, *, force: bool = False, is_attesting: bool = True) -> int:
        """Give positions to what is final, grow the trees, sign the heads that are due (all, with `force`).

        Returns the newest position. Rows are attested as well when that is due, unless somebody else calls `attest` beside this.

        Raises
        ------
        AlteredError
            When the database does not hold what was recorded outside.
        FaultError
            When there is no key to sign with.
        TransientFault
            When PostgreSQL does not answer.
        """
        identity = self.identity()
        with sealing(self.url) as session:
            position = ledger.seal(session)
        is_due = force or (is_attesting and time.monotonic() - self._attested_at >= ATTEST_EVERY)
        if is_due and self._attest(position) and force:
            with sealing(self.url) as session:
                position = ledger.seal(session)
        with self.record.alone():
            self._grow(identity, position)
            due = self._due(identity, force=force)
            if due:
                self._sign(identity, due, position=self.record.tree(identity, None).size)
        return position

    def attest(self) -> None:
        """Attest the rows of what has its position: beside the sealing, which does not wait for it."""
        if self.record.identity() is None:
            return  # nobody has begun to seal
        with sealing(self.url) as session:
            position = ledger.position(session)
        self._attest(position)

    def lag(self) -> float:
        """Return for how many seconds the oldest event without position has waited; more than `LATE` is logged."""
        with sealing(self.url) as session:
            seconds = ledger.lag(session)
        if seconds > LATE:
            logger.critical(
                "Events have waited %.1f s for their position (the alarm is at %.0f s): a writing transaction is open for "
                "as long. Find it in pg_stat_activity (oldest backend_xid) and end it; nothing is lost meanwhile.",
                seconds,
                LATE,
            )
        return seconds

    def identity(self) -> Identity:
        """Return who signs, pinned at the first start.

        Raises
        ------
        FaultError
            When heads were signed before but the pinned identity is gone, or the present key is not one of it.
        """
        pinned = self.record.identity()
        if self._signer is None:
            self._signer = load_signer(self._settings, may_make=pinned is None)
        if pinned is None:
            with self.record.alone():
                pinned = self.record.identity() or self._begin()
        if not pinned.knows(self._signer):
            raise FaultError(
                f"The present key is not one of the log “{pinned.origin}”, so no head was signed. Start with the key that "
                "signed before, or add the new one with “metricis ledger identity --renew”."
            )
        return pinned

    def renew(self) -> Identity:
        """Add the present key to the pinned identity: heads signed before keep verifying with the earlier one."""
        pinned, signer = self.record.identity(), load_signer(self._settings)
        if pinned is None:
            return self.identity()
        if not pinned.knows(signer):
            pinned = Identity(pinned.origin, (*pinned.keys, *signer.public_keys().items()))
            with self.record.alone():
                self.record.pin(pinned)
        self._signer = signer
        return pinned

    def _begin(self) -> Identity:
        with sealing(self.url) as session:
            if store.has_checkpoints(session):
                raise FaultError(
                    f"The database has signed heads, but {self.record.folder} has no identity: it cannot be told who "
                    "may have signed them. Put the folder back from its copy; no head was signed."
                )
        signer = self._signer or load_signer(self._settings)
        identity = Identity(f"metricis-{secrets.token_hex(6)}", tuple(signer.public_keys().items()))
        self.record.pin(identity)
        return identity

    def _attest(self, position: int) -> bool:
        """Record the digests of the rows that events since the last time wrote; answer whether there were any."""
        self._attested_at = time.monotonic()
        with self.record.alone("attest"):
            with sealing(self.url) as session:
                upto = rows.attested_upto(session)
                after = max(upto, self._attested or 0)
                new = rows.to_attest(session, after, position) if after < position else None
                columns = rows.tables(session) if new else {}
                found = rows.digests(session, columns, new=new) if new else {}
                changing = held.said(session, after=upto, upto=position) if new else {"held": {}}
                when = times.said(session, after=upto, upto=position) if new else {}
            self._attested = position
            if not found and not changing["held"]:
                return False
            with unit_of_work(self.url, _KEEPER) as unit:
                ledger.record(
                    unit,
                    rows.ACTION,
                    subject=f"positions:{upto + 1}-{position}",
                    change={
                        "from": upto + 1,
                        "to": position,
                        "form": rows.FORM,
                        "tables": columns,
                        "rows": {str(event): digest for event, digest in sorted(found.items())},
                        **changing,
                        **when,
                    },
                )
        return True

    def _grow(self, identity: Identity, position: int) -> None:
        """Write down the leaves of everything sealed since; the installation's last, as it says how far this came."""
        whole = self.record.tree(identity, None)
        whole.catch_up()
        if position < whole.size:
            # Another sealer may have gone on since the position was read; nobody does while this one is alone.
            with sealing(self.url) as session:
                position = ledger.position(session)
        if position < whole.size:
            raise AlteredError(
                f"The database has {position} sealed entries, but {whole.size} were recorded outside: entries were removed "
                "or an older database was put back. No head was signed; run “metricis ledger verify”."
            )
        while whole.size < position:
            with sealing(self.url) as session:
                fresh = store.entries_after(session, whole.size, limit=AT_ONCE)
            if [one.position for one in fresh] != list(range(whole.size + 1, whole.size + len(fresh) + 1)) or not fresh:
                raise AlteredError(
                    "Positions of the ledger are missing. No head was signed; run “metricis ledger verify”."
                )
            self._take(identity, whole, fresh)

    def _take(self, identity: Identity, whole: Tree, fresh: list[Entry]) -> None:
        by_study: dict[UUID, list[Entry]] = defaultdict(list)
        for one in fresh:
            if one.study_id is not None:
                by_study[one.study_id].append(one)
        for study, entries in by_study.items():
            _take_in(self.record.tree(identity, study), entries)
        whole.add([one.leaf for one in fresh])
        self._open(identity).update([None, *by_study])

    def _open(self, identity: Identity) -> set[UUID | None]:
        """Return the trees that have leaves without a head over them."""
        if self._waiting is None:
            self._waiting = set()
            for study in (None, *self.record.studies(identity)):
                tree = self.record.tree(identity, study)
                tree.catch_up()
                newest = tree.newest()
                if tree.size > (newest.head.size if newest else 0):
                    self._waiting.add(study)
        return self._waiting

    def _due(self, identity: Identity, *, force: bool) -> list[UUID | None]:
        now = time.monotonic()
        return [
            study for study in self._open(identity) if force or now - self._signed_at.get(study, now - EVERY) >= EVERY
        ]

    def _sign(self, identity: Identity, due: list[UUID | None], *, position: int) -> None:
        signer = self._signer
        assert signer is not None  # noqa: S101 - `identity` loaded it
        trees = {study: self.record.tree(identity, study) for study in due}
        for tree in trees.values():
            tree.catch_up()
        with sealing(self.url) as session:
            kept = []
            for study, tree in trees.items():
                newest = tree.newest()
                if newest and store.note(session, origin=tree.origin, size=newest.head.size) is None:
                    raise AlteredError(
                        f"The head of “{tree.origin}” with {newest.head.size} entries was recorded outside, but the database "
                        "does not have it. No head was signed; run “metricis ledger verify”."
                    )
                head = Head(tree.origin, tree.size, tree.range.root())
                kept.append(Kept(tree.origin, tree.size, study, position, head.root, signed(head, signer)))
            store.keep(session, kept)
        for study, tree in trees.items():
            self._publish(tree)
            self._signed_at[study] = time.monotonic()
            self._open(identity).discard(study)

    def _publish(self, tree: Tree) -> None:
        """Write down the head that the database now has; another one than ours over the same leaves is an alarm."""
        newest = tree.newest()
        if newest and newest.head.size == tree.size:
            return
        with sealing(self.url) as session:
            text = store.note(session, origin=tree.origin, size=tree.size)
        if text is None or read(text).head != Head(tree.origin, tree.size, tree.range.root()):
            raise AlteredError(
                f"The database has another head of “{tree.origin}” with {tree.size} entries than was signed. "
                "Nothing was written down; run “metricis ledger verify”."
            )
        tree.publish(text)


def _take_in(tree: Tree, entries: list[Entry]) -> None:
    """Add a study's new leaves; those that a killed process wrote down already must be the same."""
    tree.catch_up()
    present = [one for one in entries if (one.study_position or 0) <= tree.size]
    fresh = entries[len(present) :]
    same = all(tree.leaf((one.study_position or 0) - 1) == one.leaf for one in present)
    places = [one.study_position for one in fresh]
    if not same or places != list(range(tree.size + 1, tree.size + len(fresh) + 1)):
        raise AlteredError(
            f"The entries of “{tree.origin}” do not follow those that were recorded outside. No head was signed; "
            "run “metricis ledger verify”."
        )
    if fresh:
        tree.add([one.leaf for one in fresh])
