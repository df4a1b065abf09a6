"""What the pages of people and rights tell, worked out from truth. No widgets."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from apps.shell.session import Visitor, database_url
from datamodel.access import people, tokens
from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING
from datamodel.access.reads import Account, Member
from datamodel.access.rights import ROLES, may, role_in_words, shows_blinded
from datamodel.access.sessions import SessionInfo
from datamodel.access.tokens import TokenInfo
from datamodel.approvals import reads as approvals
from datamodel.approvals.kinds import KINDS
from datamodel.approvals.reads import Proposal
from datamodel.credentials import reads as credentials
from datamodel.kernel.errors import Refused
from datamodel.kernel.unit import unit_of_work
from datamodel.study import reads as studies

#: states of a proposal in the shell's vocabulary: (state, word)
PROPOSAL_STATES: Final = {
    "waiting": ("answered", "Waits for a second person"),
    "approved": ("in_progress", "Approved, not done yet"),
    "taken": ("complete", "Done"),
    "ended": ("closed", "Turned down or taken back"),
    "over": ("closed", "Over"),
}


def reference(one: UUID) -> str:
    """Return the short reference by which addresses name a person, a proposal or a token."""
    return base64.b32encode(hashlib.sha256(one.bytes).digest())[:8].decode()


@dataclass(frozen=True, slots=True)
class Known:
    """What the door knows of an account, as far as others are told."""

    seen_at: datetime | None
    has_second: bool


@dataclass(slots=True)
class PeopleState:
    """A study's people and the acts that wait for a second person."""

    members: list[Member]
    known: dict[UUID, Known]
    proposals: list[Proposal]
    sites: list[str]
    now: datetime
    chosen: str = ""
    is_fresh: bool = False
    may_manage: bool = False
    may_propose: bool = False
    why_not: str = ""
    #: kinds of acts on the whole study that the visitor may propose
    study_wide: tuple[str, ...] = ()

    @property
    def person(self) -> Member | None:
        """Return the chosen person."""
        return next((one for one in self.members if reference(one.account_id) == self.chosen), None)

    @property
    def proposal(self) -> Proposal | None:
        """Return the chosen proposal."""
        return next((one for one in self.proposals if reference(one.id) == self.chosen), None)

    def sees(self, one: Member) -> bool:
        """Return whether somebody sees blinded values."""
        return shows_blinded(one.role, is_unblinded=one.is_unblinded)

    def what(self, one: Proposal) -> str:
        """Return what a proposal is about, in words."""
        names = {str(member.account_id): member.name for member in self.members}
        if one.kind == "unblinding":
            who = names.get(str(one.what.get("account", "")), str(one.what.get("name", "somebody")))
            return f"{who} sees blinded values as {role_in_words(str(one.what.get('role', '')))}"
        if one.kind == "arm_reveal":
            return f"{one.proposed_name} sees the treatment arm of {one.what.get('participant', 'a participant')}, once"
        if one.kind == "outbound_rule":
            return f"REDCap is asked at {one.what.get('api_url', 'another address')}"
        if one.kind == "study_close":
            return "Close the study for good"
        return "; ".join(f"{name}: {value}" for name, value in sorted(one.what.items())) or one.words

    def waiting(self) -> int:
        """Return how many proposals wait for a second person."""
        return sum(one.state == "waiting" for one in self.proposals)


def role_choices(*, can_unblind: bool = False) -> dict[str, str]:
    """Return the roles that are given to people: words -> role; those that show arms only when asked for."""
    return {
        role_in_words(role).capitalize(): role
        for role in ROLES
        if role in people.ROLES_OF["staff"] and shows_blinded(role, is_unblinded=False) <= can_unblind
    }


def _known(accounts: Iterable[UUID]) -> dict[UUID, Known]:
    wanted = list(accounts)
    with unit_of_work(database_url(), KNOCKING) as door:
        seen = access.last_seen(door.session, wanted)
        return {one: Known(seen.get(one), credentials.factors(door.session, one).has_second) for one in wanted}


def is_fresh(visitor: Visitor) -> bool:
    """Return whether the visitor confirmed who they are within the last five minutes."""
    with unit_of_work(database_url(), KNOCKING) as door:
        info = access.session_of(door.session, visitor.token, now=door.instant)
        return info is not None and info.is_fresh(door.instant)


def people_state(
    session: Any, visitor: Visitor, *, study: str, study_id: UUID, chosen: str, now: datetime
) -> PeopleState:
    """Return the people of a study, for whoever may see them."""
    actor = visitor.actor
    found = access.members(session, actor, study=study)
    manages = people.may_manage(actor, study=study)
    return PeopleState(
        members=[one for one in found if one.kind == "staff"],
        known=_known(one.account_id for one in found),
        proposals=approvals.proposals(session, actor, study=study, now=now),
        sites=[one.code for one in studies.sites(session, study_id)],
        now=now,
        chosen=chosen[:12],
        is_fresh=is_fresh(visitor),
        may_manage=bool(manages),
        may_propose=bool(may(actor, KINDS["unblinding"].permission, study=study)),
        why_not=manages.sentence if isinstance(manages, Refused) else "",
        study_wide=tuple(
            kind for kind in ("outbound_rule", "study_close") if may(actor, KINDS[kind].permission, study=study)
        ),
    )


@dataclass(slots=True)
class TokensState:
    """One's own tokens in a study."""

    tokens: list[TokenInfo]
    now: datetime
    chosen: str = ""
    is_fresh: bool = False

    @property
    def one(self) -> TokenInfo | None:
        """Return the chosen token."""
        return next((one for one in self.tokens if reference(one.id) == self.chosen), None)


def tokens_state(session: Any, visitor: Visitor, *, study: str, chosen: str, now: datetime) -> TokensState:
    """Return one's own tokens that reach this study, the newest first."""
    found = tokens.tokens_of(session, visitor.actor.id)
    return TokensState(
        tokens=[one for one in found if one.study in {"", study}],
        now=now,
        chosen=chosen[:12],
        is_fresh=is_fresh(visitor),
    )


@dataclass(slots=True)
class AccountsState:
    """Every account of the installation, for administrators."""

    accounts: list[Account]
    known: dict[UUID, Known]
    now: datetime
    chosen: str = ""
    is_fresh: bool = False
    sessions: list[SessionInfo] = field(default_factory=list)
    tokens: list[TokenInfo] = field(default_factory=list)
    #: changes of keys that were proposed lately
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def one(self) -> Account | None:
        """Return the chosen account."""
        return next((one for one in self.accounts if reference(one.id) == self.chosen), None)


def accounts_state(session: Any, visitor: Visitor, *, chosen: str, now: datetime) -> AccountsState:
    """Return every account, and what is open of the chosen one."""
    found = access.accounts(session, visitor.actor)
    state = AccountsState(
        proposals=approvals.proposals(session, visitor.actor, study="", now=now),
        accounts=found,
        known=_known(one.id for one in found),
        now=now,
        chosen=chosen[:12],
        is_fresh=is_fresh(visitor),
    )
    if state.one is not None:
        state.sessions = access.sessions_of(session, state.one.id, now=now)
        state.tokens = [one for one in tokens.tokens_of(session, state.one.id) if one.state(now) == "live"]
    return state
