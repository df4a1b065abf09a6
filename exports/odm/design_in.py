"""A study's design out of an ODM file's metadata, with everything that our model has no place for told as a departure. Pure."""

from collections import Counter
from typing import Final

from datamodel.study.protocol import Choice, Event, Field, FieldKind, Form, Protocol
from exports.odm.read import Node, OdmFile
from exports.odm.shape import ALIAS, REDCAP, SESSIONS, event_oid

_KINDS: Final[dict[str, FieldKind]] = {
    "integer": "integer",
    "float": "number",
    "double": "number",
    "date": "date",
    "partialDate": "date",
    "incompleteDate": "date",
    "datetime": "datetime",
    "partialDatetime": "datetime",
    "incompleteDatetime": "datetime",
    "time": "time",
    "partialTime": "time",
    "incompleteTime": "time",
    "boolean": "yesno",
    "base64Binary": "file",
    "hexBinary": "file",
}
_REDCAP_KINDS: Final[dict[str, FieldKind]] = {
    "textarea": "notes",
    "notes": "notes",
    "radio": "choice",
    "select": "choice",
    "dropdown": "choice",
    "yesno": "yesno",
    "truefalse": "yesno",
    "calc": "calc",
    "slider": "slider",
    "file": "file",
    "descriptive": "descriptive",
    "checkbox": "checkbox",
}
_FORM_STATUS: Final = "_complete"
#: parts of the metadata that are read
_READ: Final = frozenset(
    {"Protocol", "StudyEventDef", "FormDef", "ItemGroupDef", "ItemDef", "CodeList", "ConditionDef", "Include"}
)
#: parts of an ItemDef that are read
_READ_OF_ITEM: Final = frozenset(
    {"Question", "Description", "MeasurementUnitRef", "RangeCheck", "CodeListRef", "Alias"}
)


def design_of(file: OdmFile) -> Protocol | None:
    """Return the design in the file's last metadata version, or None when it has none; departures go to `file`."""
    versions = [(study, one) for study in file.studies for one in study.all("MetaDataVersion")]
    if not versions:
        file.depart("missing", "Study", "the file has no MetaDataVersion, so no design was made")
        return None
    if len(versions) > 1:
        file.depart("not brought in", "MetaDataVersion", "only the last is made a design", count=len(versions) - 1)
    return _Draft(file, *versions[-1]).protocol()


def aliases(node: Node) -> dict[str, str]:
    """Return what stands in our own aliases of an element, by name."""
    return {
        one.attributes.get("Context", "").removeprefix(ALIAS): one.attributes.get("Name", "")
        for one in node.all("Alias")
        if one.attributes.get("Context", "").startswith(ALIAS)
    }


class _Draft:
    """One metadata version on its way to a design."""

    def __init__(self, file: OdmFile, study: Node, version: Node) -> None:
        self.file, self.study, self.version = file, study, version
        self.items = self._by_oid("ItemDef")
        self.groups = self._by_oid("ItemGroupDef")
        self.forms = self._by_oid("FormDef")
        self.lists = self._by_oid("CodeList")
        self.conditions = self._by_oid("ConditionDef")
        self.units = {
            one.attributes.get("OID", ""): one.words("Symbol")
            for basic in study.all("BasicDefinitions")
            for one in basic.all("MeasurementUnit")
        }

    def protocol(self) -> Protocol:
        """Return the design, and tell what was left out of it."""
        self._tell_what_is_left()
        protocol = self.version.first("Protocol")
        ours = aliases(protocol) if protocol else {}
        record = ours.get("record_field") or self.version.attributes.get("redcap:RecordIdField", "")
        if not record:
            self.file.depart("missing", "Protocol", "no field is named that holds the participant's code")
        forms = tuple(
            self._form(one)
            for one in self.forms.values()
            if not one.attributes.get("OID", "").startswith("F.metricis.")
        )
        arms: dict[str, str] = {k.removeprefix("arm."): v for k, v in ours.items() if k.startswith("arm.")}
        events = tuple(self._events(arms))
        missing = [(k.removeprefix("missing."), v) for k, v in ours.items() if k.startswith("missing.")]
        return Protocol(
            record_field=record,
            arms=tuple(Choice(*one) for one in arms.items()),
            events=events,
            forms=forms,
            missing_codes=tuple(Choice(*one) for one in missing),
        )

    def _by_oid(self, name: str) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for one in self.version.all(name):
            oid = one.attributes.get("OID", "")
            if not oid:
                self.file.depart("missing", name, "the required attribute OID is missing")
            elif oid in found:
                self.file.depart("duplicate", oid, f"a second {name} with this OID was left out")
                continue
            found[oid] = one
        return found

    def _tell_what_is_left(self) -> None:
        for one in self.version.children:
            if one.name not in _READ:
                self.file.depart("not brought in", one.name, "our design has no place for it")
        if self.version.first("Include"):
            self.file.depart("not brought in", "Include", "definitions of another metadata version are not fetched")
        if not self.version.all("StudyEventDef"):
            self.file.depart("missing", "StudyEventDef", "the file defines no event")
        self._tell_of_variables()
        for node in (*self.forms.values(), *self.groups.values(), *self.items.values(), *self.lists.values()):
            self._tell_of_attributes(node)

    def _tell_of_variables(self) -> None:
        variables = self.study.first("GlobalVariables")
        for name in ("StudyName", "StudyDescription", "ProtocolName"):
            if variables is None or variables.first(name) is None:
                self.file.depart("missing", "GlobalVariables", f"the required element {name} is missing")
        for one in variables.children if variables else []:
            if one.name == "redcap:RepeatingInstrumentsAndEvents":
                self.file.depart("REDCap", one.name, "read as repeats of events and forms")
            elif one.name.startswith("redcap:"):
                self.file.depart("REDCap", one.name, "a project setting, not brought in")
            elif one.name.startswith("{"):
                self.file.depart("foreign element", one.name, "an element of another namespace was not brought in")

    def _tell_of_attributes(self, node: Node) -> None:
        for attribute in node.attributes:
            if attribute.startswith("redcap:"):
                self.file.depart("REDCap", attribute, f"an attribute of {node.name} that ODM does not have")
            elif attribute.startswith("{"):
                self.file.depart("foreign attribute", attribute, f"not brought in from {node.name}")

    def _events(self, arms: dict[str, str]) -> list[Event]:
        repeats, repeating_events = self._redcap_repeats()
        order = {
            one.attributes.get("StudyEventOID", ""): place
            for protocol in self.version.all("Protocol")
            for place, one in enumerate(protocol.all("StudyEventRef"), start=1)
        }
        found = []
        for place, (oid, node) in enumerate(self._by_oid("StudyEventDef").items(), start=1):
            ours = aliases(node)
            if oid == event_oid(SESSIONS):
                continue
            given = node.attributes
            # the one event of a study without a schedule has no name
            name = "" if oid == event_oid("") else ours.get("name") or given.get("redcap:UniqueEventName") or oid
            arm = ours.get("arm") or given.get("redcap:ArmNum", "1")
            arms.setdefault(arm, given.get("redcap:ArmName", f"Arm {arm}"))
            forms = [self._form_name(one.attributes.get("FormOID", "")) for one in node.all("FormRef")]
            marked = ours.get("repeating_forms", "").split() or [f for f in forms if (name, f) in repeats]
            if not repeats and "repeating_forms" not in ours and not ours:
                marked = [
                    self._form_name(one.attributes.get("FormOID", ""))
                    for one in node.all("FormRef")
                    if self._repeats(self.forms.get(one.attributes.get("FormOID", "")))
                ]
            day = ours.get("day", given.get("redcap:DayOffset", ""))
            found.append(
                Event(
                    name=name,
                    label=given.get("Name", name),
                    arm=arm,
                    ordinal=order.get(oid, place),
                    day=self._whole(day, oid),
                    days_before=self._whole(ours.get("days_before", given.get("redcap:OffsetMin", "0")), oid) or 0,
                    days_after=self._whole(ours.get("days_after", given.get("redcap:OffsetMax", "0")), oid) or 0,
                    forms=tuple(forms),
                    repeating_forms=tuple(marked),
                    is_repeating=given.get("Repeating") == "Yes" or name in repeating_events,
                )
            )
        return sorted(found, key=lambda one: one.ordinal)

    def _whole(self, text: str, place: str) -> int | None:
        if not text:
            return None
        try:
            return int(float(text))
        except ValueError:
            self.file.depart("not a number", place, "a day or window that is no number was left out")
            return None

    @staticmethod
    def _repeats(form: Node | None) -> bool:
        return form is not None and form.attributes.get("Repeating") == "Yes"

    def _redcap_repeats(self) -> tuple[set[tuple[str, str]], set[str]]:
        forms, events = set(), set()
        pending = [one for one in self.study.all("GlobalVariables") for one in one.children]
        while pending:
            one = pending.pop()
            pending += one.children
            event = one.attributes.get("redcap:UniqueEventName", "")
            if one.name == "redcap:RepeatingInstrument":
                forms.add((event, one.attributes.get("redcap:RepeatInstrument", "")))
            elif one.name == "redcap:RepeatingEvent":
                events.add(event)
        return forms, events

    def _form_name(self, oid: str) -> str:
        node = self.forms.get(oid)
        if node is None:
            self.file.depart("unknown OID", oid, "a FormRef names a form that is not defined")
            return oid
        return aliases(node).get("name") or node.attributes.get("redcap:FormName") or oid

    def _form(self, node: Node) -> Form:
        fields: dict[str, Field] = {}
        groups = [one.attributes.get("ItemGroupOID", "") for one in node.all("ItemGroupRef")]
        for oid in groups:
            group = self.groups.get(oid)
            if group is None:
                self.file.depart("unknown OID", oid, "an ItemGroupRef names a group that is not defined")
                continue
            if group.attributes.get("Repeating") == "Yes":
                self.file.depart(
                    "repeating group", oid, "our forms have no repeating groups; its fields are the form's"
                )
            for reference in group.all("ItemRef"):
                self._add_field(fields, reference)
        name = self._form_name(node.attributes.get("OID", ""))
        return Form(name, node.attributes.get("Name", name), tuple(fields.values()))

    def _add_field(self, fields: dict[str, Field], reference: Node) -> None:
        oid = reference.attributes.get("ItemOID", "")
        node = self.items.get(oid)
        if node is None:
            self.file.depart("unknown OID", oid, "an ItemRef names an item that is not defined")
            return
        variable = node.attributes.get("redcap:Variable", "")
        if variable and oid.endswith(_FORM_STATUS) and f"{oid}.choices" in self.lists and variable == oid:
            self.file.depart("REDCap", "form status", "an item that holds a form's status is no field of ours")
            return
        field = self._field(node, reference)
        known = fields.get(field.name)
        if known is None:
            fields[field.name] = field
        elif field.kind != "checkbox":
            self.file.depart("duplicate", oid, "a second item of this name in one form was left out")
        elif aliases(node).get("choice") is not None:
            fields[field.name] = _more_choices(known, field)

    def _field(self, node: Node, reference: Node) -> Field:
        ours, given = aliases(node), node.attributes
        for part, times in Counter(one.name for one in node.children).items():
            if part not in _READ_OF_ITEM:
                self.file.depart(
                    "not brought in", part, "a part of ItemDef that our design has no place for", count=times
                )
        kind = self._kind(node, ours)
        condition = self.conditions.get(reference.attributes.get("CollectionExceptionConditionOID", ""))
        validation = given.get("redcap:TextValidationType", "")
        unit = next((one.attributes.get("MeasurementUnitOID", "") for one in node.all("MeasurementUnitRef")), "")
        limits = {one.attributes.get("Comparator", ""): one.words("CheckValue") for one in node.all("RangeCheck")}
        for comparator in limits.keys() - {"GE", "LE"}:
            self.file.depart("not brought in", given.get("OID", ""), f"a RangeCheck {comparator}; limits are GE and LE")
        return Field(
            name=ours.get("field") or given.get("redcap:Variable") or given.get("Name") or given.get("OID", ""),
            label=ours.get("label") or node.words("Question") or node.words("Description") or given.get("Name", ""),
            kind=kind,
            choices=self._choices(node, kind, ours),
            validation=ours.get("validation", {"int": "integer", "float": "number"}.get(validation, validation)),
            minimum=limits.get("GE", ""),
            maximum=limits.get("LE", ""),
            unit=self.units.get(unit, unit),
            note=ours.get("note") or given.get("redcap:FieldNote", ""),
            section=ours.get("section") or given.get("redcap:SectionHeader", ""),
            branching=ours.get("branching") or given.get("redcap:BranchingLogic") or self._expression(condition),
            is_required=reference.attributes.get("Mandatory") == "Yes" or given.get("redcap:RequiredField") == "y",
            is_identifier="identifier" in ours or given.get("redcap:Identifier") == "y",
            is_blinded="blinded" in ours,
        )

    def _expression(self, condition: Node | None) -> str:
        if condition is None:
            return ""
        self.file.depart("condition", condition.attributes.get("OID", ""), "an exception condition is kept as its text")
        return condition.words("FormalExpression")

    def _kind(self, node: Node, ours: dict[str, str]) -> FieldKind:
        known: dict[str, FieldKind] = {one: one for one in (*_KINDS.values(), *_REDCAP_KINDS.values(), "text")}
        if (kind := known.get(ours.get("kind", ""))) is not None:
            return kind
        given = node.attributes.get("redcap:FieldType", "")
        if given in _REDCAP_KINDS:
            return _REDCAP_KINDS[given]
        if not given and node.first("CodeListRef"):
            return "choice"
        type_ = node.attributes.get("DataType", "")
        if type_ not in _KINDS and type_ not in ("text", "string"):
            self.file.depart("type", node.attributes.get("OID", ""), f"the type “{type_}” is read as text")
        return _KINDS.get(type_, "text")

    def _choices(self, node: Node, kind: FieldKind, ours: dict[str, str]) -> tuple[Choice, ...]:
        if kind == "checkbox" and "choice" in ours:
            return (Choice(ours["choice"], ours.get("choice_label", "")),)
        reference = node.first("CodeListRef")
        if reference is None:
            return ()
        oid = reference.attributes.get("CodeListOID", "")
        found = self.lists.get(oid)
        if found is None:
            self.file.depart("unknown OID", oid, "a CodeListRef names a code list that is not defined")
            return ()
        if kind == "checkbox":
            packed = found.attributes.get("redcap:CheckboxChoices", "")
            pairs = [one.partition(",") for one in packed.split("|") if one.strip()]
            return tuple(Choice(code.strip(), label.strip()) for code, _, label in pairs)
        if found.first("ExternalCodeList"):
            self.file.depart("not brought in", oid, "an external code list; its codes are not in the file")
        return tuple(
            Choice(one.attributes.get("CodedValue", ""), one.words("Decode") or one.attributes.get("CodedValue", ""))
            for one in (*found.all("CodeListItem"), *found.all("EnumeratedItem"))
            if "missing" not in aliases(one)  # those are the whole study's
        )


def _more_choices(known: Field, more: Field) -> Field:
    from dataclasses import replace

    return replace(known, choices=(*known.choices, *more.choices))


def is_redcap(file: OdmFile) -> bool:
    """Say whether the file speaks REDCap's dialect."""
    return any(
        one.name.startswith("redcap:") for study in file.studies for node in study.children for one in node.children
    ) or (file.about.get("SourceSystem") == "REDCap" or REDCAP in file.about)
