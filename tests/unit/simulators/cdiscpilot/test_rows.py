"""What was typed agrees with SDTM, cell by cell, and passes the dictionary's own checks."""

import re
from functools import cache
from math import floor

import polars as pl
import pytest

from simulators.cdiscpilot import records
from simulators.cdiscpilot.dictionary import export_columns, project
from simulators.cdiscpilot.rows import KEYS
from simulators.cdiscpilot.source import read, subjects

FORMS = [form.form for form in project().forms]
CHECKS = {
    "date_ymd": r"\d{4}-\d{2}-\d{2}",
    "time": r"([01]\d|2[0-3]):[0-5]\d",
    "integer": r"-?\d+",
    "number": r"-?\d+(\.\d+)?",
}


@cache
def typed():
    return {batch.form: batch.frame for batch in records()}


@cache
def visits():
    return {event.event: event.visitnum for event in project().events if event.visitnum is not None}


def sources(form):
    return pl.concat([read(name) for name in form.source], how="diagonal_relaxed")


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ("demographics", 306),
        ("end_of_study", 306),
        ("randomization", 254),
        ("adverse_events", 961),
        ("concomitant_medication", 7_510),
        ("medical_history", 1_817),
        ("disposition", 596),
        ("exposure", 591),
        ("visit", 3_559),
        ("laboratory", 59_580),
    ],
)
def test_one_row_for_each_sdtm_record(form, rows):
    assert typed()[form].height == rows
    definition = project().form(form)
    if not definition.only and definition.shape == "rows":
        assert sources(definition).height == rows


def test_vital_signs_hold_every_measurement_and_every_not_done():
    frame = typed()["vital_signs"]
    measured = [f.name for f in project().form("vital_signs").fields if f.column == "VSORRES"]
    not_done = [name for name in frame.columns if name.startswith("vs_not_done")]
    count = sum((frame[name] != "").sum() for name in measured)
    ticked = sum((frame[name] == "1").sum() for name in not_done)
    assert (count, ticked, count + ticked) == (29_643 - 8, 8, read("vs").height)


@pytest.mark.parametrize(
    ("form", "dataset", "derived"),
    [("adas_cog", "qsco", 0), ("cibic", "qsgi", 0), ("dad", "qsda", 0), ("mmse", "qsmm", 0), ("hachinski", "qshi", 0)],
)
def test_questionnaires_hold_every_item(form, dataset, derived):
    frame = typed()[form]
    answers = [f.name for f in project().form(form).fields if f.when]
    refused = [name for name in frame.columns if "___" in name]
    count = sum((frame[name] != "").sum() for name in answers) + sum((frame[name] == "1").sum() for name in refused)
    assert count == read(dataset).height - derived


def test_npi_holds_every_item_that_is_not_derived():
    frame = typed()["npi"]
    present = [name for name in frame.columns if name.endswith("_present")]
    others = [f.name for f in project().form("npi").fields if f.when and not f.implied]
    count = sum((frame[name] != "").sum() for name in others)
    # "Present" is what the site ticked to open the other three; SDTM keeps no row for it.
    count += sum((~frame[name].is_in(["", "1"])).sum() for name in present)
    assert count == read("qsni").filter(pl.col("QSDRVFL").is_null()).height


def decoded(form, field, frame):
    values = frame[field.name]
    back = {choice.code: choice.sdtm for choice in project().choices(field) if choice.sdtm is not None}
    if back:
        return values.replace_strict({**back, "": ""}, return_dtype=pl.String)
    return values


def as_text(column):
    if column.dtype.is_float():
        column = column.round(6).cast(pl.String).str.strip_suffix(".0")
    return column.cast(pl.String).fill_null("")


@pytest.mark.parametrize("name", [f.form for f in project().forms if f.shape == "rows"])
def test_decoding_gives_back_the_sdtm_cells(name):
    form = project().form(name)
    frame = typed()[name]
    plain = [
        field
        for field in form.fields
        if field.column and not (field.part or field.unscheduled or field.default) and field.type != "checkbox"
    ]
    back = pl.DataFrame({field.column: decoded(form, field, frame) for field in plain})
    back = back.with_columns(USUBJID="01-" + frame["record_id"]).sort(pl.all())
    source = sources(form)
    for column, values in form.only.items():
        source = source.filter(pl.col(column).is_in(values))
    expected = pl.DataFrame({column: as_text(source[column]) for column in back.columns}).sort(pl.all())
    assert back.equals(expected)


@pytest.mark.parametrize("name", [f.form for f in project().forms if f.shape == "wide" and f.domain in {"QS", "VS"}])
def test_melting_gives_back_the_sdtm_results(name):
    form = project().form(name)
    frame = typed()[name]
    event = frame["redcap_event_name"].replace_strict(visits(), default=None, return_dtype=pl.Float64)
    number = event.fill_null(pl.Series([float(v or 0) for v in frame["vs_visit"]])) if name == "vital_signs" else event
    for field in form.fields:
        if not field.when:
            continue
        source = sources(form).filter(pl.col(field.column).is_not_null())
        for column, value in field.when.items():
            source = source.filter(pl.col(column) == value)
        expected = source.select("USUBJID", "VISITNUM", pl.col(field.column).alias("value"))
        values = frame[field.name]
        if field.implied:
            values = values.replace(field.implied.code, "")
            answers = frame.with_columns(values)
        else:
            answers = frame
        back = pl.DataFrame(
            {"USUBJID": "01-" + frame["record_id"], "VISITNUM": number, "value": decoded(form, field, answers)}
        )
        back = back.filter(pl.col("value") != "")
        assert back.sort(pl.all()).equals(expected.sort(pl.all())), field.name


def test_adverse_event_criteria_are_sdtms_flags():
    frame, ae = typed()["adverse_events"], read("ae")
    for column, code in {"AESDTH": 1, "AESLIFE": 2, "AESHOSP": 3, "AESDISAB": 4, "AESCAN": 6, "AESOD": 7}.items():
        assert (frame[f"ae_criteria___{code}"] == "1").sum() == (ae[column] == "Y").sum(), column


def test_repeat_instance_of_the_logs_is_the_sdtm_sequence():
    for name, dataset, column in (
        ("adverse_events", "ae", "AESEQ"),
        ("medical_history", "mh", "MHSEQ"),
        ("disposition", "ds", "DSSEQ"),
    ):
        frame = typed()[name].select(pl.col("record_id"), pl.col("redcap_repeat_instance").cast(pl.Int64).alias("n"))
        expected = read(dataset).select(
            pl.col("USUBJID").str.strip_prefix("01-").alias("record_id"), pl.col(column).cast(pl.Int64).alias("n")
        )
        assert frame.sort(pl.all()).equals(expected.sort(pl.all())), name


def test_visit_order_and_instance_give_back_cmseq():
    frame = typed()["concomitant_medication"]
    number = frame["redcap_event_name"].replace_strict(visits(), return_dtype=pl.Float64)
    frame = frame.with_columns(
        number.alias("visitnum"), pl.col("redcap_repeat_instance").cast(pl.Int64).alias("instance")
    )
    frame = frame.sort("record_id", "visitnum", "instance").with_columns(
        seq=pl.int_range(1, pl.len() + 1).over("record_id")
    )
    cm = read("cm").sort("USUBJID", "CMSEQ")
    assert frame["seq"].to_list() == cm["CMSEQ"].cast(pl.Int64).to_list()
    assert frame["cm_name"].to_list() == cm["CMTRT"].to_list()
    assert frame["cm_line"].to_list() == cm["CMSPID"].to_list()


#: Limits of vital signs are soft, as at a site: what lies outside was typed and asks a question. At most so many do.
_SOFT = {
    f"vs_{position}_{sign}": count
    for position in ("supine", "standing1", "standing3")
    for sign, count in (("sysbp", 60), ("diabp", 14), ("pulse", 14))
}


@pytest.mark.parametrize("name", FORMS)
def test_every_value_passes_the_dictionary(name):
    form, frame = project().form(name), typed()[name]
    assert set(frame.dtypes) == {pl.String}
    assert frame.null_count().sum_horizontal().item() == 0
    for field in form.fields:
        if field.type == "calc" or field.name in KEYS:
            continue
        if field.type == "checkbox":
            continue
        values = frame.filter(pl.col(field.name) != "")[field.name]
        if field.required:
            assert values.len() == frame.height, field.name
        if field.choices:
            assert set(values.unique()) <= {choice.code for choice in project().choices(field)}, field.name
        if field.validation:
            wrong = values.filter(~values.str.contains(f"^{CHECKS[field.validation]}$"))
            assert wrong.to_list() == [], field.name
        if field.partial:
            assert values.str.contains(r"^\d{4}(-\d{2}(-\d{2})?)?$").all(), field.name
        numbers = values.cast(pl.Float64) if field.min or field.max else None
        if field.min:
            below = numbers.filter(numbers < float(field.min)).len()
            assert below <= _SOFT.get(field.name, 0), field.name
        if field.max:
            above = numbers.filter(numbers > float(field.max)).len()
            assert above <= _SOFT.get(field.name, 0), field.name


@pytest.mark.parametrize("name", FORMS)
def test_rows_sit_where_the_project_allows_them_and_keys_are_unique(name):
    form, frame = project().form(name), typed()[name]
    assert frame.columns == [*KEYS, *[c for c in export_columns(form) if c not in KEYS and not is_calc(form, c)]]
    assert frame.select(KEYS).is_duplicated().sum() == 0
    # The definition names an event for a form exactly when the trial has data there.
    assert set(frame["redcap_event_name"].unique()) == set(form.events)
    repeating = frame["redcap_event_name"].is_in(form.repeats_in)
    assert (repeating == (frame["redcap_repeat_instrument"] == name)).all()
    assert (repeating == frame["redcap_repeat_instance"].str.contains(r"^[1-9]\d*$")).all()
    assert frame["record_id"].str.contains(r"^7\d\d-\d{4}$").all()
    assert set(frame[f"{name}_complete"].unique()) == {"2"}


def is_calc(form, column):
    return any(field.name == column and field.type == "calc" for field in form.fields)


def test_branching_hides_nothing_that_was_typed():
    npi, vitals = typed()["npi"], typed()["vital_signs"]
    for number in range(1, 13):
        for part in ("frequency", "severity", "distress"):
            shown = npi.filter(pl.col(f"npi{number:02d}_{part}") != "")[f"npi{number:02d}_present"]
            assert set(shown.unique()) <= {"1"}
    for part in ("temp", "weight", "height"):
        assert vitals.filter((pl.col(f"vs_{part}") == "") & (pl.col(f"vs_{part}_unit") != "")).height == 0
    history, eos, disposition = typed()["medical_history"], typed()["end_of_study"], typed()["disposition"]
    assert set(history.filter(pl.col("mh_severity") != "")["mh_category"].unique()) == {"1"}
    assert set(eos.filter(pl.col("death_date") != "")["died"]) == {"1"}
    assert set(disposition.filter(pl.col("ds_criterion") != "")["ds_reason"].unique()) == {"7"}
    assert set(disposition.filter(pl.col("ds_line") != "")["ds_category"].unique()) == {"1"}


def test_adas_total_follows_from_the_items_as_the_readme_says():
    maxima = {1: 10, 2: 5, 4: 5, 5: 5, 6: 5, 7: 8, 8: 12, 11: 5, 12: 5, 13: 5, 14: 5}
    assert sum(maxima.values()) == 70
    for row in typed()["adas_cog"].iter_rows(named=True):
        answered = {item: float(row[f"adas_{item:02d}"]) for item in maxima if row[f"adas_{item:02d}"]}
        possible = sum(maxima[item] for item in answered)
        total = sum(answered.values()) * 70 / possible
        assert float(row["adas_total"]) == pytest.approx(floor(total * 10 + 1e-6) / 10), row["record_id"]


def test_a_small_slice_is_the_same_every_time_and_part_of_the_whole():
    small = {batch.form: batch.frame for batch in records(12)}
    people = set(small["demographics"]["record_id"])
    assert len(people) == 12
    assert people == {name.removeprefix("01-") for name in subjects(12)}
    assert set(read("dm").filter(pl.col("USUBJID").is_in(list(subjects(12))))["ARMCD"]) == {
        "Pbo",
        "Xan_Hi",
        "Xan_Lo",
        "Scrnfail",
    }
    for name, frame in small.items():
        assert frame.equals(typed()[name].filter(pl.col("record_id").is_in(list(people)))), name
    with pytest.raises(ValueError, match="subjects=0"):
        subjects(0)


def test_no_typed_value_holds_a_line_break_or_tab():
    pattern = re.compile(r"[\r\n\t]")
    for frame in typed().values():
        for name in frame.columns:
            assert not any(pattern.search(value) for value in frame[name].unique())


def test_sdtms_reference_dates_follow_from_the_forms_as_the_readme_says():
    dm = read("dm").with_columns(record_id=pl.col("USUBJID").str.strip_prefix("01-"))
    doses = typed()["exposure"].with_columns(pl.col("ex_end").replace("", None)).group_by("record_id")
    dm = dm.join(doses.agg(pl.col("ex_start").min(), pl.col("ex_end").max()), on="record_id", how="left")
    ends = typed()["disposition"].filter(pl.col("redcap_repeat_instance") == "1").select("record_id", "ds_date")
    dm = dm.join(ends, on="record_id", how="left")
    assert (dm["RFSTDTC"].eq_missing(dm["ex_start"]) & dm["RFXSTDTC"].eq_missing(dm["ex_start"])).all()
    assert dm["RFXENDTC"].eq_missing(dm["ex_end"]).all()
    treated = dm.filter(pl.col("ex_start").is_not_null())
    assert (treated["RFENDTC"] == treated["ds_date"]).all()
    assert dm["RFENDTC"].is_null().sum() == dm.height - treated.height == 52
