"""Branching logic is decided as REDCap decides it, or told as not understood; a required field is asked for when it is shown."""

import polars as pl
import pytest

from datamodel.study.protocol import Choice, Field, Form
from validators.sources.branching import NotUnderstoodError, condition_of
from validators.sources.redcap import KEYS, contract_of

YES_NO = (Choice("1", "Yes"), Choice("0", "No"))
FIELDS = (
    Field("record_id", "Record", "text"),
    Field("sex", "Sex", "choice", choices=YES_NO),
    Field("age", "Age", "integer"),
    Field("weight", "Weight", "number"),
    Field("began", "Began", "date"),
    Field("ended", "Ended", "date"),
    Field("signs", "Signs", "checkbox", choices=(Choice("1", "Rash"), Choice("-2", "Fever"))),
    Field("name", "Name", "text", is_identifier=True),
)
COLUMNS = ("sex", "age", "weight", "began", "ended", "signs___1", "signs____2")
ROW = dict.fromkeys(COLUMNS, "") | {"signs___1": "0", "signs____2": "0"}


def shown(logic, **values):
    found = pl.DataFrame([ROW | values]).select(condition_of(logic, fields=FIELDS, columns=COLUMNS).alias("is"))
    return found.item()


@pytest.mark.parametrize(
    ("logic", "values", "is_shown"),
    [
        ("[sex] = '1'", {"sex": "1"}, True),
        ("[sex] = '1'", {"sex": "0"}, False),
        ("[sex] = '1'", {}, False),
        ('[sex]="1"', {"sex": "1"}, True),
        ("[sex] = 1", {"sex": "1"}, True),
        ("[SEX] = '1'", {"sex": "1"}, True),
        ("'1' = [sex]", {"sex": "1"}, True),
        ("[sex] <> '1'", {"sex": "0"}, True),
        ("[sex] != '1'", {}, True),
        ("[sex] = ''", {}, True),
        ("[sex] <> ''", {}, False),
        ("[weight] = '70'", {"weight": "70.0"}, True),
        ("[age] >= 18", {"age": "18"}, True),
        ("[age] > 18", {"age": "18"}, False),
        ("[age] < 9", {"age": "10"}, False),
        ("[age] < 9", {}, False),
        ("[age] >= 0", {}, False),
        ("[weight] > -1.5", {"weight": "-1"}, True),
        ("[began] > '2026-01-01'", {"began": "2026-01-02"}, True),
        ("[began] > '2026-01-01'", {}, False),
        ("[ended] < [began]", {"began": "2026-01-02", "ended": "2026-01-01"}, True),
        ("[ended] < [began]", {"began": "2026-01-02"}, False),
        ("[signs(1)] = '1'", {"signs___1": "1"}, True),
        ("[signs(-2)] = '1'", {"signs____2": "1"}, True),
        ("[signs(1)] = '0'", {}, True),
        ("[sex] = '1' and [age] > 17", {"sex": "1", "age": "20"}, True),
        ("[sex] = '1' AND [age] > 17", {"sex": "1", "age": "3"}, False),
        ("[sex] = '1' or [age] > 17", {"age": "20"}, True),
        ("[sex]='1' or [sex]='0' and [age]>17", {"sex": "1", "age": "1"}, True),
        ("([sex]='1' or [sex]='0') and [age]>17", {"sex": "1", "age": "1"}, False),
        ("not ([sex] = '1')", {"sex": "0"}, True),
        ("[sex] = '1'\n  and\n  [age] = '3'", {"sex": "1", "age": "3"}, True),
        ("[sex] = 'it is [not] and'", {"sex": "it is [not] and"}, True),
    ],
)
def test_what_is_understood_is_decided(logic, values, is_shown):
    assert shown(logic, **values) is is_shown


@pytest.mark.parametrize(
    ("logic", "why"),
    [
        ("[baseline_arm_1][sex] = '1'", "another event or form"),
        ("[elsewhere] = '1'", "another event or form"),
        ("[event-name] = 'baseline_arm_1'", "another event or form"),
        ("[sex][current-instance] = '1'", "another event or form"),
        ("datediff([began], [ended], 'd') > 3", "calculates"),
        ("[age] + [weight] > 80", "calculates"),
        ("2 * [age] > 80", "calculates"),
        ("round(3.5) = 4", "calculates"),
        ("[sex]", "without comparing"),
        ("[sex] = '1' and [age]", "without comparing"),
        ("[name] = 'x'", "not taken in"),
        ("[sex] = ", "without comparing"),
        ("([sex] = '1'", "not as REDCap writes"),
        ("[sex] = '1' [age] = '2'", "not as REDCap writes"),
        ("[sex] = '1' = '1'", "not as REDCap writes"),
        ("", "not as REDCap writes"),
        ("__import__('os')", "calculates"),
        ("c0", "calculates"),
        ("[sex] = '1' and c7", "calculates"),
    ],
)
def test_what_is_not_understood_is_told_and_never_guessed(logic, why):
    with pytest.raises(NotUnderstoodError, match=why):
        condition_of(logic, fields=FIELDS, columns=COLUMNS)


def test_a_required_field_is_asked_for_when_it_is_shown_on_a_form_that_is_complete():
    form = Form(
        "visit",
        "Visit",
        (
            *FIELDS,
            Field("why", "Why", "text", is_required=True, branching="[sex] = '0'"),
            Field("far", "Far", "text", is_required=True, branching="[base][sex] = '0'"),
            Field("free", "Free", "text", branching="[base][sex] = '0'"),
        ),
    )
    contract = contract_of(form, record_field="record_id", left_out={"name"})
    rows = [
        {"sex": "0", "why": ""},
        {"sex": "0", "why": "because"},
        {"sex": "1", "why": ""},
        {"sex": "0", "why": "", "visit_complete": "1"},
    ]
    blank = dict.fromkeys((*KEYS, contract.complete, *contract.columns), "") | {"@event_repeat": 0, "@form_repeat": 0}
    full = [blank | {"@record": f"R{n}", contract.complete: "2"} | row for n, row in enumerate(rows)]
    frame = pl.DataFrame(full, schema_overrides={"@event_repeat": pl.Int32, "@form_repeat": pl.Int32})
    found = contract.check(frame).findings.to_dicts()
    assert [(one["record"], one["field"], one["rule"]) for one in found] == [("R0", "why", "required_blank")]
    assert contract.undecided == (("far", "looks at another event or form, or uses a smart variable"),)
