"""Each derivation on a table small enough to check by eye."""

import inspect
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exports.sdtm.derivations  # noqa: F401 # registers the library
from exports.sdtm.registry import Study, argument_faults, call, derivation, registered
from exports.sdtm.spec_types import StudyTables

TABLES = StudyTables.model_validate(
    {
        "visits": {
            "scr_arm_1": {"number": 1, "name": "SCREENING 1", "epoch": "SCREENING"},
            "wk2_arm_1": {"number": 4, "name": "WEEK 2", "epoch": "TREATMENT"},
            "fu_arm_1": {"number": 101, "name": "AE FOLLOW-UP", "epoch": "FOLLOW-UP", "planned": False},
            "unscheduled_arm_1": {"planned": False},
        },
        "codelists": {"sex": {"1": "M", "2": "F"}, "weight": {"1": "LB", "2": "kg"}, "temp": {"1": "F", "2": "C"}},
        "conversions": {"vs": {"LB": {"unit": "kg", "factor": 0.5, "decimals": 1}, "F": {"unit": "C", "factor": 2, "offset": -10}, "HCT %": {"unit": None, "factor": 0.01}}},
    }
)  # fmt: skip
EVENTS = pl.DataFrame({"event_id": ["scr_arm_1", "wk2_arm_1", "fu_arm_1"], "day": [-7, 14, 196]})
EXPOSURE = pl.DataFrame(
    {
        "subject_id": ["a", "a", "b", "b"],
        "event_id": ["scr_arm_1", "wk2_arm_1", "scr_arm_1", "wk2_arm_1"],
        "start": [date(2014, 1, 2), date(2014, 1, 16), date(2014, 3, 9), date(2014, 3, 1)],
        "line": [1, 2, 1, 2],
    }
)
STUDY = Study({"events": EVENTS, "exposure": EXPOSURE}, TABLES)


def derive(name, columns, arguments=None, study=STUDY):
    """Call a derivation as the engine does; give the values."""
    assert argument_faults(name, arguments or {}) == []
    return pl.DataFrame(columns).with_columns(call(name, arguments or {}, study).alias("made"))["made"].to_list()


def test_concat_makes_usubjid_and_is_missing_when_a_part_is():
    columns = {"site": ["701", "702"], "number": ["1015", None]}
    assert derive("concat", columns, {"parts": ["site", "number"], "prefix": "01-"}) == ["01-701-1015", None]


def test_decode_looks_codes_up_and_leaves_the_rest_missing():
    assert derive("decode", {"sex": ["1", "2", None, "9"]}, {"of": "sex", "codelist": "sex"}) == ["M", "F", None, None]


def test_decode_by_takes_the_list_of_the_row():
    columns = {"code": ["1", "2", "1", None], "test": ["W", "W", "T", "P"], "unit": [None, None, None, "mmHg"]}
    arguments = {"of": "code", "kind": "test", "codelists": {"W": "weight", "T": "temp"}, "otherwise": "unit"}
    assert derive("decode_by", columns, arguments) == ["LB", "kg", "F", "mmHg"]


def test_number_reads_what_is_one():
    assert derive("number", {"t": ["4.1", "97", "<5", None]}, {"of": "t"}) == [4.1, 97.0, None, None]


def test_number_text_is_short_or_keeps_the_recorded_decimal():
    assert derive("number_text", {"n": [97.0, 36.06, None]}, {"of": "n"}) == ["97", "36.06", None]
    columns = {"n": ["97", "97.25", "64"], "d": [1, 1, 0]}
    assert derive("number_text", columns, {"of": "n", "decimals": "d"}) == ["97.0", "97.25", "64"]


def test_fixed_text_rounds_or_cuts_and_leaves_whole_numbers():
    columns = {"n": [13.0, 61.5517, 40.3, 41.0345, None]}
    assert derive("fixed_text", columns, {"of": "n", "decimals": 1}) == ["13", "61.6", "40.3", "41.0", None]
    assert derive("fixed_text", columns, {"of": "n", "decimals": 1, "cut": True}) == [
        "13",
        "61.5",
        "40.3",
        "41.0",
        None,
    ]


@pytest.mark.parametrize(
    ("typed", "iso"),
    [
        ("2023-10-05", "2023-10-05"),
        ("2023-10", "2023-10"),
        ("2023", "2023"),
        ("2023-10-NK", "2023-10"),
        ("2023-UN-UN", "2023"),
        ("2023-un", "2023"),
        (" 2023-10-05 ", "2023-10-05"),
        ("2023-13", None),
        ("05/10/2023", None),
        ("unknown", None),
        (None, None),
    ],
)
def test_iso8601_keeps_what_is_known(typed, iso):
    columns = pl.DataFrame({"d": [typed]}, schema={"d": pl.String})
    assert derive("iso8601", columns, {"date": "d"}) == [iso]


def test_iso8601_takes_dates_and_adds_a_time_to_a_whole_date_only():
    assert derive("iso8601", {"d": [date(2014, 7, 2)]}, {"date": "d"}) == ["2014-07-02"]
    columns = {"d": ["2014-07-02", "2014-07", "2014-07-02"], "t": ["11:45", "11:45", None]}
    assert derive("iso8601", columns, {"date": "d", "time": "t"}) == ["2014-07-02T11:45", "2014-07", "2014-07-02"]


def test_study_day_has_no_day_zero_and_needs_whole_dates():
    days = ["2014-01-01", "2014-01-02", "2014-01-03T08:00", "2014-01", None]
    columns = {"d": days, "r": ["2014-01-02"] * 5}
    assert derive("study_day", columns, {"date": "d", "reference": "r"}) == [-1.0, 1.0, 2.0, None, None]


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)), st.dates(date(1950, 1, 1), date(2100, 1, 1)))
def test_study_day_counts_as_the_standard_says(day, reference):
    expected = (day - reference).days + (1 if day >= reference else 0)
    columns = {"d": [day.isoformat()], "r": [reference.isoformat()]}
    assert derive("study_day", columns, {"date": "d", "reference": "r"}) == [expected]
    assert expected != 0


def test_duration_counts_both_days():
    columns = {"s": ["2014-01-02", "2014-01-02", "2014-01-05", "2014-01"], "e": ["2014-01-02", "2014-01-15", "2014-01-02", "2014-01-15"]}  # fmt: skip
    assert derive("duration", columns, {"start": "s", "end": "e"}) == ["P1D", "P14D", None, None]


def test_age_is_completed_years():
    columns = {"b": ["1950-06-15", "1950-06-15", "1952-02-29", "1950"], "at": ["2014-06-14", "2014-06-15", "2014-02-28", "2014-01-01"]}  # fmt: skip
    assert derive("age", columns, {"birth": "b", "at": "at"}) == [63.0, 64.0, 61.0, None]


EPOCHS = {
    "date": "d",
    "starts": ["s", "t", "f"],
    "names": ["SCREENING", "TREATMENT", "FOLLOW-UP"],
    "from_next_day": ["FOLLOW-UP"],
}


def epochs(days, treatment="2014-01-10", **more):
    columns = {
        "d": days,
        "s": ["2014-01-01"] * len(days),
        "t": [treatment] * len(days),
        "f": ["2014-03-01"] * len(days),
    }
    if treatment is None:
        columns["f"] = [None] * len(days)
    schema = dict.fromkeys(columns, pl.String)
    return derive("epoch", pl.DataFrame(columns, schema=schema), EPOCHS | more)


def test_epoch_is_the_last_that_has_begun():
    days = ["2014-01-01", "2014-01-09", "2014-01-10", "2014-03-01", "2014-03-01T10:00", "2014-03-02", None]
    expected = ["SCREENING", "SCREENING", "TREATMENT", "TREATMENT", "TREATMENT", "FOLLOW-UP", None]
    assert epochs(days) == expected


def test_epoch_before_the_first_start_and_without_treatment():
    assert epochs(["2013-12-31"]) == [None]
    assert epochs(["2013-12-31", "2013"], earlier="SCREENING") == ["SCREENING", "SCREENING"]
    assert epochs(["2014-06-01"], treatment=None) == ["SCREENING"]


def test_epoch_of_a_partial_date_that_may_be_either_is_missing():
    assert epochs(["2014-01", "2014-02", "2014-03", "2014-04", "2014"]) == [None, "TREATMENT", None, "FOLLOW-UP", None]


def test_epochs_and_starts_must_match():
    with pytest.raises(ValueError, match="3 names and 2 starts"):
        epochs(["2014-01-01"], starts=["s", "t"])


def test_visits_come_from_the_event_or_from_the_form():
    columns = {"event_id": ["scr_arm_1", "fu_arm_1", "unscheduled_arm_1", "other"], "v": [None, None, 4.1, None]}
    typed = {"unscheduled": "v"}
    assert derive("visit_number", columns, typed) == [1.0, 101.0, 4.1, None]
    assert derive("visit_name", columns, typed) == ["SCREENING 1", "AE FOLLOW-UP", "UNSCHEDULED 4.1", None]
    assert derive("visit_number", columns) == [1.0, 101.0, None, None]
    assert derive("visit_name", columns) == ["SCREENING 1", "AE FOLLOW-UP", None, None]
    assert derive("visit_day", columns) == [-7.0, None, None, None]
    # a form may be called as the schedule is
    logged = Study({"table:events": EVENTS, "events": EXPOSURE}, TABLES)
    assert derive("visit_day", columns, study=logged) == [-7.0, None, None, None]
    assert derive("visit_epoch", columns) == ["SCREENING", "FOLLOW-UP", None, None]


def test_sequence_counts_within_a_subject_in_the_order_asked_for():
    columns = {"subject_id": ["a", "a", "b", "a"], "v": [3.5, 1.0, 9.0, 3.5], "t": ["X", "Z", "X", None]}
    assert derive("sequence", columns, {"by": ["v", "t"]}) == [3.0, 1.0, 1.0, 2.0]
    columns |= {"scale": ["A", "A", "A", "B"], "begin": [1001, 1001, 1001, 5001]}
    assert derive("sequence", columns, {"by": ["v"], "within": ["scale"]}) == [2.0, 1.0, 1.0, 1.0]
    grouped = {"by": ["v"], "within": ["scale"], "first": "begin"}
    assert derive("sequence", columns, grouped) == [1002.0, 1001.0, 1001.0, 5001.0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"take": "min"}, [date(2014, 1, 2), date(2014, 3, 1), None]),
        ({"take": "max"}, [date(2014, 1, 16), date(2014, 3, 9), None]),
        ({"take": "first", "order": "line"}, [date(2014, 1, 2), date(2014, 3, 9), None]),
        ({"take": "last", "order": "line"}, [date(2014, 1, 16), date(2014, 3, 1), None]),
        ({"where": {"line": ["2"]}}, [date(2014, 1, 16), date(2014, 3, 1), None]),
        ({"unless": {"event_id": ["scr_arm_1"]}}, [date(2014, 1, 16), date(2014, 3, 1), None]),
    ],
)
def test_from_form_gives_one_value_per_subject(arguments, expected):
    columns = {"subject_id": ["a", "b", "c"]}
    assert derive("from_form", columns, {"form": "exposure", "field": "start", **arguments}) == expected


def test_from_form_refuses_several_where_one_was_meant():
    with pytest.raises(ValueError, match=r"exposure\.start .* only one .* 2 subjects have several"):
        derive("from_form", {"subject_id": ["a"]}, {"form": "exposure", "field": "start"})
    assert argument_faults("from_form", {"form": "exposure", "field": "start", "take": "middle"}) != []


def test_baseline_by_visit_and_by_the_last_result_before_treatment():
    assert derive("baseline_at_visit", {"v": ["BASELINE", "WEEK 2", None]}, {"visit": "v", "name": "BASELINE"}) == ["Y", None, None]  # fmt: skip
    columns = {
        "subject_id": ["a"] * 4 + ["b"],
        "test": ["T", "T", "T", "T", "T"],
        "r": ["1", "2", None, "4", "5"],
        "d": ["2014-01-01", "2014-01-02", "2014-01-03", "2014-01-09", "2014-01-09"],
        "ref": ["2014-01-03"] * 5,
    }
    arguments = {"result": "r", "date": "d", "reference": "ref", "within": ["test"]}
    assert derive("baseline_last", columns, arguments) == [None, "Y", None, None, None]


def test_results_are_brought_to_the_standard_unit():
    columns = {"v": ["120.5", "97", "80", None, "42"], "u": ["LB", "F", "kg", None, "HCT %"]}
    assert derive("standard_number", columns, {"value": "v", "unit": "u", "conversion": "vs"}) == [
        60.3,
        184.0,
        80.0,
        None,
        0.42,
    ]
    assert derive("standard_unit", columns, {"unit": "u", "conversion": "vs"}) == ["kg", "C", "kg", None, None]


def test_a_test_and_its_unit_may_be_the_key_of_a_conversion():
    columns = {"key": ["HCT %", "ALT U/L", None], "u": ["%", "U/L", None]}
    arguments = {"unit": "key", "conversion": "vs", "otherwise": "u"}
    assert derive("standard_unit", columns, arguments) == [None, "U/L", None]


def test_results_that_are_no_plain_number_are_brought_to_the_standard_unit_as_text():
    columns = {"v": ["120.5", "<40", ">= 3", "TRACE", None], "u": ["LB", "LB", None, "LB", "LB"]}
    arguments = {"value": "v", "unit": "u", "conversion": "vs"}
    assert derive("standard_text", columns, arguments) == ["60.3", "<20", ">=3", "TRACE", None]


def test_not_done_needs_a_tick_and_no_result():
    columns = {"v": [None, "5", None], "x": ["1", "1", "0"]}
    assert derive("not_done", columns, {"value": "v", "ticked": "x"}) == ["NOT DONE", None, None]


def test_flag_marks_the_values_asked_for():
    assert derive("flag", {"v": ["A", "B", None]}, {"when": "v", "equals": ["A"], "then": "X"}) == ["X", None, None]


def test_first_given_takes_the_first_value():
    assert derive("first_given", {"a": [None, "x", None], "b": ["y", "z", None]}, {"of": ["a", "b"]}) == [
        "y",
        "x",
        None,
    ]


def test_a_total_is_raised_in_proportion_when_items_are_missing():
    columns = {"a": ["4", "4", None], "b": ["6", None, None]}
    assert derive("prorated_total", columns, {"items": ["a", "b"], "maxima": [5, 10]}) == [10.0, 12.0, None]
    with pytest.raises(ValueError, match="2 items and 1 maxima"):
        derive("prorated_total", columns, {"items": ["a", "b"], "maxima": [5]})


def test_product_multiplies_or_is_zero():
    columns = {"f": ["4", None, "2"], "s": ["3", None, None], "p": [None, "0", None]}
    assert derive("product", columns, {"of": ["f", "s"]}) == [12.0, None, None]
    assert derive("product", columns, {"of": ["f", "s"], "zero_if": "p", "equals": ["0"]}) == [12.0, 0.0, None]


def test_group_total_stands_on_the_rows_asked_for():
    columns = {
        "subject_id": ["a", "a", "a", "b"],
        "visit": [1, 1, 2, 1],
        "n": [2.0, None, 5.0, 7.0],
        "test": ["X", "T", "T", "T"],
    }
    arguments = {"of": "n", "within": ["visit"], "only": "test", "equals": ["T"]}
    assert derive("group_total", columns, arguments) == [None, 2.0, 5.0, 7.0]
    columns |= {"weight": [1, 1, 0, 1]}
    raised = arguments | {"counts": "weight", "items": 2}
    assert derive("group_total", columns, raised) == [None, 4.0, None, 14.0]


# --- flags, texts, versions --------------------------------------------------------------------------------------------


def test_given_and_its_kin_say_whether_there_is_a_value():
    columns = {"a": ["x", None, "y"], "b": ["1", "2", None]}
    assert derive("given", columns, {"of": "a"}) == ["Y", None, "Y"]
    assert derive("not_given", columns, {"of": "a", "then": "NOT DONE"}) == [None, "NOT DONE", None]
    assert derive("all_given", columns, {"of": ["a", "b"]}) == ["Y", None, None]


def test_later_and_on_or_after_compare_dates_as_far_as_they_are_known():
    columns = {"d": ["2014-01-02", "2014-01-01", "2014-01", "2013", None], "r": ["2014-01-02"] * 5}
    assert derive("on_or_after", columns, {"date": "d", "reference": "r"}) == ["Y", "N", "Y", "N", None]
    screened = {"d": ["2014", "2014"], "r": [None, "2014-01-02"]}
    assert derive("on_or_after", screened, {"date": "d", "reference": "r"}) == ["N", "Y"]
    assert derive("later", {"d": ["2014-01-03", "2014-01-02", None], "r": ["2014-01-02"] * 3}, {"date": "d", "than": "r"}) == [
        "Y", None, None,
    ]  # fmt: skip


def test_padded_writes_leading_zeros():
    columns = {"n": [1.0, 12.0, None], "s": ["INCL", "EXCL", "EXCL"]}
    assert derive("padded", columns, {"of": "n", "width": 2, "prefix": "E"}) == ["E01", "E12", None]
    assert derive("padded", columns, {"of": "n", "width": 2, "stem": "s"}) == ["INCL01", "EXCL12", None]


def test_upper_part_of_and_decode_number():
    assert derive("upper", {"t": [" Mild ", None]}, {"of": "t"}) == ["MILD", None]
    assert derive("part_of", {"t": ["701-1015", "x"]}, {"of": "t", "pattern": r"-(\d+)$"}) == ["1015", None]
    study = Study({}, StudyTables(codelists={"first": {"A": "1", "B": "101"}}))
    assert derive("decode_number", {"t": ["B", "C"]}, {"of": "t", "codelist": "first"}, study) == [101.0, None]


def test_text_part_cuts_between_words():
    long = {"t": ["one two three four", "short", None]}
    parts = [derive("text_part", long, {"of": "t", "part": part, "size": 9}) for part in (1, 2, 3)]
    assert parts == [["one two", "short", None], ["three", None, None], ["four", None, None]]


@given(st.text(alphabet=st.sampled_from("ab é"), max_size=60), st.integers(4, 20))
def test_text_part_loses_no_word_and_exceeds_no_size(text, size):
    from exports.sdtm.derive_texts import pieces

    found = pieces(text, size)
    assert all(0 < len(one.encode()) <= size for one in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_quotient_and_rounded_text():
    columns = {"a": [5.13, 1.0, None], "b": [21.0, 0.0, 2.0]}
    assert derive("quotient", columns, {"of": "a", "by": "b"})[1:] == [None, None]
    numbers = {"n": [0.25, 0.2499, -0.25, 2.0, -0.04, None]}
    assert derive("rounded_text", numbers, {"of": "n", "decimals": 1}) == ["0.3", "0.2", "-0.3", "2.0", "0.0", None]
    assert derive("rounded_text", {"n": [2.5]}, {"of": "n", "decimals": 0}) == ["3"]


def test_by_size_tells_the_unit():
    columns = {"h": ["67", "170", None], "l": [100] * 3, "s": ["IN"] * 3, "b": ["cm"] * 3}
    assert derive("by_size", columns, {"of": "h", "limit": "l", "below": "s", "otherwise": "b"}) == ["IN", "cm", None]


def test_years_before_gives_the_same_day():
    assert derive("years_before", {"d": ["2013-12-26"], "y": [63.0]}, {"date": "d", "years": "y"}) == ["1950-12-26"]


def test_instant_is_written_to_the_second():
    moment = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
    assert derive("instant", {"m": [moment, None]}, {"of": "m"}) == ["2026-03-01T09:30:00Z", None]


def test_in_force_gives_the_version_of_the_subject_at_that_time():
    signed = pl.DataFrame(
        {
            "subject_id": ["a", "a", "b"],
            "version": ["1", "2", "2"],
            "at": [datetime(2026, 1, 5, 10, tzinfo=UTC), datetime(2026, 2, 5, 10, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)],
            "state": ["signed"] * 3,
        }
    )  # fmt: skip
    study = Study({"table:consents": signed}, TABLES)
    columns = {
        "subject_id": ["a", "a", "b", "a", "a", "c"],
        "d": ["2026-01-05", "2026-02-04", "2026-01-01", "2026-03-01", None, "2026-03-01"],
    }
    arguments = {"date": "d", "table": "consents", "version": "version", "since": "at", "where": {"state": ["signed"]}}
    assert derive("in_force", columns, arguments, study) == ["1", "1", None, "2", None, None]


def test_last_before_flags_one_row_before_the_reference():
    columns = {
        "subject_id": ["a"] * 5, "test": ["W"] * 4 + ["H"], "r": ["1", "2", "3", "4", None], "n": [1, 2, 3, 4, 5],
        "d": ["2014-01-01", "2014-01-02", "2014-01-02T11:00", "2014-01-03", "2014-01-01"], "ref": ["2014-01-02T10:00"] * 5,
    }  # fmt: skip
    arguments = {"result": "r", "date": "d", "reference": "ref", "within": ["test"], "order": "n"}
    assert derive("last_before", columns, arguments) == [None, "Y", None, None, None]


def test_last_at_visits_flags_the_last_with_a_result():
    columns = {
        "subject_id": ["a"] * 4,
        "t": ["K"] * 4,
        "v": [4, 5, 6, 7],
        "e": ["w2", "w4", "w6", "fu"],
        "r": [1.0, 2.0, None, 4.0],
    }
    arguments = {"result": "r", "order": "v", "visit": "e", "visits": ["w2", "w4", "w6"], "within": ["t"]}
    assert derive("last_at_visits", columns, arguments) == [None, "Y", None, None]


def test_from_domain_and_count_in_look_into_a_dataset():
    made = {"EX": pl.DataFrame({"subject_id": ["a", "a", "b"], "EXSTDTC": ["2014-01-09", "2014-01-02", None]})}
    study = Study({}, TABLES, made)
    columns = {"subject_id": ["a", "b", "c"]}
    arguments = {"domain": "EX", "variable": "EXSTDTC", "take": "min"}
    assert derive("from_domain", columns, arguments, study) == ["2014-01-02", None, None]
    assert derive("count_in", columns, {"domain": "EX", "given": "EXSTDTC"}, study) == ["2", "2", "2"]


# --- the registry ------------------------------------------------------------------------------------------------------


def test_every_derivation_has_a_test_and_a_summary():
    tested = inspect.getsource(inspect.getmodule(test_every_derivation_has_a_test_and_a_summary))
    for name, one in registered().items():
        assert f'"{name}"' in tested, name
        assert one.summary.endswith((".", ")", ",")), name


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("study_dya", {}, "there is no derivation 'study_dya'; there are age,"),
        ("study_day", {"date": "D"}, "study_day needs the argument 'reference'"),
        ("study_day", {"date": "D", "reference": "R", "ref": "R"}, "has no argument 'ref'; it takes date, reference"),
        ("study_day", {"date": 5, "reference": "R"}, "'date' must name a column, not 5"),
        ("sequence", {"by": "VISITNUM"}, "'by' must be a list of columns, not 'VISITNUM'"),
        ("fixed_text", {"of": "V", "decimals": "one"}, "'decimals' is 'one'"),
    ],
)
def test_a_wrong_call_is_told(name, arguments, fault):
    assert any(fault in one for one in argument_faults(name, arguments))


def test_a_statistician_can_add_one_and_cannot_hide_another():
    def shout(of: pl.Expr, times: int = 1) -> pl.Expr:
        """Write a text in capitals, with exclamation marks."""
        return of.str.to_uppercase() + "!" * times

    from exports.sdtm import registry

    try:
        derivation(shout)
        assert derive("shout", {"t": ["ow"]}, {"of": "t", "times": 2}) == ["OW!!"]
        with pytest.raises(ValueError, match="named 'shout' exists already"):
            derivation(shout)
    finally:
        registry._REGISTERED.pop("shout", None)
