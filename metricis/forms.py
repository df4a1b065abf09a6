"""A form's frame as the analyst asked for it: which repeats, codes or labels, checkboxes in one column. Pure."""

import difflib
from collections import Counter
from typing import Any, Final, Literal

import polars as pl

from datamodel.kernel.errors import NotFoundError

Values = Literal["raw", "label", "both"]
Repeats = Literal["all", "first", "last"]
_MINE: Final = 0.5
_REPEATS: Final = ("event_repeat", "form_repeat")


def resolve(name: str, catalogue: pl.DataFrame, forms: pl.DataFrame) -> str:
    """Return the form that `name` means: its name, its label, a beginning of it, or its short name.

    A short name is the initials of the form's name (`vital_signs`: vs) or the prefix that its fields share (`lb_test`: lb).

    Raises
    ------
    NotFoundError
        When no form, or more than one, answers to it.
    """
    asked = name.strip().lower()
    labels = dict(zip(forms["form_id"], forms["label"], strict=True))
    tiers = (
        [form for form in labels if form == asked],
        [form for form, label in labels.items() if label.lower() == asked],
        [form for form in labels if asked in short_names(form, catalogue)],
        [form for form in labels if asked and form.startswith(asked)],
    )
    for found in tiers:
        if len(found) == 1:
            return str(found[0])
        if found:
            raise NotFoundError(f"“{name}” can mean {' or '.join(found)}. Write the form's whole name.")
    known = {short: form for form in labels for short in (form, labels[form].lower(), *short_names(form, catalogue))}
    near = dict.fromkeys(known[one] for one in difflib.get_close_matches(asked, known, n=3, cutoff=0.5))
    hint = f"Closest: {', '.join(near)}." if near else f"There are: {', '.join(labels)}."
    raise NotFoundError(f"The study has no form “{name}”. {hint}")


def short_names(form: str, catalogue: pl.DataFrame) -> set[str]:
    """Return the short names of a form: initials of its name, and the prefix of most of its fields."""
    parts = form.split("_")
    found = {"".join(part[0] for part in parts if part)} if len(parts) > 1 else set()
    fields = catalogue.filter(pl.col("form_id") == form)["field"].unique().to_list()
    prefixes = Counter(field.split("_")[0] for field in fields if "_" in field)
    if prefixes:
        prefix, count = prefixes.most_common(1)[0]
        if count >= _MINE * len(fields):
            found.add(prefix)
    return found


def pick_repeats(frame: pl.DataFrame, which: Repeats) -> pl.DataFrame:
    """Return all rows, or the first or last repeat of each participant and event."""
    present = [name for name in _REPEATS if name in frame.columns]
    if which == "all" or not present:
        return frame
    keys = [name for name in ("subject_id", "event_id") if name in frame.columns]
    keep: Literal["first", "last"] = "first" if which == "first" else "last"
    return frame.sort([*keys, *present], maintain_order=True).unique(keys, keep=keep, maintain_order=True)


def levels(choices: list[dict[str, str]]) -> dict[str, str]:
    """Return code to label in dictionary order; a label that comes twice carries its code."""
    counts = Counter(one["label"] for one in choices)
    return {
        one["code"]: one["label"] if counts[one["label"]] == 1 else f"{one['label']} ({one['code']})" for one in choices
    }


def as_enum(column: pl.Series, choices: list[dict[str, str]]) -> pl.Series:
    """Return coded values as an Enum of labels in dictionary order; a code without a label is its own level."""
    labels = levels(choices)
    unknown = [code for code in column.drop_nulls().unique(maintain_order=True).to_list() if code not in labels]
    names = [*labels.values(), *(code for code in unknown if code not in labels.values())]
    return column.replace(labels).cast(pl.Enum(names))


def with_labels(
    frame: pl.DataFrame, *, values: Values, coded: dict[str, list[dict[str, str]]], beside: str = "__label"
) -> pl.DataFrame:
    """Return `frame` with codes as they are (raw), as labels, or both side by side (`field__label`)."""
    if values == "raw":
        return frame
    columns: list[pl.Series] = []
    for name in frame.columns:
        choices = coded.get(name)
        if choices is None:
            columns.append(frame[name])
        elif values == "label":
            columns.append(as_enum(frame[name], choices))
        else:
            columns += [frame[name], as_enum(frame[name], choices).alias(f"{name}{beside}")]
    return pl.DataFrame(columns)


def combined(
    frame: pl.DataFrame, catalogue: pl.DataFrame, *, how: Literal["list", "text"], values: Values
) -> pl.DataFrame:
    """Return `frame` with each checkbox as one column: the list of what was chosen, or its text."""
    boxes = catalogue.filter((pl.col("role") == "choice") & pl.col("column").is_in(frame.columns))
    for field, rows in boxes.group_by("field", maintain_order=True):
        frame = _combine(frame, str(field[0]), rows.to_dicts(), how=how, values=values)
    return frame


def _combine(
    frame: pl.DataFrame, field: str, rows: list[dict[str, Any]], *, how: Literal["list", "text"], values: Values
) -> pl.DataFrame:
    shown = "code" if values == "raw" else "label"
    chosen = pl.concat_list(
        pl.when(pl.col(row["column"])).then(pl.lit(row["choices"][0][shown])) for row in rows
    ).list.drop_nulls()
    names = [row["column"] for row in rows]
    made = (chosen.list.join("; ") if how == "text" else chosen).alias(field)
    place = frame.columns.index(names[0])
    kept = [name for name in frame.columns if name not in names]
    return frame.with_columns(made).select(*kept[:place], field, *kept[place:])
