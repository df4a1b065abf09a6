"""How people, proposals, tokens and accounts look."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from apps.access.state import PROPOSAL_STATES, AccountsState, PeopleState, TokensState, reference
from apps.shell.words import markup
from datamodel.access.rights import PERMISSIONS, role_in_words
from datamodel.approvals.reads import Proposal


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "access.css").read_text("utf-8")


def people(state: PeopleState, *, path: str, zone: str) -> Markup:
    """Return the list of people and what waits for a second person."""
    return markup("access/people.html", state=state, path=path, zone=zone, **_words())


def person(state: PeopleState, *, path: str, zone: str, is_self: bool) -> Markup:
    """Return one person."""
    return markup(
        "access/person.html", state=state, one=state.person, path=path, zone=zone, is_self=is_self, **_words()
    )


def proposal(state: PeopleState, *, path: str, zone: str) -> Markup:
    """Return one proposal with what became of it."""
    return markup("access/proposal.html", state=state, one=state.proposal, path=path, zone=zone, **_words())


def tokens(state: TokensState, *, path: str, zone: str) -> Markup:
    """Return one's own tokens."""
    return markup("access/tokens.html", state=state, path=path, zone=zone, meanings=PERMISSIONS, **_words())


def accounts(state: AccountsState, *, path: str, zone: str) -> Markup:
    """Return every account."""
    return markup("access/accounts.html", state=state, path=path, zone=zone, **_words())


def account(state: AccountsState, *, path: str, zone: str) -> Markup:
    """Return one account with its open browsers and live tokens."""
    return markup("access/account.html", state=state, one=state.one, path=path, zone=zone, **_words())


def key_change(one: Proposal, *, zone: str) -> Markup:
    """Return one proposal to change keys."""
    return markup("access/keys.html", one=one, zone=zone, **_words())


def once(title: str, secret: str, words: str) -> Markup:
    """Return something that is shown this once."""
    return markup("access/once.html", title=title, secret=secret, words=words)


def confirm_first(here: str) -> Markup:
    """Return the way to confirm who one is, and back."""
    return markup("access/confirm.html", here=here)


def _words() -> dict[str, Any]:
    return {"reference": reference, "role_words": role_in_words, "proposal_states": PROPOSAL_STATES}
