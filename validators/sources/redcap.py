"""What REDCap may send for a form: a pandera schema built from the form, and the sorting into accepted and not."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from datamodel.study.protocol import Choice, Form
from validators.findings import empty, join
from validators.sources.branching import NotUnderstoodError, condition_of
from validators.sources.columns import columns_of
from validators.sources.rules import Rule, rules_of

#: What identifies an instance; every frame of a form begins with these. No REDCap field can be named so.
KEYS: Final = ("@record", "@event_name", "@event_repeat", "@form_repeat")


_NUMBERS: Final = KEYS[2:]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a check: the values that are accepted (the rejected ones blank), and the findings."""

    accepted: pl.DataFrame
    findings: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Contract:
    """What a form of the design lets REDCap send. `columns` are its export columns, without the status."""

    form: str
    complete: str
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    #: required fields of which it cannot be told when they are asked, and why (after “its condition”)
    undecided: tuple[tuple[str, str], ...] = ()

    def schema(self, rules: Sequence[Rule] | None = None) -> pa.DataFrameSchema:
        """Return the pandera schema of this contract (with some of its rules only, when given).

        Shape comes first: all columns there and text, keys filled in, no instance twice, a legal form status. Then one
        check for each rule.
        """
        chosen = self.rules if rules is None else rules
        by_column: dict[str, list[pa.Check]] = {}
        for rule in chosen:
            by_column.setdefault(rule.column, []).append(_check(rule))
        keys = {
            "@record": pa.Column(pl.String, pa.Check.str_length(min_value=1)),
            "@event_name": pa.Column(pl.String),
            "@event_repeat": pa.Column(pl.Int32, pa.Check.ge(0)),
            "@form_repeat": pa.Column(pl.Int32, pa.Check.ge(0)),
            self.complete: pa.Column(pl.String, pa.Check.isin(["", "0", "1", "2"])),
        }
        values = {name: pa.Column(pl.String, by_column.get(name, [])) for name in self.columns}
        return pa.DataFrameSchema(keys | values, unique=list(KEYS), strict=True)

    def check(self, frame: pl.DataFrame) -> Report:
        """Sort a frame of text (`KEYS`, status, values) into what is accepted and what is found.

        Raises
        ------
        pandera.errors.SchemaErrors
            When the frame does not have the form's shape: that is our mistake or a changed dictionary, no finding.
        """
        if not self._has_shape(frame):
            self.schema(rules=()).validate(frame, lazy=True)
        broken = self._broken(frame)
        if not broken:
            return Report(accepted=frame, findings=empty())
        cases = self._cases(frame, broken)
        findings = join(self._findings(frame, rule, rows) for rule, rows in cases)
        return Report(accepted=_blanked(frame, cases), findings=findings)

    def _has_shape(self, frame: pl.DataFrame) -> bool:
        """Say in one pass whether the frame has the schema's shape: pandera costs a third of a second on 100 columns."""
        types = {name: pl.Int32 if name in _NUMBERS else pl.String for name in (*KEYS, self.complete, *self.columns)}
        if dict(frame.schema) != types:
            return False
        holds = frame.select(
            (pl.col(KEYS[0]) != "").all()
            & (pl.min_horizontal(_NUMBERS) >= 0).all()
            & pl.col(self.complete).is_in(["", "0", "1", "2"]).all()
            & ~pl.struct(KEYS).is_duplicated().any()
            & ~pl.any_horizontal(pl.all().is_null().any())
        )
        return bool(holds.item())

    def _broken(self, frame: pl.DataFrame) -> list[Rule]:
        """Return the rules that some value breaks: one pass over the frame, so that pandera looks only where it must."""
        if not self.rules or frame.is_empty():
            return []
        kept = (
            frame.lazy().select(rule.holds.all().alias(rule.name) for rule in self.rules).collect().row(0, named=True)
        )
        return [rule for rule in self.rules if not kept[rule.name]]

    def _cases(self, frame: pl.DataFrame, broken: Sequence[Rule]) -> list[tuple[Rule, list[int]]]:
        """Return for each broken rule the numbers of the rows that break it, as pandera reports them."""
        try:
            self.schema(rules=broken).validate(frame, lazy=True)
        except SchemaErrors as error:
            cases = error.failure_cases
        else:
            return []
        by_name = {rule.name: rule for rule in broken}
        grouped = cases.group_by("check", maintain_order=True).agg(pl.col("index"))
        return [(by_name[row["check"]], row["index"]) for row in grouped.to_dicts()]

    def _findings(self, frame: pl.DataFrame, rule: Rule, rows: Collection[int]) -> pl.DataFrame:
        return frame[list(rows)].select(
            *(pl.col(key).alias(key.removeprefix("@")) for key in KEYS),
            form_name=pl.lit(self.form),
            field=pl.lit(rule.column),
            value=pl.col(rule.column).str.replace_all("\x00", "␀", literal=True),
            rule=pl.lit(rule.code),
            reason=pl.lit(rule.reason),
            is_rejected=pl.lit(rule.is_rejected),
        )


def contract_of(
    form: Form, *, record_field: str, missing_codes: Sequence[Choice] = (), left_out: Collection[str] = ()
) -> Contract:
    """Build the contract of a form. `left_out` names columns that are not taken in (identifying ones)."""
    complete = f"{form.name}_complete"
    pairs = [
        (field, column)
        for field in form.fields
        for column in columns_of(field)
        if field.name != record_field and column not in left_out
    ]
    missing, columns = [choice.code for choice in missing_codes], tuple(column for _, column in pairs)
    shown, undecided = _conditions(form, {field.name for field, _ in pairs}, columns)
    rules = [
        rule
        for field, column in pairs
        for rule in rules_of(field, column, missing=missing, complete=complete, shown=shown.get(field.name))
    ]
    return Contract(form.name, complete, columns, tuple(rules), tuple(undecided.items()))


def _conditions(
    form: Form, taken: Collection[str], columns: Collection[str]
) -> tuple[dict[str, pl.Expr], dict[str, str]]:
    """Return when each required field with branching logic is asked, and of which it cannot be told."""
    shown, undecided = dict[str, pl.Expr](), dict[str, str]()
    for field in form.fields:
        if field.is_required and field.branching and field.name in taken and field.kind != "checkbox":
            try:
                shown[field.name] = condition_of(field.branching, fields=form.fields, columns=columns)
            except NotUnderstoodError as error:
                undecided[field.name] = str(error)
    return shown, undecided


def _check(rule: Rule) -> pa.Check:
    ask: Callable[[Any], pl.LazyFrame] = partial(_ask, rule.holds)
    return pa.Check(ask, name=rule.name, error=rule.name, ignore_na=False)


def _ask(holds: pl.Expr, data: Any) -> pl.LazyFrame:
    frame: pl.LazyFrame = data.lazyframe
    return frame.select(holds)


def _blanked(frame: pl.DataFrame, cases: Sequence[tuple[Rule, list[int]]]) -> pl.DataFrame:
    """Return the frame with the rejected values blank."""
    rejected: dict[str, set[int]] = {}
    for rule, rows in cases:
        if rule.is_rejected:
            rejected.setdefault(rule.column, set()).update(rows)
    number = pl.int_range(pl.len())
    return frame.with_columns(
        pl.when(number.is_in(sorted(rows))).then(pl.lit("")).otherwise(pl.col(column)).alias(column)
        for column, rows in rejected.items()
    )
