"""Whether the program's files are those that somebody recorded, signed with the ledger's keys.

The list, its signed head and whose keys signed it are an event of the ledger: who changes files on the disk cannot change what
they are held against. What this cannot tell: whether the one who recorded them should have, and anything at all to somebody who
alters the check itself. For that, compare from outside (the manual says how).
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from datamodel.access.actor import KNOCKING
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import Head, Identity, read, signed, wrong
from datamodel.custody import files
from datamodel.custody.files import Change, Place
from datamodel.kernel.errors import BadInputError, FaultError, TransientFault
from datamodel.kernel.settings import Settings, settings
from datamodel.kernel.unit import reading
from datamodel.vault.signing import load_signer

_LOG: Final = logging.getLogger("metricis.installed")
ACTION: Final = "custody.record_files"
SUBJECT: Final = "program:files"
#: What stands behind the log's name in the head of a list of files.
_TREE: Final = "files"
_DO: Final = "Put the files of the release back, or, when the change was wanted, run `metricis install record`."


class TamperedError(FaultError):
    """The program's files are not those that were recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The files that were recorded last: path -> SHA-256, in which version of the program, when and by whom."""

    files: Mapping[str, str]
    release: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: the record (None when there is none) and how the files differ from it."""

    recorded: Recorded | None
    changes: tuple[Change, ...]
    files: int

    @property
    def is_ok(self) -> bool:
        """Whether there is a record and every file is as it says."""
        return self.recorded is not None and not self.changes


def release() -> str:
    """Return the version of the program as it was installed."""
    try:
        return version("metricis")
    except PackageNotFoundError:
        return "not installed as a package"


def sign(listing: str, *, number: int, given: Settings) -> dict[str, Any]:
    """Return a list of files with its signed head, as the ledger keeps it.

    Raises
    ------
    FaultError
        When there is no key to sign with, it is not one of this installation's log, or the log has no identity yet.
    """
    identity, signer = _identity(given), load_signer(given, may_make=False)
    if not identity.knows(signer):
        raise FaultError(
            f"The present key is not one of the log “{identity.origin}”, so nothing was recorded. Start with the key that signs "
            "the ledger's heads, or add this one with “metricis ledger identity --renew”."
        )
    head = Head(f"{identity.origin}/{_TREE}", number, _root(listing))
    return {"release": release(), "files": number, "listing": listing, "note": signed(head, signer)}


def newest(url: str, *, given: Settings | None = None) -> Recorded | None:
    """Return what was recorded last; None when nothing was.

    Raises
    ------
    TamperedError
        When its signature is not this installation's, or the list is not the one that was signed.
    TransientFault
        When the database cannot be reached.
    """
    try:
        with reading(url, KNOCKING) as session:
            row = session.execute(text("select at, actor_name, change from app.recorded_files()")).one_or_none()
    except (OperationalError, ProgrammingError) as error:
        raise TransientFault(
            "The program's files could not be checked against the ledger (the database does not answer, or was not migrated), so "
            "nothing was started. Run `metricis migrate`, then start again."
        ) from error
    if row is None:
        return None
    told = row.change.get("new") or {}
    fault = _fault(told, given or settings())
    if fault:
        raise TamperedError(
            f"The newest record of the program's files in the ledger ({row.at:%Y-%m-%d %H:%M} UTC, by {row.actor_name}) is not to "
            f"be trusted: {fault}. Find out who wrote it, check the files from outside, then run `metricis install record`."
        )
    return Recorded(files.read(told["listing"]), str(told.get("release", "")), row.at, row.actor_name)


def look(url: str, *, given: Settings | None = None, place: Place | None = None) -> Verdict:
    """Hold every file of the program against the newest record; errors as `newest`."""
    kept = newest(url, given=given)
    at, elsewhere = place or files.here(), files.elsewhere() if place is None else []
    if kept is None:
        return Verdict(None, (), len(files.listed(at)))
    return Verdict(kept, (*elsewhere, *files.changes(kept.files, at)), len(kept.files))


def check_files(url: str, *, given: Settings | None = None, place: Place | None = None) -> None:
    """Return when the program may start; in production refuse on any difference, elsewhere tell it.

    Raises
    ------
    TamperedError
        In production, when files differ, nothing was recorded, or the record is not to be trusted.
    TransientFault
        When the database cannot be reached.
    """
    found = given or settings()
    try:
        _require(look(url, given=found, place=place), found)
    except TamperedError as error:
        if found.is_production:
            _LOG.critical("%s", error, extra={"requires_investigation": True})
            raise
        _LOG.warning("%s", error)


def _require(verdict: Verdict, given: Settings) -> None:
    kept = verdict.recorded
    if kept is None:
        if given.is_production:
            raise TamperedError(
                "Nobody has recorded which files of Metricis belong on this machine, so nothing was started. Check them against "
                "the release, then run `metricis install record`."
            )
        return
    if verdict.changes:
        many = f"{len(verdict.changes)} files of Metricis are" if len(verdict.changes) > 1 else "A file of Metricis is"
        raise TamperedError(
            f"{many} not as recorded on {kept.at:%Y-%m-%d} by {kept.by}: {files.in_words(list(verdict.changes))}. {_DO}"
        )


def _fault(told: Mapping[str, Any], given: Settings) -> str:
    """Return why a record is not to be trusted; an empty text when it is."""
    listing = str(told.get("listing", ""))
    try:
        note, identity = read(str(told.get("note", ""))), _identity(given)
    except BadInputError as error:
        return str(error).rstrip(".")
    if note.head.origin != f"{identity.origin}/{_TREE}":
        return f"it names “{note.head.origin}”, not the files of “{identity.origin}”"
    if note.head.root != _root(listing) or note.head.size != len(listing.splitlines()):
        return "its list is not the one that was signed"
    return wrong(note, identity)


def _identity(given: Settings) -> Identity:
    """Return whose signatures count: the log's pinned keys; the present key must be one of them where this process has it."""
    pinned = Record(given.home).identity()
    if pinned is None:
        raise TamperedError(
            f"The folder {Record(given.home).folder} has no identity of the ledger, so it cannot be told who may have signed the "
            "record of the program's files. Start the dispatcher once, which pins it, or put the folder back from its copy."
        )
    if given.ledger_key.get_secret_value() and not pinned.knows(load_signer(given, may_make=False)):
        raise TamperedError(
            f"The pinned identity “{pinned.origin}” does not know the ledger's present key: it was exchanged, or the key was. "
            "Put the folder `heads` back from its copy, or add the key with “metricis ledger identity --renew”."
        )
    return pinned


def _root(listing: str) -> bytes:
    return hashlib.sha256(listing.encode()).digest()
