"""The pages: one form of one participant at one visit, and what may be done with it; the forms that wait for a signature."""

from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.records import views, waiting
from apps.records.removal import RemovalDialog
from apps.records.signing import Listed, ReasonDialog, SigningDialog
from apps.records.state import FormPage, load
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, reading
from datamodel.records import actions
from datamodel.records.actions import Outcome

#: (step, words on the button, what is said when it was done)
STEPS = (
    ("verify", "Verify", "Verified: this version agrees with its source."),
    ("sign", "Sign", "Signed. Name, time and meaning are shown with the form."),
    ("lock", "Lock", "Locked. People change nothing here any more, until it is reopened."),
    ("reopen", "Reopen", "Reopened. What was signed or verified is void; the reason is kept."),
)
_SAID = {step: said for step, _, said in STEPS}
#: Paper has no buttons.
_NOT_PRINTED = "@media print { :host { display: none !important; } }"


def form(visit: Visit) -> Any:
    """Return the form that the address names."""
    found = _load(visit)
    home = f"/app/{visit.code}/participants"
    visit.crumbs = [("Participants", home), (visit.named["subject"], f"{home}/{visit.named['subject']}")]
    visit.crumbs += [(found.event_label, f"{home}?visit={visit.named['event']}")] if found.event_label else []
    visit.crumbs.append((found.form.label, ""))
    visit.title = found.words_of_place
    return _Form(visit, found).layout()


def _load(visit: Visit) -> FormPage:
    with reading(visit.visitor.actor) as session:
        return load(session, visit)


class _Form:
    """The parts of the page, drawn again after each step."""

    def __init__(self, visit: Visit, found: FormPage) -> None:
        self.visit, self.found = visit, found
        self.head, self.life, self.body = (pane(Markup(""), views.style()) for _ in range(3))
        self.buttons = {
            step: pmui.Button(label=words, variant="outlined", margin=(0, 8, 8, 0)) for step, words, _ in STEPS
        }
        self.dialogs = {
            act: SigningDialog(visit, act=act, done=lambda outcome, act=act: self._done(act, outcome))
            for act in ("sign", "lock")
            if act in found.may
        }
        self.removal = RemovalDialog(visit, done=self._removed) if found.removable else None
        self.reason = ReasonDialog(visit, done=lambda: self._done("reopen"))
        presses = {"verify": self._verify, "sign": self._ask, "lock": self._ask, "reopen": self._reopen}
        for step, button in self.buttons.items():
            button.on_click(acts(visit, lambda _, step=step: presses[step](step)))
        self.remove = pmui.Button(
            label="Remove a value",
            variant="text",
            margin=(8, 0, 0, 0),
            visible=bool(found.removable),
            stylesheets=[_NOT_PRINTED],
        )
        self.remove.on_click(acts(visit, self._ask_removal))
        self.row = pmui.FlexBox(*self.buttons.values(), margin=(0, 0, 8, 0), stylesheets=[_NOT_PRINTED])
        self._draw()

    def layout(self) -> Any:
        """Return everything beneath each other."""
        dialogs = [one.dialog for one in self.dialogs.values()]
        if "reopen" in self.found.may:
            dialogs.append(self.reason.dialog)
        if self.removal:
            dialogs.append(self.removal.dialog)
        return column(self.head, self.row, self.life, self.body, self.remove, *dialogs)

    def _draw(self) -> None:
        self.head.object, self.life.object, self.body.object = views.form(self.found, self.visit)
        offered = self.found.offered
        for step, button in self.buttons.items():
            button.visible = step in offered
        self.row.visible = bool(offered)

    def _done(self, step: str, outcome: Outcome | None = None) -> None:
        del outcome  # one form: what could not be done was said in the dialog
        self.found = _load(self.visit)
        self._draw()
        self.visit.notify(_SAID[step], kind="good")

    def _verify(self, step: str) -> None:
        with acting(self.visit.visitor) as unit:
            actions.verify_forms(unit, study=self.visit.code, shown=[self.found.shown])
        self._done(step)

    def _ask(self, step: str) -> None:
        shown = self.found.shown
        self.dialogs[step].show([Listed(f"{self.found.words_of_place} (version {shown.revision})", shown)])

    def _ask_removal(self, _: Any) -> None:
        self.removal.show(self.found.one.id, self.found.removable)

    def _removed(self) -> None:
        self.found = _load(self.visit)
        self._draw()
        self.visit.notify(
            "Removed. The value is in no version any more; that it was removed, and why, is kept.", kind="good"
        )

    def _reopen(self, step: str) -> None:
        del step
        self.reason.show(
            self.found.shown,
            "Its signatures and verification become void. They stay in sight, with your reason, in the form's history.",
        )


PAGES.declare(
    Page(
        path="/app/{study}/participants/{subject}/{event}/{form}",
        title="Form",
        permission="study:records:read",
        build=form,
    )
)
PAGES.declare(
    Page(
        path="/app/{study}/signing",
        title="Forms to sign",
        permission="study:records:sign",
        build=waiting.signing,
        rail="Study",
        key="f",
        icon="signing",
        order=35,
    )
)
PAGES.declare(
    Page(
        path="/app/{study}/verifying",
        title="Forms to verify",
        permission="study:records:verify",
        build=waiting.verifying,
        rail="Study",
        key="v",
        icon="verifying",
        order=34,
    )
)
PAGES.declare(
    Page(
        path="/app/{study}/locking",
        title="Forms to lock",
        permission="study:records:lock",
        build=waiting.locking,
        rail="Study",
        key="l",
        icon="locking",
        order=36,
    )
)
