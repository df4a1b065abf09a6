"""Whether this process may start with the keys it was given, on the database it was given."""

import logging
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import TransientFault
from datamodel.kernel.settings import Settings, settings
from datamodel.kernel.unit import reading
from datamodel.vault.keyring import Keyring, keyring
from datamodel.vault.keys import SecretError, has_key
from datamodel.vault.seal import sealed_columns

_LOG: Final = logging.getLogger("metricis.vault")
_WHERE: Final = "Run `metricis vault status` to see where"


def check_start(url: str, *, given: Settings | None = None) -> None:
    """Return when web, worker or dispatcher may start; refuse with the reason otherwise, in development and production alike.

    Raises
    ------
    SecretError
        `missing`, `short` or `reused` root key; `wrong` for this database; `tampered` keys; `plaintext` or `downgraded` values.
    TransientFault
        When the database cannot be reached.
    """
    found = given or settings()
    try:
        with reading(url, KNOCKING) as session:
            check_keys(session, found)
            check_values(session, found)
    except (OperationalError, ProgrammingError) as error:
        raise TransientFault(
            "The keys could not be checked against the database (it does not answer, or was not migrated), so nothing was "
            "started. Run `metricis migrate`, then start again."
        ) from error


def check_keys(session: Session, given: Settings) -> None:
    """Open every data key of the database with the root keys that are given."""
    rows = session.execute(text(_KEYS)).all()
    if rows and not has_key(given):
        raise SecretError(
            "missing",
            "This database holds sealed values, and there is no root key to open them; nothing was started, and no new key was "
            "made. Give METRICIS_ROOT_KEY, or put the key file back into the home folder.",
        )
    ring: Keyring = keyring(session, given=given)
    for row in rows:
        ring.opened(row)


def check_values(session: Session, given: Settings) -> None:
    """Refuse plain text and versions nobody may read in sealed columns; say which are to be sealed anew."""
    takes_old = {f"{one.table}.{one.column}": one.takes_old for one in sealed_columns()}
    # Columns that the database itself calls sealed count too, whatever this process has imported.
    places = {*takes_old, *session.execute(text(_CHECKED)).scalars()}
    rows = session.execute(text("select * from app.unsealed(:places)"), {"places": sorted(places)}).all()
    for row in rows:
        _judge(row.place, row.version, row.number, takes_old=takes_old.get(row.place, True), given=given)


def _judge(place: str, version: str, number: int, *, takes_old: bool, given: Settings) -> None:
    if version in {"v1", "v2"}:
        if not (takes_old and given.redcap_encryption_key.get_secret_value()):
            raise SecretError(
                "downgraded",
                f"{number} values of {place} are sealed as enc:{version}, which is not read here; nothing was started. If they "
                f"come from an earlier build, give its key as REDCAP_ENCRYPTION_KEY. {_WHERE}.",
            )
        _LOG.warning(
            "%d values of %s are sealed as enc:%s. Run `metricis vault rotate --apply`.", number, place, version
        )
        return
    if version or not (takes_old and given.allow_plaintext_reads):
        raise SecretError(
            "plaintext",
            f"{number} values of {place} are not sealed; nothing was started. {_WHERE}. To seal them once, start `metricis vault "
            "rotate --apply` with REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS=true, then change these secrets: they were readable.",
        )
    _LOG.critical(
        "%d values of %s are in plain text and are read over the one-time bridge.",
        number,
        place,
        extra={"requires_investigation": True, "place": place},
    )


_KEYS: Final = (
    "select id, key_id, study_id, person_id, purpose, wrapped, destroyed_at from app.data_key "
    "where person_id is null and wrapped is not null"
)
_CHECKED: Final = (
    "select c.relname || '.' || substr(k.conname, length('ck_' || c.relname || '_') + 1, "
    "length(k.conname) - length('ck_' || c.relname || '_') - length('_is_sealed')) "
    "from pg_constraint k join pg_class c on c.oid = k.conrelid "
    "where k.connamespace = 'app'::regnamespace and right(k.conname, 10) = '_is_sealed'"
)
