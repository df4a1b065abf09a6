"""Table 1, in the house style: label bold, unit after it, mean (SD) and median (Q1, Q3), n (%), a row for missing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from datamodel.kernel.errors import BadInputError, NotFoundError
from metricis.forms import as_enum

if TYPE_CHECKING:
    from metricis.study import Study

ALL: Final = "All"
_DASH: Final = "–"
_SCHEMA: Final = {
    "variable": pl.String,
    "label": pl.String,
    "level": pl.String,
    "group": pl.String,
    "n": pl.Int64,
    "N": pl.Int64,
    "value": pl.String,
}


@dataclass(frozen=True, slots=True)
class TableOne:
    """A table for people, and the numbers behind it."""

    #: one row for each variable, level and group: n, N with a value, and the text that is shown
    numbers: pl.DataFrame
    #: group -> number of participants
    groups: dict[str, int]
    title: str
    notes: list[str] = field(default_factory=list)

    def frame(self) -> pl.DataFrame:
        """Return the numbers behind the table, one row for each variable, level and group."""
        return self.numbers

    def wide(self) -> pl.DataFrame:
        """Return the table as it is shown, as text: one column a group."""
        wide = self.numbers.pivot("group", index=["variable", "label", "level"], values="value", maintain_order=True)
        return wide.select("variable", "label", "level", *self.groups)

    def gt(self) -> Any:
        """Return the table as a great_tables object, for further styling."""
        from great_tables import GT, loc, md, style

        shown, heads = self._rows()
        heading: dict[str, Any] = {name: md(f"**{name}**  \nN = {count}") for name, count in self.groups.items()}
        table = (
            GT(shown, rowname_col="row")
            .tab_header(title=self.title)
            .cols_label(cases=heading)
            .cols_align(align="center", columns=list(self.groups))
            .tab_style(style=style.text(weight="bold"), locations=loc.stub(rows=heads))
            .tab_options(table_font_size="14px", data_row_padding="4px", table_background_color="transparent")
        )
        for note in self.notes:
            table = table.tab_source_note(note)
        return table

    def _rows(self) -> tuple[pl.DataFrame, list[int]]:
        """Return the rows as printed, a head before each variable's levels, and where the heads are."""
        rows: list[dict[str, str]] = []
        heads: list[int] = []
        for line in self.wide().iter_rows(named=True):
            if not rows or rows[-1]["variable"] != line["variable"]:
                heads.append(len(rows))
                rows.append({"variable": line["variable"], "row": line["label"]} | dict.fromkeys(self.groups, ""))
            level = {"variable": line["variable"], "row": f"\u2003{line['level']}"}
            rows.append(level | {group: line[group] for group in self.groups})
        return pl.DataFrame(rows).select("row", *self.groups), heads

    def _repr_html_(self) -> str:
        html: str = self.gt().as_raw_html()
        return html

    def __repr__(self) -> str:
        lines = [self.title, str(self.wide().drop("variable")), *self.notes]
        return "\n".join(lines)


def table_one(
    frame: pl.DataFrame,
    *,
    by: str | None = None,
    columns: list[str] | None = None,
    study: "Study | None" = None,
    title: str = "Baseline characteristics",
    overall: bool = True,
    hide_below: int = 0,
) -> TableOne:
    """Return a Table 1 of `frame`, which has one row a participant.

    Parameters
    ----------
    by
        Column whose values are the groups (`arm_id`); rows without one are left out, and counted in a note.
    columns
        What to describe; default: every column but keys and the form's own state. Numbers are described by mean (SD)
        and median (Q1, Q3; linear interpolation), everything else by n (%) of those with a value.
    study
        Gives labels, units, the order of codes, and the source line.
    overall
        Add a column for all groups together.
    hide_below
        Show counts below this number as “<n”.

    Raises
    ------
    NotFoundError
        When a column is not in the frame.
    BadInputError
        When a participant has several rows.
    """
    described = _columns(frame, by, columns)
    _one_row_each(frame)
    decoded = _decoded(frame, [*described, *([by] if by else [])], study)
    kept = decoded.filter(pl.col(by).is_not_null()) if by else decoded
    groups = _groups(kept, by, overall=overall)
    labels, units = (study.labels(frame), study.units()) if study else ({}, {})
    lines: list[tuple[Any, ...]] = []
    for name in described:
        label = labels.get(name, name) + (f" ({units[name]})" if name in units else "")
        for level, count in _levels(kept[name]):
            for group, rows in groups.items():
                n, filled, text = count(rows[name])
                lines.append((name, label, level, group, n, filled, _hidden(n, text, hide_below)))
    numbers = pl.DataFrame(lines, schema=_SCHEMA, orient="row")
    return TableOne(
        numbers, {name: rows.height for name, rows in groups.items()}, title, _notes(frame, kept, by, study)
    )


# a level: how it is called, and from a group's values to (n, N with a value, text)
_Level = tuple[str, Callable[[pl.Series], tuple[int, int, str]]]


def _levels(values: pl.Series) -> list[_Level]:
    """Return the lines that describe a variable."""
    if values.dtype.is_numeric():
        lines: list[_Level] = [("Mean (SD)", _mean), ("Median (Q1, Q3)", _median), ("Min, max", _range)]
    elif values.dtype == pl.Boolean:
        lines = [("Yes", _share_of(value=True))]
    else:
        lines = [(str(level), _share_of(level)) for level in _categories(values)]
    return [*lines, ("Missing", _missing)]


def _categories(values: pl.Series) -> list[Any]:
    """Return the levels to show: all that the code list has, also empty ones; else those that occur, sorted."""
    if isinstance(values.dtype, pl.Enum):
        return values.dtype.categories.to_list()
    return values.drop_nulls().unique().sort().to_list()


def _share_of(value: Any) -> Callable[[pl.Series], tuple[int, int, str]]:
    def count(values: pl.Series) -> tuple[int, int, str]:
        filled = values.drop_nulls()
        n = int((filled == value).sum())
        return n, filled.len(), f"{n} ({100 * n / filled.len():.1f} %)" if filled.len() else _DASH

    return count


def _mean(values: pl.Series) -> tuple[int, int, str]:
    filled = values.drop_nulls().cast(pl.Float64)
    spread = filled.std()
    text = (
        f"{_number(filled.mean()):.1f} ({f'{spread:.2f}' if spread is not None else _DASH})" if filled.len() else _DASH
    )
    return filled.len(), filled.len(), text


def _median(values: pl.Series) -> tuple[int, int, str]:
    filled = values.drop_nulls().cast(pl.Float64)
    cuts = [filled.quantile(share, "linear") for share in (0.5, 0.25, 0.75)]
    text = f"{cuts[0]:.1f} ({cuts[1]:.1f}, {cuts[2]:.1f})" if filled.len() else _DASH
    return filled.len(), filled.len(), text


def _range(values: pl.Series) -> tuple[int, int, str]:
    filled = values.drop_nulls().cast(pl.Float64)
    return (
        filled.len(),
        filled.len(),
        f"{_number(filled.min()):g}, {_number(filled.max()):g}" if filled.len() else _DASH,
    )


def _number(value: Any) -> float:
    """Return a statistic of numbers as the number it is: polars says that it may be anything."""
    return float(value)


def _missing(values: pl.Series) -> tuple[int, int, str]:
    return values.null_count(), values.len() - values.null_count(), str(values.null_count())


def _hidden(n: int, text: str, below: int) -> str:
    return f"<{below}" if 0 < n < below else text


def _columns(frame: pl.DataFrame, by: str | None, columns: list[str] | None) -> list[str]:
    asked = [*(columns or []), *([by] if by else [])]
    unknown = [name for name in asked if name not in frame.columns]
    if unknown:
        raise NotFoundError(f"The frame has no column “{unknown[0]}”. It has: {', '.join(frame.columns)}.")
    if columns:
        return columns
    keys = {"subject_id", "site_id", "arm_id", "event_id", "event_repeat", "form_id", "form_repeat"}
    keys |= {"form_status", "form_updated_at"}
    return [name for name in frame.columns if name not in keys and name != by and not name.endswith("__missing")]


def _one_row_each(frame: pl.DataFrame) -> None:
    if "subject_id" in frame.columns and frame["subject_id"].is_duplicated().any():
        people = frame["subject_id"].n_unique()
        raise BadInputError(
            f"A Table 1 counts participants, and this frame has {frame.height} rows for {people} of them. Keep one row "
            'each first, for example with .filter(event_id="…") or .unique("subject_id").'
        )


def _decoded(frame: pl.DataFrame, names: list[str], study: "Study | None") -> pl.DataFrame:
    """Return coded text columns as labels in dictionary order."""
    if study is None:
        return frame
    coded = {name: study.choices(name) for name in names if frame.schema[name] == pl.String}
    return frame.with_columns(as_enum(frame[name], choices) for name, choices in coded.items() if choices)


def _groups(frame: pl.DataFrame, by: str | None, *, overall: bool) -> dict[str, pl.DataFrame]:
    groups: dict[str, pl.DataFrame] = {}
    if by:
        present = set(frame[by].unique().to_list())
        groups = {str(one): frame.filter(pl.col(by) == one) for one in _categories(frame[by]) if one in present}
    return groups | ({ALL: frame} if overall or not by else {})


def _notes(frame: pl.DataFrame, kept: pl.DataFrame, by: str | None, study: "Study | None") -> list[str]:
    notes = [f"Population: {kept.height} participants. n (%): share of those with a value."]
    if by and frame.height > kept.height:
        name = study.labels(frame).get(by, by) if study else by
        notes.append(f"Left out: {frame.height - kept.height} without a value in “{name}”.")
    return [*notes, *([study.source_line] if study else [])]
