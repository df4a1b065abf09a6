"""The verbs: ask for a link, hand one out, show one, use one."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from datamodel.access import persons
from datamodel.access import reads as access
from datamodel.access.actor import Actor
from datamodel.access.rights import may
from datamodel.audit import ledger
from datamodel.credentials import actions as credentials
from datamodel.credentials.actions import Entry
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError, require
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import UnitOfWork
from datamodel.links import mails, store
from datamodel.links.codes import code_hash, code_of, is_code, new_code
from datamodel.links.tables import LinkRow, RequestRow
from datamodel.notices import actions as notices
from datamodel.notices.actions import Recipient
from datamodel.participants import identity
from datamodel.participants import reads as participants
from datamodel.participants.identity import Match
from datamodel.study import reads as studies
from datamodel.vault.keyring import keyring
from datamodel.vault.seal import lookup_hash, new_token, token_hash

#: How long a link works: asked for, handed out by staff (people open letters late), shown to the operator of this machine.
ASKED: Final = timedelta(minutes=10)
HANDED: Final = timedelta(days=14)
#: Wrong digits after which a link ends.
MOST_TRIES: Final = 5
#: Mails to one address in `WINDOW`.
MOST_MAILS: Final = 3
WINDOW: Final = timedelta(minutes=15)
_KEPT: Final = timedelta(days=1)
#: Where a link leads; the token stands behind `#`, which browsers never send.
PATH: Final = "/link#"

LINK_SPENT: Final = Refused(
    "link-spent", "This sign-in link was used already or is too old.", "Ask for a new one; each link works once."
)
_NO_ADDRESS: Final = Refused(
    "no-mail-address",
    "No mail address of this person is known, so nothing was sent.",
    "Enter the address first, or hand the link out in another way.",
)


@dataclass(frozen=True, slots=True)
class Handed:
    """A link for somebody, and the digits to tell them in another way. `token` is empty when it went by mail."""

    code: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """The link was good: a session, or for staff perhaps a second factor to be shown. `kind` is the link's."""

    kind: str
    entry: Entry = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeNeeded:
    """The link is good, and this browser is not the one that asked: the six digits are needed. Nothing was spent.

    `refusal` says what was wrong with those that were typed.
    """

    kind: Literal["asked", "handed"]
    refusal: Refused | None = None


def ask(unit: UnitOfWork[Actor], *, address: str, nonce: str, language: str, base_url: str) -> None:
    """Mail a link to whoever has this address; nothing tells whether anybody has.

    `nonce` is what the asking browser keeps: the link opens there, and elsewhere with the digits `code_of(nonce)`.
    """
    try:
        clean = identity.checked("mail", address)
    except BadInputError:
        return
    key = keyring(unit.session).lookup_key()
    if key is None or not clean:
        return
    hashed = lookup_hash(key, "link request", clean)
    store.hold_address(unit.session, hashed)
    if store.requests(unit.session, hashed, since=unit.instant - WINDOW) >= MOST_MAILS:
        return
    store.forget_requests(unit.session, before=unit.instant - _KEPT)
    store.add(unit.session, RequestRow(id=new_id(), address_hash=hashed, at=unit.instant))
    found = _accounts(unit, identity.matches(unit.session, field="mail", value=clean))
    if not found:
        return
    links = [(account.name, f"{base_url}{PATH}{_asked(unit, account.id, nonce)}") for account, _ in found]
    subject, text = mails.asked(language, links, minutes=int(ASKED.total_seconds() // 60))
    first, match = found[0]
    notices.write(
        unit,
        to=Recipient(first.id, match.study_id, match.participant_id),
        kind="link",
        address=clean,
        subject=subject,
        text=text,
        ends_at=unit.instant + ASKED,
    )


def _accounts(unit: UnitOfWork[Actor], matches: list[Match]) -> list[tuple[Actor, Match]]:
    """Return the open accounts of the people with an address, each once: participants, and caregivers."""
    found: dict[UUID, tuple[Actor, Match]] = {}
    for one in matches:
        account: Actor | None
        if one.person_id == one.participant_id:
            account = access.participant_account(unit.session, one.participant_id)
        else:
            try:
                account = access.actor(unit.session, one.person_id)
            except NotFoundError:
                account = None
        if account is not None:
            found.setdefault(account.id, (account, one))
    return list(found.values())


def _asked(unit: UnitOfWork[Actor], account_id: UUID, nonce: str) -> str:
    store.close(unit.session, account_id, now=unit.instant, kinds=("asked",))
    token = new_token()
    _add(
        unit,
        account_id,
        token,
        kind="asked",
        lasts=ASKED,
        holder_hash=token_hash(nonce),
        code_hash=code_hash(token, code_of(nonce)),
    )
    ledger.record(unit, "links.ask", subject=f"account:{account_id}")
    return token


def hand_out(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    code: str,
    account_id: UUID | None = None,
    by_mail: bool = False,
    base_url: str = "",
    language: str = "",
) -> Handed:
    """Make a link for a participant (or for the caregiver with `account_id`) that opens with six digits told in another way.

    A participant without an account gets one.

    Raises
    ------
    RefusedError
        When the actor may not enrol participants; or `by_mail` when no address is known, or the actor may not use it.
    NotFoundError
        When there is no such participant for this actor, or the account is neither a participant's nor a caregiver's.
    """
    person = participants.participant(unit.session, unit.actor, study=study, code=code)
    require(may(unit.actor, "study:participants:enrol", study=study, site=person.site or None))
    found_study = studies.study(unit.session, study)
    own = (
        access.participant_account(unit.session, person.id)
        if account_id is None
        else access.actor(unit.session, account_id)
    )
    if own is None:
        made = persons.make_account(unit, kind="participant", name=code, participant_id=person.id, study=study)
        own = access.actor(unit.session, made)
    elif own.kind not in {"participant", "caregiver"}:
        raise NotFoundError("There is no such participant or caregiver; nothing was made.")
    token, digits = new_token(), new_code()
    store.close(unit.session, own.id, now=unit.instant, kinds=("asked", "handed"))
    _add(unit, own.id, token, kind="handed", lasts=HANDED, code_hash=code_hash(token, digits))
    ledger.record(
        unit,
        "links.hand_out",
        study_id=found_study.id,
        subject=f"participant:{code}",
        role=unit.actor.role(study),
        change={"new": {"account": str(own.id), "by_mail": by_mail, "days": HANDED.days}},
    )
    if not by_mail:
        return Handed(code=digits, token=token)
    address = identity.address(
        unit.session, unit.actor, study=study, participant_id=person.id, field="mail", of=account_id
    )
    if address is None:
        raise RefusedError(_NO_ADDRESS)
    subject, text = mails.handed(language or person.language, f"{base_url}{PATH}{token}", days=HANDED.days)
    notices.write(
        unit,
        to=Recipient(own.id, found_study.id, person.id),
        kind="invitation",
        address=address,
        subject=subject,
        text=text,
        ends_at=unit.instant + HANDED,
    )
    return Handed(code=digits)


def show(unit: UnitOfWork[Actor], *, account_id: UUID, minutes: int = 60) -> str:
    """Return the token of a link for the terminal of whoever runs this machine; a button opens it. It is never mailed.

    Raises
    ------
    RefusedError
        When the actor may not manage users.
    """
    require(may(unit.actor, "system:users:manage"))
    token = new_token()
    _add(unit, account_id, token, kind="shown", lasts=timedelta(minutes=minutes))
    ledger.record(unit, "links.show", subject=f"account:{account_id}", change={"new": {"minutes": minutes}})
    return token


def _add(
    unit: UnitOfWork[Actor],
    account_id: UUID,
    token: str,
    *,
    kind: str,
    lasts: timedelta,
    holder_hash: bytes | None = None,
    code_hash: bytes | None = None,
) -> None:
    store.add(
        unit.session,
        LinkRow(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account_id,
            kind=kind,
            holder_hash=holder_hash,
            code_hash=code_hash,
            tries=0,
            created_at=unit.instant,
            ends_at=unit.instant + lasts,
        ),
    )


def use(
    unit: UnitOfWork[Actor], token: str, *, nonce: str = "", code: str = "", device: str = ""
) -> Opened | CodeNeeded:
    """Spend a link and return what came of it.

    Without the asking browser's nonce and without the digits nothing is spent. Wrong digits are counted, so commit also when
    they were wrong.

    Raises
    ------
    RefusedError
        When the link is unknown, used, over, or had five wrong tries (`link-spent`).
    """
    link = store.held_link(unit.session, token_hash(token), now=unit.instant, most=MOST_TRIES)
    if link is None:
        raise RefusedError(LINK_SPENT)
    is_holder = link.holder_hash is not None and bool(nonce) and link.holder_hash == token_hash(nonce)
    if link.kind != "shown" and not is_holder and not is_code(link.code_hash, token, code):
        return _not_yet(unit, link, has_typed=bool(code.strip()))
    if not store.spend(unit.session, link.id, now=unit.instant):
        raise RefusedError(LINK_SPENT)
    store.close(unit.session, link.account_id, now=unit.instant, kinds=("asked", "handed", "shown"))
    how = "browser" if is_holder else "button" if link.kind == "shown" else "code"
    change = {"new": {"kind": link.kind, "opened_with": how}}
    ledger.record(unit, "links.use", subject=f"account:{link.account_id}", change=change)
    entry = credentials.first_factor(unit, link.account_id, how="link", device=device)
    return Opened(kind=link.kind, entry=entry)


def _not_yet(unit: UnitOfWork[Actor], link: LinkRow, *, has_typed: bool) -> CodeNeeded:
    kind: Literal["asked", "handed"] = "asked" if link.kind == "asked" else "handed"
    if not has_typed:
        return CodeNeeded(kind)
    left = MOST_TRIES - store.count_try(unit.session, link.id)
    ledger.record(unit, "links.refuse", subject=f"account:{link.account_id}", change={"new": {"tries_left": left}})
    if left > 0:
        said = f"These are not the six digits. Tries left: {left}."
        return CodeNeeded(kind, Refused("link-code-wrong", said, "Look at them again and type them."))
    store.close(unit.session, link.account_id, now=unit.instant, kinds=(link.kind,))
    return CodeNeeded(
        kind,
        Refused("link-code-over", "The digits were wrong five times, so this link has ended.", "Ask for a new one."),
    )
