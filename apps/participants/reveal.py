"""One participant's treatment arm: the mark that it was revealed, and the ways to reveal it to oneself. For those who may."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell.frame import THEME, Visit, acts, column, pane
from apps.shell.session import acting, clock, reading
from apps.shell.words import markup
from datamodel.access.rights import may
from datamodel.approvals.reads import Proposal
from datamodel.credentials import reads as credentials
from datamodel.kernel.errors import MetricisError, NotFoundError, RefusedError
from datamodel.participants.reads import Participant
from datamodel.reveals import actions, reads
from datamodel.reveals.rules import CATEGORIES, LONGEST_REASON, RIGHTS, Reveal
from datamodel.signatures.actions import Proof

Mode = Literal["emergency", "planned", "ask"]
_WIDE: Final = {"sizing_mode": "stretch_width", "margin": (8, 0, 0, 0)}
_TITLES: Final[dict[Mode, tuple[str, str]]] = {
    "emergency": ("Reveal the arm", "Reveal the arm"),
    "planned": ("Show the arm", "Show the arm"),
    "ask": ("Ask to see the arm", "Ask"),
}
_WITHOUT: Final = Markup(
    'You have no password yet, and this needs one that only you know. <a href="/account#h-password">Set a password</a> under '
    "My account, then come back."
)


@lru_cache(maxsize=1)
def _style() -> str:
    return (Path(__file__).resolve().parent / "reveal.css").read_text("utf-8")


class ArmPart:
    """What stands above a record of its arm: `mark` that it was revealed, `section` with what one may do (None: nothing)."""

    def __init__(self, visit: Visit, person: Participant) -> None:
        self.visit, self.code = visit, person.code
        actor, site = visit.visitor.actor, person.site or None
        self.may_reveal = bool(may(actor, RIGHTS["emergency"], study=visit.code, site=site))
        self.may_ask = bool(may(actor, RIGHTS["planned"], study=visit.code, site=site))
        self.mark, self.words = pane(Markup(""), _style()), pane(Markup(""), _style())
        self.section = self._made() if self.may_reveal or self.may_ask else None
        self.draw()

    def _made(self) -> Any:
        self.dialog = RevealDialog(self.visit, self.code, done=self.draw)
        plain = {"variant": "outlined", "size": "small", "margin": 0}
        self.now = pmui.Button(label="Reveal the arm (emergency)", color="error", visible=self.may_reveal, **plain)
        self.ask = pmui.Button(label="Ask to see the arm", **plain)
        self.look = pmui.Button(label="Show the arm", variant="contained", size="small", margin=0)
        for button, mode in ((self.now, "emergency"), (self.ask, "ask"), (self.look, "planned")):
            button.on_click(acts(self.visit, lambda _, mode=mode: self.dialog.show(mode, self.approved)))
        bar = pmui.FlexBox(
            self.look,
            self.now,
            self.ask,
            gap="8px",
            justify_content="flex-end",
            margin=(0, 0, 8, 0),
            sizing_mode="stretch_width",
        )
        return column(self.words, bar, self.dialog.dialog)

    def draw(self) -> None:
        """Show what is true now."""
        visit, actor = self.visit, self.visit.visitor.actor
        with reading(actor) as session:
            marks = reads.marks(session, actor, study=visit.code, code=self.code)
            found = reads.proposals(session, actor, study=visit.code, code=self.code, now=clock())
        self.mark.object = str(markup("participants/reveal_mark.html", marks=marks, zone=visit.zone)) if marks else ""
        self.mark.visible = bool(marks)
        if self.section is None:
            return
        asked = [one for one in found if one.state in {"waiting", "approved"}]
        mine = [one for one in asked if one.proposed_by == actor.id]
        self.approved: Proposal | None = next((one for one in mine if one.state == "approved"), None)
        self.look.visible, self.ask.visible = self.approved is not None, self.may_ask and not mine
        self.words.visible = bool(asked)
        given = {"asked": asked, "own": actor.id, "people": f"/app/{visit.code}/people", "zone": visit.zone}
        self.words.object = str(markup("participants/reveal.html", **given)) if asked else ""


class RevealDialog:
    """Asks for category, reason and proof of who reveals, and shows the arm, once."""

    def __init__(self, visit: Visit, code: str, *, done: Any) -> None:
        self.visit, self.code, self.done = visit, code, done
        self.mode: Mode = "emergency"
        self.approved: Proposal | None = None
        #: revealed, and not shown yet because something failed in between
        self.revealed: Reveal | None = None
        self.words, self.error = pane(Markup(""), _style()), pane(Markup(""), _style())
        self.typed = pmui.Column(margin=0, sizing_mode="stretch_width")
        self.go = pmui.Button(label="Reveal the arm", variant="contained", margin=(0, 8, 0, 0))
        self.cancel = pmui.Button(label="Cancel", variant="outlined", margin=0)
        self.dialog = pmui.Dialog(
            self.words,
            self.typed,
            self.error,
            pmui.Row(self.go, self.cancel, margin=(16, 0, 8, 0)),
            title="Reveal the arm",
            width_option="sm",
            theme_config=THEME,
            close_on_click=False,
        )
        self.press = acts(visit, self._press)
        self.go.on_click(self.press)
        self.cancel.on_click(self._close)
        self._empty(has_code=False)

    def show(self, mode: Mode, approved: Proposal | None) -> None:
        """Open the dialog for an emergency, for what was approved, or to ask for it."""
        self.mode, self.approved, self.revealed = mode, approved, None
        actor = self.visit.visitor.actor
        with reading(actor) as session:
            factors = credentials.factors(session, actor.id)
        self.dialog.title, self.go.label = _TITLES[mode]
        self._empty(has_code=factors.has_totp)
        self._tell()
        is_lacking = mode != "ask" and not factors.has_password
        self.go.visible, self.go.disabled, self.cancel.label = True, is_lacking, "Cancel"
        self._say(_WITHOUT if is_lacking else "")
        self.dialog.open = True

    def _empty(self, *, has_code: bool) -> None:
        """Put new, empty fields into the dialog: nothing of what was typed before stays in the page."""
        self.has_code = has_code
        self.category = pmui.Select(
            label="Category", options={words: one for one, words in CATEGORIES.items()}, value="treatment", **_WIDE
        )
        self.reason = pmui.TextAreaInput(
            label="Why, without naming a treatment", rows=2, max_length=LONGEST_REASON, **_WIDE
        )
        self._prove_again("")

    def _prove_again(self, name: str) -> None:
        """Put new fields for the proof beneath category and reason, which stay as they are."""
        self.name = pmui.TextInput(label="Sign-in name", value=name, max_length=200, **_WIDE)
        self.password = pmui.PasswordInput(label="Password", max_length=200, **_WIDE)
        self.number = pmui.TextInput(label="Code of your authenticator", max_length=20, **_WIDE)
        for field in (self.name, self.password, self.number):
            field.param.watch(self.press, "enter_pressed")
        proof = [self.name, self.password, *([self.number] if self.has_code else [])]
        fields = {"emergency": [self.category, self.reason, *proof], "planned": proof, "ask": [self.reason]}
        self.typed.objects = fields[self.mode]

    def _press(self, _: Any) -> None:
        if not self.dialog.open or self.go.disabled or not self.go.visible:
            return
        try:
            if self.mode == "ask":
                self._ask()
                return
            if self.revealed is None:
                self.revealed = self._reveal()
            # In a transaction of its own: the reveal is kept before the arm is read.
            with acting(self.visit.visitor) as unit:
                arm = actions.show(unit, study=self.visit.code, reveal_id=self.revealed.id)
        except MetricisError as error:
            self._prove_again(self.name.value_input or self.name.value)
            self._say(str(error.refusal.sentence) if isinstance(error, RefusedError) else str(error))
            return
        self.typed.objects = []
        self._tell(is_shown=True, arm=arm, alerted=self.revealed.alerted)
        self._say("")
        self.go.visible, self.cancel.label = False, "Close"
        self.done()

    def _reveal(self) -> Reveal:
        proof = Proof(
            token=self.visit.visitor.token,
            password=self.password.value_input or self.password.value,
            sign_in_name=self.name.value_input or self.name.value,
            code=self.number.value_input or self.number.value,
        )
        given = {"study": self.visit.code, "code": self.code, "proof": proof}
        if self.mode == "planned":
            if self.approved is None:
                raise NotFoundError("This is not approved any more; nothing was revealed. Load the page again.")
            with acting(self.visit.visitor) as unit:
                return actions.reveal_approved(unit, approval_id=self.approved.id, **given)
        with acting(self.visit.visitor, reason=self.reason.value_input or self.reason.value) as unit:
            return actions.reveal(unit, category=self.category.value, **given)

    def _ask(self) -> None:
        with acting(self.visit.visitor, reason=self.reason.value_input or self.reason.value) as unit:
            actions.propose(unit, study=self.visit.code, code=self.code)
        self._close()
        self.visit.notify(
            "Asked. A second person must approve it within 24 hours; then the arm can be shown.", kind="good"
        )
        self.done()

    def _tell(self, *, is_shown: bool = False, **more: Any) -> None:
        self.words.object = str(
            markup("participants/reveal_dialog.html", code=self.code, kind=self.mode, shown=is_shown, **more)
        )

    def _say(self, words: str) -> None:
        self.error.object = str(Markup('<p class="refusal" role="alert">{}</p>').format(words)) if words else ""

    def _close(self, *_: Any) -> None:
        """Close it, and take arm and typed words out of the page."""
        self.dialog.open = False
        self.words.object = ""
        self.revealed = None
        self._empty(has_code=False)
        self._say("")
