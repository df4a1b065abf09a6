"""Build one snapshot's two DuckDB files in a folder, table by table, each held to its contract."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl

from datamodel.connections.mapping import Mapping
from datamodel.scheduling.states import first_day
from datamodel.study.protocol import Form, Protocol
from exports.marts import catalogue, columns, frames, names, source
from exports.marts.reader import file_name
from validators.core.blinding import check_blinded_table
from validators.core.forms import check_form
from validators.core.report import Breach
from validators.core.tables import check_table

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Build:
    """Two open DuckDB files and what was found on the way; a context manager that closes both."""

    folder: Path
    protocol: Protocol
    mapping: Mapping
    participants: pl.DataFrame
    rows: dict[str, int] = field(default_factory=dict)
    found: list[Breach] = field(default_factory=list)
    files: dict[bool, duckdb.DuckDBPyConnection] = field(default_factory=dict)

    def __enter__(self) -> Self:
        for is_blinded in (False, True):
            path = self.folder / file_name(is_blinded=is_blinded)
            self.files[is_blinded] = duckdb.connect(str(path), config={"threads": 2})
            self.files[is_blinded].execute("set timezone = 'UTC'")
            self.files[is_blinded].execute("begin")  # one commit for all tables: one flush to the disk
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self.files.values():
            connection.execute("rollback" if error else "commit")
            connection.close()

    @property
    def hidden(self) -> frozenset[str]:
        """Names of all blinded fields, by the design or by the mapping."""
        marked = {one.name for form in self.protocol.forms for one in form.fields if one.is_blinded}
        return self.mapping.blinded | marked

    @property
    def treated(self) -> pl.DataFrame:
        """Arms of those who were given a treatment: whoever only was screened has none to hide."""
        is_in = pl.col("enrolled_on").is_not_null() if self.participants["enrolled_on"].count() else pl.lit(value=True)
        given = pl.col("arm_id").is_not_null() & ~pl.col("status").is_in(["screened", "screen_failed"]) & is_in
        return self.participants.filter(given).select("subject_id", "arm_id", "arm_label")

    def blinded(self, frame: pl.DataFrame, *, form: Form | None = None) -> pl.DataFrame:
        """Return the blinded reader's version of a table."""
        hidden = frozenset[str]()
        if form is not None:
            kept = {one.name for one in columns.form_columns(form, self.protocol, blinded=self.hidden)}
            hidden = frozenset({one.name for one in columns.form_columns(form, self.protocol)} - kept)
        many = len({event.arm for event in self.protocol.events}) > 1
        return frames.blind(frame, hidden_fields=self.hidden, columns=hidden, many_arms=many)

    def add(self, table: str, frame: pl.DataFrame, *, form: Form | None = None) -> None:
        """Check a table and its blinded version and write both."""
        blinded = self.blinded(frame, form=form)
        short = next((name for name, full in names.SHORT.items() if full == table), table)
        if form is not None:
            self.found += check_form(form, frame)
        else:
            self.found += check_table(short, frame, is_blinded=False) + check_table(short, blinded, is_blinded=True)
        self.found += check_blinded_table(short, blinded, self.treated, form=form)
        self._write(table, frame, is_blinded=False)
        self._write(table, blinded, is_blinded=True)
        self.rows[table] = frame.height

    def add_for(self, table: str, frame: pl.DataFrame, *, is_blinded: bool) -> None:
        """Check and write a table for one kind of reader only."""
        short = next(name for name, full in names.SHORT.items() if full == table)
        self.found += check_table(short, frame, is_blinded=is_blinded)
        self._write(table, frame, is_blinded=is_blinded)
        self.rows[table] = max(frame.height, self.rows.get(table, 0))

    def _write(self, table: str, frame: pl.DataFrame, *, is_blinded: bool) -> None:
        connection = self.files[is_blinded]
        connection.register("incoming", frame.to_arrow())
        connection.execute(f'create table "{table}" as select * from incoming')  # noqa: S608 - our own name  # noqa: S608 - one of our own tables
        connection.unregister("incoming")


def build(
    of: source.Source, folder: Path, *, mode: str, today: date, progress: Progress | None = None
) -> tuple[int, Build]:
    """Write both files of a snapshot of `of` into `folder`; return the design's version and what was built.

    `mode` is the study's integration mode; visits have their state on `today`; `progress(form, done, of)` is told.
    """
    version, document = source.design(of) or (0, EMPTY_DESIGN)
    protocol = Protocol.from_document(document)
    mapping = Mapping.from_document(source.mapping(of))
    with Build(folder, protocol, mapping, source.participants(of)) as work:
        instances, actual = _add_forms(of, work, mode=mode, progress=progress)
        _add_lists(of, work, instances=instances, actual=actual, today=today)
    return version, work


#: a study whose design was not published yet: no forms, no events
EMPTY_DESIGN: dict[str, Any] = {"record_field": "", "arms": [], "events": [], "forms": [], "missing_codes": []}


def _add_forms(
    of: source.Source, work: Build, *, mode: str, progress: Progress | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write the forms' tables and their index; return all instances, and the days of visits."""
    keys: dict[str, pl.DataFrame] = {}
    index: dict[bool, list[tuple[Any, ...]]] = {False: [], True: []}
    actual = pl.DataFrame(schema=ACTUAL_SCHEMA)
    forms = work.protocol.forms
    for number, form in enumerate(forms, start=1):
        rows = frames.in_order(source.revisions(of, form.name), work.protocol)
        work.found += _unfit(form, work.protocol, rows)
        frame = columns.form_frame(form, work.protocol, rows, work.participants)
        work.add(names.form_table(form.name, source=mode), frame, form=form)
        index[False].append(catalogue.form_row(form, work.protocol, frame, source=mode))
        index[True].append(catalogue.form_row(form, work.protocol, work.blinded(frame, form=form), source=mode))
        keys[form.name] = rows.select(*frames.KEYS, "form_status", "form_updated_at")
        if work.mapping.visit_date and work.mapping.visit_date.form == form.name:
            actual = _visit_days(rows, frame, work.mapping.visit_date.field)
        if progress:
            progress(form.label, number, len(forms))
    for is_blinded, found in index.items():
        table = pl.DataFrame(found, schema=catalogue.FORMS_SCHEMA, orient="row")
        work.add_for(names.FORMS, table, is_blinded=is_blinded)
    return frames.instances_frame(keys), actual


def _add_lists(of: source.Source, work: Build, *, instances: pl.DataFrame, actual: pl.DataFrame, today: date) -> None:
    protocol, people = work.protocol, work.participants
    identifiers = frozenset(one.name for form in protocol.forms for one in form.fields if one.is_identifier)
    asked = frames.without_values_of(source.discrepancies(of), identifiers)
    anchor = work.mapping.anchor_on or work.mapping.enrolled_on
    first = first_day(protocol, anchor.event if anchor else "")
    work.add(names.PARTICIPANTS, people)
    work.add(names.VISITS, frames.visits_frame(protocol, people, instances, actual=actual, today=today, first=first))
    work.add(names.STATUS, frames.status_frame(protocol, people, instances, asked))
    work.add(names.DISCREPANCIES, asked)
    work.add(names.CONSENTS, source.consents(of))
    work.add(names.SESSIONS, source.sessions(of))
    work.add(names.SCORES, source.scores(of))
    work.add(names.TRIALS, source.trials(of))
    work.add(names.SYNCS, source.syncs(of))
    events = catalogue.events_frame(protocol)
    work.add_for(names.EVENTS, events, is_blinded=False)
    work.add_for(
        names.EVENTS, work.blinded(events).unique("event_id", keep="first", maintain_order=True), is_blinded=True
    )
    work.add_for(names.CATALOGUE, catalogue.catalogue(protocol), is_blinded=False)
    work.add_for(names.CATALOGUE, catalogue.catalogue(protocol, blinded=work.hidden), is_blinded=True)
    arms = people.filter(pl.col("arm_id").is_not_null()).select("arm_id", "arm_label").unique().sort("arm_id")
    work.add_for(names.ARMS, arms, is_blinded=False)


ACTUAL_SCHEMA = {"subject_id": pl.String, "event_id": pl.String, "event_repeat": pl.Int64, "actual_on": pl.Date}


def _visit_days(rows: pl.DataFrame, frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the day of each visit: the earliest value of the field that holds it, in each event."""
    column = columns.column_name(name)
    dated = f"{column}__date" if f"{column}__date" in frame.columns else column
    # A form's frame has the rows of its revisions in the same order, but only the keys that apply.
    days = rows.select(
        "subject_id",
        "event_id",
        event_repeat=pl.when(pl.col("event_repeat") == 0).then("form_repeat").otherwise("event_repeat"),
    ).with_columns(frame[dated].cast(pl.Date).alias("actual_on"))
    return (
        days.drop_nulls("actual_on").group_by("subject_id", "event_id", "event_repeat").agg(pl.col("actual_on").min())
    )


def _unfit(form: Form, protocol: Protocol, rows: pl.DataFrame) -> list[Breach]:
    """Return a breach for each field some of whose values do not fit its type."""
    lost: dict[tuple[str, str], list[str]] = {}
    identifiers = {field.name for field in form.fields if field.is_identifier}
    for one in columns.unfit_values(form, protocol, rows):
        shown = "" if one.field in identifiers else f" “{one.value}”"
        lost.setdefault((one.field, one.kind), []).append(f"{one.subject} {one.event}{shown}".strip())
    return [
        Breach(form.name, name, f"values fit the type {kind}", len(places), places[0])
        for (name, kind), places in lost.items()
    ]
