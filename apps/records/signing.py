"""The dialogs of a form's life: sign or lock with what only the signer knows, reopen with a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import panel_material_ui as pmui
from markupsafe import Markup

from apps.records import views
from apps.shell.frame import THEME, Visit, acts, pane
from apps.shell.session import acting, clock, reading
from apps.shell.words import markup
from datamodel.access.rights import role_in_words
from datamodel.credentials import reads as credential_reads
from datamodel.kernel.errors import BadInputError, Refused, RefusedError
from datamodel.records import actions
from datamodel.records.actions import Outcome
from datamodel.records.workflow import Shown
from datamodel.signatures import reads as signature_reads
from datamodel.signatures.actions import Proof
from datamodel.signatures.manifest import MEANINGS

#: meanings that are offered for forms, as people choose them; locking has its own
OFFERED: Final = ("responsibility", "approval", "review", "author")
_WITHOUT: Final = Markup(
    'You have no password yet, and a signature needs one that only you know. <a href="/account#h-password">Set a password</a> '
    "under My account, then come back and sign."
)
_WIDE: Final = {"sizing_mode": "stretch_width", "margin": (8, 0, 0, 0)}


@dataclass(frozen=True, slots=True)
class Listed:
    """One form on the list of what is signed, in words, bound to the version that was on the screen."""

    words: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class Asked:
    """What this browser is asked for now."""

    needs_name: bool
    needs_code: bool
    refusal: str


def asked(visit: Visit, act: str) -> Asked:
    """Return what `act` asks for in this browser: everything at the first signature, the password at later ones."""
    actor = visit.visitor.actor
    with reading(actor) as session:
        found = signature_reads.asked(session, actor, visit.visitor.token, act=act, now=clock())
        factors = credential_reads.factors(session, actor.id)
    refusal = found.sentence if isinstance(found, Refused) else "" if factors.has_password else _WITHOUT
    return Asked(needs_name=found == "all", needs_code=factors.has_totp, refusal=refusal)


class SigningDialog:
    """Asks for the components, shows meaning, full name and the list of records, and signs."""

    def __init__(self, visit: Visit, *, act: str, done: Callable[[Outcome], None]) -> None:
        self.visit, self.act, self.done = visit, act, done
        self.listed: Sequence[Listed] = ()
        self.words = pane(Markup(""), views.style())
        self.error = pane(Markup(""), views.style())
        self.meaning = pmui.RadioBoxGroup(
            label="Meaning of this signature",
            options={f"{one.capitalize()}: {MEANINGS[one]}": one for one in OFFERED},
            value=OFFERED[0],
            inline=False,
            **_WIDE,
        )
        self.typed = pmui.Column(margin=0, sizing_mode="stretch_width")
        self.go = pmui.Button(label="Sign", variant="contained", margin=(0, 8, 0, 0))
        self.cancel = pmui.Button(label="Cancel", variant="outlined", margin=0)
        self.dialog = pmui.Dialog(
            self.words,
            *([self.meaning] if act == "sign" else []),
            self.typed,
            self.error,
            pmui.Row(self.go, self.cancel, margin=(16, 0, 8, 0)),
            title="Sign" if act == "sign" else "Lock",
            width_option="sm",
            theme_config=THEME,
            close_on_click=False,
        )
        self.press = acts(visit, self._press)
        self.go.on_click(self.press)
        self.cancel.on_click(self._close)
        self._ask_for(Asked(needs_name=True, needs_code=False, refusal=""))

    def show(self, listed: Sequence[Listed], *, skipped: Sequence[tuple[str, str]] = ()) -> None:
        """Open the dialog over these forms; `skipped` are (form, reason) that this signing leaves out."""
        self.listed = listed
        needs = asked(self.visit, self.act)
        self._ask_for(needs)
        self.go.disabled = bool(needs.refusal) or not listed
        count = len(listed)
        verb = "Sign" if self.act == "sign" else "Lock"
        self.go.label = verb if count == 1 else f"{verb} {count} forms"
        self.dialog.title = f"{verb} {count} form{'s' if count != 1 else ''}"
        actor = self.visit.visitor.actor
        self.words.object = str(
            markup(
                "records/signing.html",
                act=self.act,
                name=actor.name,
                role=role_in_words(actor.role(self.visit.code)),
                listed=[one.words for one in listed],
                skipped=skipped,
                locking=MEANINGS["locking"],
                needs=needs,
            )
        )
        self._say(needs.refusal)
        self.dialog.open = True

    def _press(self, *_: Any) -> None:
        if not self.dialog.open or self.go.disabled:
            return
        proof = Proof(
            token=self.visit.visitor.token,
            password=self.password.value_input or self.password.value,
            sign_in_name=self.name.value_input or self.name.value,
            code=self.code.value_input or self.code.value,
        )
        try:
            with acting(self.visit.visitor) as unit:
                outcome = self._act(unit, proof)
        except RefusedError as error:
            self._ask_for(asked(self.visit, self.act))
            self._say(error.refusal.sentence)
            return
        self._close()
        self.done(outcome)

    def _act(self, unit: Any, proof: Proof) -> Outcome:
        given = {
            "study": self.visit.code,
            "shown": [one.shown for one in self.listed],
            "proof": proof,
            "zone": self.visit.zone,
        }
        if self.act == "lock":
            return actions.lock_forms(unit, **given)
        return actions.sign_forms(unit, meaning=self.meaning.value, **given)

    def _say(self, words: str) -> None:
        self.error.object = str(Markup('<p class="refusal" role="alert">{}</p>').format(words)) if words else ""

    def _ask_for(self, needs: Asked) -> None:
        """Put new, empty fields into the dialog: nothing of what was typed before stays in the page."""
        self.name = pmui.TextInput(label="Sign-in name", max_length=200, **_WIDE)
        self.password = pmui.PasswordInput(label="Password", max_length=200, **_WIDE)
        self.code = pmui.TextInput(label="Code of your authenticator", max_length=20, **_WIDE)
        for field in (self.name, self.password, self.code):
            field.param.watch(self.press, "enter_pressed")
        self.typed.objects = [
            *([self.name] if needs.needs_name else []),
            self.password,
            *([self.code] if needs.needs_code else []),
        ]

    def _close(self, *_: Any) -> None:
        self.dialog.open = False
        self._ask_for(Asked(needs_name=True, needs_code=False, refusal=""))
        self._say("")


class ReasonDialog:
    """Asks why a form is reopened."""

    def __init__(self, visit: Visit, done: Callable[[], None]) -> None:
        self.visit, self.done, self.shown = visit, done, None
        self.words = pane(Markup(""), views.style())
        self.error = pane(Markup(""), views.style())
        self.reason = pmui.TextAreaInput(label="Why it is reopened", rows=3, max_length=500, **_WIDE)
        self.go = pmui.Button(label="Reopen", variant="contained", margin=(0, 8, 0, 0))
        self.cancel = pmui.Button(label="Cancel", variant="outlined", margin=0)
        self.dialog = pmui.Dialog(
            self.words,
            self.reason,
            self.error,
            pmui.Row(self.go, self.cancel, margin=(16, 0, 8, 0)),
            title="Reopen this form",
            width_option="sm",
            theme_config=THEME,
            close_on_click=False,
        )
        self.go.on_click(acts(visit, self._press))
        self.cancel.on_click(self._close)

    def show(self, shown: Shown, words: str) -> None:
        """Open the dialog over one form; `words` say what falls."""
        self.shown = shown
        self.words.object = str(Markup("<p>{}</p>").format(words))
        self.error.object = ""
        self.dialog.open = True

    def _press(self, *_: Any) -> None:
        try:
            with acting(self.visit.visitor, reason=self.reason.value_input or self.reason.value) as unit:
                actions.reopen_form(unit, study=self.visit.code, shown=self.shown)
        except (RefusedError, BadInputError) as error:
            self.error.object = str(Markup('<p class="refusal" role="alert">{}</p>').format(str(error)))
            return
        self._close()
        self.done()

    def _close(self, *_: Any) -> None:
        self.dialog.open = False
        self.reason.value = self.reason.value_input = ""
