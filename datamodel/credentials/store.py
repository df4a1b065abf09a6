"""Load and save factors, tries, challenges and halves. What works once is spent by one statement, so two at once are one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from datamodel.credentials.tables import (
    ChallengeRow,
    HalfRow,
    IdentityRow,
    InvitationRow,
    PasskeyRow,
    ProfileRow,
    RecoveryRow,
    TotpRow,
    TripRow,
    TryRow,
)
from datamodel.credentials.tries import Knock
from datamodel.vault.stamps import Stamped, genuine, stamp

type Row = (
    ChallengeRow
    | HalfRow
    | IdentityRow
    | InvitationRow
    | PasskeyRow
    | ProfileRow
    | RecoveryRow
    | TotpRow
    | TripRow
    | TryRow
)


def add(session: Session, row: Row) -> None:
    """Insert one row, with its stamp where it lets somebody in."""
    if isinstance(row, Stamped):
        row.stamp = stamp(session, row)
    session.add(row)
    session.flush()


def add_new(session: Session, row: PasskeyRow | IdentityRow) -> bool:
    """Insert one row, unless there is such a passkey or identity already, of whichever account; return whether it is new."""
    try:
        with session.begin_nested():
            add(session, row)
    except IntegrityError:
        return False
    return True


# -- tries ---------------------------------------------------------------------------------------------------------


def hold(session: Session, knock: Knock) -> None:
    """Let nobody else count this name or source until the transaction ends, so that counts cannot be overtaken."""
    for digest in sorted({knock.name_hash, knock.source_hash} - {b""}):
        key = int.from_bytes(digest[:8], "big", signed=True)
        session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": key})


def wrong_tries(session: Session, knock: Knock, *, since: datetime) -> list[datetime]:
    """Return when a name was wrong since `since` and since it was last right, newest first."""
    good = session.scalar(
        select(func.max(TryRow.at)).where(TryRow.name_hash == knock.name_hash, TryRow.is_good, TryRow.at > since)
    )
    return list(
        session.scalars(
            select(TryRow.at)
            .where(TryRow.name_hash == knock.name_hash, ~TryRow.is_good, TryRow.at > max(since, good or since))
            .order_by(TryRow.at.desc())
        )
    )


def tries_from(session: Session, knock: Knock, *, since: datetime) -> int:
    """Return how many tries that were not right came from the same source since then."""
    if not knock.source_hash:
        return 0
    found = select(func.count()).where(TryRow.source_hash == knock.source_hash, ~TryRow.is_good, TryRow.at > since)
    return session.scalar(found) or 0


def good_try(session: Session, try_id: UUID) -> None:
    """Note that a try was right."""
    session.execute(update(TryRow).where(TryRow.id == try_id).values(is_good=True))


def forget(session: Session, *, now: datetime) -> None:
    """Remove what no count and no step looks at any more."""
    session.execute(delete(TryRow).where(TryRow.at < now - timedelta(days=1)))
    for table in (ChallengeRow, HalfRow, TripRow):
        session.execute(delete(table).where(table.ends_at < now - timedelta(days=1)))


# -- accounts ------------------------------------------------------------------------------------------------------


def profile(session: Session, account_id: UUID) -> ProfileRow:
    """Return what an account did about its credentials, a new row when nothing yet."""
    row = session.get(ProfileRow, account_id)
    if row is None:
        row = ProfileRow(account_id=account_id)
        add(session, row)
    return row


def known_profile(session: Session, account_id: UUID) -> ProfileRow | None:
    """Return what an account did about its credentials, or None; writes nothing."""
    return session.get(ProfileRow, account_id)


# -- factors -------------------------------------------------------------------------------------------------------


def totp(session: Session, account_id: UUID) -> TotpRow | None:
    """Return the authenticator of an account, confirmed or not yet."""
    return session.scalars(select(TotpRow).where(TotpRow.account_id == account_id)).one_or_none()


def drop_totp(session: Session, account_id: UUID) -> bool:
    """Remove the authenticator; return whether there was one."""
    return bool(session.scalars(delete(TotpRow).where(TotpRow.account_id == account_id).returning(TotpRow.id)).all())


def spend_step(session: Session, row_id: UUID, step: int) -> bool:
    """Spend the code of a time step and all before it; False when it was spent already. Two at once: one wins."""
    found = session.execute(
        update(TotpRow)
        .where(TotpRow.id == row_id, TotpRow.last_step < step)
        .values(last_step=step)
        .returning(TotpRow.id)
    )
    return found.scalar_one_or_none() is not None


def spend_recovery(session: Session, account_id: UUID, code_hash: bytes, *, now: datetime) -> bool:
    """Spend a recovery code; False when it is unknown or spent."""
    found = session.scalars(
        select(RecoveryRow).where(
            RecoveryRow.account_id == account_id, RecoveryRow.code_hash == code_hash, RecoveryRow.used_at.is_(None)
        )
    ).one_or_none()
    if genuine(session, found) is None or found is None:
        return False
    spent = session.execute(
        update(RecoveryRow)
        .where(RecoveryRow.id == found.id, RecoveryRow.used_at.is_(None))
        .values(used_at=now)
        .returning(RecoveryRow.id)
    )
    return spent.scalar_one_or_none() is not None


def replace_recovery(session: Session, account_id: UUID, rows: Sequence[RecoveryRow]) -> None:
    """Put new recovery codes in the place of all earlier ones."""
    session.execute(delete(RecoveryRow).where(RecoveryRow.account_id == account_id))
    for row in rows:
        add(session, row)


def recovery_left(session: Session, account_id: UUID) -> int:
    """Return how many recovery codes are unspent."""
    return (
        session.scalar(select(func.count()).where(RecoveryRow.account_id == account_id, RecoveryRow.used_at.is_(None)))
        or 0
    )


def passkeys(session: Session, account_id: UUID) -> list[PasskeyRow]:
    """Return the passkeys of an account, oldest first."""
    return list(
        session.scalars(select(PasskeyRow).where(PasskeyRow.account_id == account_id).order_by(PasskeyRow.created_at))
    )


def passkey(session: Session, credential_id: bytes) -> PasskeyRow | None:
    """Return a passkey, held until the transaction ends: its counter moves on."""
    found = session.scalars(
        select(PasskeyRow).where(PasskeyRow.credential_id == credential_id).with_for_update()
    ).one_or_none()
    return genuine(session, found)


def use_passkey(session: Session, row_id: UUID, *, sign_count: int, now: datetime) -> None:
    """Move a passkey's counter on."""
    session.execute(update(PasskeyRow).where(PasskeyRow.id == row_id).values(sign_count=sign_count, used_at=now))


def drop_passkey(session: Session, account_id: UUID, row_id: UUID) -> bool:
    """Remove a passkey of an account; return whether there was one."""
    gone = delete(PasskeyRow).where(PasskeyRow.account_id == account_id, PasskeyRow.id == row_id)
    return bool(session.scalars(gone.returning(PasskeyRow.id)).all())


# -- what works once -----------------------------------------------------------------------------------------------


def spend_challenge(session: Session, challenge: bytes, *, now: datetime) -> ChallengeRow | None:
    """Spend a challenge; None when it is unknown, spent or over."""
    return session.scalars(
        update(ChallengeRow)
        .where(ChallengeRow.challenge == challenge, ChallengeRow.used_at.is_(None), ChallengeRow.ends_at > now)
        .values(used_at=now)
        .returning(ChallengeRow)
    ).one_or_none()


def half(session: Session, token_hash: bytes, *, now: datetime) -> HalfRow | None:
    """Return a half sign-in that still waits."""
    found = session.scalars(
        select(HalfRow).where(HalfRow.token_hash == token_hash, HalfRow.used_at.is_(None), HalfRow.ends_at > now)
    ).one_or_none()
    return genuine(session, found)


def spend_half(session: Session, half_id: UUID, *, now: datetime) -> bool:
    """Complete a half sign-in; False when somebody else just did."""
    found = session.execute(
        update(HalfRow)
        .where(HalfRow.id == half_id, HalfRow.used_at.is_(None))
        .values(used_at=now)
        .returning(HalfRow.id)
    )
    return found.scalar_one_or_none() is not None


def invitation(session: Session, token_hash: bytes, *, now: datetime) -> InvitationRow | None:
    """Return an invitation that still waits."""
    found = session.scalars(
        select(InvitationRow).where(
            InvitationRow.token_hash == token_hash, InvitationRow.used_at.is_(None), InvitationRow.ends_at > now
        )
    ).one_or_none()
    return genuine(session, found)


def spend_invitation(session: Session, token_hash: bytes, *, now: datetime) -> InvitationRow | None:
    """Spend an invitation; None when it is unknown, spent or over. Two at once: one wins."""
    row = invitation(session, token_hash, now=now)
    if row is None:
        return None
    return session.scalars(
        update(InvitationRow)
        .where(InvitationRow.id == row.id, InvitationRow.used_at.is_(None))
        .values(used_at=now)
        .returning(InvitationRow)
    ).one_or_none()


def end_invitations(session: Session, account_id: UUID, *, now: datetime) -> None:
    """End all waiting invitations of an account: the newest alone counts."""
    session.execute(
        update(InvitationRow)
        .where(InvitationRow.account_id == account_id, InvitationRow.used_at.is_(None))
        .values(used_at=now)
    )


# -- institutions --------------------------------------------------------------------------------------------------


def spend_trip(session: Session, state_hash: bytes, *, now: datetime) -> TripRow | None:
    """Spend the state of a trip through an institution's sign-in; None when it is unknown, spent or over."""
    found = session.scalars(
        update(TripRow)
        .where(TripRow.state_hash == state_hash, TripRow.used_at.is_(None), TripRow.ends_at > now)
        .values(used_at=now)
        .returning(TripRow)
    ).one_or_none()
    return genuine(session, found)


def identity(session: Session, issuer: str, subject: str) -> IdentityRow | None:
    """Return whose subject that is."""
    found = session.scalars(
        select(IdentityRow).where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
    ).one_or_none()
    return genuine(session, found)


def identities(session: Session, account_id: UUID) -> list[IdentityRow]:
    """Return the institutions' subjects of an account."""
    return list(session.scalars(select(IdentityRow).where(IdentityRow.account_id == account_id)))


def drop_identity(session: Session, account_id: UUID, row_id: UUID) -> bool:
    """Unlink a subject from an account; return whether there was one."""
    gone = delete(IdentityRow).where(IdentityRow.account_id == account_id, IdentityRow.id == row_id)
    return bool(session.scalars(gone.returning(IdentityRow.id)).all())
