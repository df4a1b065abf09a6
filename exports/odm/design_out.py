"""Write a study's design as the metadata of an ODM file, 1.3.2 or 2.0. Pure but for the writer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from exports.odm.shape import (
    ALIAS,
    QUERY_LIST,
    QUERY_STATES,
    SESSIONS,
    STATUS_LIST,
    STATUSES,
    Item,
    data_type,
    event_oid,
    items,
)
from exports.odm.xml import XmlWriter

Version = Literal["1.3.2", "2.0"]
#: groups of an assessment session: name -> (repeats, items as (name, type, question))
SESSION_GROUPS: Final[dict[str, tuple[bool, tuple[tuple[str, str, str], ...]]]] = {
    "session": (
        False,
        (
            ("state", "text", "State of the session"),
            ("battery", "text", "Battery"),
            ("battery_version", "integer", "Version of the battery"),
            ("started_at", "datetime", "Start"),
            ("ended_at", "datetime", "End"),
        ),
    ),
    "scores": (
        True,
        (
            ("score", "text", "Name of the score"),
            ("rule", "text", "Scoring rule"),
            ("value", "float", "Score"),
            ("unit", "text", "Unit"),
        ),
    ),
    "trials": (
        True,
        (
            ("trial_index", "integer", "Number of the trial"),
            ("trial_type", "text", "jsPsych plugin"),
            ("rt_ms", "float", "Response time in ms"),
            ("response", "text", "Response"),
            ("is_correct", "boolean", "Was it correct?"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class About:
    """What the metadata say of the study; `tasks` are those of its assessment sessions."""

    code: str
    protocol_id: str
    title: str
    design: int
    protocol: Protocol
    tasks: tuple[str, ...] = ()


class DesignWriter:
    """Writes one design in one version of ODM."""

    def __init__(self, xml: XmlWriter, about: About, version: Version) -> None:
        self.xml, self.about, self.version = xml, about, version
        self.is_2 = version == "2.0"
        self.protocol = about.protocol

    def write(self) -> None:
        """Write the Study element."""
        xml, about = self.xml, self.about
        study = f"ST.{about.code}"
        if self.is_2:
            xml.open("Study", OID=study, StudyName=about.title, ProtocolName=about.protocol_id)
            self._words("Description", about.title)
        else:
            xml.open("Study", OID=study)
            xml.open("GlobalVariables")
            xml.leaf("StudyName", about.title)
            xml.leaf("StudyDescription", about.title)
            xml.leaf("ProtocolName", about.protocol_id)
            xml.close()
            self._units()
        xml.open("MetaDataVersion", OID=f"MDV.{about.design}", Name=f"Design version {about.design}")
        self._protocol()
        if self.is_2:
            self._event_group()
        for event in self.protocol.events:
            self._event(event)
        self._session_event()
        self._forms()
        self._items()
        self._lists()
        self._conditions()
        xml.close(2)

    def _units(self) -> None:
        units = sorted({one.unit for form in self.protocol.forms for one in form.fields if one.unit})
        if units:
            self.xml.open("BasicDefinitions")
            for unit in units:
                self.xml.open("MeasurementUnit", OID=f"MU.{unit}", Name=unit)
                self._words("Symbol", unit)
                self.xml.close()
            self.xml.close()

    def _words(self, name: str, text: str) -> None:
        self.xml.open(name)
        self._translated(text)
        self.xml.close()

    def _translated(self, text: str) -> None:
        if self.is_2:
            self.xml.leaf("TranslatedText", text, Type="text/plain")
        else:
            self.xml.leaf("TranslatedText", text)

    def _alias(self, **values: str) -> None:
        for name, value in values.items():
            if value:
                self.xml.leaf("Alias", Context=f"{ALIAS}{name}", Name=value)

    def _event_oids(self) -> list[str]:
        return [
            *(event_oid(one.name) for one in self.protocol.events),
            *([event_oid(SESSIONS)] if self.about.tasks else []),
        ]

    def _protocol(self) -> None:
        self.xml.open("Protocol")
        self._words("Description", self.about.title)
        if self.is_2:
            self.xml.leaf("StudyEventGroupRef", StudyEventGroupOID="SEG.all", OrderNumber="1", Mandatory="Yes")
        else:
            for place, oid in enumerate(self._event_oids(), start=1):
                self.xml.leaf("StudyEventRef", StudyEventOID=oid, OrderNumber=str(place), Mandatory="No")
        self._alias(record_field=self.protocol.record_field)
        for one in self.protocol.arms:
            self._alias(**{f"arm.{one.code}": one.label or one.code})
        for one in self.protocol.missing_codes:
            self._alias(**{f"missing.{one.code}": one.label or one.code})
        self.xml.close()

    def _event_group(self) -> None:
        self.xml.open("StudyEventGroupDef", OID="SEG.all", Name="All events")
        for place, oid in enumerate(self._event_oids(), start=1):
            self.xml.leaf("StudyEventRef", StudyEventOID=oid, OrderNumber=str(place), Mandatory="No")
        self.xml.close()

    def _event(self, event: Event) -> None:
        self.xml.open(
            "StudyEventDef",
            OID=event_oid(event.name),
            Name=event.label or event.name,
            Repeating=_yes(event.is_repeating),
            Type="Common" if event.day is None else "Scheduled",
        )
        for place, form in enumerate(event.forms, start=1):
            self._form_reference(form_oid(form), place)
        self._alias(
            name=event.name,
            arm=event.arm,
            day="" if event.day is None else str(event.day),
            days_before=str(event.days_before),
            days_after=str(event.days_after),
            repeating_forms=" ".join(event.repeating_forms),
        )
        self.xml.close()

    def _form_reference(self, oid: str, place: int) -> None:
        name, key = ("ItemGroupRef", "ItemGroupOID") if self.is_2 else ("FormRef", "FormOID")
        self.xml.leaf(name, None, **{key: oid, "OrderNumber": str(place), "Mandatory": "No"})

    def _session_event(self) -> None:
        if not self.about.tasks:
            return
        self.xml.open(
            "StudyEventDef", OID=event_oid(SESSIONS), Name="Assessment sessions", Repeating="Yes", Type="Unscheduled"
        )
        for place, task in enumerate(self.about.tasks, start=1):
            self._form_reference(task_oid(task), place)
        self.xml.close()

    def _forms(self) -> None:
        for form in self.protocol.forms:
            if self.is_2:
                self._form_as_group(form)
            else:
                self._form(
                    form_oid(form.name),
                    form.label,
                    (group_oid(form.name),),
                    self.protocol.is_repeating(form.name),
                    form.name,
                )
        for task in self.about.tasks:
            if self.is_2:
                self._task_as_group(task)
            else:
                self._form(task_oid(task), task, tuple(session_group(one) for one in SESSION_GROUPS), False, task)
        if not self.is_2:
            for form in self.protocol.forms:
                self.xml.open("ItemGroupDef", OID=group_oid(form.name), Name=form.label or form.name, Repeating="No")
                self._references(form)
                self.xml.close()
        self._session_groups()

    def _form(self, oid: str, label: str, groups: Iterable[str], is_repeating: bool, name: str) -> None:
        self.xml.open("FormDef", OID=oid, Name=label or name, Repeating=_yes(is_repeating))
        for place, group in enumerate(groups, start=1):
            self.xml.leaf("ItemGroupRef", ItemGroupOID=group, OrderNumber=str(place), Mandatory="No")
        self._alias(name=name)
        self.xml.close()

    def _form_as_group(self, form: Form) -> None:
        repeats = "Simple" if self.protocol.is_repeating(form.name) else "No"
        if not form.fields:
            return
        self.xml.open(
            "ItemGroupDef", OID=form_oid(form.name), Name=form.label or form.name, Repeating=repeats, Type="Form"
        )
        self._references(form)
        self._alias(name=form.name)
        self.xml.close()

    def _task_as_group(self, task: str) -> None:
        self.xml.open("ItemGroupDef", OID=task_oid(task), Name=task, Repeating="No", Type="Form")
        for place, one in enumerate(SESSION_GROUPS, start=1):
            self.xml.leaf("ItemGroupRef", ItemGroupOID=session_group(one), OrderNumber=str(place), Mandatory="No")
        self.xml.close()

    def _references(self, form: Form) -> None:
        for place, one in enumerate(items(form), start=1):
            condition = f"CD.{form.name}.{one.field.name}" if one.field.branching and not self.is_2 else None
            self.xml.leaf(
                "ItemRef",
                ItemOID=one.oid,
                OrderNumber=str(place),
                Mandatory=_yes(one.field.is_required),
                CollectionExceptionConditionOID=condition,
            )

    def _session_groups(self) -> None:
        for name, (is_repeating, columns) in SESSION_GROUPS.items() if self.about.tasks else ():
            repeats = ("Simple" if is_repeating else "No") if self.is_2 else _yes(is_repeating)
            kind = "Section" if self.is_2 else None
            self.xml.open("ItemGroupDef", OID=session_group(name), Name=name, Repeating=repeats, Type=kind)
            for place, (column, _, _) in enumerate(columns, start=1):
                self.xml.leaf("ItemRef", ItemOID=session_item(name, column), OrderNumber=str(place), Mandatory="No")
            self.xml.close()

    def _items(self) -> None:
        for form in self.protocol.forms:
            for one in items(form):
                self._item(form, one)
        for name, (_, columns) in SESSION_GROUPS.items() if self.about.tasks else ():
            for column, kind, question in columns:
                shown = "decimal" if self.is_2 and kind == "float" else kind
                self.xml.open("ItemDef", OID=session_item(name, column), Name=column, DataType=shown)
                self._words("Question", question)
                self.xml.close()

    def _item(self, form: Form, one: Item) -> None:
        field = one.field
        kind = data_type(field, self.protocol)
        shown = "decimal" if self.is_2 and kind == "float" else kind
        self.xml.open("ItemDef", OID=one.oid, Name=one.name, DataType=shown)
        self._words("Question", " – ".join(part for part in (field.label, one.choice_label) if part) or one.name)
        if field.unit and not self.is_2:
            self.xml.leaf("MeasurementUnitRef", MeasurementUnitOID=f"MU.{field.unit}")
        for comparator, limit in (("GE", field.minimum), ("LE", field.maximum)):
            if limit:
                self.xml.open("RangeCheck", Comparator=comparator, SoftHard="Soft")
                self.xml.leaf("CheckValue", limit)
                self.xml.close()
        if one.is_choice:
            self.xml.leaf("CodeListRef", CodeListOID="CL.metricis.checked")
        elif field.choices:
            self.xml.leaf("CodeListRef", CodeListOID=f"CL.{form.name}.{field.name}")
        codes = [
            choice
            for choice in field.choices
            if one.is_choice and one.choice_label == choice.label and _is(one, choice)
        ]
        self._alias(
            field=field.name,
            kind=field.kind,
            label=field.label,
            validation=field.validation,
            note=field.note,
            section=field.section,
            branching=field.branching,
            unit=field.unit if self.is_2 else "",
            identifier="yes" if field.is_identifier else "",
            blinded="yes" if field.is_blinded else "",
            choice=codes[0].code if codes else "",
            choice_label=codes[0].label if codes else "",
        )
        self.xml.close()

    def _lists(self) -> None:
        boxes = False
        for form in self.protocol.forms:
            for field in form.fields:
                boxes |= field.kind == "checkbox"
                if field.choices and field.kind != "checkbox":
                    self._list(f"CL.{form.name}.{field.name}", field.name, field.choices, more=self._missing_of(field))
        if boxes:
            self._list("CL.metricis.checked", "Checked", (Choice("1", "Checked"), Choice("0", "Unchecked")))
        if not self.is_2:
            self._list(STATUS_LIST, "Form status", [Choice(one, one.replace("_", " ")) for one in STATUSES])
            self._list(QUERY_LIST, "State of a data question", [Choice(one, one) for one in QUERY_STATES])

    def _missing_of(self, field: Field) -> tuple[Choice, ...]:
        codes = {one.code for one in field.choices}
        return tuple(one for one in self.protocol.missing_codes if one.code not in codes)

    def _list(self, oid: str, name: str, choices: Iterable[Choice], *, more: tuple[Choice, ...] = ()) -> None:
        self.xml.open("CodeList", OID=oid, Name=name, DataType="text")
        for choice in dict.fromkeys((*choices, *more)):
            self.xml.open("CodeListItem", CodedValue=choice.code)
            self._words("Decode", choice.label or choice.code)
            if choice in more:
                self._alias(missing="yes")
            self.xml.close()
        self.xml.close()

    def _conditions(self) -> None:
        if self.is_2:
            return
        for form in self.protocol.forms:
            for field in form.fields:
                if field.branching:
                    self.xml.open("ConditionDef", OID=f"CD.{form.name}.{field.name}", Name=f"Branching of {field.name}")
                    self._words("Description", f"Not collected unless: {field.branching}")
                    self.xml.leaf("FormalExpression", f"not ({field.branching})", Context="REDCap")
                    self.xml.close()


def _is(one: Item, choice: Choice) -> bool:
    from exports.odm.shape import code_in_name

    return one.name == f"{one.field.name}___{code_in_name(choice.code)}"


def _yes(value: bool) -> str:
    return "Yes" if value else "No"


def form_oid(name: str) -> str:
    """Return the identifier of a form."""
    return f"F.{name}"


def group_oid(name: str) -> str:
    """Return the identifier of a form's one group of items in 1.3.2."""
    return f"IG.{name}"


def task_oid(task: str) -> str:
    """Return the identifier of the form of a task's sessions."""
    return f"F.metricis.{task}"


def session_group(name: str) -> str:
    """Return the identifier of a group of an assessment session."""
    return f"IG.metricis.{name}"


def session_item(group: str, name: str) -> str:
    """Return the identifier of an item of an assessment session."""
    return f"IT.metricis.{group}.{name}"
