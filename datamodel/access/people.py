"""The verbs on accounts and roles: give, change and end a role, close and reopen an account.

1. Nobody changes their own rights, administrators included.
2. Roles are given by administrators, and in their own study by those who manage its people; the role owner only by owners and
   administrators.
3. What shows who gets which treatment is given by two people (`unblind`).
4. An account is closed, never removed; a role that ended is kept until it is given again.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine

from datamodel.access import store
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.rights import ROLES, may, role_in_words, shows_blinded
from datamodel.access.tables import AccountRow, MembershipRow
from datamodel.audit import ledger
from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import Allowed, Answer, BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork, unit_of_work

#: Roles of accounts of each kind.
ROLES_OF: Final[Mapping[str, frozenset[str]]] = {
    "participant": frozenset({"participant"}),
    "caregiver": frozenset({"caregiver"}),
    "staff": frozenset(ROLES) - {"participant", "caregiver", "service"},
    "machine": frozenset(ROLES) - {"participant", "caregiver"},
}
OWN_RIGHTS: Final = Refused(
    "own-rights",
    "Nobody changes their own rights, so nothing was changed.",
    "Ask another owner of the study, or an administrator.",
)
TWO_PEOPLE: Final = Refused(
    "two-people",
    "To let somebody see who gets which treatment takes two people, so nothing was changed.",
    "Propose it on the page People and rights; a second person approves it, and then it can be done.",
)
_OWNER_ONLY: Final = Refused(
    "owner-only", "Only an owner of the study or an administrator gives or takes the role owner.", "Ask one of them."
)
_NOT_APPROVED: Final = Refused(
    "not-approved", "No approval of two people stands behind this, so nothing was changed.", "Propose it first."
)
_NO_REASON: Final = "Received no reason; a change of rights needs one. Say why, in a sentence. Nothing was changed."
_NO_ACCOUNT: Final = "There is no such account among those that you may see; nothing was changed."


def may_manage(actor: Actor, *, study: str) -> Answer:
    """Answer whether `actor` may give, change and end roles in a study."""
    held = may(actor, "study:people:manage", study=study)
    return Allowed() if held or may(actor, "system:users:manage") else held


def grant(
    unit: UnitOfWork[Actor],
    *,
    account_id: UUID,
    study: str,
    role: str,
    site: str | None = None,
    is_unblinded: bool = False,
) -> None:
    """Give an account one role in one study, for all sites or for `site`.

    Raises
    ------
    RefusedError
        When the actor may not, means themselves, or when it takes two people.
    BadInputError
        When the role is unknown or not for this kind of account, when there is a role already, or a person gives no reason.
    NotFoundError
        When study or account is unknown.
    """
    kind, study_id = _checked(unit, account_id, study, role=role)
    _check_role(kind, role)
    require(_may_place(unit.actor, study, role))
    if shows_blinded(role, is_unblinded=is_unblinded) and not _is_installer(unit.actor):
        raise RefusedError(TWO_PEOPLE)
    _place(unit, account_id, study_id, role=role, site=site, is_unblinded=is_unblinded)
    new = {"role": role, "site": site, "is_unblinded": is_unblinded}
    ledger.record(
        unit,
        "access.grant",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"new": new},
    )


def change_role(unit: UnitOfWork[Actor], *, account_id: UUID, study: str, role: str, site: str | None = None) -> None:
    """Change somebody's role or site in a study; a right to see blinded values that came with the old role ends.

    Raises
    ------
    RefusedError, BadInputError, NotFoundError
        As for `grant`, and NotFoundError when there is no role to change.
    """
    kind, study_id = _checked(unit, account_id, study, role=role)
    _check_role(kind, role)
    require(_may_place(unit.actor, study, role))
    row = _held(unit, account_id, study_id)
    require(_may_place(unit.actor, study, row.role))
    if shows_blinded(role, is_unblinded=False):
        raise RefusedError(TWO_PEOPLE)
    old, new = _shown(row), {"role": role, "site": site, "is_unblinded": row.is_unblinded and row.role == role}
    if old == new:
        raise BadInputError(
            f"They have the role {role_in_words(role)} already, for the same sites; nothing was changed."
        )
    row.role, row.site_code, row.is_unblinded = role, site, bool(new["is_unblinded"])
    ledger.record(
        unit,
        "access.change_role",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"old": old, "new": new},
    )


def end_role(unit: UnitOfWork[Actor], *, account_id: UUID, study: str) -> None:
    """End somebody's role in a study, from this moment on.

    Raises
    ------
    RefusedError, BadInputError, NotFoundError
        As for `change_role`.
    """
    _, study_id = _checked(unit, account_id, study)
    require(may_manage(unit.actor, study=study))
    row = _held(unit, account_id, study_id)
    require(_may_place(unit.actor, study, row.role))
    row.ended_at = unit.instant
    ledger.record(
        unit,
        "access.end_role",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"old": _shown(row)},
    )


def unblind(
    unit: UnitOfWork[Actor],
    *,
    account_id: UUID,
    study: str,
    role: str,
    site: str | None,
    is_unblinded: bool,
    approval_id: UUID,
) -> None:
    """Give or change a role so that somebody sees blinded values; only where an approval was used in this transaction.

    Raises
    ------
    RefusedError
        When the actor may not, means themselves, or when no approval for this very account stands behind it.
    """
    kind, study_id = _checked(unit, account_id, study, role=role)
    _check_role(kind, role)
    require(may(unit.actor, "study:blinding:lift", study=study))
    require(_may_place(unit.actor, study, role))
    if not store.is_approved_now(unit.session, approval_id, account_id=account_id, study_id=study_id):
        raise RefusedError(_NOT_APPROVED)
    row = store.membership(unit.session, account_id, study_id)
    old = _shown(row) if row is not None and row.ended_at is None else None
    _place(unit, account_id, study_id, role=role, site=site, is_unblinded=is_unblinded, replaces=True)
    new = {"role": role, "site": site, "is_unblinded": is_unblinded, "approval": str(approval_id)}
    ledger.record(
        unit,
        "access.unblind",
        study_id=study_id,
        subject=f"account:{account_id}",
        role=unit.actor.role(study),
        change={"old": old, "new": new},
    )


def close_account(unit: UnitOfWork[Actor], *, account_id: UUID) -> None:
    """Close an account: it signs in no more, and its sessions and tokens end. Roles stay, for when it is opened again.

    Raises
    ------
    RefusedError
        When the actor may not manage users, or means themselves.
    """
    row = _own_apart(unit, account_id)
    require(may(unit.actor, "system:users:manage"))
    if not row.is_active:
        raise BadInputError("This account is closed already; nothing was changed.")
    row.is_active = False
    ended = store.end_sessions(unit.session, account_id, now=unit.instant)
    revoked = store.revoke_tokens(unit.session, account_id, now=unit.instant)
    change = {"old": {"is_active": True}, "new": {"is_active": False, "sessions": ended, "tokens": revoked}}
    ledger.record(unit, "access.close_account", subject=f"account:{account_id}", change=change)


def open_account(unit: UnitOfWork[Actor], *, account_id: UUID) -> None:
    """Open an account that was closed; its tokens stay revoked."""
    row = _own_apart(unit, account_id)
    require(may(unit.actor, "system:users:manage"))
    if row.is_active:
        raise BadInputError("This account is open; nothing was changed.")
    row.is_active = True
    change = {"old": {"is_active": False}, "new": {"is_active": True}}
    ledger.record(unit, "access.open_account", subject=f"account:{account_id}", change=change)


def set_administrator(unit: UnitOfWork[Actor], *, account_id: UUID, is_administrator: bool) -> None:
    """Make a member of staff an administrator, or one no more."""
    row = _own_apart(unit, account_id)
    require(may(unit.actor, "system:users:manage"))
    if row.kind != "staff" or row.is_administrator == is_administrator:
        raise BadInputError("Only members of staff become administrators, and each once; nothing was changed.")
    row.is_administrator = is_administrator
    change = {"old": {"is_administrator": not is_administrator}, "new": {"is_administrator": is_administrator}}
    ledger.record(unit, "access.set_administrator", subject=f"account:{account_id}", change=change)


def _is_installer(actor: Actor) -> bool:
    return actor.kind == "machine" and actor.is_administrator


def _own_apart(unit: UnitOfWork[Actor], account_id: UUID) -> AccountRow:
    """Return the account, which must not be the actor's own; a person must give a reason."""
    if account_id == unit.actor.id:
        raise RefusedError(OWN_RIGHTS)
    row = store.account(unit.session, account_id) or _at_the_door(unit, account_id)
    if row is None:
        raise NotFoundError(_NO_ACCOUNT)
    if unit.actor.kind == "staff" and not unit.reason.strip():
        raise BadInputError(_NO_REASON)
    return row


def _at_the_door(unit: UnitOfWork[Actor], account_id: UUID) -> AccountRow | None:
    """Return an account that works in no study of the actor's yet: only the door sees it."""
    bind = unit.session.get_bind()
    engine = bind if isinstance(bind, Engine) else bind.engine
    with unit_of_work(libpq_url(engine.url.render_as_string(hide_password=False)), KNOCKING) as door:
        return store.account(door.session, account_id)


def _checked(unit: UnitOfWork[Actor], account_id: UUID, study: str, *, role: str = "") -> tuple[str, UUID]:
    """Return the kind of an account and the study's id, when the actor may give roles there."""
    study_id = store.study_id(unit.session, study)
    require(may_manage(unit.actor, study=study))
    if study_id is None:
        raise NotFoundError(f"There is no study with the code “{study}”.")
    if role and role not in ROLES:
        raise BadInputError(f"Received the role “{role}”; allowed are {', '.join(ROLES)}.")
    return _own_apart(unit, account_id).kind, study_id


def _check_role(kind: str, role: str) -> None:
    if role not in ROLES_OF[kind]:
        said = ", ".join(sorted(ROLES_OF[kind]))
        raise BadInputError(f"An account of the kind {kind} has the roles {said}; received “{role}”.")


def _may_place(actor: Actor, study: str, role: str) -> Answer:
    """Answer whether `actor` may give or take this role."""
    held = may_manage(actor, study=study)
    if not held or role != "owner" or actor.role(study) == "owner" or may(actor, "system:users:manage"):
        return held
    return _OWNER_ONLY


def _held(unit: UnitOfWork[Actor], account_id: UUID, study_id: UUID) -> MembershipRow:
    row = store.membership(unit.session, account_id, study_id)
    if row is None or row.ended_at is not None:
        raise NotFoundError("They have no role in this study, so nothing was changed.")
    return row


def _place(unit: UnitOfWork[Actor], account_id: UUID, study_id: UUID, *, replaces: bool = False, **given: Any) -> None:
    row = store.membership(unit.session, account_id, study_id)
    if row is not None and row.ended_at is None and not replaces:
        raise BadInputError(
            f"They have the role {role_in_words(row.role)} in this study already. Change that one; nothing was given."
        )
    if row is None:
        row = MembershipRow(id=new_id(), account_id=account_id, study_id=study_id, created_at=unit.instant)
    elif row.ended_at is not None:
        row.created_at = unit.instant
    row.role, row.site_code, row.is_unblinded, row.ended_at = given["role"], given["site"], given["is_unblinded"], None
    store.add(unit.session, row)


def _shown(row: MembershipRow) -> dict[str, Any]:
    return {"role": row.role, "site": row.site_code, "is_unblinded": row.is_unblinded}
