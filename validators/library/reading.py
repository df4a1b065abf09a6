"""Reading files of controlled terminology: NCI's text, NCI's ODM, and a plain CSV; other files are refused."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from lxml import etree

from datamodel.kernel.clock import system_clock
from datamodel.kernel.errors import BadInputError
from validators.library.facts import codelist_names
from validators.library.terminology import Codelist, Term, Terminology, digest
from validators.library.xml import RefusedXmlError, parse

#: Largest file that is read, in bytes; the newest packages are below 40 MB.
LARGEST: Final = 200_000_000
ODM: Final = "{http://www.cdisc.org/ns/odm/v1.3}"
#: First date of a package of controlled terminology.
FIRST: Final = date(2004, 1, 1)
DATED: Final = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")
STANDARDS: Final = ("SDTM", "SEND", "ADaM", "CDASH", "Define-XML", "Protocol", "DDF", "Glossary", "MRCT", "TMF", "QRS")
CSV_COLUMNS: Final = {"codelist_code", "extensible", "submission_value", "preferred_term", "synonyms"}
NCI_COLUMNS: Final = {
    "Code",
    "Codelist Code",
    "Codelist Name",
    "CDISC Submission Value",
    "NCI Preferred Term",
}
ALLOWED: Final = (
    "Allowed are NCI's tab-separated text (columns Code, Codelist Code, Codelist Extensible (Yes/No), Codelist Name, "
    "CDISC Submission Value, CDISC Synonym(s), CDISC Definition, NCI Preferred Term), NCI's ODM XML, and a CSV with the "
    "columns codelist_code, codelist_name, extensible, term_code, submission_value, preferred_term, synonyms."
)


@dataclass
class _List:
    """A codelist while its terms are read."""

    code: str
    name: str
    value: str
    is_extensible: bool
    terms: list[Term]


def read_terminology(path: Path, *, date: str = "") -> Terminology:
    """Read one package of controlled terminology. Its date is in the file or in the file's name; `date` says it.

    Raises
    ------
    BadInputError
        The file cannot be read, has another layout, is cut, has no date, or a date other than `date`.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise BadInputError(f"{path.name} cannot be read: {error.strerror}. Nothing was loaded.") from error
    if size > LARGEST:
        raise BadInputError(f"{path.name} has {size:,} bytes; at most {LARGEST:,} are read. Nothing was loaded.")
    return read_content(content, name=path.name, date=date)


def read_content(content: bytes, *, name: str, date: str = "") -> Terminology:
    """Read the content of a file; as `read_terminology`."""
    reader, layout = _reader(content, name)
    lists, stated, standard = reader(content, name)
    if not lists or not any(one.terms for one in lists):
        raise BadInputError(f"{name} has the layout of {layout} and no term. Nothing was loaded. {ALLOWED}")
    found = tuple(
        Codelist(one.code, one.name, one.value, one.is_extensible, tuple(one.terms)) for one in lists if one.terms
    )
    return Terminology(
        standard=standard or _standard(name),
        date=_dated(name, stated=stated, asked=date),
        lists=found,
        sha256=digest(content),
        layout=layout,
    )


type Read = tuple[list[_List], str, str]


def _reader(content: bytes, name: str) -> tuple[Callable[[bytes, str], Read], str]:
    start = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    if not start:
        raise BadInputError(f"{name} is empty. Nothing was loaded. {ALLOWED}")
    if start.startswith(b"<"):
        return _from_odm, "NCI ODM XML"
    header = start.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if set(header.split("\t")) >= NCI_COLUMNS:
        return _from_text, "NCI text"
    if set(header.split(",")) >= CSV_COLUMNS:
        return _from_csv, "CSV"
    shown = "".join(one for one in header if one.isprintable() or one == "\t")[:120].replace("\t", " | ")
    raise BadInputError(f"{name} is no file of terminology: it starts with {shown!r}. Nothing was loaded. {ALLOWED}")


def _dated(name: str, *, stated: str, asked: str) -> str:
    """Return the one date that the file, its name and the asker give; they must agree."""
    named = DATED.search(name)
    given = {"in the file": stated, "in its name": named.group(1) if named else "", "as asked": asked}
    known = {place: value for place, value in given.items() if value}
    if not known:
        raise BadInputError(
            f"{name} does not say which date its terms are of. Nothing was loaded. "
            "Name the date (--date 2024-03-29), or put it in the file's name."
        )
    if len(set(known.values())) > 1:
        told = ", ".join(f"{value} {place}" for place, value in known.items())
        raise BadInputError(f"{name} has more than one date: {told}. Nothing was loaded; one date is allowed.")
    found = next(iter(known.values()))
    try:
        day = date.fromisoformat(found)
    except ValueError as error:
        raise BadInputError(f"{name}: {found} is no date; allowed is YYYY-MM-DD. Nothing was loaded.") from error
    today = system_clock().date()
    if not FIRST <= day <= today:
        raise BadInputError(
            f"{name}: packages are dated from {FIRST} to today ({today}); this one has {found}. Nothing was loaded."
        )
    return day.isoformat()


def _standard(name: str) -> str:
    lower = name.lower()
    return next((one for one in STANDARDS if one.lower() in lower), "SDTM")


def _rows(content: bytes, name: str, delimiter: str) -> Iterator[Mapping[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    lines = io.StringIO(text, newline="")
    reader = (
        csv.DictReader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        if delimiter == "\t"
        else csv.DictReader(lines, delimiter=delimiter)
    )
    for row in reader:
        if None in row or None in row.values():
            raise BadInputError(
                f"{name}, line {reader.line_num}: {len([one for one in row.values() if one is not None])} values where "
                f"the header has {len(reader.fieldnames or ())}; the file is cut or changed. Nothing was loaded."
            )
        yield row


def _synonyms(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(";") if one.strip()) if text else ()


def _from_csv(content: bytes, name: str) -> Read:
    lists: dict[str, _List] = {}
    known = codelist_names()
    for row in _rows(content, name, ","):
        code = row["codelist_code"]
        if code not in lists:
            value, title = known.get(code, ("", ""))
            own = row.get("codelist_name", "")
            name_of = title if own in {"", "None"} else own
            is_extensible = _flag(row["extensible"], name, code)
            lists[code] = _List(code, name_of, row.get("codelist_submission_value") or value, is_extensible, [])
        lists[code].terms.append(
            Term(row.get("term_code", ""), row["submission_value"], row["preferred_term"], _synonyms(row["synonyms"]))
        )
    return list(lists.values()), "", ""


def _flag(text: str, name: str, place: str) -> bool:
    """Return whether a codelist is extensible; "" is no."""
    known = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False, "": False}
    lower = text.strip().lower()
    if lower not in known:
        raise BadInputError(
            f"{name}: {place} says of being extensible {text[:20]!r}; allowed are Yes, No, true, false. "
            "Nothing was loaded."
        )
    return known[lower]


def _from_text(content: bytes, name: str) -> Read:
    lists: dict[str, _List] = {}
    stated = standard = ""
    for row in _rows(content, name, "\t"):
        release = row.get("Standard and Date", "")
        if release and not stated and (found := DATED.search(release)):
            stated, standard = found.group(1), release.split()[0]
        code, parent = row["Code"].strip(), row["Codelist Code"].strip()
        value = row["CDISC Submission Value"].strip()
        if not parent:
            is_extensible = _flag(row.get("Codelist Extensible (Yes/No)", ""), name, code)
            lists[code] = _List(code, row["Codelist Name"].strip(), value, is_extensible, [])
            continue
        if parent not in lists:
            raise BadInputError(
                f"{name}: the term {code} belongs to the codelist {parent}, which has no row of its own before it. "
                "Nothing was loaded."
            )
        lists[parent].terms.append(
            Term(code, value, row["NCI Preferred Term"].strip(), _synonyms(row.get("CDISC Synonym(s)", "")))
        )
    return list(lists.values()), stated, standard


def _from_odm(content: bytes, name: str) -> Read:
    try:
        root = parse(content)
    except RefusedXmlError as error:
        raise BadInputError(f"{name} {error} Nothing was loaded. {ALLOWED}") from error
    if root.tag != f"{ODM}ODM" or root.find(f".//{ODM}CodeList") is None:
        raise BadInputError(
            f"{name} is XML of {etree.QName(root).localname!r} without codelists of ODM 1.3. Nothing was loaded. {ALLOWED}"
        )
    version = root.find(f".//{ODM}MetaDataVersion")
    told = " ".join(
        [root.get("FileOID", ""), *((version.get("OID", ""), version.get("Name", "")) if version is not None else ())]
    )
    stated = DATED.search(told)
    lists = [_odm_list(one) for one in root.iterfind(f".//{ODM}CodeList")]
    return lists, stated.group(1) if stated else "", _standard(told) if told.strip() else ""


def _odm_list(element: etree._Element) -> _List:
    own = _local(element.attrib)
    items = [
        one for one in element if isinstance(one.tag, str) and one.tag in {f"{ODM}EnumeratedItem", f"{ODM}CodeListItem"}
    ]
    code = own.get("ExtCodeID", "")
    value = _child(element, "CDISCSubmissionValue") or element.get("OID", "").rpartition(".")[2]
    return _List(
        code=code,
        name=element.get("Name", ""),
        value=value,
        is_extensible=_flag(own.get("CodeListExtensible", ""), "ODM", code),
        terms=[
            Term(
                _local(one.attrib).get("ExtCodeID", ""),
                one.get("CodedValue", ""),
                _child(one, "PreferredTerm"),
                tuple(part for each in one if _named(each, "CDISCSynonym") for part in _synonyms(each.text or "")),
            )
            for one in items
        ],
    )


def _local(attributes: "etree._Attrib") -> dict[str, str]:
    """Attributes by their name without namespace: NCI's has changed over the years."""
    return {etree.QName(str(name)).localname: str(value) for name, value in attributes.items()}


def _named(element: etree._Element, name: str) -> bool:
    return isinstance(element.tag, str) and etree.QName(element).localname == name


def _child(element: etree._Element, name: str) -> str:
    return next(((one.text or "").strip() for one in element if _named(one, name)), "")
