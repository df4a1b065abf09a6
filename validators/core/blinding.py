"""Whether anything that a blinded reader gets tells the arm."""

from typing import Final

import polars as pl

from datamodel.study.protocol import Form
from validators.core.report import Breach

#: share of an arm's rows that hold its label, share of a label's rows that are of its arm, and how many people at least
_TELLING: Final = 0.5
_SURE: Final = 0.9
_PEOPLE: Final = 2


def check_blinded_table(
    name: str, frame: pl.DataFrame, arms: pl.DataFrame, *, form: Form | None = None
) -> list[Breach]:
    """Return a breach for each text column of a blinded table that tells the arm.

    `arms` holds subject_id, arm_id and arm_label of those who were given a treatment. A coded column of `form` is
    read by its labels.
    """
    present = [column for column in ("arm_id", "arm_label") if column in frame.columns]
    found = [Breach(name, column, "the arm is not in a blinded table", frame.height) for column in present]
    if arms.is_empty() or "subject_id" not in frame.columns:
        return found
    own = frame.join(arms, on="subject_id", how="inner", suffix="_own")
    for column, dtype in frame.schema.items():
        if dtype == pl.String and column != "subject_id" and column not in present:
            told = _told(own, column, _labels(form, column))
            if told:
                rule = "tells the arm; mark the field as blinded in the study's mapping, then take the snapshot again"
                found.append(Breach(name, column, rule, told))
    return found


def _labels(form: Form | None, column: str) -> dict[str, str]:
    if form is None:
        return {}
    return {choice.code: choice.label for field in form.fields if field.name == column for choice in field.choices}


def _told(own: pl.DataFrame, column: str, labels: dict[str, str]) -> int:
    """Return how many values are the participant's own arm, when they tell some arm; else 0.

    A column tells an arm when most of that arm's participants have its label there and hardly anybody else has.
    """
    value = pl.col(column)
    arms = own.select(_folded(pl.col("arm_label")).unique().drop_nulls()).to_series().to_list()
    shown = own.filter(value.is_not_null()).select(
        "subject_id", "arm_label", shown=_folded(value.replace(labels) if labels else value)
    )
    if not shown["shown"].is_in(arms).any():
        return 0
    told = 0
    for arm in shown["arm_label"].unique().drop_nulls():
        label, of_arm = _folded(pl.lit(arm)), pl.col("arm_label") == arm
        named = pl.col("shown") == label
        counts = shown.select(
            mine=(named & of_arm).sum(),
            named=named.sum(),
            rows=of_arm.sum(),
            people=pl.col("subject_id").filter(named & of_arm).n_unique(),
        ).row(0, named=True)
        is_sure = counts["mine"] >= _TELLING * max(counts["rows"], 1) and counts["mine"] >= _SURE * max(
            counts["named"], 1
        )
        if is_sure and counts["people"] >= _PEOPLE:
            told += int(counts["mine"])
    return told


def _folded(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.to_lowercase()
