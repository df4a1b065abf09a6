"""Load and save accounts, memberships, sessions and tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Row, and_, case, func, literal_column, select, text, update
from sqlalchemy.orm import Session

from datamodel.access.sessions import IDLE, IDLE_STAFF
from datamodel.access.tables import AccountRow, MembershipRow, SessionRow, TokenRow
from datamodel.kernel.settings import settings
from datamodel.vault.stamps import Stamped, can_stamp, genuine, is_genuine, stamp, stamped

#: Digest of what an account may do: any change of a membership, or of the account's standing, makes another.
_DIGEST: Final = """(
    select sha256(convert_to(
        a.is_administrator::text || a.is_active::text || coalesce(
            (select string_agg(to_jsonb(m)::text || case when s.status = 'closed' then 'closed' else '' end, ',' order by m.id)
             from app.membership m join app.study s on s.id = m.study_id where m.account_id = a.id), ''
        ), 'utf8'))
    from app.account a where a.id = app.session.account_id
)"""


def add(session: Session, row: AccountRow | MembershipRow | SessionRow | TokenRow) -> None:
    """Insert one row, with its stamp where it lets somebody in."""
    if isinstance(row, Stamped) and row.lets_in():
        row.stamp = stamp(session, row)
    session.add(row)
    session.flush()


def account(session: Session, account_id: UUID) -> AccountRow | None:
    """Return the account, or None."""
    return session.get(AccountRow, account_id)


def account_by_sign_in(session: Session, sign_in_name: str) -> AccountRow | None:
    """Return the active staff account with that sign-in name (case does not count)."""
    return session.scalars(
        select(AccountRow).where(AccountRow.sign_in_name == sign_in_name.strip().lower(), AccountRow.is_active)
    ).one_or_none()


def account_by_name(session: Session, *, kind: str, name: str) -> AccountRow | None:
    """Return the account of that kind and printed name."""
    return session.scalars(select(AccountRow).where(AccountRow.kind == kind, AccountRow.name == name)).one_or_none()


def account_of_participant(session: Session, participant_id: UUID) -> AccountRow | None:
    """Return a participant's own account."""
    return session.scalars(
        select(AccountRow).where(AccountRow.kind == "participant", AccountRow.participant_id == participant_id)
    ).one_or_none()


def memberships(session: Session, account_id: UUID) -> list[Any]:
    """Return (study code, role, site code, is_unblinded, whether the study is closed) rows of an account."""
    return list(
        session.execute(
            text(
                "select s.code, m.role, m.site_code, m.is_unblinded, s.status = 'closed' from app.membership m "
                "join app.study s on s.id = m.study_id where m.account_id = :account and m.ended_at is null "
                "order by s.code"
            ),
            {"account": account_id},
        )
    )


def membership(session: Session, account_id: UUID, study_id: UUID) -> MembershipRow | None:
    """Return an account's role in a study, ended or not."""
    return session.scalars(
        select(MembershipRow).where(MembershipRow.account_id == account_id, MembershipRow.study_id == study_id)
    ).one_or_none()


def members(session: Session, study_id: UUID) -> list[tuple[AccountRow, MembershipRow]]:
    """Return who has a role in a study (staff and machines), by name."""
    rows = session.execute(
        select(AccountRow, MembershipRow)
        .join(MembershipRow, MembershipRow.account_id == AccountRow.id)
        .where(
            MembershipRow.study_id == study_id,
            MembershipRow.ended_at.is_(None),
            AccountRow.kind.in_(("staff", "machine")),
        )
        .order_by(AccountRow.name)
    )
    return [(account, membership) for account, membership in rows]


def accounts(session: Session) -> list[AccountRow]:
    """Return every account of staff and machines, by name."""
    return list(
        session.scalars(
            select(AccountRow)
            .where(AccountRow.kind.in_(("staff", "machine")))
            .order_by(AccountRow.kind.desc(), AccountRow.name)
        )
    )


def last_seen(session: Session, account_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when accounts were last seen in a browser."""
    rows = session.execute(
        select(SessionRow.account_id, func.max(SessionRow.seen_at))
        .where(SessionRow.account_id.in_(account_ids))
        .group_by(SessionRow.account_id)
    )
    return {row[0]: row[1] for row in rows}


def is_approved_now(session: Session, approval_id: UUID, *, account_id: UUID, study_id: UUID) -> bool:
    """Return whether two people approved to unblind this account, and this transaction uses it (that room stands above)."""
    found: bool = session.execute(
        text(
            "select exists (select from app.approval a join app.approval_step s on s.approval_id = a.id "
            "join app.audit_event e on e.id = s.event_id where a.id = :approval and a.kind = 'unblinding' "
            "and a.study_id = :study and a.what->>'account' = :account and s.step = 'taken' "
            "and e.xid = pg_current_xact_id())"
        ),
        {"approval": approval_id, "study": study_id, "account": str(account_id)},
    ).scalar_one()
    return found


def token(session: Session, token_id: UUID) -> TokenRow | None:
    """Return a token by its id."""
    return session.get(TokenRow, token_id)


def tokens(session: Session, account_id: UUID) -> list[tuple[TokenRow, str | None]]:
    """Return an account's tokens with the codes of their studies, the newest first."""
    rows = list(
        session.scalars(select(TokenRow).where(TokenRow.account_id == account_id).order_by(TokenRow.created_at.desc()))
    )
    codes = study_codes(session, [row.study_id for row in rows if row.study_id])
    return [(row, codes.get(row.study_id) if row.study_id else None) for row in rows]


def revoke_tokens(session: Session, account_id: UUID, *, now: datetime) -> int:
    """Revoke all tokens of an account and return how many there were."""
    done = session.scalars(
        update(TokenRow)
        .where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(TokenRow.id)
    )
    return len(done.all())


def study_codes(session: Session, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the codes of studies by id."""
    rows = session.execute(text("select id, code from app.study where id = any (:ids)"), {"ids": list(ids)})
    return {row.id: row.code for row in rows}


def study_id(session: Session, code: str) -> UUID | None:
    """Return the id of the study with that code (the study room stands above this one)."""
    found: UUID | None = session.execute(
        text("select id from app.study where code = :code"), {"code": code}
    ).scalar_one_or_none()
    return found


def _is_live(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a signed-in browser was not revoked, has not ended, and did not idle too long."""
    return and_(
        SessionRow.revoked_at.is_(None),
        SessionRow.ends_at > now,
        SessionRow.seen_at > case((SessionRow.kind == "staff", now - IDLE_STAFF), else_=now - IDLE),
    )


def live_session(session: Session, token_hash: bytes, *, now: datetime) -> SessionRow | None:
    """Return the signed-in browser with that token, unless it ended, idled out or was revoked."""
    found = select(SessionRow).where(SessionRow.token_hash == token_hash, _is_live(now))
    return genuine(session, session.scalars(found).one_or_none())


def live_sessions(session: Session, account_id: UUID, *, now: datetime) -> list[SessionRow]:
    """Return an account's signed-in browsers, the one seen last first."""
    return list(
        session.scalars(
            select(SessionRow)
            .where(SessionRow.account_id == account_id, _is_live(now))
            .order_by(SessionRow.seen_at.desc())
        )
    )


def settled(session: Session, token_hashes: Sequence[bytes], *, now: datetime) -> set[bytes]:
    """Return which of these tokens still stand for a live session of an active account with unchanged rights."""
    found = session.scalars(
        select(SessionRow).where(SessionRow.token_hash.in_(token_hashes), _is_live(now), _has_its_rights())
    )
    return {row.token_hash for row in found if genuine(session, row)}


def is_settled(session: Session, token_hash: bytes) -> bool:
    """Return whether the account still has the rights that the session was opened or renewed with."""
    found = session.execute(select(SessionRow.id).where(SessionRow.token_hash == token_hash, _has_its_rights()))
    return found.scalar_one_or_none() is not None


def _has_its_rights() -> ColumnElement[bool]:
    return SessionRow.rights.is_not_distinct_from(literal_column(_DIGEST, LargeBinary))


def rights_digest(session: Session, account_id: UUID) -> bytes | None:
    """Return the digest of what an account may do."""
    found: bytes | None = session.execute(
        text(_DIGEST.replace("app.session.account_id", ":account")), {"account": account_id}
    ).scalar_one_or_none()
    return found


def touch(session: Session, session_id: UUID, *, now: datetime) -> None:
    """Note that a signed-in browser was seen."""
    session.execute(update(SessionRow).where(SessionRow.id == session_id).values(seen_at=now))


def touch_live(session: Session, token_hash: bytes, *, now: datetime) -> bool:
    """Note that a browser was seen, if it is still signed in; return whether it is."""
    found = session.execute(
        update(SessionRow)
        .where(SessionRow.token_hash == token_hash, _is_live(now))
        .values(seen_at=now)
        .returning(SessionRow.id)
    )
    return found.scalar_one_or_none() is not None


def rename_session(
    session: Session, token_hash: bytes, fresh_hash: bytes, *, now: datetime, **values: datetime
) -> SessionRow | None:
    """Put a new token in the place of an old one, with the rights of now; None when the session is over. Two at once: one wins."""
    row = live_session(session, token_hash, now=now)
    if row is None:
        return None
    fresh = {"token_hash": fresh_hash, **values}
    return session.scalars(
        update(SessionRow)
        .where(SessionRow.token_hash == token_hash, _is_live(now))
        .values(
            **fresh,
            stamp=stamp(session, row, **fresh),
            seen_at=now,
            rights=literal_column(_DIGEST, LargeBinary),
        )
        .returning(SessionRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()


def owner_of_session(session: Session, session_id: UUID) -> UUID | None:
    """Return whose session that is."""
    return session.scalars(select(SessionRow.account_id).where(SessionRow.id == session_id)).one_or_none()


def end_sessions(
    session: Session, account_id: UUID, *, now: datetime, only: UUID | None = None, except_hash: bytes = b""
) -> int:
    """Revoke an account's sessions (one, or all but one) and return how many there were."""
    chosen = [
        SessionRow.account_id == account_id,
        SessionRow.revoked_at.is_(None),
        SessionRow.token_hash != except_hash,
    ]
    if only is not None:
        chosen.append(SessionRow.id == only)
    ended = session.scalars(update(SessionRow).where(*chosen).values(revoked_at=now).returning(SessionRow.id))
    return len(ended.all())


def revoke_session(session: Session, token_hash: bytes, *, now: datetime) -> SessionRow | None:
    """End the signed-in browser with that token; None when there is none."""
    return session.scalars(
        update(SessionRow)
        .where(SessionRow.token_hash == token_hash, SessionRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(SessionRow)
    ).one_or_none()


def live_token(session: Session, token_hash: bytes, *, now: datetime) -> TokenRow | None:
    """Return the token, unless it ended or was revoked, and note its use.

    A process without the root key (a notebook in production) cannot look at its stamp; whoever gave it the way to the database
    gave it more than a token does.
    """
    found = session.scalars(
        update(TokenRow)
        .where(TokenRow.token_hash == token_hash, TokenRow.revoked_at.is_(None), TokenRow.ends_at > now)
        .values(used_at=now)
        .returning(TokenRow)
    ).one_or_none()
    return genuine(session, found) if can_stamp(settings()) else found


_OF_ACCOUNT: Final = "select id, kind, sign_in_name, password_hash, stamp from app.account where is_active and "


def password_of(session: Session, account_id: UUID) -> str | None:
    """Return the password hash of an active account, when this program set it."""
    return _password(session, session.execute(text(f"{_OF_ACCOUNT} id = :id"), {"id": account_id}).one_or_none())[1]


def password_by_name(session: Session, sign_in_name: str) -> tuple[UUID | None, str | None]:
    """Return id and password hash of the active member of staff with that sign-in name: one question, found or not."""
    found = session.execute(
        text(f"{_OF_ACCOUNT} sign_in_name = :name and kind = 'staff'"), {"name": sign_in_name.strip().lower()}
    )
    return _password(session, found.one_or_none())


def _password(session: Session, row: Row[Any] | None) -> tuple[UUID | None, str | None]:
    if row is None or row.password_hash is None:
        return (row.id if row else None), None
    values = {name: getattr(row, name) for name in AccountRow.__stamped__}
    return row.id, row.password_hash if is_genuine(session, AccountRow.__tablename__, values, row.stamp) else None


def keep_password(session: Session, account_id: UUID, password_hash: str) -> None:
    """Keep a new password hash, with its stamp."""
    row = session.execute(text(f"{_OF_ACCOUNT} id = :id for update"), {"id": account_id}).one()
    values = {name: getattr(row, name) for name in AccountRow.__stamped__} | {"password_hash": password_hash}
    session.execute(
        text("update app.account set password_hash = :hash, stamp = :stamp where id = :id"),
        {"hash": password_hash, "stamp": stamped(session, AccountRow.__tablename__, values), "id": account_id},
    )
