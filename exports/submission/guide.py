"""The reviewer's guide as a skeleton: what the data can tell is filled in, what only the sponsor knows is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exports.reports.model import Report
from exports.sdtm.dataset import SdtmDataset
from exports.submission.manifest import Source

#: So many causes of findings stand in the guide, worst first; the report has all.
CAUSES: Final = 50

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    autoescape=False,  # noqa: S701 - Markdown; `cell` keeps a value inside its cell and without markup
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """A dataset as the guide's table tells it."""

    name: str
    label: str
    structure: str
    records: int
    subjects: int
    not_collected: tuple[str, ...]


def dataset_lines(datasets: Mapping[str, SdtmDataset]) -> list[DatasetLine]:
    """Count each dataset's records and subjects, and name the variables that were not collected."""
    return [
        DatasetLine(
            name=name,
            label=one.label,
            structure=one.spec.structure,
            records=one.frame.height,
            subjects=one.frame["USUBJID"].n_unique() if "USUBJID" in one.frame.columns else 0,
            not_collected=tuple(v.name for v in one.variables if v.origin == "Not collected"),
        )
        for name, one in datasets.items()
    ]


def guide(
    source: Source,
    datasets: Mapping[str, SdtmDataset],
    report: Report,
    *,
    title: str,
    files: Sequence[tuple[str, str]],
    has_define: bool = False,
) -> str:
    """Return the guide as Markdown. `files` are the package's files with what each is."""
    lines = dataset_lines(datasets)
    return _TEMPLATES.get_template("reviewers-guide.md").render(
        source=source,
        title=title,
        datasets=lines,
        subjects=next((one.subjects for one in lines if one.name == "DM"), 0),
        missing=[one for one in lines if one.not_collected],
        found=report.found,
        totals=report.by_severity,
        causes=report.causes.head(CAUSES).to_dicts(),
        more_causes=max(0, report.causes.height - CAUSES),
        did_not_run=report.rules.filter(report.rules["status"] != "ran").to_dicts(),
        ran=report.rules.filter(report.rules["status"] == "ran").height,
        files=files,
        has_define=has_define,
    )


def _cell(value: Any) -> str:
    """Write a value into a cell of a Markdown table: one line, no bar, no markup."""
    text = "" if value is None else str(value)
    text = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return text


def _count(value: int) -> str:
    return f"{value:,}"


_TEMPLATES.filters |= {"cell": _cell, "count": _count}
