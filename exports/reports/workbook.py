"""The report as an Excel workbook: Dataset Summary, Issue Summary, Details, Rules, and three sheets more.

Every cell is text or a number: a value that begins with `=` stays the text that it is. The workbook holds no clock of the
machine: the same report gives the same bytes. XlsxWriter makes the workbook, its styles and its titles; the rows are made by
polars and put in where the titles end (`exports.reports.cells`), because writing a hundred thousand findings cell by cell
takes longer than finding them.
"""

import io
import os
import re
import secrets
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import xlsxwriter  # type: ignore[import-untyped] # publishes no types

from exports.reports.cells import letters, rows_of
from exports.reports.model import Report

#: Excel's own limit.
ROWS: Final = 1_048_576

_TEAL: Final = "#0B6E75"
_INKS: Final = {"Reject": "#8E1B1B", "Error": "#B3261E", "Warning": "#8A5300", "Notice": "#33576B"}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_END_OF_ROWS: Final = "</sheetData>"


class Shown(NamedTuple):
    """A column of a sheet: the frame's column, its title and its width in characters."""

    column: str
    title: str
    width: int


DATASETS: Final = (
    Shown("domain", "Domain", 18),
    Shown("label", "Label", 36),
    Shown("class", "Class", 24),
    Shown("source", "Source", 22),
    Shown("records", "Records", 11),
    Shown("rejects", "Rejects", 10),
    Shown("errors", "Errors", 10),
    Shown("warnings", "Warnings", 10),
    Shown("notices", "Notices", 10),
    Shown("seconds", "Seconds", 10),
)
ISSUES: Final = (
    Shown("domain", "Source", 18),
    Shown("rule", "Rule ID", 22),
    Shown("publisher", "Publisher ID", 26),
    Shown("message", "Message", 80),
    Shown("severity", "Severity", 11),
    Shown("found", "Found", 10),
    Shown("listed", "Listed in Details", 16),
)
DETAILS: Final = (
    Shown("domain", "Domain", 18),
    Shown("record", "Record", 10),
    Shown("count", "Count", 8),
    Shown("variables", "Variables", 36),
    Shown("values", "Values", 48),
    Shown("rule", "Rule ID", 22),
    Shown("publisher", "Publisher ID", 26),
    Shown("message", "Message", 80),
    Shown("category", "Category", 16),
    Shown("severity", "Severity", 11),
)
RULES: Final = (
    Shown("rule", "Rule ID", 22),
    Shown("publisher", "Publisher ID", 26),
    Shown("message", "Message", 80),
    Shown("description", "Description", 80),
    Shown("category", "Category", 16),
    Shown("severity", "Severity", 11),
    Shown("status", "Status", 13),
    Shown("reason", "Reason", 48),
    Shown("ran_on", "Datasets", 10),
    Shown("found", "Found", 10),
    Shown("seconds", "Seconds", 10),
)
CAUSES: Final = (
    Shown("rule", "Rule ID", 22),
    Shown("severity", "Severity", 11),
    Shown("message", "Message", 70),
    Shown("variables", "Variables", 36),
    Shown("pattern", "Pattern of values", 60),
    Shown("found", "Found", 10),
    Shown("datasets", "Datasets", 30),
    Shown("example", "Example", 60),
)
NOT_RUN: Final = (
    Shown("rule", "Rule ID", 22),
    Shown("domain", "Source", 18),
    Shown("status", "Status", 13),
    Shown("reason", "Reason", 80),
    Shown("message", "Message", 80),
)
TIMES: Final = (Shown("rule", "Rule ID", 22), Shown("domain", "Source", 18), Shown("seconds", "Seconds", 12))


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet: facts above, a table, facts below."""

    name: str
    frame: pl.DataFrame
    shown: tuple[Shown, ...]
    above: tuple[tuple[str, str], ...] = ()
    below: tuple[tuple[str, str], ...] = ()

    @property
    def room(self) -> int:
        """How many lines of the frame fit."""
        return ROWS - len(self.above) - len(self.below) - 4

    @property
    def lines(self) -> pl.DataFrame:
        """The lines that fit, with the columns that are shown."""
        return self.frame.head(self.room).select([one.column for one in self.shown])

    @property
    def ending(self) -> tuple[tuple[str, str], ...]:
        """What follows the table."""
        left = self.frame.height - self.room
        more = f"{left:,} more lines do not fit into a sheet; every count is complete."
        return ((("", ""), (more, "")) if left > 0 else ()) + ((("", ""), *self.below) if self.below else ())


def write_workbook(report: Report, path: str | os.PathLike[str]) -> None:
    """Write the report; the file is whole or not there."""
    target = Path(path)
    building = target.with_name(f".{target.name}.{secrets.token_hex(4)}.building")
    sheets = _sheets(report)
    try:
        _fill(_empty_book(report, sheets), building, sheets)
        building.replace(target)
    finally:
        building.unlink(missing_ok=True)


def _sheets(report: Report) -> list[_Sheet]:
    head = (*report.head.lines, ("", ""))
    apart = tuple((one.file, one.reason) for one in report.unread)
    below = (("Unprocessed sources", ""), *apart) if apart else ()
    sheets = [
        _Sheet("Dataset Summary", report.dataset_summary, DATASETS, head, below),
        _Sheet("Issue Summary", report.issue_summary, ISSUES, head),
        _Sheet("Details", report.details, DETAILS),
        _Sheet("Rules", report.rules, RULES),
        _Sheet("Causes", report.causes, CAUSES),
        _Sheet("Not Run", report.not_run, NOT_RUN),
    ]
    return [*sheets, _Sheet("Times", report.times, TIMES)] if report.times.height else sheets


def _empty_book(report: Report, sheets: Sequence[_Sheet]) -> bytes:
    """Return a workbook with every sheet's titles and no lines."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "constant_memory": False})
    book.set_properties(
        {
            "title": "Validation report",
            "subject": report.head.configuration,
            "author": report.head.software,
            "created": report.head.generated.astimezone(UTC).replace(tzinfo=None),
        }
    )
    title = book.add_format({"bold": True, "font_color": "#FFFFFF", "bg_color": _TEAL, "valign": "top"})
    inks = {one: book.add_format({"font_color": ink, "bold": True}) for one, ink in _INKS.items()}
    for one in sheets:
        _titles(book.add_worksheet(one.name), one, title, inks)
    book.close()
    return made.getvalue()


def _titles(sheet: Any, one: _Sheet, title: Any, inks: dict[str, Any]) -> None:
    top = len(one.above)
    end = top + max(1, one.lines.height)
    for place, column in enumerate(one.shown):
        sheet.set_column(place, place, column.width)
        sheet.write_string(top, place, column.title, title)
        if column.column == "severity":
            for severity, ink in inks.items():
                rule = {"type": "cell", "criteria": "==", "value": f'"{severity}"', "format": ink}
                sheet.conditional_format(top + 1, place, end, place, rule)
    sheet.freeze_panes(top + 1, 0)
    sheet.autofilter(top, 0, end, len(one.shown) - 1)


def _fill(empty: bytes, target: Path, sheets: Sequence[_Sheet]) -> None:
    """Copy the workbook with each sheet's lines put in; every part has the same fixed time."""
    by_part = {f"xl/worksheets/sheet{number}.xml": one for number, one in enumerate(sheets, start=1)}
    with zipfile.ZipFile(io.BytesIO(empty)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            entry.create_system = 3
            with new.open(entry, "w", force_zip64=name in by_part) as out:
                if name in by_part:
                    for part in _filled(old.read(name).decode(), by_part[name]):
                        out.write(part)
                else:
                    out.write(old.read(name))


def _filled(xml: str, one: _Sheet) -> Iterator[bytes]:
    top, lines, ending = len(one.above), one.lines, one.ending
    last = top + 1 + lines.height + len(ending)
    wide = letters(max(len(one.shown), 2) - 1)
    xml = re.sub(r'<dimension ref="[^"]*"/>', f'<dimension ref="A1:{wide}{last}"/>', xml)
    before, _, after = xml.partition(_END_OF_ROWS)
    if top:
        # The facts above come first: rows stand in their order.
        start, opening, titles = before.partition("<sheetData>")
        yield (start + opening).encode()
        yield from rows_of(_pairs(one.above), first=1)
        yield titles.encode()
    else:
        yield before.encode()
    yield from rows_of(lines, first=top + 2)
    yield from rows_of(_pairs(ending), first=top + 2 + lines.height)
    yield (_END_OF_ROWS + after).encode()


def _pairs(lines: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(list(lines), schema={"name": pl.String, "value": pl.String}, orient="row")
