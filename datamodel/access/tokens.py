"""Tokens of notebooks and machines: made for a study and a handful of permissions, shown once, over after a while.

1. A token never reaches further than its account does at the moment of use; its scopes only take away.
2. People make their own; an administrator makes those of machines, and no person's.
3. What is kept is a hash; last use is shown; revoked is revoked at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from datamodel.access import store
from datamodel.access.actor import Actor
from datamodel.access.rights import PERMISSIONS, may
from datamodel.access.tables import TokenRow
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.vault.seal import new_token, token_hash

#: Longest life of a token, in days.
LONGEST: Final = 366
#: What a notebook needs, as far as its owner holds it.
NOTEBOOK: Final = (
    "study:overview:read",
    "study:data:read",
    "study:records:read",
    "study:audit:read",
    "study:blinded:read",
)
_NOT_YOURS: Final = Refused(
    "not-your-token",
    "Everybody makes their own tokens; administrators make those of machines. Nothing was made.",
    "Ask the person to make it on the page People and rights.",
)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What is known of a token; never the token itself. `scopes` None: all that the account may; `study` empty: all."""

    id: UUID
    account_id: UUID
    purpose: str
    scopes: tuple[str, ...] | None
    study: str
    created_at: datetime
    ends_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return `live`, `revoked` or `over`."""
        if self.revoked_at is not None:
            return "revoked"
        return "live" if now < self.ends_at else "over"


def make_token(
    unit: UnitOfWork[Actor],
    *,
    account_id: UUID,
    purpose: str,
    days: int,
    study: str = "",
    scopes: Iterable[str] | None = None,
) -> str:
    """Return a new token, which is shown this once, for one study (or all of the account's) and some permissions.

    Without `scopes` it reaches as far as a notebook needs and its account may.

    Raises
    ------
    RefusedError
        When it is not the actor's to make, or reaches further than the account.
    BadInputError
        When purpose, days or a permission cannot be right.
    """
    holder = _holder(unit, account_id)
    wanted = _wanted(holder, study, scopes)
    if not purpose.strip():
        raise BadInputError("Received no purpose; say what the token is for. Nothing was made.")
    if not -LONGEST <= days <= LONGEST or days == 0:
        raise BadInputError(f"Received {days} days; allowed are 1 to {LONGEST}. Nothing was made.")
    token, token_id = new_token(), new_id()
    study_id = store.study_id(unit.session, study) if study else None
    row = TokenRow(
        id=token_id,
        token_hash=token_hash(token),
        account_id=account_id,
        purpose=purpose.strip()[:200],
        created_at=unit.instant,
        ends_at=unit.instant + timedelta(days=days),
        scopes=wanted,
        study_id=study_id,
        made_by=unit.actor.id,
    )
    store.add(unit.session, row)
    ledger.record(
        unit,
        "access.make_token",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"new": {"token": str(token_id), "purpose": row.purpose, "days": days, "scopes": wanted}},
    )
    return token


def revoke_token(unit: UnitOfWork[Actor], token_id: UUID) -> None:
    """Revoke one's own token, or as an administrator anybody's; it opens nothing from this moment on.

    Raises
    ------
    NotFoundError
        When there is no such live token for this actor.
    """
    row = store.token(unit.session, token_id)
    is_own = row is not None and row.account_id == unit.actor.id
    if row is None or row.revoked_at is not None or not (is_own or may(unit.actor, "system:users:manage")):
        raise NotFoundError("There is no such live token among those that you may revoke; nothing was changed.")
    row.revoked_at = unit.instant
    ledger.record(
        unit,
        "access.revoke_token",
        study_id=row.study_id if is_own else None,
        subject=f"account:{row.account_id}",
        change={"old": {"token": str(token_id), "purpose": row.purpose}},
    )


def tokens_of(session: Session, account_id: UUID) -> list[TokenInfo]:
    """Return an account's tokens, the newest first. Whoever asks shows an account its own, or is an administrator."""
    return [
        TokenInfo(
            id=row.id,
            account_id=row.account_id,
            purpose=row.purpose,
            scopes=None if row.scopes is None else tuple(row.scopes),
            study=code or "",
            created_at=row.created_at,
            ends_at=row.ends_at,
            used_at=row.used_at,
            revoked_at=row.revoked_at,
        )
        for row, code in store.tokens(session, account_id)
    ]


def _holder(unit: UnitOfWork[Actor], account_id: UUID) -> Actor:
    """Return whose token it will be, when the actor may make it."""
    if account_id == unit.actor.id and unit.actor.scopes is None and unit.actor.kind == "staff":
        return unit.actor
    from datamodel.access import reads

    holder = reads.actor(unit.session, account_id)
    require(may(unit.actor, "system:users:manage"))
    if holder.kind != "machine" and unit.actor.kind != "machine":
        raise RefusedError(_NOT_YOURS)
    return holder


def _wanted(holder: Actor, study: str, scopes: Iterable[str] | None) -> list[str]:
    studies = [study] if study else [one.study for one in holder.memberships]
    if study and holder.membership(study) is None:
        require(may(holder, NOTEBOOK[0], study=study))
    if scopes is None:
        return [one for one in NOTEBOOK if any(may(holder, one, study=code) for code in studies)]
    wanted = sorted(set(scopes))
    unknown = [one for one in wanted if one not in PERMISSIONS or not one.startswith("study:")]
    if unknown or not wanted:
        raise BadInputError(
            f"Received {', '.join(unknown) or 'no permission'}; a token takes permissions of studies, as `study:data:read`. "
            "Nothing was made."
        )
    for one in wanted:
        for code in studies or [study]:
            require(may(holder, one, study=code))
    return wanted
