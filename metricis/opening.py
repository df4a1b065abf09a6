"""How a notebook comes in: where the installation is, whose token it holds, and the one ledger event of opening."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.rights import may, role_in_words
from datamodel.audit import ledger
from datamodel.kernel.errors import Refused, RefusedError, require
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.study import reads as studies
from exports.marts.reader import Snapshot, open_snapshot

#: number of a snapshot, a day (the newest of that day or before), or the newest
Wanted = int | date | Literal["latest"]
TOKEN_FILE = "notebook.token"  # noqa: S105 - the name of the file, not a token
_HOME = ".metricis"


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening gave: the snapshot as this reader may see it, the study's title, and the reader's role in words."""

    snapshot: Snapshot
    title: str
    role: str


def open_for_reading(code: str, wanted: Wanted) -> Opened:
    """Open a snapshot of the study for whoever holds the notebook token, and tell the ledger.

    Raises
    ------
    RefusedError
        When there is no token, it is not valid any more, or its holder may not read data.
    NotFoundError
        When there is no such study or snapshot.
    """
    url, actor = come_in()
    with reading(url, actor):  # a refusal inside leaves its trace in the ledger
        require(may(actor, "study:data:read", study=code))
    membership = actor.membership(code)
    snapshot = open_snapshot(
        settings().marts_folder,
        code,
        number=wanted,
        unblinded=bool(may(actor, "study:blinded:read", study=code)),
        site=membership.site if membership else None,
    )
    with unit_of_work(url, actor, reason="opened in a notebook") as unit:
        study = studies.study(unit.session, code)
        ledger.record(
            unit,
            "marts.open_snapshot",
            study_id=study.id,
            subject=f"snapshot:{snapshot.number}",
            role=actor.role(code),
            change={"new": {"number": snapshot.number, "is_blinded": snapshot.is_blinded, "site": snapshot.site}},
        )
    return Opened(snapshot=snapshot, title=study.title, role=role_in_words(actor.role(code)))


def open_moment(code: str, at: datetime) -> Opened:
    """Open the study as it was at the instant `at` for whoever holds the notebook token, and tell the ledger.

    Errors are `exports.marts.moment.as_of`'s and those of the token.
    """
    from exports.marts.moment import as_of

    url, actor = come_in()
    with reading(url, actor):
        require(may(actor, "study:data:read", study=code))
    membership = actor.membership(code)
    moment = as_of(
        url,
        study=code,
        folder=settings().marts_folder,
        actor=actor,
        at=at,
        unblinded=bool(may(actor, "study:blinded:read", study=code)),
        site=membership.site if membership else None,
    )
    with unit_of_work(url, actor, reason="opened in a notebook") as unit:
        study = studies.study(unit.session, code)
        ledger.record(
            unit,
            "marts.open_moment",
            study_id=study.id,
            subject=f"study:{code}",
            role=actor.role(code),
            change={"new": {"at": at.isoformat(), "position": moment.position, "is_blinded": moment.is_blinded}},
        )
    return Opened(snapshot=moment, title=study.title, role=role_in_words(actor.role(code)))


@contextmanager
def asking() -> Iterator[tuple[Session, Actor]]:
    """Give a session for reads, and whoever holds the notebook token."""
    url, actor = come_in()
    with unit_of_work(url, actor) as unit:
        yield unit.session, actor


def come_in() -> tuple[str, Actor]:
    """Return the installation's database and whoever holds the notebook token; RefusedError when there is none."""
    find_home()
    url = _database_url()
    return url, _reader(url)


def find_home() -> None:
    """Take the installation of the nearest folder above, when none is named and none is here."""
    if "METRICIS_HOME" in os.environ or settings().home.exists():
        return
    for folder in Path.cwd().parents:
        if (folder / _HOME).is_dir():
            os.environ["METRICIS_HOME"] = str(folder / _HOME)
            settings.cache_clear()
            return


def _database_url() -> str:
    given = settings().database_url.get_secret_value()
    if given:
        return given
    from metricis.local.installation import database_url

    if not settings().home.exists():
        raise RefusedError(
            Refused(
                "no-installation",
                f"There is no installation of Metricis in {settings().home.absolute()} or a folder above it.",
                "Start one with `./go demo`, or name its folder in METRICIS_HOME.",
            )
        )
    return database_url()


def _reader(url: str) -> Actor:
    token = os.environ.get("METRICIS_TOKEN", "")
    file = settings().home / TOKEN_FILE
    if not token and file.exists():
        token = file.read_text().strip()
    if not token:
        raise RefusedError(
            Refused(
                "no-token",
                f"A notebook needs a token: neither METRICIS_TOKEN nor the file {file} holds one.",
                "Ask your administrator for a notebook token; the demo writes one when it starts.",
            )
        )
    with unit_of_work(url, KNOCKING) as unit:
        actor = access.actor_of_token(unit.session, token, now=unit.instant)
    if actor is None:
        raise RefusedError(
            Refused("token-invalid", "This notebook token is unknown, revoked or over.", "Ask for a new one.")
        )
    return actor
