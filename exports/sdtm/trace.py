"""From a value of a dataset back to the fields of the forms that it was made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.rows import PARENT, SOURCE
from exports.sdtm.spec_types import KEY_COLUMNS, Domain, Source, Value

#: What the marts add to a field's name: the code of a ticked box, and a mark where the name is taken by a key.
_ADDED: Final = ("___", "__entered", "__label", "__missing")


@dataclass(frozen=True, slots=True)
class Origin:
    """One field of one form of one participant (pseudonym). Repeats are 0 where nothing repeats.

    `event` is empty where the field is on a form that a participant has once and whose event the frames do not tell.
    """

    participant: str
    event: str
    form: str
    event_repeat: int
    form_repeat: int
    field: str
    variable: str


def origins(
    datasets: Mapping[str, SdtmDataset],
    frames: Mapping[str, pl.DataFrame],
    *,
    dataset: str,
    record: int,
    variables: Sequence[str],
) -> tuple[Origin, ...]:
    """Return the fields that the `variables` of a record (counted from 1) were made from; nearest first, each once.

    A variable that is a constant, or that counts rows, has none.

    Raises
    ------
    KeyError
        When there is no such dataset.
    IndexError
        When the dataset has no such record.
    """
    one = datasets[dataset]
    # places of rows that were made from a domain count in the whole of it, also where its parts are submitted
    datasets = {part.whole.name: part.whole for part in datasets.values() if part.whole} | dict(datasets)
    if not 1 <= record <= one.places.height:
        raise IndexError(f"Received record {record} of {dataset}; it has {one.places.height}.")
    row = one.places.row(record - 1, named=True)
    found = (
        origin
        for variable in variables
        for origin in _Walk(datasets, frames).of_variable(one, row, variable=variable, seen=frozenset())
    )
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Walk:
    datasets: Mapping[str, SdtmDataset]
    frames: Mapping[str, pl.DataFrame]

    def of_variable(
        self, dataset: SdtmDataset, row: Mapping[str, Any], *, variable: str, seen: frozenset[str], shown: str = ""
    ) -> Iterator[Origin]:
        """Follow a variable or working column to the columns of the forms."""
        shown = shown or variable
        value = next((one for one in dataset.spec.values if one.name == variable), None)
        if value is None or variable in seen:
            return
        seen |= {variable}
        if value.derive == "from_form":
            yield from self._elsewhere(row, value.args["form"], value.args["field"], shown)
            return
        source = _source(dataset.spec, row)
        for name in _sorted(value):
            if "." in name:
                yield from self._other_domain(row, name, shown, seen)
            elif found := self._form_of(source, _on_line(source, row, name)):
                yield self._origin(row, *found, shown, is_own=source is not None and found[0] == source.form)
            elif (parent := self._parent(source, row)) and (column := _on_line(source, row, name)) in parent[
                0
            ].keyed.columns:
                yield from self.of_variable(*parent, variable=column, seen=frozenset(), shown=shown)
            else:
                yield from self.of_variable(dataset, row, variable=name, seen=seen, shown=shown)

    def _parent(self, source: Source | None, row: Mapping[str, Any]) -> tuple[SdtmDataset, Mapping[str, Any]] | None:
        """Return the row of another domain that this row was made from, where it was."""
        number = row.get(PARENT)
        if source is None or not source.domain or source.domain not in self.datasets or number is None:
            return None
        dataset = self.datasets[source.domain]
        return (dataset, dataset.places.row(number, named=True)) if number < dataset.places.height else None

    def _form_of(self, source: Source | None, name: str) -> tuple[str, str] | None:
        """Return form and column when `name` is a column that a form brings."""
        if source is None or name in KEY_COLUMNS:
            return None
        for form in (source.form, *(join.form for join in source.joins)):
            if form and form in self.frames and name in self.frames[form].columns:
                return form, name
        return None

    def _origin(self, row: Mapping[str, Any], form: str, column: str, shown: str, *, is_own: bool) -> Origin:
        if is_own:
            return _made(row, form, column, shown)
        return next(
            self._elsewhere(row, form, column, shown), _made({"subject_id": row["subject_id"]}, form, column, shown)
        )

    def _elsewhere(self, row: Mapping[str, Any], form: str, column: str, shown: str) -> Iterator[Origin]:
        """Give the places of a subject's instances of another form where the column is filled; the first is enough."""
        frame = self.frames.get(form)
        if frame is None or column not in frame.columns:
            return
        rows = frame.filter((pl.col("subject_id") == row["subject_id"]) & pl.col(column).is_not_null())
        if rows.height:
            yield _made(rows.row(0, named=True), form, column, shown)

    def _other_domain(self, row: Mapping[str, Any], name: str, shown: str, seen: frozenset[str]) -> Iterator[Origin]:
        other, _, variable = name.partition(".")
        dataset = self.datasets.get(other)
        if dataset is None or dataset.places.is_empty():
            return
        rows = dataset.places.filter(pl.col("subject_id") == row["subject_id"])
        if rows.height:
            yield from self.of_variable(
                dataset, rows.row(0, named=True), variable=variable, seen=seen - {variable}, shown=shown
            )


def _source(domain: Domain, row: Mapping[str, Any]) -> Source | None:
    number = row.get(SOURCE)
    return domain.sources[number] if number is not None else None


def _on_line(source: Source | None, row: Mapping[str, Any], name: str) -> str:
    """Return what a working column is called on its line, where rows were turned from wide to long."""
    line = row.get("line")
    return name if source is None or not source.rows or line is None else source.rows[line - 1].fields.get(name, name)


def _sorted(value: Value) -> list[str]:
    """Give a value's references, without the condition it has, unless that is all there is."""
    named = value.references()
    return [one for one in named if one != value.only_if] or named


def _made(row: Mapping[str, Any], form: str, column: str, shown: str) -> Origin:
    field = column
    for added in _ADDED:
        field = field.split(added)[0]
    return Origin(
        participant=str(row["subject_id"]),
        event=str(row.get("event_id") or ""),
        form=form,
        event_repeat=int(row.get("event_repeat") or 0),
        form_repeat=int(row.get("form_repeat") or 0),
        field=field,
        variable=shown,
    )
