"""The dialog that removes a value which was typed by mistake, for good, with a reason and proof of who does it."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import panel_material_ui as pmui
from markupsafe import Markup

from apps.records import views
from apps.records.signing import asked
from apps.shell.frame import THEME, Visit, acts, pane
from apps.shell.session import acting
from apps.shell.words import markup
from datamodel.kernel.errors import MetricisError, RefusedError
from datamodel.records import redaction
from datamodel.records.redaction import Redacted
from datamodel.signatures.actions import Proof

_WIDE: Final = {"sizing_mode": "stretch_width", "margin": (8, 0, 0, 0)}


class RemovalDialog:
    """Asks which value goes, why, and who does it; shows once what opens the commitment that stays."""

    def __init__(self, visit: Visit, *, done: Callable[[], None]) -> None:
        self.visit, self.done = visit, done
        self.instance: UUID | None = None
        self.values: Mapping[str, tuple[int, str]] = {}
        self.words, self.error = (pane(Markup(""), views.style()) for _ in range(2))
        self.typed = pmui.Column(margin=0, sizing_mode="stretch_width")
        self.go = pmui.Button(label="Remove for good", variant="contained", margin=(0, 8, 0, 0))
        self.cancel = pmui.Button(label="Cancel", variant="outlined", margin=0)
        self.dialog = pmui.Dialog(
            self.words,
            self.typed,
            self.error,
            pmui.Row(self.go, self.cancel, margin=(16, 0, 8, 0)),
            title="Remove a value",
            width_option="sm",
            theme_config=THEME,
            close_on_click=False,
        )
        self.go.on_click(acts(visit, self._press))
        self.cancel.on_click(self._close)

    def show(self, instance: UUID, values: Mapping[str, tuple[int, str]]) -> None:
        """Open the dialog over the values of one form entry."""
        self.instance, self.values = instance, values
        needs = asked(self.visit, "redact")
        self._empty(has_code=needs.needs_code)
        self.words.object = str(markup("records/removal.html", done=None))
        self.go.visible, self.go.disabled, self.cancel.label = True, bool(needs.refusal), "Cancel"
        self._say(needs.refusal)
        self.dialog.open = True

    def _empty(self, *, has_code: bool) -> None:
        """Put new, empty fields into the dialog: nothing of what was typed before stays in the page."""
        self.value = pmui.Select(label="Value that goes", options=list(self.values), **_WIDE)
        self.reason = pmui.TextAreaInput(label="Why, without the value itself", rows=2, max_length=500, **_WIDE)
        self.name = pmui.TextInput(label="Sign-in name", max_length=200, **_WIDE)
        self.password = pmui.PasswordInput(label="Password", max_length=200, **_WIDE)
        self.code = pmui.TextInput(label="Code of your authenticator", max_length=20, **_WIDE)
        fields = [self.value, self.reason, self.name, self.password]
        self.typed.objects = [*fields, self.code] if has_code else fields

    def _press(self, _: Any) -> None:
        if self.instance is None or self.value.value not in self.values:
            return
        revision, field = self.values[self.value.value]
        proof = Proof(
            token=self.visit.visitor.token,
            password=self.password.value_input or self.password.value,
            sign_in_name=self.name.value_input or self.name.value,
            code=self.code.value_input or self.code.value,
        )
        try:
            with acting(self.visit.visitor, reason=(self.reason.value_input or self.reason.value).strip()) as unit:
                gone = redaction.redact_confirmed(
                    unit, study=self.visit.code, instance_id=self.instance, revision=revision, field=field, proof=proof
                )
        except MetricisError as error:
            self.password.value = self.password.value_input = ""
            self._say(error.refusal.sentence if isinstance(error, RefusedError) else str(error))
            return
        self._tell(gone)
        self.done()

    def _tell(self, gone: Redacted) -> None:
        """Show once what was done, and the salt, which is kept nowhere."""
        self.values = {}
        self.typed.objects = []
        self.words.object = str(markup("records/removal.html", done=gone))
        self._say("")
        self.go.visible, self.cancel.label = False, "Close"

    def _say(self, words: str) -> None:
        self.error.object = str(Markup('<p class="refusal" role="alert">{}</p>').format(words)) if words else ""

    def _close(self, *_: Any) -> None:
        self.dialog.open = False
        self.values = {}
        self._empty(has_code=False)
        self.words.object = ""
