"""Forms that wait for a step (verify, sign, lock): by participant with counts, then form by form with what is left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import panel_material_ui as pmui
from markupsafe import Markup

from apps.records import views
from apps.records.signing import Listed, SigningDialog
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.places import Places, places
from apps.shell.session import acting, reading
from apps.shell.words import address, markup, plural
from datamodel.kernel.errors import NotFoundError
from datamodel.records import actions, life
from datamodel.records.actions import Outcome
from datamodel.records.life import Count, Waiting
from datamodel.records.reads import grid_columns
from datamodel.study import reads as study_reads

#: More than this are not taken with one confirmation.
MOST: Final = 300


@dataclass(frozen=True)
class StepWords:
    """How a step is said: the page's path and title, the verb, what was done, the symbol, and what the page waits for."""

    path: str
    title: str
    verb: str
    done: str
    state: str
    waits: str


WORDS: Final[dict[str, StepWords]] = {
    "verify": StepWords(
        "verifying",
        "Forms to verify",
        "Verify",
        "verified",
        "verified",
        "Complete forms appear here until they are verified.",
    ),
    "sign": StepWords(
        "signing",
        "Forms to sign",
        "Sign",
        "signed",
        "signed",
        "Complete and verified forms appear here until they are signed.",
    ),
    "lock": StepWords(
        "locking", "Forms to lock", "Lock", "locked", "locked", "Signed forms appear here until they are locked."
    ),
}


@dataclass(frozen=True)
class WaitingList:
    """What waits: every participant with counts, and the forms of those whose code begins with `subject`."""

    people: Sequence[Count]
    every: Sequence[Waiting]
    words: Places | None
    subject: str = ""
    step: str = "sign"

    @property
    def said(self) -> StepWords:
        """Return how the step is said."""
        return WORDS[self.step]

    @cached_property
    def chosen(self) -> list[Waiting]:
        """Return the forms that the choice leaves."""
        return sorted(self.every, key=self._order)

    def _order(self, one: Waiting) -> tuple[str, int, int, int, int]:
        """Return where a form stands: by participant, then as the schedule has visits and forms."""
        form = one.form
        columns = self._columns.get((form.event_name, form.form_name), len(self._columns))
        return form.participant, columns, form.event_repeat, form.form_repeat, form.revision

    @cached_property
    def _columns(self) -> dict[tuple[str, str], int]:
        columns = grid_columns(self.words.protocol) if self.words else ()
        return {(one.event_name, one.form_name): number for number, one in enumerate(columns)}

    @cached_property
    def ready(self) -> list[Waiting]:
        """Return the chosen forms that can be signed, as many as one confirmation covers."""
        return [one for one in self.chosen if one.refusal is None][:MOST]

    @cached_property
    def left_out(self) -> list[Waiting]:
        """Return the chosen forms that would be skipped, each with its reason."""
        return [one for one in self.chosen if one.refusal is not None]

    def place(self, one: Waiting) -> str:
        """Return participant, visit and form in words, with the entry's number where there are several."""
        form = one.form
        visit = self.words.event_label(form.event_name) if self.words else ""
        label = self.words.form_label(form.form_name) if self.words else ""
        number = f"entry {form.form_repeat}" if form.form_repeat else ""
        return ", ".join(part for part in (form.participant, visit, label, number) if part)

    def href(self, study: str, one: Waiting) -> str:
        """Return the address of a form."""
        form = one.form
        if self.words is None:
            return ""
        return self.words.href(study, form.participant, form.event_name, form.form_name, repeat=form.form_repeat)


def load(visit: Visit, step: str) -> WaitingList:
    """Return the list as the address asks for it."""
    actor, subject = visit.visitor.actor, visit.query.get("subject", "").strip()[:40]
    with reading(actor) as session:
        try:
            words = places(study_reads.design(session, visit.study.id).protocol)
        except NotFoundError:
            words = None
        people = life.counts(session, actor, study=visit.code, step=step)
        codes = [one.participant for one in people if subject and one.participant.startswith(subject)]
        every = life.waiting(session, actor, study=visit.code, step=step, participants=codes) if codes else []
    return WaitingList(people, every, words, subject, step)


def signing(visit: Visit) -> Any:
    """Return the forms that wait for a signature."""
    return _waiting(visit, "sign")


def verifying(visit: Visit) -> Any:
    """Return the forms that wait to be compared with their source."""
    return _waiting(visit, "verify")


def locking(visit: Visit) -> Any:
    """Return the signed forms that wait to be locked."""
    return _waiting(visit, "lock")


def _waiting(visit: Visit, step: str) -> Any:
    """Return the list of participants, or the forms of the chosen ones with what takes the step for them."""
    found = load(visit, step)
    path = f"/app/{visit.code}/{found.said.path}"
    if not found.chosen:
        html = markup("records/people.html", found=found, path=path, address=address)
        return column(pane(html, views.style()))
    visit.crumbs = [(found.said.title, path), (found.subject, "")]
    visit.title = f"{found.said.title}, {found.subject}"
    return _Bulk(visit, found, path).layout()


class _Bulk:
    """The chosen forms, ticked when the step can be taken; one confirmation takes it for them all."""

    def __init__(self, visit: Visit, found: WaitingList, path: str) -> None:
        self.visit, self.found, self.path = visit, found, path
        self.head, self.left_out = pane(Markup(""), views.style()), pane(Markup(""), views.style())
        self.ticks = pmui.CheckBoxGroup(
            label=f"Forms that can be {found.said.done}", inline=False, margin=(0, 0, 16, 0)
        )
        self.all = pmui.Button(label="Choose all", variant="outlined", margin=(0, 8, 0, 0))
        self.none = pmui.Button(label="Choose none", variant="outlined", margin=(0, 8, 0, 0))
        self.go = pmui.Button(label=found.said.verb, variant="contained", margin=(0, 8, 0, 0))
        self.dialog = None if found.step == "verify" else SigningDialog(visit, act=found.step, done=self._done)
        self.all.on_click(acts(visit, lambda _: self._tick(every=True)))
        self.none.on_click(acts(visit, lambda _: self._tick(every=False)))
        self.go.on_click(acts(visit, self._ask))
        self.ticks.param.watch(self._count, "value")
        self.row = pmui.FlexBox(self.go, self.all, self.none, margin=(0, 0, 16, 0))
        self._draw(None)

    def layout(self) -> Any:
        """Return everything beneath each other."""
        return column(self.head, self.left_out, self.row, self.ticks, *([self.dialog.dialog] if self.dialog else []))

    def _draw(self, outcome: Outcome | None) -> None:
        self.by_words = {f"{self.found.place(one)} (version {one.form.revision})": one for one in self.found.ready}
        self.ticks.options = list(self.by_words)
        self.ticks.value = list(self.by_words)
        self.row.visible = self.ticks.visible = bool(self.by_words)
        skipped = [
            (self.found.place(Waiting(one.form, one.refusal)), one.refusal.sentence)
            for one in (outcome.skipped if outcome else ())
            if one.form is not None
        ]
        self.head.object = str(
            markup("records/bulk.html", found=self.found, path=self.path, outcome=outcome, skipped=skipped, most=MOST)
        )
        self.left_out.object = str(markup("records/left_out.html", found=self.found, study=self.visit.code))
        self._count()

    def _count(self, *_: Any) -> None:
        self.go.disabled = not self.ticks.value
        self.go.label = f"{self.found.said.verb} {plural(len(self.ticks.value), 'form')}"

    def _tick(self, *, every: bool) -> None:
        self.ticks.value = list(self.by_words) if every else []

    def _ask(self, _: Any) -> None:
        chosen = [Listed(words, one.form.as_shown) for words, one in self.by_words.items() if words in self.ticks.value]
        if self.dialog is None:
            with acting(self.visit.visitor) as unit:
                outcome = actions.verify_forms(unit, study=self.visit.code, shown=[one.shown for one in chosen])
            self._done(outcome)
            return
        self.dialog.show(chosen, skipped=[(self.found.place(one), one.refusal.reason) for one in self.found.left_out])

    def _done(self, outcome: Outcome) -> None:
        self.found = load(self.visit, self.found.step)
        self._draw(outcome)
        self.visit.notify(f"{self.found.said.done.capitalize()}: {plural(len(outcome.done), 'form')}.", kind="good")
