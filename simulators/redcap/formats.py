"""CSV, JSON and XML as REDCap writes and reads them, and its errors in the three shapes."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import orjson
from lxml import etree

XML_HEAD = '<?xml version="1.0" encoding="UTF-8" ?>'
MEDIA = {
    "json": "application/json; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
}
Row = dict[str, Any]
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_PROLOGUE = 1 << 16
_NO_DOCTYPE = "The data being imported is not accepted: XML with a DOCTYPE is refused."


class ApiError(Exception):
    """A refusal with REDCap's HTTP status and text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_body(message: str, fmt: str) -> str:
    """An error in the shape that the caller asked for; XML unless JSON or CSV was named."""
    if fmt == "json":
        return orjson.dumps({"error": message}).decode()
    if fmt == "csv":
        return f"ERROR: {message}"
    return f"{XML_HEAD}<hash><error>{escape(message)}</error></hash>"


def csv_quoter(delimiter: str = ",") -> Callable[[str], str]:
    r"""A function that quotes a cell as PHP does: delimiter, quote, backslash, space, tab or line break inside."""
    needs = re.compile("[" + re.escape(delimiter) + '"\\\\\\s]').search

    def quote(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if needs(value) else value

    return quote


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}:{inner}" for key, inner in value.items())
    return "" if value is None else str(value)


def to_csv(rows: Iterable[Row], columns: Sequence[str], *, delimiter: str = ",") -> str:
    """Rows as CSV with a header, LF line ends."""
    quote = csv_quoter(delimiter)
    lines = [delimiter.join(quote(name) for name in columns)]
    lines += [delimiter.join(quote(_flat(row.get(name, ""))) for name in columns) for row in rows]
    return "\n".join(lines) + "\n"


def xml_value(value: Any) -> str:
    """A value inside an element: text in CDATA, numbers bare, objects as nested elements."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{xml_value(inner)}</{key}>" for key, inner in value.items())
    if isinstance(value, int):
        return str(value)
    text = "" if value is None else str(value)
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>" if text else ""


def to_xml(rows: Iterable[Row], root: str) -> str:
    """Rows as ``<root><item>…``."""
    items = (
        "<item>" + "".join(f"<{name}>{xml_value(value)}</{name}>" for name, value in row.items()) + "</item>"
        for row in rows
    )
    return f"{XML_HEAD}\n<{root}>{''.join(items)}</{root}>"


def parse_xml(text: str | bytes) -> etree._Element:
    """An XML document, with entities left alone and nothing fetched; a DOCTYPE, which only attacks bring, is refused.

    Raises
    ------
    ApiError
        400 if it is not well-formed XML, or has a DOCTYPE.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    raw = text.encode() if isinstance(text, str) else text
    if _DOCTYPE.search(raw[:_PROLOGUE].replace(b"\0", b"")):  # also in UTF-16, before anything is parsed
        raise ApiError(400, _NO_DOCTYPE)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise ApiError(400, f"The data being imported is not formatted correctly as XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ApiError(400, _NO_DOCTYPE)
    return root


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _csv_rows(text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    csv.field_size_limit(1 << 30)
    header = [name.strip() for name in next(reader, [])]
    if not any(header):
        raise ApiError(400, "The data being imported is not formatted correctly. The CSV has no header line.")
    width = len(header)
    return [dict(zip(header, row + [""] * (width - len(row)), strict=False)) for row in reader if row]


def _lenient_json(text: str) -> Any:
    """JSON with NaN for a blank, which pandas users send."""
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except ValueError as error:
        raise ApiError(
            400, "The data being imported is not formatted correctly. The JSON must be in an array."
        ) from error


def _json_rows(text: str) -> list[Row]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = _lenient_json(text)
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(400, "The data being imported is not formatted correctly. The JSON must be in an array.")
    return rows


def _xml_rows(text: str) -> list[Row]:
    root = parse_xml(text)
    items = [root] if root.tag == "item" else [item for item in root if item.tag == "item"]
    return [
        {
            str(cell.tag): {str(inner.tag): inner.text or "" for inner in cell} if len(cell) else cell.text or ""
            for cell in item
        }
        for item in items
    ]


def parse_rows(text: str, fmt: str, *, delimiter: str = ",") -> list[Row]:
    """Rows of an import: JSON values keep their types, CSV and XML give text.

    Raises
    ------
    ApiError
        400 if the text is not in the named format.
    """
    if not text.strip():
        raise ApiError(400, "The data being imported is not formatted correctly: nothing was received in 'data'.")
    if fmt == "json":
        return _json_rows(text)
    return _csv_rows(text, delimiter) if fmt == "csv" else _xml_rows(text)


def text_rows(text: str, fmt: str, *, delimiter: str = ",") -> list[dict[str, str]]:
    """As ``parse_rows``, with every value as text (objects are left out)."""
    return [
        {name: _text(value) for name, value in row.items() if not isinstance(value, dict)}
        for row in parse_rows(text, fmt, delimiter=delimiter)
    ]
