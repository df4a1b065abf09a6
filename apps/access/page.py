"""The page of a study's people: who works here, what waits for a second person, and what one may do about either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.access import views
from apps.access.state import PeopleState, people_state, role_choices
from apps.shell import session as sessions
from apps.shell.frame import THEME, Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, database_url, reading
from apps.shell.words import address
from datamodel.access import people, reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.rights import may, role_in_words
from datamodel.approvals import actions as approvals
from datamodel.connections import actions as connections
from datamodel.credentials.actions import require_fresh
from datamodel.kernel.errors import BadInputError
from datamodel.kernel.unit import UnitOfWork, unit_of_work
from datamodel.study import actions as studies

ALL_SITES = "All sites"


@contextmanager
def changing(visit: Visit, *, reason: str) -> Iterator[UnitOfWork[Actor]]:
    """Open a unit of work for a change of rights: the visitor confirmed lately who they are."""
    with unit_of_work(database_url(), KNOCKING) as door:
        info = reads.session_of(door.session, visit.visitor.token, now=door.instant)
        require_fresh(info, door)
    with acting(visit.visitor, reason=reason.strip()) as unit:
        yield unit


def beside(listed: Any, side: Any, *, is_open: bool) -> Any:
    """Return a list with what is open beside it; on a phone above it, when something was chosen."""
    return pmui.Grid(
        pmui.Grid(listed, size={"xs": 12, "lg": 8}, sx={"order": {"xs": 1 if is_open else 0, "lg": 0}}),
        pmui.Grid(side, size={"xs": 12, "lg": 4}),
        container=True,
        spacing=2,
        sizing_mode="stretch_width",
        margin=0,
    )


def form(*parts: Any) -> Any:
    """Return widgets beneath each other."""
    return pmui.Column(*parts, theme_config=THEME, margin=0, sizing_mode="stretch_width")


def text(label: str, **more: Any) -> Any:
    """Return a field for one line."""
    return pmui.TextInput(
        label=label, size="small", margin=(8, 0, 4, 0), sizing_mode="stretch_width", max_length=500, **more
    )


def button(visit: Visit, label: str, done: Callable[[], None], *, variant: str = "outlined") -> Any:
    """Return a button whose refusals and faults are told above the page."""
    made = pmui.Button(label=label, variant=variant, margin=(8, 8, 0, 0))
    made.on_click(acts(visit, lambda _: done()))
    return made


def typed(widget: Any) -> str:
    """Return what a field holds, entered or still being typed."""
    return str(widget.value_input or widget.value or "")


class PeoplePage:
    """One visit of the page."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.path = visit, f"/app/{visit.code}/people"
        self.state = self._load()
        self.listed = pane(Markup(""), views.style())
        self.side = pn.Column(sizing_mode="stretch_width", margin=0)
        self.draw()

    def _load(self) -> PeopleState:
        visit = self.visit
        with reading(visit.visitor.actor) as session:
            return people_state(
                session,
                visit.visitor,
                study=visit.code,
                study_id=visit.study.id,
                chosen=visit.query.get("one", ""),
                now=sessions.clock(),
            )

    def draw(self) -> None:
        """Show what is true now."""
        self.listed.object = str(views.people(self.state, path=self.path, zone=self.visit.zone))
        self.side[:] = self._side()

    def after(self, words: str) -> None:
        """Say that something was done, and show what is true now."""
        self.visit.notify(words, kind="good")
        self.state = self._load()
        self.draw()

    def _side(self) -> list[Any]:
        state, shown = self.state, {"path": self.path, "zone": self.visit.zone}
        can_change = state.may_manage or state.may_propose
        here = address(self.path, one=state.chosen)
        first = [pane(views.confirm_first(here), views.style())] if can_change and not state.is_fresh else []
        if state.proposal is not None:
            return [pane(views.proposal(state, **shown), views.style()), *first, self._decide()]
        if state.person is not None:
            is_self = state.person.account_id == self.visit.visitor.actor.id
            told = pane(views.person(state, is_self=is_self, **shown), views.style())
            return [told] if is_self or not can_change else [told, *first, self._change()]
        parts = [self._add()] if state.may_manage else []
        if state.study_wide:
            parts.append(self._study_wide())
        return [*(first or self._confirm(here)), *parts] if parts else []

    def _confirm(self, here: str) -> list[Any]:
        return [] if self.state.is_fresh else [pane(views.confirm_first(here), views.style())]

    def _fields(self, role: str = "", site: str | None = None) -> tuple[Any, Any, Any]:
        every = {"size": "small", "margin": (8, 0, 4, 0), "sizing_mode": "stretch_width"}
        roles = role_choices()
        chosen = pmui.Select(label="Role", options=roles, value=role if role in roles.values() else "viewer", **every)
        where = pmui.Select(label="Site", options=[ALL_SITES, *self.state.sites], value=site or ALL_SITES, **every)
        return chosen, where, text("Reason")

    def _add(self) -> Any:
        name, (role, site, reason) = text("Sign-in name"), self._fields()

        def add() -> None:
            with unit_of_work(database_url(), KNOCKING) as door:
                found = reads.staff_account(door.session, typed(name))
            if found is None:
                raise BadInputError(
                    "Nobody has this sign-in name. An administrator makes accounts and sends the invitation; then the role "
                    "can be given here."
                )
            with changing(self.visit, reason=typed(reason)) as unit:
                people.grant(
                    unit,
                    account_id=found.id,
                    study=self.visit.code,
                    role=role.value,
                    site=None if site.value == ALL_SITES else site.value,
                )
            self.after(f"{found.name} now has the role {role_in_words(role.value)}.")

        heading = pane(Markup('<h2 style="margin-top:8px">Give somebody a role</h2>'))
        return form(heading, name, role, site, reason, button(self.visit, "Give the role", add, variant="contained"))

    def _change(self) -> Any:
        one, study = self.state.person, self.visit.code
        role, site, reason = self._fields(one.role, one.site)

        def change() -> None:
            with changing(self.visit, reason=typed(reason)) as unit:
                where = None if site.value == ALL_SITES else site.value
                people.change_role(unit, account_id=one.account_id, study=study, role=role.value, site=where)
            self.after(f"{one.name} now has the role {role_in_words(role.value)}; open pages of theirs have ended.")

        def end() -> None:
            with changing(self.visit, reason=typed(reason)) as unit:
                people.end_role(unit, account_id=one.account_id, study=study)
            self.after(f"The role of {one.name} in this study has ended.")

        def propose() -> None:
            what = {
                "account": str(one.account_id),
                "name": one.name,
                "role": one.role,
                "site": one.site,
                "is_unblinded": True,
            }
            with changing(self.visit, reason=typed(reason)) as unit:
                approvals.propose(unit, "unblinding", study, what)
            self.after("Proposed. A second person must approve it within 24 hours; then it can be done.")

        parts = [reason]
        if self.state.may_manage:
            parts = [role, site, reason, button(self.visit, "Change the role", change, variant="contained")]
            parts += [button(self.visit, "End the role", end)]
        if self.state.may_propose and not self.state.sees(one):
            parts.append(button(self.visit, "Propose that they see blinded values", propose))
        return form(*parts)

    def _study_wide(self) -> Any:
        """Propose what concerns the whole study and takes two people."""
        reason, study = text("Why"), self.visit.code

        def propose(kind: str, what: dict[str, str]) -> None:
            with changing(self.visit, reason=typed(reason)) as unit:
                approvals.propose(unit, kind, study, what)
            self.after("Proposed. A second person must approve it within 24 hours; then it can be done.")

        heading = pane(Markup('<h2 style="margin-top:16px">Propose what takes two people</h2>'))
        parts = [heading, reason]
        if "outbound_rule" in self.state.study_wide:
            where = text("New REDCap address", placeholder="https://redcap.example.org/api/")

            def move() -> None:
                connections.check_address(typed(where))
                propose("outbound_rule", {"api_url": typed(where)})

            parts += [where, button(self.visit, "Propose the address", move)]
        if "study_close" in self.state.study_wide:
            parts.append(button(self.visit, "Propose to close the study", lambda: propose("study_close", {})))
        return form(*parts)

    def _act(self, one: Any, reason: Any) -> list[Any]:
        """Return what does an approved act."""
        study = self.visit.code

        def see() -> None:
            with changing(self.visit, reason=typed(reason) or one.reason) as unit:
                approvals.let_see(unit, one.id, study=study)
            self.after("Done. They see blinded values from now on; the ledger names both of you.")

        def close() -> None:
            with changing(self.visit, reason=typed(reason) or one.reason) as unit:
                studies.close_study(unit, study=study, approval=one.id)
            self.visit.notify(
                "The study is closed. Nothing in it changes any more; sign in again to read on.", kind="good"
            )

        if one.kind == "arm_reveal":
            return [self._where_shown(one)]
        if one.kind == "unblinding":
            return [button(self.visit, "Do it now", see, variant="contained")]
        if one.kind == "study_close":
            said = (
                "Closing is for good: nothing is captured, synced or changed afterwards. Everything can still be read."
            )
            warning = pane(Markup('<p class="muted">{}</p>').format(said))
            return [warning, button(self.visit, "Close the study for good", close, variant="contained")]
        if one.kind == "outbound_rule" and may(self.visit.visitor.actor, "study:connections:manage", study=study):
            return self._move(one, reason)
        return []

    def _where_shown(self, one: Any) -> Any:
        """Say where a revealed arm is shown: on the record, to whoever proposed it."""
        code, is_own = str(one.what.get("participant", "")), one.proposed_by == self.visit.visitor.actor.id
        if not is_own:
            said = f"{one.proposed_name} can see the arm on the record of {code} now; nobody else can."
            return pane(Markup('<p class="muted">{}</p>').format(said))
        there = f"/app/{self.visit.code}/participants/{code}"
        return pane(Markup('<p><a href="{}">See the arm on the record of {}</a></p>').format(there, code))

    def _move(self, one: Any, reason: Any) -> list[Any]:
        token = pmui.PasswordInput(
            label="API token of the project there", size="small", margin=(8, 0, 4, 0), sizing_mode="stretch_width"
        )

        def move() -> None:
            with changing(self.visit, reason=typed(reason) or one.reason) as unit:
                connections.move(
                    unit,
                    study=self.visit.code,
                    api_url=str(one.what.get("api_url", "")),
                    token=typed(token),
                    approval=one.id,
                )
            token.value = ""
            self.after("Done. The next sync asks at the new address.")

        return [token, button(self.visit, "Use the new address", move, variant="contained")]

    def _decide(self) -> Any:
        one, reason = self.state.proposal, text("Reason")
        if one.state not in {"waiting", "approved"}:
            return form()

        def decide(verb: Callable[..., None], words: str) -> Callable[[], None]:
            def done() -> None:
                with changing(self.visit, reason=typed(reason)) as unit:
                    verb(unit, one.id)
                self.after(words)

            return done

        parts = [reason]
        if one.state == "waiting":
            parts.append(button(self.visit, "Approve", decide(approvals.approve, "Approved."), variant="contained"))
        else:
            parts += self._act(one, reason)
        parts.append(button(self.visit, "Turn down or take back", decide(approvals.end, "Ended; nothing was changed.")))
        return form(*parts)


def build(visit: Visit) -> Any:
    """Return the page."""
    made = PeoplePage(visit)
    heading = pane(Markup('<div class="head"><h1>People and rights</h1></div>'))
    return column(heading, beside(made.listed, made.side, is_open=bool(made.state.chosen)))


PAGES.declare(
    Page(
        path="/app/{study}/people",
        title="People and rights",
        permission="study:people:read",
        build=build,
        rail="Operations",
        key="u",
        icon="people",
        order=95,
    )
)
