"""Read ODM 1.3.2 from a file, once and row by row: the design first, then clinical data in batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.parsers import expat

import polars as pl

from datamodel.kernel.errors import BadInputError
from exports.odm.check import Checks
from exports.odm.shape import NAMESPACE, REDCAP, STATUS_LIST, Departure

#: Most rows of one batch, about; bytes read at once.
BATCH: Final = 100_000
_CHUNK: Final = 1 << 18
#: ODM's own elements nest 15 deep; a file of more than these is none.
DEEPEST: Final = 48
MOST_NODES: Final = 200_000
#: Attributes of an element, and departures that differ: ODM has at most some tens of either.
MOST_ATTRIBUTES: Final = 200
MOST_DEPARTURES: Final = 10_000
LONGEST: Final = 64 * 1024 * 1024
_ODM: Final = NAMESPACE["1.3.2"]

CONTEXT: Final = (
    "subject",
    "event",
    "event_repeat",
    "form",
    "form_repeat",
    "group",
    "group_repeat",
    "transaction",
    "audit_user",
    "audit_location",
    "audit_at",
    "audit_reason",
)
#: columns of a batch's items
COLUMNS: Final = (*CONTEXT[:7], "item", "value", *CONTEXT[7:])
#: columns of a batch's notes: form status and questions (annotations), and signatures
NOTES: Final = (*CONTEXT[:7], "item", "kind", "text", "flag", "flag_list", "user", "location", "at", "reference")
_LEVELS: Final = {
    "SubjectData": (0, "SubjectKey", None),
    "StudyEventData": (1, "StudyEventOID", "StudyEventRepeatKey"),
    "FormData": (2, "FormOID", "FormRepeatKey"),
    "ItemGroupData": (3, "ItemGroupOID", "ItemGroupRepeatKey"),
}
_TYPED: Final = frozenset(
    "ItemData" + kind
    for kind in (
        *("Any", "String", "Integer", "Float", "Double", "Date", "Time", "Datetime", "Boolean", "URI", "HexBinary"),
        *("Base64Binary", "HexFloat", "Base64Float", "PartialDate", "PartialTime", "PartialDatetime"),
        *("DurationDatetime", "IntervalDatetime", "IncompleteDatetime", "IncompleteDate", "IncompleteTime"),
    )
)


@dataclass(slots=True)
class Node:
    """An element of the metadata; names are `Name` in ODM's namespace, `redcap:Name` in REDCap's, `{uri}Name` elsewhere."""

    name: str
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list["Node"]:
        """Return the children called `name`."""
        return [one for one in self.children if one.name == name]

    def first(self, name: str) -> "Node | None":
        """Return the first child called `name`, or None."""
        return next((one for one in self.children if one.name == name), None)

    def words(self, name: str) -> str:
        """Return the text of the child `name`, or of its first translation."""
        found = self.first(name)
        if found is None:
            return ""
        inner = found.first("TranslatedText")
        return (inner or found).text.strip()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the clinical data: `items` in COLUMNS, `notes` in NOTES; all text."""

    items: pl.DataFrame
    notes: pl.DataFrame


@dataclass(slots=True)
class OdmFile:
    """An ODM file that is read by `batches()`; what was found is filled in on the way and whole at the end."""

    path: Path
    about: dict[str, str] = field(default_factory=dict)
    studies: list[Node] = field(default_factory=list)
    admin: list[Node] = field(default_factory=list)
    items: int = 0
    subjects: int = 0
    _found: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _checks: Checks | None = None

    def depart(self, kind: str, place: str, detail: str, *, count: int = 1) -> None:
        """Note a departure; the same one again is counted."""
        key = (kind, place, detail)
        if len(self._found) >= MOST_DEPARTURES and key not in self._found:
            raise BadInputError(
                f"{self.path.name} departs from ODM in more than {MOST_DEPARTURES:,} ways. It was not read further."
            )
        self._found[key] = self._found.get(key, 0) + count

    @property
    def departures(self) -> list[Departure]:
        """What was found so far that is not as the standard has it, or is not brought in."""
        return [Departure(*key, count=count) for key, count in self._found.items()]

    def batches(self, *, rows: int = BATCH) -> Iterator[Batch]:
        """Read the file and give its clinical data in batches of about `rows` items.

        Raises
        ------
        BadInputError
            When the file is not XML, not ODM 1.3, names a document type or entities, or is too deep or too large.
        """
        reader = _Reader(self)
        with self.path.open("rb") as source:
            for _ in _fed(reader, source, self.path.name):
                if len(reader.values) >= rows and not reader.is_inside_item():
                    yield self._checked(reader.take())
        if reader.depth or not self.about:
            raise BadInputError(f"{self.path.name} holds no ODM element. Nothing was read. Give an ODM 1.3.2 file.")
        yield self._checked(reader.take())

    def read_design(self) -> None:
        """Read the whole file for its metadata, and check its data on the way."""
        for _ in self.batches():
            pass

    def _checked(self, batch: Batch) -> Batch:
        if self._checks is None:
            self._checks = Checks.of(self.studies)
        self.items += batch.items.height
        for found in self._checks.run(batch.items):
            self.depart(found.kind, found.place, found.detail, count=found.count)
        return batch


def _fed(reader: "_Reader", source: BinaryIO, name: str) -> Iterator[None]:
    parser = reader.parser
    try:
        pending = 0
        while chunk := source.read(_CHUNK):
            parser.Parse(chunk, False)
            pending = pending + len(chunk) if reader.is_waiting() else 0
            if pending > LONGEST:
                raise BadInputError(
                    f"{name} has a value longer than {LONGEST:,} bytes. It was not read further. Ask for the file without it."
                )
            yield
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadInputError(
            f"{name} is not well-formed XML: {expat.ErrorString(error.code)} in line {error.lineno}. Data before that line may "
            "have been read; do not use them. Ask for the file again."
        ) from error


class _Reader:
    """Handlers of the parser's events; the fast path is an ItemData with its value in an attribute."""

    __slots__ = (
        *("file", "parser", "depth", "level", "context", "contexts", "oids", "values", "kinds", "rows", "notes"),
        *(
            "audits",
            "chain",
            "tree",
            "nodes",
            "audit",
            "text",
            "note",
            "seen",
            "others",
            "group_depth",
            "transactions",
            "handlers",
            "ends",
            "keys",
        ),
    )

    def __init__(self, file: OdmFile) -> None:
        self.file = file
        self.depth = 0
        self.level = -1
        self.chain: list[Node] = []
        self.tree: list[Node] = []
        self.nodes = 0
        self.others = 0
        self.group_depth = 0
        self.seen: tuple[int, ...] = ()
        self.keys: list[str | None] = [None] * 7
        self.audits: list[tuple[str | None, ...] | None] = [None] * 5
        self.transactions: list[str | None] = [None] * 4
        self.audit: dict[str, str | None] | None = None
        self.note: dict[str, str | None] | None = None
        self.text: list[str] | None = None
        self.notes: list[tuple[str | None, ...]] = []
        self._empty()
        self.parser = self._parser()
        self.handlers: dict[str, Callable[[dict[str, str]], None]] = {
            "ClinicalData": self._clinical,
            "SubjectData": self._subject,
            "StudyEventData": lambda a: self._enter("StudyEventData", a),
            "FormData": lambda a: self._enter("FormData", a),
            "ItemGroupData": lambda a: self._enter("ItemGroupData", a),
            "AuditRecord": self._start_audit,
            "Signature": lambda a: self._start_note("signature", a),
            "Annotation": lambda a: self._start_note("annotation", a),
            "UserRef": lambda a: self._put("user", a.get("UserOID")),
            "LocationRef": lambda a: self._put("location", a.get("LocationOID")),
            "SignatureRef": lambda a: self._put("reference", a.get("SignatureOID")),
            "FlagValue": lambda a: self._put("flag_list", a.get("CodeListOID")),
        }
        self.ends: dict[str, Callable[[str], None]] = {
            "AuditRecord": self._end_audit,
            "Signature": lambda _: self._end_note(),
            "Annotation": lambda _: self._end_note(),
            "DateTimeStamp": lambda text: self._put("at", text),
            "ReasonForChange": lambda text: self._put("reason", text),
            "Comment": lambda text: self._put("text", text),
            "FlagValue": lambda text: self._put("flag", text),
        }

    def _empty(self) -> None:
        self.contexts: list[tuple[str | None, ...]] = []
        self.oids: list[str | None] = []
        self.values: list[str | None] = []
        self.kinds: list[str | None] = []
        self.rows: list[int] = []
        self.context = -1

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.EntityDeclHandler = _no_doctype
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        return parser

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if name == _ITEM and self.level == 3:  # noqa: PLR2004 - inside a group
            if self.context < 0:
                self._open_context()
            self.oids.append(attributes.get("ItemOID"))
            self.values.append(attributes.get("Value") if "IsNull" not in attributes else None)
            self.kinds.append(attributes.get("TransactionType"))
            self.rows.append(self.context)
            return
        if self.depth > DEEPEST:
            raise BadInputError(
                f"{self.file.path.name} nests elements more than {DEEPEST} deep, which ODM never does. It was not read further."
            )
        if len(attributes) > MOST_ATTRIBUTES:
            raise BadInputError(
                f"{self.file.path.name} has an element with {len(attributes):,} attributes. It was not read further."
            )
        if self.tree:
            self._grow(name, attributes)
            return
        self._other(name, attributes)

    def _other(self, name: str, attributes: dict[str, str]) -> None:
        self.others += 1
        if self.level == 3 and self.depth == self.group_depth + 2:  # noqa: PLR2004 - a part of an item
            self.level = 4
        uri, _, local = name.rpartition("}")
        if self.depth == 1:
            self._root(uri, local, attributes)
        elif uri != _ODM:
            self.file.depart("foreign element", _short(name), "an element of another namespace was not brought in")
        elif local in {"Study", "AdminData"}:
            self._grow(name, attributes)
        elif self.level == 3 and local in _TYPED:  # noqa: PLR2004 - inside a group
            self._typed(attributes)
        elif (handler := self.handlers.get(local)) is not None:
            handler(attributes)
        elif local not in _KNOWN:
            self.file.depart("not brought in", local, f"{local} is not read")
        if local in self.ends or local == "SourceID":
            self._listen()

    def _end(self, name: str) -> None:
        self.depth -= 1
        if name == _ITEM:
            if self.level == 4:  # noqa: PLR2004 - an item with parts
                self._leave_item()
            return
        if self.tree:
            self._shrink()
            return
        uri, _, local = name.rpartition("}")
        if uri != _ODM:
            return
        text = "".join(self.text or ())
        if (handler := self.ends.get(local)) is not None:
            handler(text)
            self.text = None
            self.parser.CharacterDataHandler = None
        elif local in _LEVELS:
            self._leave(_LEVELS[local][0])
        elif local in _TYPED and self.level == 4:  # noqa: PLR2004 - an item
            self.values[-1] = text or None
            self.text = None
            self.parser.CharacterDataHandler = None
            self._leave_item()

    def _root(self, uri: str, local: str, attributes: dict[str, str]) -> None:
        name = self.file.path.name
        if local != "ODM" or uri != _ODM:
            said = (
                "ODM 2.0, which is written and not read"
                if uri == NAMESPACE["2.0"]
                else f"{local} of {uri or 'no namespace'}"
            )
            raise BadInputError(f"{name} is {said}. What is read: ODM 1.3 in the namespace {_ODM}. Nothing was read.")
        self.file.about.update({_short(key): value for key, value in attributes.items()})
        for wanted in ("FileType", "FileOID", "CreationDateTime"):
            if wanted not in attributes:
                self.file.depart("missing", "ODM", f"the required attribute {wanted} is missing")
        version = attributes.get("ODMVersion", "")
        if version != "1.3.2":
            self.file.depart("version", "ODM", f"ODMVersion is “{version}”, read as 1.3.2")

    def _typed(self, attributes: dict[str, str]) -> None:
        if self.context < 0:
            self._open_context()
        self.level = 4
        self.oids.append(attributes.get("ItemOID"))
        self.values.append(None)
        self.kinds.append(attributes.get("TransactionType"))
        self.rows.append(self.context)
        self._listen()

    def _listen(self) -> None:
        self.text = []
        self.parser.CharacterDataHandler = self.text.append

    def _grow(self, name: str, attributes: dict[str, str]) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise BadInputError(
                f"{self.file.path.name} has more than {MOST_NODES:,} elements of metadata. It was not read further."
            )
        node = Node(_short(name), {_short(key): value for key, value in attributes.items()})
        if self.tree:
            self.tree[-1].children.append(node)
        self.tree.append(node)
        self._listen()

    def _shrink(self) -> None:
        node = self.tree.pop()
        if not node.children:
            node.text = "".join(self.text or ())
        self._listen()
        if not self.tree:
            (self.file.studies if node.name == "Study" else self.file.admin).append(node)
            self.parser.CharacterDataHandler = None

    def _clinical(self, attributes: dict[str, str]) -> None:
        """Hold what the data say they belong to against the studies of the file; definitions come before data in ODM."""
        known = {one.attributes.get("OID", ""): one for one in self.file.studies}
        study, version = attributes.get("StudyOID", ""), attributes.get("MetaDataVersionOID", "")
        if study not in known:
            self.file.depart("unknown OID", study, "ClinicalData name a Study that the file does not define")
            return
        if version not in {one.attributes.get("OID", "") for one in known[study].all("MetaDataVersion")}:
            self.file.depart(
                "unknown OID", version, "ClinicalData name a MetaDataVersion that the file does not define"
            )

    def _subject(self, attributes: dict[str, str]) -> None:
        self.file.subjects += 1
        self._enter("SubjectData", attributes)

    def _enter(self, name: str, attributes: dict[str, str]) -> None:
        level, key, repeat = _LEVELS[name]
        if key not in attributes:
            self.file.depart("missing", name, f"the required attribute {key} is missing")
        if any(one.startswith(REDCAP) for one in attributes):
            self.file.depart("REDCap", name, "attributes of REDCap are beside those of ODM; ODM's are used")
        if level != self.level + 1:
            self.file.depart(
                "missing", name, "an element between SubjectData and this one is missing; its keys stay empty"
            )
        place = 0 if level == 0 else 2 * level - 1
        self.keys[place] = attributes.get(key)
        if repeat:
            self.keys[place + 1] = attributes.get(repeat)
        self.transactions[level] = attributes.get("TransactionType")
        self.level, self.context = level, -1
        self.group_depth = self.depth

    def _leave(self, level: int) -> None:
        place = 0 if level == 0 else 2 * level - 1
        self.keys[place:] = [None] * (7 - place)
        self.audits[level:] = [None] * (5 - level)
        self.transactions[level:] = [None] * (4 - level)
        self.level, self.context = level - 1, -1

    def _leave_item(self) -> None:
        if self.level == 4:  # noqa: PLR2004 - an item
            self.level = 3
            if self.audits[4] is not None:
                self.audits[4] = None
                self.context = -1

    def _open_context(self) -> None:
        audit = next((one for one in reversed(self.audits) if one is not None), (None,) * 4)
        kind = next((one for one in reversed(self.transactions) if one is not None), None)
        self.context = len(self.contexts)
        self.contexts.append((*self.keys, kind, *audit))

    def _start_audit(self, _: dict[str, str]) -> None:
        self.audit = {}

    def _end_audit(self, _: str) -> None:
        found, self.audit = self.audit or {}, None
        if self.level < 0:
            self.file.depart("not brought in", "AuditRecord", "an audit record that stands apart from data is not read")
            return
        self.audits[self.level] = tuple(found.get(one) for one in ("user", "location", "at", "reason"))
        self._open_context()
        if self.level == 4:  # noqa: PLR2004 - an item
            self.rows[-1] = self.context

    def _start_note(self, kind: str, attributes: dict[str, str]) -> None:
        self.note = {"kind": kind, "sequence": attributes.get("SeqNum")}

    def _end_note(self) -> None:
        found, self.note = self.note or {}, None
        if found.get("flag_list") == STATUS_LIST:  # a form's state was entered with its revision, by whom that was
            nearest = next((one for one in reversed(self.audits) if one is not None), (None,) * 4)
            found = {**dict(zip(("user", "location", "at"), nearest, strict=False)), **found}
        item = self.oids[-1] if self.level == 4 else None  # noqa: PLR2004 - an item
        self.notes.append((*self.keys, item, *(found.get(one) for one in NOTES[8:])))

    def _put(self, key: str, value: str | None) -> None:
        place = self.audit if self.audit is not None else self.note
        if place is not None:
            place[key] = value

    def is_inside_item(self) -> bool:
        """Say whether an item has begun and not ended, so that its audit record may still come."""
        return self.level >= 3 and self.depth > self.group_depth  # noqa: PLR2004 - in a group

    def is_waiting(self) -> bool:
        """Say whether no element began or ended since the last time: one of them, or its text, is long."""
        before, self.seen = self.seen, (len(self.oids), len(self.contexts), self.nodes, self.others, self.depth)
        return self.seen == before

    def take(self) -> Batch:
        """Give what was read since the last time."""
        rows = pl.Series(self.rows, dtype=pl.UInt32)
        columns = zip(*self.contexts, strict=True) if self.contexts else [()] * len(CONTEXT)
        held = pl.DataFrame([pl.Series(n, one, dtype=pl.String) for n, one in zip(CONTEXT, columns, strict=True)])
        table = held[rows] if held.height else held
        items = table.with_columns(
            pl.Series("item", self.oids, dtype=pl.String),
            pl.Series("value", self.values, dtype=pl.String),
            pl.coalesce(pl.Series("own", self.kinds, dtype=pl.String), "transaction").alias("transaction"),
        ).select(COLUMNS)
        notes = pl.DataFrame(self.notes, schema=dict.fromkeys(NOTES, pl.String), orient="row")
        self.notes = []
        self._empty()
        return Batch(items, notes)


_ITEM: Final = f"{_ODM}}}ItemData"
_KNOWN: Final = frozenset({"DateTimeStamp", "ReasonForChange", "Comment", "Flag", "SiteRef", "Annotations"})


def _short(name: str) -> str:
    uri, _, local = name.rpartition("}")
    if uri in ("", _ODM):
        return local
    return f"redcap:{local}" if uri == REDCAP else f"{{{uri}}}{local}"


def _no_doctype(*_: Any) -> None:
    raise BadInputError(
        "The file has a document type declaration or entities, which ODM does not need and which can read other files. "
        "Nothing was read. Ask for the file without its DOCTYPE."
    )
