"""Rules on value-level metadata: values are tested under the where clauses of the Define, and what cannot be tested is told."""

import re

import polars as pl
import pytest

from tests.support.rules import condition, dataset, hits, results, rule
from validators.conformance.define import Comparison, facts
from validators.conformance.levels import VALUE_LEVEL, compared
from validators.library.define import (
    CodedTerm,
    Condition,
    Define,
    DefineCodelist,
    Item,
    Ref,
    Table,
    ValueList,
    WhereClause,
)
from validators.operators.table import UnsupportedError

CODE, SEX, RESULT = "IT.VS.VSTESTCD", "IT.DM.SEX", "IT.VS.VSORRES"
VS = dataset(
    "VS",
    DOMAIN=["VS"] * 6,
    USUBJID=["1"] * 6,
    VSTESTCD=["HR", "HR", "TEMP", "BODY", "BODY", "OTHER"],
    VSORRES=["72", "seventy", "36.65", "SUPINE", "FLYING", "never looked at"],
)


def define(*levels, items=(), clauses=(), codelists=()):
    """A Define with DM and VS, whose VSORRES has these levels."""
    own = (Item(CODE, "VSTESTCD", "text"), Item(RESULT, "VSORRES", "text", length=20, value_list="VL.1"))
    return facts(
        Define(
            *("F", "2026-01-01T00:00:00Z", "S", "S", "S", "S", "M", "M"),
            tables=(
                Table("IG.DM", "DM", "Demographics", (Ref(SEX, 1),)),
                Table("IG.VS", "VS", "Vital Signs", (Ref(CODE, 1), Ref(RESULT, 2))),
            ),
            items=(*own, Item(SEX, "SEX", "text"), *items),
            value_lists=(ValueList("VL.1", levels),),
            where_clauses=clauses,
            codelists=codelists,
        )
    )


def clause(name, *conditions):
    return WhereClause(f"WC.{name}", tuple(Condition(*one) for one in conditions))


def level(name, *, where=(), **more):
    return Ref(f"{RESULT}.{name}", where=tuple(where or [f"WC.{name}"]), **more)


WHOLE = define(
    level("HR", is_mandatory=True),
    level("TEMP"),
    level("BODY"),
    items=(
        Item(f"{RESULT}.HR", "VSORRES", "integer", "Rate", 3),
        Item(f"{RESULT}.TEMP", "VSORRES", "float", "Temperature", 3, 1),
        Item(f"{RESULT}.BODY", "VSORRES", "text", "Position", 8, codelist="CL.1"),
    ),
    clauses=(
        clause("HR", (CODE, "EQ", ("HR",))),
        clause("TEMP", (CODE, "IN", ("TEMP", "TEMPX"))),
        clause("BODY", (CODE, "NOTIN", ("HR", "TEMP")), (CODE, "NE", ("OTHER",))),
    ),
    codelists=(DefineCodelist("CL.1", "Position", terms=(CodedTerm("SUPINE"), CodedTerm("SITTING"))),),
)


def check(*conditions, **more):
    return rule(*conditions, Rule_Type=VALUE_LEVEL, **more)


def test_a_value_is_of_the_type_that_it_has_under_its_clause():
    assert hits(check(condition("type_check", "equal_to", value=False)), VS, define=WHOLE) == [("VS", 2)]


def test_a_value_is_no_longer_than_under_its_clause():
    one = check(condition("variable_value_length", "greater_than", "define_vlm_length"))
    assert hits(one, VS, define=WHOLE) == [("VS", 3)]
    assert hits(check(condition("length_check", "equal_to", value=False)), VS, define=WHOLE) == [("VS", 3)]


def test_a_value_is_of_the_codelist_under_its_clause():
    one = check(
        condition("define_vlm_has_codelist", "equal_to", value=True),
        condition("variable_value", "is_not_contained_by", "define_vlm_codelist_coded_values"),
    )
    assert hits(one, VS, define=WHOLE) == [("VS", 5)]
    [result] = results(one, VS, define=WHOLE)
    assert dict(zip(*result.findings.select("variables", "values").row(0), strict=True))["variable_value"] == "FLYING"


def test_the_same_value_counts_only_where_its_clause_holds():
    twice = dataset("VS", VSTESTCD=["HR", "BODY", "HR"], VSORRES=["SUPINE", "SUPINE", ""])
    assert hits(check(condition("type_check", "equal_to", value=False)), twice, define=WHOLE) == [("VS", 1)]
    missing = check(condition("variable_value", "empty"), condition("define_vlm_mandatory", "equal_to", "Yes"))
    assert hits(missing, twice, define=WHOLE) == [("VS", 3)]


def test_any_of_several_clauses_will_do():
    both = define(
        level("X", where=["WC.HR", "WC.TEMP"]),
        items=(Item(f"{RESULT}.X", "VSORRES", "integer"),),
        clauses=(clause("HR", (CODE, "EQ", ("HR",))), clause("TEMP", (CODE, "EQ", ("TEMP",)))),
    )
    assert hits(check(condition("type_check", "equal_to", value=False)), VS, define=both) == [("VS", 2), ("VS", 3)]


@pytest.mark.parametrize(
    ("known", "status", "told"),
    [
        (None, "skipped", "needs a Define-XML"),
        (define(), "skipped", "no value-level metadata of variables of VS"),
        (define(level("HR")), "skipped", r"names the where clause WC\.HR, which the Define-XML does not define"),
        (
            define(level("HR"), clauses=(clause("HR", (CODE, "EQ", ("HR",))),)),
            "skipped",
            r"names the item IT\.VS\.VSORRES\.HR, which",
        ),
        (
            define(
                level("HR"),
                items=(Item(f"{RESULT}.HR", "VSORRES", "integer"),),
                clauses=(clause("HR", (SEX, "EQ", ("F",))),),
            ),
            "skipped",
            "is on SEX of DM, which is not there",
        ),
        (
            define(
                level("HR"),
                items=(Item(f"{RESULT}.HR", "VSORRES", "integer"),),
                clauses=(clause("HR", (CODE, "LIKE", ("F",))),),
            ),
            "unsupported",
            "compares by “LIKE”",
        ),
    ],
)
def test_what_cannot_be_tested_is_never_a_silent_pass(known, status, told):
    [one] = results(check(condition("type_check", "equal_to", value=False)), VS, define=known)
    assert one.status == status
    assert one.count == 0
    assert re.search(told, one.reason), one.reason


OF_SEX = define(
    level("F"),
    items=(Item(f"{RESULT}.F", "VSORRES", "integer"),),
    clauses=(clause("F", (CODE, "EQ", ("HR",)), (SEX, "EQ", ("F",))),),
)


def test_a_clause_on_another_dataset_is_about_the_record_s_subject():
    vs = dataset("VS", USUBJID=["1", "2", "3", "1"], VSTESTCD=["HR", "HR", "HR", "X"], VSORRES=["a", "b", "c", "d"])
    one = check(condition("type_check", "equal_to", value=False))
    dm = dataset("DM", USUBJID=["2", "1"], SEX=["M", "F"])
    assert [hit for hit in hits(one, vs, dm, define=OF_SEX) if hit[0] == "VS"] == [("VS", 1)]
    twice = dataset("DM", USUBJID=["1", "1"], SEX=["M", "F"])
    [result] = [found for found in results(one, vs, twice, define=OF_SEX) if found.dataset == "VS"]
    assert result.status == "unsupported"
    assert "several records of a subject" in result.reason


@pytest.mark.parametrize(
    ("comparator", "wanted", "expected"),
    [
        ("EQ", ["1.0"], [True, False, False]),
        ("NE", ["1"], [False, True, True]),
        ("NE", [""], [True, True, False]),
        ("GE", ["1"], [True, True, False]),
        ("LT", ["2"], [True, False, False]),
        ("NOTIN", ["2", "3"], [True, False, True]),
    ],
)
def test_numbers_are_compared_by_value_and_what_is_missing_meets_no_limit(comparator, wanted, expected):
    values, texts = pl.Series([1.0, 2.0, None]), pl.Series(["1", "2", ""])
    assert compared(values, texts, Comparison("VS", "VSSEQ", comparator, tuple(wanted))).to_list() == expected


def test_dates_are_compared_by_their_letters_and_an_unknown_comparison_is_told():
    days = pl.Series(["2026-01-05", "2026-02", ""])
    assert compared(days, days, Comparison("VS", "VSDTC", "GT", ("2026-01-31",))).to_list() == [False, True, False]
    with pytest.raises(UnsupportedError, match="EQ, NE, IN, NOTIN, LT, LE, GT, GE"):
        compared(days, days, Comparison("VS", "VSDTC", "~", ("x",)))


def test_a_dataset_that_the_define_does_not_have_is_a_skip_for_checks_of_its_values():
    one = rule(condition("variable_value", "empty"), Rule_Type="Value Check against Define XML Variable")
    [result] = results(one, dataset("CM", CMTRT=["x"]), define=WHOLE)
    assert (result.status, result.count) == ("skipped", 0)
    assert "does not have variables of the dataset CM" in result.reason
