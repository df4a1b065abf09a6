"""One form of one participant at one visit, as people read it. No widgets, no server."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from apps.shell.frame import Visit
from apps.shell.places import Places, places
from apps.shell.words import shown
from datamodel.access.rights import may
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.discrepancies.reads import Discrepancy
from datamodel.kernel.errors import NotFoundError, Refused
from datamodel.participants import reads as participant_reads
from datamodel.records import life, redaction
from datamodel.records import reads as record_reads
from datamodel.records.life import Life
from datamodel.records.reads import FieldChange, Instance
from datamodel.records.redaction import Redaction
from datamodel.records.workflow import Shown, Step, decide
from datamodel.study import reads as study_reads
from datamodel.study.protocol import Field, Form

#: Where a value came from, as people say it.
SOURCES: Final = {"redcap": "sync with REDCap", "staff": "typed here", "participant": "participant's phone"}
#: Steps that people take.
PEOPLE_TAKE: Final[tuple[Step, ...]] = ("verify", "sign", "lock", "reopen")
_WITHHELD: Final = "Blinded: not shown to your role"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a field, in words."""

    old: str
    new: str
    at: object
    by: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """One field with its value as people read it."""

    label: str
    value: str
    unit: str
    section: str
    note: str
    is_withheld: bool
    history: tuple[Change, ...]
    questions: tuple[Discrepancy, ...]


@dataclass(frozen=True, slots=True)
class FormPage:
    """All that the page shows. `one` is None when nothing was entered yet."""

    subject: str
    event_label: str
    form: Form
    words: Places
    event_name: str
    instances: tuple[Instance, ...]
    one: Instance | None
    number: int
    lines: tuple[Line, ...]
    is_repeating: bool
    #: where the entry stands, what it went through and who signed it; None when nothing was entered
    life: Life | None
    #: steps that this reader has the right to, whatever the form's state
    may: frozenset[Step]
    reader: UUID
    #: values that stand in a version, in words, newest first, for whoever may remove one: words -> (version, field)
    removable: dict[str, tuple[int, str]]
    #: what was removed from this entry
    removed: tuple[Redaction, ...]

    @property
    def words_of_place(self) -> str:
        """Participant, visit and form, as people say it."""
        return ", ".join(part for part in (self.subject, self.event_label, self.form.label) if part)

    def label_of(self, field: str) -> str:
        """Return a field's label."""
        name = field.partition("___")[0]
        return next((one.label for one in self.form.fields if one.name == name), field)

    @property
    def shown(self) -> Shown | None:
        """What a signature on this page covers: exactly the version whose values are on it.

        None when a newer version came in between reading the values and reading where the form stands.
        """
        if self.one is None or self.life is None or self.life.form.revision != self.one.revision:
            return None
        return self.life.form.as_shown

    @property
    def offered(self) -> frozenset[str]:
        """Steps that this reader may take now."""
        if self.shown is None or self.life is None:
            return frozenset()
        return frozenset(
            step for step in self.may if not isinstance(decide(self.life.form, step, by=self.reader), Refused)
        )


def load(session: Session, visit: Visit) -> FormPage:
    """Return the form that the address names; NotFoundError when there is no such person, visit or form."""
    actor, code, subject = visit.visitor.actor, visit.code, visit.named["subject"]
    person = participant_reads.participant(session, actor, study=code, code=subject)
    words = places(study_reads.design(session, visit.study.id).protocol)
    event, form = words.event_named(visit.named["event"]), words.form_named(visit.named["form"])
    name = event.name if event else ""
    if event is not None and form.name not in event.forms:
        raise NotFoundError(f"{form.label} is not planned at {words.event_label(name)}.")
    found = record_reads.instances(
        session, actor, study=code, participant=subject, event_name=name, form_name=form.name
    )
    asked = visit.query.get("instance", "")
    number = min(max(int(asked), 1), max(len(found), 1)) if asked.isdigit() and len(asked) < 6 else 1  # noqa: PLR2004
    one = found[number - 1] if found else None
    questions = []
    if may(actor, "study:discrepancies:read", study=code, site=person.site):
        every = discrepancy_reads.discrepancies(session, actor, study=code, participant=subject, form_name=form.name)
        questions = [q for q in every if q.event_name == name and _is_of(q, one)]
    history = record_reads.field_history(session, actor, study=code, one=one) if one else []
    lived = life.life(session, actor, study=code, instance_id=one.id) if one else None
    return FormPage(
        subject=subject,
        event_label=words.event_label(name),
        form=form,
        words=words,
        event_name=name,
        instances=tuple(found),
        one=one,
        number=number,
        lines=tuple(_line(item, one, history, questions) for item in form.fields if item.kind != "descriptive"),
        is_repeating=bool(event and (form.name in event.repeating_forms or event.is_repeating)),
        life=lived,
        may=frozenset(one for one in PEOPLE_TAKE if may(actor, f"study:records:{one}", study=code, site=person.site)),
        reader=actor.id,
        removable=_removable(form, history) if may(actor, "study:records:redact", study=code, site=person.site) else {},
        removed=tuple(redaction.redactions(session, actor, study=code, instance_id=one.id)) if one else (),
    )


def _removable(form: Form, history: list[FieldChange]) -> dict[str, tuple[int, str]]:
    fields = {item.name: item for item in form.fields}
    found = {}
    for change in history:
        item = fields.get(change.field)
        if change.new and item is not None:
            found[f"{item.label}: {_told(item, change.new)} (version {change.revision})"] = (
                change.revision,
                change.field,
            )
    return found


def _is_of(question: Discrepancy, one: Instance | None) -> bool:
    return one is None or (question.event_repeat, question.form_repeat) == (one.event_repeat, one.form_repeat)


def _line(item: Field, one: Instance | None, history: list[FieldChange], questions: list[Discrepancy]) -> Line:
    values = one.values if one else {}
    names = [f"{item.name}___{choice.code}" for choice in item.choices] if item.kind == "checkbox" else [item.name]
    is_withheld = one is not None and any(name in one.withheld for name in names)
    return Line(
        label=item.label,
        value=_WITHHELD if is_withheld else in_words(item, values),
        unit=item.unit,
        section=item.section,
        note=item.note,
        is_withheld=is_withheld,
        history=tuple(_change(item, change) for change in history if change.field in names),
        questions=tuple(q for q in questions if q.field in {*names, item.name}),
    )


def in_words(item: Field, values: object) -> str:
    """Return a field's value as people read it: choices by label, ticked boxes listed, days as 05-Mar-2026."""
    if item.kind == "checkbox":
        ticked = [choice.label for choice in item.choices if values.get(f"{item.name}___{choice.code}") == "1"]
        return ", ".join(ticked)
    return _told(item, values.get(item.name, ""))


def _told(item: Field, text: str) -> str:
    labels = {choice.code: choice.label for choice in item.choices}
    if item.kind == "yesno" and not labels:
        labels = {"1": "Yes", "0": "No"}
    return labels.get(text, shown(text))


def _change(item: Field, change: FieldChange) -> Change:
    def told(text: str) -> str:
        if item.kind != "checkbox":
            return _told(item, text)
        label = next((c.label for c in item.choices if change.field.endswith(f"___{c.code}")), "")
        return f"{label}: ticked" if text == "1" else f"{label}: not ticked"

    source = SOURCES.get(change.source, change.source)
    return Change(told(change.old), told(change.new), change.at, change.by, change.reason, source)
