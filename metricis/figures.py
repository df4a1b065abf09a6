"""Figures in the house style: arm colours that are safe for colour-blind eyes, labels at the lines, n shown."""

from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from datamodel.kernel.errors import BadInputError, NotFoundError
from metricis.forms import as_enum

if TYPE_CHECKING:
    from metricis.study import Study

#: fixed by the order of the arms: grey for the first (control), then blue, orange, green, purple
ARM_COLOURS: Final = ("#5B6770", "#0B6E75", "#D5651C", "#3B5BA9", "#8A5AA8", "#7A7A1E")
_INK: Final = "#22292F"
_FONT: Final = "system-ui, sans-serif"
_BANDS: Final = alt.Scale(type="band", paddingInner=0, paddingOuter=0)
_APART: Final = 7
_WIDTH: Final = 620


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and the numbers behind it."""

    chart: Any
    numbers: pl.DataFrame

    def frame(self) -> pl.DataFrame:
        """Return the numbers behind the chart."""
        return self.numbers

    def save(self, path: str | Path) -> None:
        """Write the figure as the ending of `path` says: svg, png or pdf (with vl-convert-python), html or json."""
        self.chart.save(str(path))

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the picture as notebooks take it: an SVG that needs nothing when vl-convert is there, else Altair's own."""
        if find_spec("vl_convert") is None:
            return {**self.chart._repr_mimebundle_(), "text/plain": repr(self)}
        svg = StringIO()
        self.chart.save(svg, format="svg")
        return {"image/svg+xml": svg.getvalue(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Figure with the numbers\n{self.numbers}"


def changes_from_baseline(
    frame: pl.DataFrame, *, value: str, visit: str = "event_id", by: str = "arm_id", baseline: str
) -> pl.DataFrame:
    """Return mean change from `baseline` by visit and group: n, mean, standard error; `visit` and `by` as they come.

    A participant counts at a visit when both the visit's and the baseline's value are there. The baseline itself is
    in the result, with change 0. The standard error is null where n is 1, and at the baseline.

    Raises
    ------
    NotFoundError
        When a column or the baseline visit is not in the frame.
    BadInputError
        When a participant has two values at one visit.
    """
    unknown = [name for name in ("subject_id", value, visit, by) if name not in frame.columns]
    if unknown:
        raise NotFoundError(f"The frame has no column “{unknown[0]}”. It has: {', '.join(frame.columns)}.")
    filled = frame.filter(pl.col(value).is_not_null() & pl.col(by).is_not_null())
    if filled.select("subject_id", visit).is_duplicated().any():
        raise BadInputError(
            "Some participants have two values at one visit; keep one, for example with repeats='first'."
        )
    if baseline not in {str(one) for one in filled[visit].unique()}:
        known = ", ".join(str(one) for one in filled[visit].unique(maintain_order=True))
        raise NotFoundError(f"No values at the baseline “{baseline}”. Visits with values: {known}.")
    first = filled.filter(pl.col(visit).cast(pl.String) == baseline).select("subject_id", base=pl.col(value))
    changed = filled.join(first, on="subject_id", how="inner").with_columns(change=pl.col(value) - pl.col("base"))
    spread = pl.col("change").std() / pl.len().sqrt()
    return changed.group_by(visit, by, maintain_order=True).agg(
        n=pl.len().cast(pl.Int64),
        mean=pl.col("change").mean(),
        se=pl.when(pl.col(visit).cast(pl.String).first() != baseline).then(spread),
    )


def change_from_baseline(
    frame: pl.DataFrame,
    *,
    value: str,
    baseline: str,
    visit: str = "event_id",
    by: str = "arm_id",
    visits: list[str] | None = None,
    study: "Study | None" = None,
    title: str | None = None,
    better: str = "",
) -> Figure:
    """Return the figure of mean change (± standard error) from `baseline` by visit and group, with n beneath.

    Parameters
    ----------
    visits
        Which visits to show, in this order; default: all with values, in the schedule's order.
    study
        Gives labels of value, visits and groups, and the source line.
    better
        What a higher or lower value means, in words, put beside the y axis.
    """
    shown = _labelled(frame, [visit, by], study)
    base = _label_of(frame, visit, baseline, study)
    numbers = changes_from_baseline(shown, value=value, visit=visit, by=by, baseline=base)
    order = [_label_of(frame, visit, one, study) for one in visits] if visits else _order(shown[visit], numbers[visit])
    groups = _order(shown[by], numbers[by])
    plain = numbers.with_columns(pl.col(visit, by).cast(pl.String), nothing=pl.lit(0.0)).filter(
        pl.col(visit).is_in(order)
    )
    labels = study.labels(frame) if study else {}
    name = labels.get(value, value)
    chart = alt.vconcat(
        _lines(
            plain, visit, by, order=order, groups=groups, axis=f"Mean change in {name.lower()} (± SE)", better=better
        ),
        _counts(plain, visit, by, order=order, groups=groups),
        spacing=4,
    ).properties(
        title=alt.TitleParams(
            title or f"{name}: change from {base.lower()}",
            subtitle=[study.source_line] if study else [],
            anchor="start",
            color=_INK,
            subtitleColor="#5B6770",
            subtitleFontSize=11,
        )
    )
    of_visits = numbers.filter(pl.col(visit).cast(pl.String).is_in(order))
    return Figure(_styled(chart), of_visits.sort(pl.col(visit).cast(pl.String).cast(pl.Enum(order)), by))


def _lines(
    plain: pl.DataFrame, visit: str, by: str, *, order: list[str], groups: list[str], axis: str, better: str
) -> Any:
    axis_of_visits = alt.Axis(labelAngle=0, labelLimit=80, grid=False, labelPadding=6)
    x = alt.X(f"{visit}:N", sort=order, title=None, axis=axis_of_visits, scale=_BANDS)
    # Groups stand a little apart, so that their intervals do not hide each other.
    centre = _WIDTH / len(order) / 2
    places = alt.Scale(type="point", domain=groups, range=[centre - _APART, centre + _APART])
    apart = alt.XOffset(f"{by}:N", sort=groups, scale=places)
    colour = alt.Color(f"{by}:N", scale=_colours(groups), legend=None)
    shape = alt.Shape(f"{by}:N", scale=alt.Scale(domain=groups), legend=None)
    data = plain.with_columns(low=pl.col("mean") - pl.col("se"), high=pl.col("mean") + pl.col("se"))
    y_title = f"{axis}{f', {better}' if better else ''}"
    base = alt.Chart(data).encode(x=x, xOffset=apart, color=colour)
    last = data.filter(pl.col(visit).is_in(order)).with_columns(
        pl.col(visit).replace_strict({one: n for n, one in enumerate(order)}, return_dtype=pl.Int64).alias("at")
    )
    ends = last.sort("at").group_by(by, maintain_order=True).last().drop("at")
    return alt.layer(
        alt.Chart(data.head(1)).mark_rule(color="#C4CBD1").encode(y=alt.Y("nothing:Q")),
        base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y="mean:Q"),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            y="mean:Q",
            shape=shape,
            tooltip=[visit, by, "n", alt.Tooltip("mean", format=".2f"), alt.Tooltip("se", format=".2f")],
        ),
        alt.Chart(ends)
        .mark_text(align="left", dx=20, fontWeight="bold", fontSize=12)
        .encode(x=x, xOffset=apart, y="mean:Q", text=f"{by}:N", color=colour),
    ).properties(width=_WIDTH, height=300)


def _counts(plain: pl.DataFrame, visit: str, by: str, *, order: list[str], groups: list[str]) -> Any:
    """Return the number of participants beneath each visit, in the arm's colour, one row an arm."""
    return (
        alt.Chart(plain)
        .mark_text(fontSize=11)
        .encode(
            x=alt.X(f"{visit}:N", sort=order, axis=None, scale=_BANDS),
            y=alt.Y(f"{by}:N", sort=groups, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=140)),
            text="n:Q",
            color=alt.Color(f"{by}:N", scale=_colours(groups), legend=None),
        )
        .properties(width=_WIDTH, height=18 * len(groups))
    )


def _colours(groups: list[str]) -> Any:
    return alt.Scale(domain=groups, range=[ARM_COLOURS[n % len(ARM_COLOURS)] for n in range(len(groups))])


def _styled(chart: Any) -> Any:
    return (
        chart.configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=_INK,
            titleColor=_INK,
            labelFont=_FONT,
            titleFont=_FONT,
            gridColor="#E6EAED",
            titleFontWeight="normal",
        )
        .configure_title(font=_FONT, subtitleFont=_FONT, fontSize=15)
        .configure_text(font=_FONT)
    )


def _labelled(frame: pl.DataFrame, names: list[str], study: "Study | None") -> pl.DataFrame:
    coded = {name: study.choices(name) for name in names if frame.schema[name] == pl.String} if study else {}
    return frame.with_columns(as_enum(frame[name], choices) for name, choices in coded.items() if choices)


def _label_of(frame: pl.DataFrame, column: str, code: str, study: "Study | None") -> str:
    """Return the label that a code has after `_labelled`; a label stays itself."""
    if study is None or frame.schema[column] != pl.String:
        return code
    return next((one["label"] for one in study.choices(column) if one["code"] == code), code)


def _order(all_values: pl.Series, present: pl.Series) -> list[str]:
    """Return the values that occur, in the order of their levels, or as they come."""
    there = {str(one) for one in present.unique()}
    names = (
        all_values.dtype.categories
        if isinstance(all_values.dtype, pl.Enum)
        else all_values.drop_nulls().unique(maintain_order=True)
    )
    return [str(one) for one in names if str(one) in there]
