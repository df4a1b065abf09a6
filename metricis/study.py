"""A study as a biostatistician meets it: nouns that return frames."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import polars as pl

from datamodel.kernel.errors import BadInputError, NotFoundError
from datamodel.kernel.settings import settings
from datamodel.scheduling.states import Plan, visit_state
from datamodel.trail import reads as trail
from exports.marts.reader import Snapshot
from metricis import forms as shaping
from metricis import trails
from metricis.forms import Repeats, Values
from metricis.opening import Opened, Wanted, asking, open_for_reading, open_moment

if TYPE_CHECKING:
    from metricis.tables import TableOne

#: labels of the columns that every frame has
_KEYS: Final = {
    "subject_id": "Participant",
    "site_id": "Site",
    "arm_id": "Arm",
    "event_id": "Visit",
    "event_repeat": "Repeat of the visit",
    "form_id": "Form",
    "form_repeat": "Repeat of the form",
    "form_status": "State of the form",
    "form_updated_at": "Form last changed",
}


def open_study(code: str, *, snapshot: Wanted = "latest") -> "Study":
    """Open a study at one snapshot: by number, the newest of a day or before, or the newest.

    Who reads is told by the token in METRICIS_TOKEN or in the installation's `notebook.token`. Opening is written in the
    ledger. Whoever may not see the arm gets frames in which it does not exist.

    Raises
    ------
    RefusedError
        When the token is missing or its holder may not read data.
    NotFoundError
        When there is no such study or snapshot.
    """
    return Study(open_for_reading(code, snapshot))


class Study:
    """One study at one snapshot; every call returns a frame, a figure or a table."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._renamed: dict[str, str] = {}
        self._kept: dict[str, pl.DataFrame] = {}

    @property
    def code(self) -> str:
        """The study's short code."""
        return self.snapshot.study

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is read: number, ledger position, instant, software."""
        return self._opened.snapshot

    @property
    def source_line(self) -> str:
        """One line for the foot of every output: study, snapshot, position, software."""
        shot = self.snapshot
        return (
            f"{shot.study}, {shot.name} of {shot.taken_at:%d-%b-%Y %H:%M} UTC (ledger position "
            f"{shot.position}, design {shot.design_version}), Metricis {shot.about['software']}"
        )

    # ------------------------------------------------------------------ forms and what they mean

    def forms(self) -> pl.DataFrame:
        """Return the index of forms: label, structure, rows, columns, share of empty values and of complete forms."""
        return self._table("forms").drop("table")

    @overload
    def form(
        self,
        name: str,
        *,
        values: Values = ...,
        repeats: Repeats = ...,
        combine: bool | Literal["text"] = ...,
        lazy: Literal[False] = ...,
    ) -> pl.DataFrame: ...

    @overload
    def form(
        self,
        name: str,
        *,
        values: Values = ...,
        repeats: Repeats = ...,
        combine: bool | Literal["text"] = ...,
        lazy: Literal[True],
    ) -> pl.LazyFrame: ...

    def form(
        self,
        name: str,
        *,
        values: Values = "raw",
        repeats: Repeats = "all",
        combine: bool | Literal["text"] = False,
        lazy: bool = False,
    ) -> pl.DataFrame | pl.LazyFrame:
        """Return a form's tidy frame.

        Parameters
        ----------
        name
            The form's name, its label, a beginning of its name, or its short name (`vs` for `vital_signs`).
        values
            `raw` codes; `label`: Enums in dictionary order, for visits and arms too; `both`: `field__label` beside.
        repeats
            `all`, or the `first` or `last` of each participant and visit.
        combine
            True makes of each checkbox one column with the list of choices; `"text"` joins them.
        lazy
            Return a LazyFrame.

        Raises
        ------
        NotFoundError
            When no form, or more than one, answers to the name.
        BadInputError
            When an option is not one of those above.
        """
        _one_of("values", values, ("raw", "label", "both"))
        _one_of("repeats", repeats, ("all", "first", "last"))
        form = self._resolve(name)
        frame = shaping.pick_repeats(self._table(f"form:{form}"), repeats)
        if combine:
            frame = shaping.combined(frame, self._of(form), how="text" if combine == "text" else "list", values=values)
        shown = shaping.with_labels(frame, values=values, coded=self._coded(form))
        return shown.lazy() if lazy else shown

    def key(self, form: str) -> list[str]:
        """Return the columns that make a row of this form unique."""
        found: list[str] = self._table("forms").row(by_predicate=pl.col("form_id") == self._resolve(form), named=True)[
            "key"
        ]
        return found

    def codebook(self, form: str | None = None) -> pl.DataFrame:
        """Return one row a field: label, kind, type, unit, choices, limits, required, logic, section, note."""
        rows = self._of(self._resolve(form)) if form else self._table("catalogue")
        text = pl.format("{} = {}", pl.element().struct.field("code"), pl.element().struct.field("label"))
        return (
            rows.filter(pl.col("role").is_in(["value", "choice"]))
            .group_by("form_id", "field", maintain_order=True)
            .agg(
                pl.col("field_label").first().alias("label"),
                pl.col("kind", "type", "unit").first(),
                pl.col("choices").explode().drop_nulls().implode().list.eval(text).list.join("; ").alias("choices"),
                pl.col("minimum", "maximum", "is_required", "logic", "section", "note").first(),
            )
        )

    def labels(self, frame: pl.DataFrame | pl.LazyFrame) -> dict[str, str]:
        """Return what each column of `frame` is called, also after select, filter, join, group_by and `study.rename`."""
        known = _KEYS | dict(zip(*self._table("catalogue").select("column", "label").get_columns(), strict=True))
        found = {}
        for name in frame.collect_schema().names():
            base = self._renamed.get(name, name)
            stem = base.removesuffix("_right").removesuffix("__label")
            if label := known.get(base) or known.get(stem):
                found[name] = label
        return found

    def rename(self, frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
        """Rename columns as polars does, and remember what they are: `labels` and `table_one` know the new names."""
        self._renamed |= {new: self._renamed.get(old, old) for old, new in names.items()}
        return frame.rename(names)

    def bind(self) -> "Forms":
        """Return all forms as attributes, for tab completion: `forms = study.bind(); forms.vital_signs`."""
        return Forms(self)

    # ------------------------------------------------------------------ who, when, in what state

    def participants(self, *, values: Values = "raw") -> pl.DataFrame:
        """Return who is in: site, arm when it may be seen, status, day of enrolment."""
        return self._shown("participants", values)

    def visits(self, *, on: date | None = None, values: Values = "raw") -> pl.DataFrame:
        """Return participants x events: planned day, window, actual day, days off target, state.

        States are those of the snapshot's day; `on` asks for another day.
        """
        frame = self._shown("visits", values)
        return frame if on is None else self._states_on(frame, on)

    def status(self, *, values: Values = "raw") -> pl.DataFrame:
        """Return participants x events x forms: the form's state, its instances, its open questions."""
        return self._shown("status", values)

    def events(self) -> pl.DataFrame:
        """Return the events of the schedule in their order."""
        return self._table("events")

    def consents(self) -> pl.DataFrame:
        """Return signatures, refusals and withdrawals: document, version, language, when, scope."""
        return self._table("consents")

    def queries(self, *, state: str | None = None) -> pl.DataFrame:
        """Return the data questions: place, value, rule, reason, state; all, or those in one state."""
        frame = self._table("discrepancies")
        return frame if state is None else frame.filter(pl.col("state") == state)

    def assessments(self, *, level: Literal["scored", "trial"] = "scored") -> pl.DataFrame:
        """Return assessment sessions with a column a score (newest scoring rule), or the raw trials."""
        _one_of("level", level, ("scored", "trial"))
        if level == "trial":
            return self._table("trials")
        newest = self._table("scores").sort("rule").group_by("session_id", "score", maintain_order=True).last()
        sessions = self._table("sessions")
        if newest.is_empty():
            return sessions
        order = newest["score"].unique(maintain_order=True).to_list()
        wide = newest.pivot("score", index="session_id", values="value").select("session_id", *order)
        return sessions.join(wide, on="session_id", how="left")

    def sync_ledger(self) -> pl.DataFrame:
        """Return what the syncs with REDCap changed: when, which form, how many rows, how long."""
        return self._table("syncs")

    # ------------------------------------------------------------------ what is made of it

    def sdtm(self, domain: str) -> pl.DataFrame:
        """Return an SDTM dataset made from this snapshot. For a blinded reader, what tells the treatment is empty.

        Raises
        ------
        RefusedError
            When the reader is blinded and the dataset as a whole tells the treatment (trial elements of subjects, SE).
        NotFoundError
            When the study's mapping makes no such domain.
        """
        from metricis.standards import sdtm_dataset

        return sdtm_dataset(self.snapshot, domain)

    def table_one(self, frame: pl.DataFrame, *, by: str | None = None, columns: list[str] | None = None) -> "TableOne":
        """Return `metricis.table_one` with this study's labels, units, code order and source line."""
        from metricis.tables import table_one

        return table_one(frame, by=by, columns=columns, study=self)

    def units(self) -> dict[str, str]:
        """Return the unit of each column that has one."""
        rows = self._table("catalogue").filter((pl.col("role") == "value") & (pl.col("unit") != ""))
        return dict(zip(rows["column"], rows["unit"], strict=True))

    def choices(self, column: str) -> list[dict[str, str]]:
        """Return the codes and labels of a column, in dictionary order; none for a column without codes."""
        base = self._renamed.get(column, column)
        if base in {"event_id", "arm_id"}:
            return self._coded_keys().get(base, [])
        rows = self._table("catalogue").filter((pl.col("column") == base) & (pl.col("role") == "value"))
        found: list[dict[str, str]] = rows["choices"][0].to_list() if rows.height else []
        return found

    # ------------------------------------------------------------------ inside

    def _table(self, name: str) -> pl.DataFrame:
        """Read a table once; frames are never changed in place, so one copy serves all."""
        if name not in self._kept:
            self._kept[name] = self.snapshot.frame(name)
        return self._kept[name]

    def _shown(self, name: str, values: Values) -> pl.DataFrame:
        _one_of("values", values, ("raw", "label", "both"))
        return shaping.with_labels(self._table(name), values=values, coded=self._coded_keys())

    def _resolve(self, name: str) -> str:
        return shaping.resolve(name, self._table("catalogue"), self._table("forms"))

    def _of(self, form: str) -> pl.DataFrame:
        return self._table("catalogue").filter(pl.col("form_id") == form)

    def _coded(self, form: str) -> dict[str, list[dict[str, str]]]:
        rows = self._of(form).to_dicts()
        codes = {row["column"]: row["choices"] for row in rows if row["role"] == "value" and row["choices"]}
        reasons: list[dict[str, str]] = next((row["missing_codes"] for row in rows if row["missing_codes"]), [])
        missing = {row["column"]: reasons for row in rows if row["role"] == "missing" and reasons}
        return codes | missing | self._coded_keys()

    def _coded_keys(self) -> dict[str, list[dict[str, str]]]:
        events = self._table("events")
        found = {"event_id": _pairs(events["event_id"], events["label"])}
        if not self.snapshot.is_blinded:
            arms = self._table("arms")
            found["arm_id"] = _pairs(arms["arm_id"], arms["arm_label"])
        forms = self._table("forms")
        return found | {"form_id": _pairs(forms["form_id"], forms["label"])}

    def _states_on(self, frame: pl.DataFrame, day: date) -> pl.DataFrame:
        people = {one["subject_id"]: one for one in self._table("participants").iter_rows(named=True)}
        states = [
            visit_state(
                Plan(row["planned_on"], row["opens_on"], row["closes_on"]),
                actual=row["actual_on"],
                today=day,
                status=people[row["subject_id"]]["status"],
                has_data=row["actual_on"] is None and row["state"] == "done",
                ended_on=people[row["subject_id"]]["status_on"],
            )
            for row in self._table("visits").iter_rows(named=True)
        ]
        return frame.with_columns(pl.Series("state", states, dtype=pl.String))

    def __repr__(self) -> str:
        return "\n".join(f"{name:<13} {value}" for name, value in self._facts().items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in self._facts().items()
        )
        return f"<table>{rows}</table>"

    def _facts(self) -> dict[str, str]:
        shot = self.snapshot
        sees = "blinded: the arm does not exist here" if shot.is_blinded else "unblinded"
        where = f", site {shot.site} only" if shot.site else ""
        return {
            "Study": f"{shot.study}: {self._opened.title}",
            "Data": f"{shot.name} of {shot.taken_at:%d-%b-%Y %H:%M} UTC, ledger position {shot.position}",
            "Design": f"version {shot.design_version}, {self._table('forms').height} forms",
            "Participants": str(self._table("participants").height),
            "You": f"{self._opened.role}, {sees}{where}",
        }

    def at(self, snapshot: Wanted) -> "Study":
        """Return the same study at another snapshot, for the same reader."""
        from exports.marts.reader import open_snapshot

        shot = self.snapshot
        other = open_snapshot(
            settings().marts_folder, shot.study, number=snapshot, unblinded=not shot.is_blinded, site=shot.site
        )
        return Study(replace(self._opened, snapshot=other))

    def as_of(self, at: datetime) -> "Study":
        """Return the study as it was at an instant (with a zone), for the same reader.

        Every frame equals what a snapshot taken at that instant held. Opening is written in the ledger.

        Raises
        ------
        BadInputError
            When `at` has no zone or lies ahead.
        NotFoundError
            When the study did not exist yet.
        """
        return Study(open_moment(self.code, at))

    # ------------------------------------------------------------------ who did what, when, and why

    def audit(
        self,
        *,
        kind: str | None = None,
        who: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pl.DataFrame:
        """Return the audit trail as it is now: one row an event, newest first.

        Columns: position (null until sealed), at, who, role, what (in words), action, subject, reason, change (JSON).
        `kind` is one of data, questions, consent, assessments, people, exports, set-up. At most 10,000 rows at once:
        narrow by day for more.

        Raises
        ------
        RefusedError
            When the reader may not read the audit trail.
        BadInputError
            When the kind is none of those.
        """
        if kind is not None:
            _one_of("kind", kind, tuple(trail.KINDS))
        asked = trail.EventFilter(since=since, until=until, who=who, kind=kind)
        with asking() as (session, actor):
            found = trail.events(session, actor, study=self.code, asked=asked)
        return trails.events_frame(found)

    def signatures(self) -> pl.DataFrame:
        """Return the electronic signatures of forms as they are now: one row a signature, oldest first, void ones too.

        Columns: place and version of the form, printed_name, role, signed_at with zone, meaning, is_void with its reason, and
        `manifestation`, all of it in one sentence.

        Raises
        ------
        RefusedError
            When the reader may not read form values.
        """
        from exports.extracts.signatures import signatures

        with asking() as (session, actor):
            return signatures(session, actor, study=self.code)

    def history(
        self,
        form: str | None = None,
        *,
        subject: str | None = None,
        field: str | None = None,
        first: bool = False,
        critical: bool = False,
    ) -> pl.DataFrame:
        """Return changes of values as they are now: one row a change, newest first; who, when, why, what it was before.

        `first` asks for first entries too, `critical` for the study's critical fields only. At most 10,000 rows at once.

        Raises
        ------
        RefusedError
            When the reader may not read the audit trail or form values.
        """
        name = self._resolve(form) if form else None
        asked = trail.ChangeFilter(participant=subject, form=name, field=field, first=first, critical=critical)
        with asking() as (session, actor):
            found = trail.changes(session, actor, study=self.code, asked=asked)
        return trails.changes_frame(found)


class Forms:
    """All forms of a study as attributes; each is read when it is first asked for."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> pl.DataFrame:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._study.form(name)
        except NotFoundError as error:
            raise AttributeError(str(error)) from error

    def __dir__(self) -> list[str]:
        return self._study.snapshot.forms

    def __iter__(self) -> Iterator[str]:
        return iter(self._study.snapshot.forms)

    def __repr__(self) -> str:
        return f"Forms of {self._study.code}: {', '.join(self)}"


def _pairs(codes: pl.Series, labels: pl.Series) -> list[dict[str, str]]:
    return [{"code": code, "label": label} for code, label in zip(codes, labels, strict=True)]


def _one_of(option: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInputError(f"Received {option}={value!r}; allowed are {', '.join(repr(one) for one in allowed)}.")
