"""May this study go live? Every row of the go/no-go list, green or red, with what to do about red."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row as Found
from sqlalchemy import text
from sqlalchemy.orm import Session

from apps import cookies
from apps.shell.pages import PAGES
from datamodel.access.actor import KNOCKING, Actor
from datamodel.anchors.record import Anchors
from datamodel.checkpoints.heads import Record
from datamodel.connections.address import target
from datamodel.custody import actions as custody
from datamodel.custody import files, installed
from datamodel.custody import reads as custody_reads
from datamodel.custody.start import check_start
from datamodel.kernel.errors import MetricisError, NotFoundError
from datamodel.kernel.settings import Settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations import run
from datamodel.migrations.schema import GUARDS
from datamodel.rehearsal import reads as rehearsals
from datamodel.rehearsal.surfaces import DEV_TEST_ROUTES
from datamodel.vault.keys import SecretError
from datamodel.vault.signing import load_signer
from pipelines.custody.steps import verify_all

#: A backup that was not restored for a test within this long does not count.
TESTED_WITHIN: Final = timedelta(days=90)
#: Administrators that acts of two people need.
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the list. `found` says what was seen, `to_do` what makes it green."""

    name: str
    is_green: bool
    found: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Cutover:
    """The whole list, its signature (algorithm -> base64) over `message`, and the ledger event that holds both.

    `event` is empty when the root key is not this database's, as nothing can be told in its ledger then.
    """

    study: str
    lines: tuple[Line, ...]
    message: str
    signature: dict[str, str]
    event: str

    @property
    def is_go(self) -> bool:
        """Whether every row is green."""
        return all(one.is_green for one in self.lines)


@dataclass(frozen=True, slots=True)
class Place:
    """The installation that is looked at: its settings and the addresses of two of its database roles."""

    settings: Settings
    app_url: str
    owner_url: str


def check(place: Place, actor: Actor, study: str) -> Cutover:
    """Look at everything, sign the result and write it into the ledger.

    Raises
    ------
    NotFoundError
        When there is no such study.
    RefusedError
        When the actor may not.
    """
    with unit_of_work(place.owner_url, actor) as unit:
        found = unit.session.execute(text("select * from app.study where code = :code"), {"code": study}).one_or_none()
        if found is None:
            raise NotFoundError(f"There is no study with the code “{study}”. Nothing was checked.")
        lines = tuple(_lines(place, unit.session, found, unit.instant))
        at = unit.instant
    message = json.dumps(
        {"study": study, "at": at.isoformat(), "lines": [asdict(one) for one in lines]}, sort_keys=True
    )
    try:
        signed = load_signer(place.settings).sign(message.encode())
    except MetricisError:
        signed = {}  # the row "ledger key" is red and says why
    signature: dict[str, str] = {str(name): base64.b64encode(value).decode() for name, value in signed.items()}
    try:
        with unit_of_work(place.app_url, actor, reason="checked whether the study may go live") as unit:
            event = custody.record_cutover(unit, study=study, study_id=found.id, result=message, signature=signature)
    except SecretError:
        return Cutover(study, lines, message, signature, "")  # the row "root key" is red and says why
    return Cutover(study, lines, message, signature, str(event))


def _lines(place: Place, session: Session, study: Found[Any], now: Any) -> Iterator[Line]:
    given = place.settings
    yield Line(
        "environment",
        given.is_production,
        f"ENVIRONMENT={given.environment}",
        "Start every process with ENVIRONMENT=production.",
    )
    yield _tried(
        "root key", lambda: check_start(place.app_url, given=given), "it opens this database; nothing is in plain text"
    )
    yield _tried("ledger key", lambda: load_signer(given, may_make=False), "the ledger's heads can be signed")
    yield _files(place)
    yield _leftovers(given)
    yield _rotation(session, given, now)
    yield _ledger(place)
    yield _anchors(given)
    yield from _invariants(session, study)
    revision = run.state(place.owner_url)
    yield Line(
        "migrations",
        revision == run.newest(),
        f"database {revision or 'none'}, program {run.newest()}",
        "Run `metricis migrate`.",
    )
    yield Line(
        "TLS",
        given.base_url.startswith("https://"),
        given.base_url,
        "Put a proxy with a certificate in front and set METRICIS_BASE_URL to its https:// address.",
    )
    name = cookies.named(cookies.SESSION)
    yield Line(
        "cookies",
        name.startswith("__Host-"),
        f"the session cookie is {name}",
        "It follows from TLS: set METRICIS_BASE_URL.",
    )
    yield _backup(session, now)
    yield _surfaces(session, study, given)
    yield from _roles(session, place)
    yield _two_people(session)


def _tried(name: str, attempt: Callable[[], object], well: str) -> Line:
    try:
        attempt()
    except MetricisError as error:
        return Line(name, is_green=False, found=str(error), to_do="Do what the sentence says, then check again.")
    return Line(name, is_green=True, found=well, to_do="")


def _files(place: Place) -> Line:
    to_do = "Check the files against the release, then run `metricis install record`."
    try:
        found = installed.look(place.app_url, given=place.settings)
    except MetricisError as error:
        return Line("installed files", is_green=False, found=str(error), to_do="Do what the sentence says.")
    if found.recorded is None:
        return Line("installed files", is_green=False, found="nobody recorded which belong here", to_do=to_do)
    told = f"{found.files} files as recorded on {found.recorded.at:%Y-%m-%d} by {found.recorded.by}"
    if found.changes:
        told = f"{len(found.changes)} differ: {files.in_words(list(found.changes))}"
    return Line("installed files", found.is_ok, told, "" if found.is_ok else to_do)


def _leftovers(given: Settings) -> Line:
    left = [
        name
        for name, is_set in (
            ("METRICIS_ROOT_KEY_PREVIOUS", bool(given.root_key_previous.get_secret_value())),
            ("REDCAP_ENCRYPTION_KEY", bool(given.redcap_encryption_key.get_secret_value())),
            ("REDCAP_ENCRYPTION_KEY_PREVIOUS", bool(given.redcap_encryption_key_previous.get_secret_value())),
            ("REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS", given.allow_plaintext_reads),
        )
        if is_set
    ]
    return Line(
        "earlier keys",
        not left,
        f"still set: {', '.join(left)}" if left else "none is given any more",
        "Run `metricis vault rotate --apply`, then take these variables away.",
    )


def _rotation(session: Session, given: Settings, now: Any) -> Line:
    try:
        needs = custody_reads.status(session, given, now=now).needs
    except MetricisError as error:
        return Line("rotation", is_green=False, found=str(error), to_do="Give the right root key first.")
    due = {what: number for what, number in needs.items() if number}
    found = ", ".join(f"{number} on {what}" for what, number in due.items())
    return Line("rotation", not due, found or "nothing is due", "Run `metricis vault rotate --apply`.")


def _ledger(place: Place) -> Line:
    try:
        verdict = verify_all(place.app_url)
    except MetricisError as error:
        return Line("ledger", is_green=False, found=str(error), to_do="Do what the sentence says, then check again.")
    found = f"{verdict.checked:,} entries checked, {len(verdict.problems)} problems"
    return Line(
        "ledger",
        verdict.is_ok and verdict.checked > 0,
        found,
        "Run `metricis ledger verify`, and find out who changed what.",
    )


def _anchors(given: Settings) -> Line:
    to_do = (
        "Start the dispatcher, which seals the ledger; then let an outside party vouch for its newest head: "
        "`metricis ledger stamp`, or `metricis ledger witness`."
    )
    kept = Anchors(Record(given.home))
    try:
        kinds, is_anchored = sorted({one.kind for one in kept.standing()}), kept.is_anchored()
    except MetricisError as error:
        return Line("anchors", is_green=False, found=str(error), to_do=to_do)
    return Line(
        "anchors", is_anchored, f"behind the ledger's signed heads: {', '.join(kinds)}; two kinds are needed", to_do
    )


def _invariants(session: Session, study: Found[Any]) -> Iterator[Line]:
    link = session.execute(
        text("select api_url from app.redcap_connection where study_id = :id"), {"id": study.id}
    ).scalar_one_or_none()
    is_one = (study.integration_mode == "redcap") == (link is not None)
    yield Line(
        "integration mode",
        is_one and study.integration_mode in {"redcap", "metricis"},
        f"mode {study.integration_mode}, {'connected' if link else 'not connected'} to REDCap",
        "A study in the mode “redcap” has a connection; one in the mode “metricis” has none.",
    )
    if link is not None:
        yield _tried("REDCap address", lambda: target(link, _as_in_production()), "https, and its host is allowed")
    events = session.execute(
        text("select count(*) from app.audit_event where study_id = :id and action like 'study.%'"), {"id": study.id}
    ).scalar_one()
    yield Line(
        "study in the ledger", events > 0, f"{events} events of its set-up", "The set-up of the study left no trace."
    )


def _as_in_production() -> Settings:
    return Settings(environment="production")


def _backup(session: Session, now: Any) -> Line:
    last = session.execute(
        text("select max(at) from app.audit_event where action = 'custody.record_restore'")
    ).scalar_one_or_none()
    is_fresh = last is not None and now - last <= TESTED_WITHIN
    return Line(
        "backup tested",
        is_fresh,
        f"last restored for a test on {last:%Y-%m-%d}" if last else "no test restore is on record",
        "Restore a backup on another machine, verify its ledger, then `metricis cutover-check STUDY --restored “how and where”`.",
    )


def _surfaces(session: Session, study: Found[Any], given: Settings) -> Line:
    pages = {one.path for one in PAGES.all()} & {one.name for one in DEV_TEST_ROUTES}
    moved = session.execute(
        text("select coalesce(max(abs(offset_days)), 0) from app.rehearsal where study_id = :id"), {"id": study.id}
    ).scalar_one()
    is_copy = rehearsals.copy_of(session, study.id) is not None
    wrong = [
        *(["DEV_MODE is set (and ignored in production)"] if given.dev_mode else []),
        *(f"the page {one} exists" for one in sorted(pages)),
        *([f"a simulated day is stored ({moved} days)"] if moved else []),
        *(["this study is a rehearsal copy, and its participants are invented"] if is_copy else []),
    ]
    return Line(
        "development surfaces",
        not wrong,
        "; ".join(wrong) or "none exists, and no day is simulated",
        "Unset DEV_MODE; go back to the real day with `metricis rehearse STUDY --days 0` before the environment is production. "
        "A rehearsal copy never goes live: the study that it was made of does.",
    )


def _roles(session: Session, place: Place) -> Iterator[Line]:
    with unit_of_work(place.app_url, KNOCKING) as unit:
        role = unit.session.execute(
            text(
                "select r.rolname, r.rolsuper, r.rolbypassrls, exists (select from pg_class c where c.relowner = r.oid "
                "and c.relnamespace = 'app'::regnamespace) as owns from pg_roles r where r.rolname = current_user"
            )
        ).one()
    wrong = [
        word
        for word, is_so in (
            ("superuser", role.rolsuper),
            ("ignores row-level security", role.rolbypassrls),
            ("owner", role.owns),
        )
        if is_so
    ]
    yield Line(
        "database role",
        not wrong,
        f"the application is {role.rolname}" + (f": {', '.join(wrong)}" if wrong else ", without rights of an owner"),
        "Give the processes the address that `metricis db url --role app` prints.",
    )
    rows = session.execute(
        text(
            "select relname from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r' "
            "and not (relrowsecurity and relforcerowsecurity) and relname = any(:names)"
        ),
        {"names": list(GUARDS)},
    )
    bare = sorted(row.relname for row in rows)
    yield Line(
        "row-level security",
        not bare,
        f"missing on {', '.join(bare)}" if bare else f"forced on {len(GUARDS)} tables",
        "Run `metricis migrate`.",
    )


def _two_people(session: Session) -> Line:
    number = session.execute(
        text("select count(*) from app.account where is_administrator and is_active and kind = 'staff'")
    ).scalar_one()
    return Line(
        "two administrators",
        number >= _TWO,
        f"{number} people are administrators",
        "Acts such as a change of keys need two: make a second administrator.",
    )
