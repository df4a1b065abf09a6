"""The page of one's own tokens for notebooks and programs."""

from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.access import views
from apps.access.page import beside, button, changing, form, text, typed
from apps.access.state import TokensState, tokens_state
from apps.shell import session as sessions
from apps.shell.frame import Visit, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import reading
from apps.shell.words import address
from datamodel.access import tokens
from datamodel.access.rights import may

DAYS = {"1 day": 1, "7 days": 7, "30 days": 30, "90 days": 90, "1 year": 365}


class TokensPage:
    """One visit of the page."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.path = visit, f"/app/{visit.code}/tokens"
        self.state = self._load()
        self.listed = pane(Markup(""), views.style())
        self.side = pn.Column(sizing_mode="stretch_width", margin=0)
        self.draw([])

    def _load(self) -> TokensState:
        visit = self.visit
        with reading(visit.visitor.actor) as session:
            chosen = visit.query.get("one", "")
            return tokens_state(session, visit.visitor, study=visit.code, chosen=chosen, now=sessions.clock())

    def draw(self, first: list[Any]) -> None:
        """Show what is true now, and `first` what was made."""
        self.listed.object = str(views.tokens(self.state, path=self.path, zone=self.visit.zone))
        here = address(self.path, one=self.state.chosen)
        confirm = [] if self.state.is_fresh else [pane(views.confirm_first(here), views.style())]
        one = self.state.one
        is_live = one is not None and one.state(self.state.now) == "live"
        self.side[:] = [*first, *confirm, self._revoke() if is_live else self._make()]

    def _make(self) -> Any:
        actor, code, every = self.visit.visitor.actor, self.visit.code, {"size": "small", "margin": (8, 0, 4, 0)}
        purpose = text("What for")
        days = pmui.Select(label="Works for", options=DAYS, value=30, sizing_mode="stretch_width", **every)
        can_export = bool(may(actor, "study:data:export", study=code))
        export = pmui.Checkbox(label="May export data sets too", value=False, visible=can_export, margin=(4, 0, 4, 0))

        def make() -> None:
            reach = [one for one in tokens.NOTEBOOK if may(actor, one, study=code)]
            scopes = [*reach, "study:data:export"] if export.value else reach
            with changing(self.visit, reason="asked for on the page of tokens") as unit:
                made = tokens.make_token(
                    unit, account_id=actor.id, purpose=typed(purpose), days=days.value, study=code, scopes=scopes
                )
            self.state = self._load()
            told = "Copy it now: it is shown this once and kept as a hash only. Whoever holds it reads as you do."
            self.draw([pane(views.once("Your new token", made, told), views.style())])

        heading = pane(Markup('<h2 style="margin-top:8px">Make a token</h2>'))
        return form(heading, purpose, days, export, button(self.visit, "Make the token", make, variant="contained"))

    def _revoke(self) -> Any:
        one = self.state.one

        def revoke() -> None:
            with changing(self.visit, reason="asked for on the page of tokens") as unit:
                tokens.revoke_token(unit, one.id)
            self.visit.notify("Revoked. It opens nothing from this moment on.", kind="good")
            self.state = self._load()
            self.draw([])

        heading = pane(views.markup("access/chosen.html", one=one, path=self.path), views.style())
        return form(heading, button(self.visit, "Revoke the token", revoke, variant="contained"))


def build(visit: Visit) -> Any:
    """Return the page."""
    made = TokensPage(visit)
    heading = pane(Markup('<div class="head"><h1>Your tokens</h1></div>'))
    return column(heading, beside(made.listed, made.side, is_open=bool(made.state.chosen)))


PAGES.declare(
    Page(
        path="/app/{study}/tokens",
        title="Your tokens",
        permission="study:data:read",
        build=build,
        rail="Operations",
        key="t",
        icon="key",
        order=96,
    )
)
