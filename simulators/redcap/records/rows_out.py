"""Rows of a record export, as a stream: flat or EAV, raw or labels, JSON, CSV or XML."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import MEDIA, XML_HEAD, csv_quoter, xml_value
from simulators.redcap.model import Column, Project
from simulators.redcap.records.logic import Place, compile_logic
from simulators.redcap.records.selection import Selection, select

type Cells = dict[str, str]
type Getter = Callable[[Cells], str]
type Stored = tuple[str, int, str, int, Cells]  # record, event number, instrument, instance, values
type Out = list[str | int]
_RECORDS_AT_ONCE = 200
_LINES_AT_ONCE = 2_000
LEAD_LABELS = {
    "redcap_event_name": "Event Name",
    "redcap_repeat_instrument": "Repeat Instrument",
    "redcap_repeat_instance": "Repeat Instance",
    "redcap_data_access_group": "Data Access Group",
    "redcap_survey_identifier": "Survey Identifier",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How values are shown."""

    labels: bool
    checkbox_labels: bool
    blank_gray: bool
    decimal: str
    file_names: dict[str, str]

    @classmethod
    def of(cls, call: Call) -> "Look":
        """As the call asks."""
        with call.store.reading() as db:
            found = db.execute(
                "SELECT id, name FROM file WHERE project_id = ? AND in_repository = 0", (call.project_id,)
            )
            names = {str(key): name for key, name in found}
        return cls(
            call.get("rawOrLabel") == "label",
            call.flag("exportCheckboxLabel"),
            call.flag("exportBlankForGrayFormStatus"),
            {"comma": ",", "dot": "."}.get(call.get("decimalCharacter"), call.get("decimalCharacter")),
            names,
        )


def _nothing(_: Cells) -> str:
    return ""


def _default(column: Column, look: Look) -> str:
    if column.kind == "checkbox":
        return "0"
    return "0" if column.kind == "complete" and not look.blank_gray else ""


def getter(column: Column, look: Look) -> Getter:
    """How one column is read from the stored values of a row in which its form stands."""
    name, default = column.name, _default(column, look)
    shown: dict[str, str] = {}
    if column.kind == "file":
        shown = look.file_names
    elif column.kind == "checkbox" and look.labels:
        option = column.choices["option"]
        shown = {"1": option, "0": ""} if look.checkbox_labels else {"1": "Checked", "0": "Unchecked"}
    elif look.labels and column.kind in {"choice", "complete"}:
        shown = column.choices
    if shown:
        return lambda cells: shown.get(value := cells.get(name, default), value)
    if look.decimal and column.field and column.field.validation.startswith("number"):
        return lambda cells: cells.get(name, "").replace(".", look.decimal)
    return lambda cells: cells.get(name, default)


class _Flat:
    """Turns stored rows into flat export rows for one selection."""

    def __init__(self, project: Project, selection: Selection, look: Look) -> None:
        self.project = project
        self.selection = selection
        self.look = look
        self.forms = {column.form for column in selection.columns}
        self.getters: dict[tuple[int, str], list[Getter] | None] = {}

    def plan(self, event_id: int, instrument: str) -> list[Getter] | None:
        """The getters of a kind of row; None if such rows have no place in the selection."""
        key = (event_id, instrument)
        if key not in self.getters:
            self.getters[key] = self._plan(event_id, instrument)
        return self.getters[key]

    def _plan(self, event_id: int, instrument: str) -> list[Getter] | None:
        project = self.project
        if event_id not in self.selection.events or event_id not in project.events_by_id:
            return None
        if instrument:
            here = {instrument} if project.repeats_in(instrument, event_id) else set()
            if not here or (self.forms and instrument not in self.forms):
                return None
        else:
            # An unrepeated row is kept for its blanks too, unless all that is asked for repeats in this event.
            kept = {form for form in self.forms if not project.repeats_in(form, event_id)}
            if self.forms and not kept:
                return None
            here = kept & project.designated[event_id]
        return [getter(c, self.look) if c.form in here else _nothing for c in self.selection.columns]

    def lead(self, record: str, event_id: int, instrument: str, instance: int, cells: Cells) -> Out:
        """Record id and lead columns."""
        if not self.selection.with_id:
            return []
        project, labels = self.project, self.look.labels
        event = project.events_by_id[event_id]
        repeats = bool(instrument) or (event_id, "") in project.repeating
        dag = self.selection.dags[record]
        shown: dict[str, str | int] = {
            "redcap_event_name": event.name if labels else event.unique,
            "redcap_repeat_instrument": project.forms.get(instrument, "") if labels else instrument,
            "redcap_repeat_instance": instance if repeats else "",
            "redcap_data_access_group": project.dag_label(dag) if labels else dag,
            "redcap_survey_identifier": cells.get("redcap_survey_identifier", ""),
        }
        return [record, *(shown[name] for name in self.selection.lead)]


def stored_rows(
    call: Call, project: Project, records: list[str], *, instruments: set[str] | None = None
) -> Iterator[list[Stored]]:
    """Stored rows record by record, each record's in order of event, instrument, instance; one moment for all.

    ``instruments`` leaves out the rows of other repeating instruments, unread.
    """
    kept = "" if instruments is None else f" AND instrument IN ({','.join('?' * len(instruments))})"
    order = {key: place for place, key in enumerate(project.events_by_id)}
    forms = {form: place for place, form in enumerate(["", *project.forms])}
    with call.store.reading() as db:
        for chunk in itertools.batched(records, _RECORDS_AT_ONCE):
            marks = ",".join("?" * len(chunk))
            found = db.execute(
                "SELECT record, event_id, instrument, instance, data FROM row "  # noqa: S608 only question marks are put in
                f"WHERE project_id = ? AND record IN ({marks}){kept}",
                (call.project_id, *chunk, *(instruments or ())),
            )
            by_record: dict[str, list[Stored]] = {record: [] for record in chunk}
            for record, event_id, instrument, instance, data in found:
                by_record[record].append((record, event_id, instrument, instance, orjson.loads(data)))
            for rows in by_record.values():
                rows.sort(key=lambda row: (order.get(row[1], -1), forms.get(row[2], -1), row[3]))
                yield rows


def kept_rows(call: Call, project: Project, selection: Selection, logic: str) -> Iterator[Stored]:
    """Stored rows of the selection that the filter logic lets through."""
    test = compile_logic(logic, project) if logic.strip() else None
    forms = {column.form for column in selection.columns}
    # A filter may look at any row of the record; without one, only rows that can be shown are read.
    instruments = {"", *forms} if forms and test is None else None
    for rows in stored_rows(call, project, selection.records, instruments=instruments):
        by_key = {row[1:4]: row[4] for row in rows}
        for row in rows:
            if test is None or test(Place(row[0], by_key, row[1:4])):
                yield row


def flat_rows(call: Call, project: Project, selection: Selection, *, logic: str, look: Look) -> Iterator[Out]:
    """Flat rows, one list of values each."""
    flat = _Flat(project, selection, look)
    for record, event_id, instrument, instance, cells in kept_rows(call, project, selection, logic):
        getters = flat.plan(event_id, instrument)
        if getters is not None:
            yield [*flat.lead(record, event_id, instrument, instance, cells), *[get(cells) for get in getters]]


def eav_rows(call: Call, project: Project, selection: Selection, *, logic: str, look: Look) -> Iterator[Out]:
    """One row per set value; files as document numbers, checkbox options as field and code."""
    flat = _Flat(project, selection, look)
    codes = {
        checkbox.name: (checkbox.field.name, code)
        for column in selection.columns
        if (checkbox := column).kind == "checkbox" and checkbox.field
        for code, other in zip(checkbox.field.choices, _options(project, checkbox.field.name), strict=True)
        if other == checkbox.name
    }
    for record, event_id, instrument, instance, cells in kept_rows(call, project, selection, logic):
        getters = flat.plan(event_id, instrument)
        if getters is None:
            continue
        event = project.events_by_id[event_id]
        lead: Out = [record]
        if project.longitudinal:
            lead.append(event.name if look.labels else event.unique)
        if project.repeating:
            lead += [instrument, instance if instrument or (event_id, "") in project.repeating else ""]
        if selection.with_id and not instrument:
            yield [*lead, project.id_field, record]
        for column, get in zip(selection.columns, getters, strict=True):
            if cells.get(column.name, "") == "" or get is _nothing:
                continue
            if column.kind == "checkbox":
                if cells[column.name] == "1":
                    yield [*lead, *codes[column.name]]
            else:
                yield [*lead, column.name, cells[column.name] if column.kind == "file" else get(cells)]


def _options(project: Project, field: str) -> list[str]:
    return [c.name for c in project.columns if c.field and c.field.name == field]


def _header(call: Call, project: Project, selection: Selection) -> list[str]:
    if call.get("rawOrLabelHeaders") == "label" and call.fmt == "csv":
        lead = [project.fields[project.id_field].label, *(LEAD_LABELS[name] for name in selection.lead)]
        return (lead if selection.with_id else []) + [column.label for column in selection.columns]
    lead = [project.id_field, *selection.lead] if selection.with_id else []
    return lead + [column.name for column in selection.columns]


def _eav_header(project: Project) -> list[str]:
    event = ["redcap_event_name"] if project.longitudinal else []
    repeat = ["redcap_repeat_instrument", "redcap_repeat_instance"] if project.repeating else []
    return ["record", *event, *repeat, "field_name", "value"]


def csv_stream(header: list[str], rows: Iterable[Out], delimiter: str) -> Iterator[bytes]:
    """CSV in pieces; a bare line break if there is no row."""
    quote = csv_quoter(delimiter)
    first = True
    for chunk in itertools.batched(rows, _LINES_AT_ONCE):
        lines = [delimiter.join(map(quote, header))] if first else []
        first = False
        lines += [delimiter.join([quote(v) if v.__class__ is str else str(v) for v in row]) for row in chunk]
        yield ("\n".join(lines) + "\n").encode()
    if first:
        yield b"\n"


def json_stream(header: list[str], rows: Iterable[Out]) -> Iterator[bytes]:
    """A JSON array in pieces."""
    start = b"["
    for chunk in itertools.batched(rows, _LINES_AT_ONCE):
        yield start + orjson.dumps([dict(zip(header, row, strict=True)) for row in chunk])[1:-1]
        start = b","
    yield b"[]" if start == b"[" else b"]"


def xml_stream(header: list[str], rows: Iterable[Out]) -> Iterator[bytes]:
    """``records`` and ``item`` elements in pieces."""
    yield f"{XML_HEAD}\n<records>".encode()
    for row in rows:
        cells = (f"<{name}>{xml_value(value)}</{name}>" for name, value in zip(header, row, strict=True))
        yield f"<item>{''.join(cells)}</item>".encode()
    yield b"</records>"


def stream(call: Call, header: list[str], rows: Iterable[Out]) -> Reply:
    """Rows in the format that the call asks for."""
    if call.fmt == "csv":
        return Reply(csv_stream(header, rows, call.delimiter), MEDIA["csv"])
    if call.fmt == "json":
        return Reply(json_stream(header, rows), MEDIA["json"])
    return Reply(xml_stream(header, rows), MEDIA["xml"])


def export_rows(call: Call) -> Reply:
    """Answer a record export in JSON, CSV or XML."""
    project = call.project
    selection, look, logic = select(call, project), Look.of(call), call.get("filterLogic")
    if logic.strip():
        compile_logic(logic, project)  # refuse bad logic before the first byte leaves
    if call.get("type") == "eav":
        return stream(call, _eav_header(project), eav_rows(call, project, selection, logic=logic, look=look))
    header = _header(call, project, selection)
    return stream(call, header, flat_rows(call, project, selection, logic=logic, look=look))
