"""The page of all accounts, for administrators; no study data is in it."""

from collections.abc import Callable
from typing import Any

import panel as pn
from markupsafe import Markup

from apps.access import views
from apps.access.page import beside, button, changing, form, text, typed
from apps.access.state import AccountsState, accounts_state
from apps.shell import session as sessions
from apps.shell.frame import Visit, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import reading
from apps.shell.words import address
from datamodel.access import actions, people, tokens
from datamodel.approvals import actions as approvals
from datamodel.credentials import actions as credentials
from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import settings

PATH = "/app/people"


class AccountsPage:
    """One visit of the page."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.state = self._load()
        self.listed = pane(Markup(""), views.style())
        self.side = pn.Column(sizing_mode="stretch_width", margin=0)
        self.draw([])

    def _load(self) -> AccountsState:
        with reading(self.visit.visitor.actor) as session:
            chosen = self.visit.query.get("one", "")
            return accounts_state(session, self.visit.visitor, chosen=chosen, now=sessions.clock())

    def draw(self, first: list[Any]) -> None:
        """Show what is true now, and `first` what was made."""
        shown = {"path": PATH, "zone": self.visit.zone}
        self.listed.object = str(views.accounts(self.state, **shown))
        here = address(PATH, one=self.state.chosen)
        confirm = [] if self.state.is_fresh else [pane(views.confirm_first(here), views.style())]
        if self.state.one is None:
            self.side[:] = [*first, *confirm, self._create(), self._keys()]
            return
        told = pane(views.account(self.state, **shown), views.style())
        is_own = self.state.one.id == self.visit.visitor.actor.id
        self.side[:] = [*first, told, *([] if is_own else [*confirm, self._change()])]

    def after(self, words: str, first: list[Any] | None = None) -> None:
        """Say that something was done, and show what is true now."""
        self.visit.notify(words, kind="good")
        self.state = self._load()
        self.draw(first or [])

    def _invitation(self, token: str, *, kind: str) -> Any:
        said = (
            "Give it to the person by a way that only they read. It works once, for 72 hours."
            if kind == "invitation"
            else "Give it to the person by a way that only they read. It works once, for one hour."
        )
        return pane(
            views.once("A link to set a password", f"{settings().base_url}/welcome#{token}", said), views.style()
        )

    def _create(self) -> Any:
        name, sign_in, reason = text("Printed name"), text("Sign-in name (address of work)"), text("Reason")

        def create() -> None:
            if not typed(name).strip() or "@" not in typed(sign_in):
                raise BadInputError(
                    "An account needs a printed name and an address of work as sign-in name; nothing was created."
                )
            with changing(self.visit, reason=typed(reason)) as unit:
                account_id = actions.create_account(
                    unit, kind="staff", name=typed(name).strip(), sign_in_name=typed(sign_in).strip()
                )
                token = credentials.invite(unit, account_id=account_id)
            self.after(
                "The account is there; it opens nothing until a role is given.",
                [self._invitation(token, kind="invitation")],
            )

        heading = pane(Markup('<h2 style="margin-top:8px">Invite somebody</h2>'))
        return form(
            heading, name, sign_in, reason, button(self.visit, "Create the account", create, variant="contained")
        )

    def _keys(self) -> Any:
        """Propose a change of keys, and approve what another administrator proposed."""
        reason, parts = text("Why"), []

        def do(verb: Callable[..., Any], words: str, *what: Any) -> Callable[[], None]:
            def done() -> None:
                with changing(self.visit, reason=typed(reason)) as unit:
                    verb(unit, *what)
                self.after(words)

            return done

        for one in self.state.proposals:
            parts.append(pane(views.key_change(one, zone=self.visit.zone), views.style()))
            if one.state == "waiting" and one.proposed_by != self.visit.visitor.actor.id:
                said = "Approved. Whoever runs the machine may change the keys now: metricis vault rotate --apply."
                parts.append(button(self.visit, "Approve", do(approvals.approve, said, one.id), variant="contained"))
            if one.state in {"waiting", "approved"}:
                ended = do(approvals.end, "Ended; nothing was changed.", one.id)
                parts.append(button(self.visit, "Turn down or take back", ended))
        if not any(one.state in {"waiting", "approved"} for one in self.state.proposals):
            said = "Proposed. Another administrator must approve it within 24 hours."
            propose = do(approvals.propose, said, "key_change", "", {"keys": "all"})
            parts.append(button(self.visit, "Propose a change of keys", propose))
        return form(pane(Markup('<h2 style="margin-top:16px">Keys of the installation</h2>')), reason, *parts)

    def _change(self) -> Any:
        one, reason = self.state.one, text("Reason")

        def do(verb: Callable[..., Any], words: str, **more: Any) -> Callable[[], None]:
            def done() -> None:
                with changing(self.visit, reason=typed(reason)) as unit:
                    verb(unit, account_id=one.id, **more)
                self.after(words)

            return done

        def reset() -> None:
            with changing(self.visit, reason=typed(reason)) as unit:
                token = credentials.invite(unit, account_id=one.id, kind="reset")
            self.after("Earlier links have ended.", [self._invitation(token, kind="reset")])

        def revoke() -> None:
            with changing(self.visit, reason=typed(reason)) as unit:
                for token in self.state.tokens:
                    tokens.revoke_token(unit, token.id)
            self.after("All tokens of this account are revoked.")

        parts = [reason]
        if one.is_active:
            parts.append(
                button(self.visit, "Close the account", do(people.close_account, "Closed; nobody signs in with it."))
            )
        else:
            parts.append(button(self.visit, "Open the account again", do(people.open_account, "Open again.")))
        if self.state.sessions:
            parts.append(
                button(self.visit, "Sign out all browsers", do(actions.revoke_sessions, "All browsers are signed out."))
            )
        if self.state.tokens:
            parts.append(button(self.visit, "Revoke all tokens", revoke))
        if one.kind == "staff" and one.is_active:
            parts.append(button(self.visit, "Link to set a new password", reset))
            words = "No administrator any more" if one.is_administrator else "Make an administrator"
            verb = do(people.set_administrator, "Changed.", is_administrator=not one.is_administrator)
            parts.append(button(self.visit, words, verb))
        return form(*parts)


def build(visit: Visit) -> Any:
    """Return the page."""
    made = AccountsPage(visit)
    heading = pane(Markup('<div class="head"><h1>Accounts</h1></div>'))
    return column(heading, beside(made.listed, made.side, is_open=bool(made.state.chosen)))


PAGES.declare(Page(path=PATH, title="Accounts", permission="system:users:manage", build=build))
