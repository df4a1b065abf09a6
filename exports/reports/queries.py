"""From a finding to the form that caused it, and to a data question about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from datamodel.access.actor import Actor
from datamodel.discrepancies.actions import open_questions
from datamodel.discrepancies.life import Question
from datamodel.kernel.unit import UnitOfWork
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.trace import Origin, origins

#: Columns that `traced` adds.
_ADDED = ("participant", "event", "form", "event_repeat", "form_repeat", "field")
#: How a check of values begins its line: the name of a variable, and one of its values.
_OF_VALUE = ("variable_name", "variable_value")


class Finding(NamedTuple):
    """One line of a report's details: rule, dataset as its file is called, record from 1, variables and values."""

    rule: str
    message: str
    dataset: str
    record: int | None
    variables: tuple[str, ...]
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Raised:
    """What raising findings as questions did; `left` have no field of ours, such as a finding on a whole dataset."""

    opened: int
    present: int
    left: int


def findings_of(details: pl.DataFrame) -> list[Finding]:
    """Return lines of a report's details as findings; the lines that only count are left out."""
    return [
        Finding(row["rule"], row["message"], row["dataset"], row["record"], *_told(row["variables"], row["values"]))
        for row in details.iter_rows(named=True)
        if row["record"] is not None
    ]


def _told(variables: str, values: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Return variables and values of a line of the details; all values as one where they cannot be told apart.

    A check of values tells the variable in `variable_name` and its value in `variable_value`: that variable it is about.
    """
    names, parts = tuple(variables.split(", ")) if variables else (), tuple(values.split(", "))
    if names[:2] == _OF_VALUE and len(parts) >= len(names):
        rest = len(parts) - len(names) + len(_OF_VALUE)  # a value may hold what separates values
        return (parts[0], *names[2:]), (", ".join(parts[1:rest]), *parts[rest:])
    return names, parts if len(parts) == len(names) else (values,)


def origin_of(
    finding: Finding, datasets: Mapping[str, SdtmDataset], frames: Mapping[str, pl.DataFrame]
) -> Origin | None:
    """Return the field that a finding leads to: the first of its variables that was made from one."""
    if finding.record is None or finding.dataset not in datasets:
        return None
    if finding.record > datasets[finding.dataset].places.height:
        return None
    found = origins(datasets, frames, dataset=finding.dataset, record=finding.record, variables=finding.variables)
    return found[0] if found else None


def traced(
    details: pl.DataFrame, datasets: Mapping[str, SdtmDataset], frames: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Return lines of a report's details with participant, event, form, repeats and field beside; null where none is."""
    found = []
    for row in details.iter_rows(named=True):
        told = _told(row["variables"], row["values"])
        one = origin_of(Finding(row["rule"], row["message"], row["dataset"], row["record"], *told), datasets, frames)
        found.append([getattr(one, name, None) for name in _ADDED])
    schema = dict.fromkeys(_ADDED, pl.String) | {"event_repeat": pl.Int64, "form_repeat": pl.Int64}
    return details.hstack(pl.DataFrame(found, schema=schema, orient="row"))


def raise_as_queries(
    unit: UnitOfWork[Actor],
    *,
    study: str,
    findings: Iterable[Finding],
    datasets: Mapping[str, SdtmDataset],
    frames: Mapping[str, pl.DataFrame],
) -> Raised:
    """Open a data question for each finding that leads to a field of ours; the same finding opens one question ever.

    Raises
    ------
    RefusedError
        When the actor may not open data questions.
    NotFoundError
        When a participant is not in the study any more; nothing was opened.
    """
    asked: list[Question] = []
    left = 0
    for finding in findings:
        origin = origin_of(finding, datasets, frames)
        if origin is None:
            left += 1
            continue
        asked.append(_question(finding, origin))
    done = open_questions(unit, study=study, questions=asked)
    return Raised(done.opened, done.present, left)


def _question(finding: Finding, origin: Origin) -> Question:
    return Question(
        record=origin.participant,
        event_name=origin.event,
        form_name=origin.form,
        event_repeat=origin.event_repeat,
        form_repeat=origin.form_repeat,
        field=origin.field,
        value=_value(finding, origin.variable),
        rule=finding.rule,
        # The rule's own words name no value: the reason of a question is shown to more people than the value is.
        reason=f"{finding.message} ({finding.dataset}: {', '.join(finding.variables)})",
    )


def _value(finding: Finding, variable: str) -> str:
    """Return what the finding tells of the one variable; all its values where it cannot be told which is whose.

    Other variables, such as the number of the row, may change while the finding stays the same.
    """
    if len(finding.values) == len(finding.variables):
        return finding.values[finding.variables.index(variable)] or ""
    return ", ".join(value or "" for value in finding.values)
