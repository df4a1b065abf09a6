"""The pilot trial as the marts give it: one typed frame per form, made from what the demonstration sites typed."""

from functools import cache

import polars as pl

from simulators.cdiscpilot import records
from simulators.cdiscpilot.dictionary import Form, project

TYPES = {"integer": pl.Int64, "number": pl.Float64, "date_ymd": pl.Date}


def event_frame() -> pl.DataFrame:
    events = project().events
    return pl.DataFrame(
        {
            "event_id": [event.event for event in events],
            "label": [event.name for event in events],
            "arm": [project().arm.name] * len(events),
            "day_offset": [event.day for event in events],
            "ordinal": list(range(1, len(events) + 1)),
        }
    )


def tidy(form: Form, text: pl.DataFrame) -> pl.DataFrame:
    """Type the columns as the dictionary says: numbers and dates; choices and other texts stay text."""
    empty_is_null = text.with_columns(pl.when(pl.all() != "").then(pl.all()).name.keep())
    fields = {field.name: TYPES[field.validation] for field in form.fields if field.validation in TYPES}
    typed = [
        pl.col(name).str.to_date() if dtype is pl.Date else pl.col(name).cast(dtype)
        for name, dtype in fields.items()
        if name in text.columns
    ]
    keys = [
        pl.col("record_id").alias("subject_id"),
        pl.col("redcap_event_name").alias("event_id"),
        pl.lit(form.form).alias("form_id"),
        pl.col("redcap_repeat_instance").cast(pl.Int64).alias("form_repeat"),
    ]
    raw = {"redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "record_id"}
    return empty_is_null.with_columns(typed).select(*keys, pl.exclude(*raw, f"{form.form}_complete"))


@cache
def frames(subjects: int | None = None) -> dict[str, pl.DataFrame]:
    forms = {form.form: form for form in project().forms}
    tidied = {batch.form: tidy(forms[batch.form], batch.frame) for batch in records(subjects)}
    return tidied | {"events": event_frame()}
