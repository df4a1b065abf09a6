"""From REDCap's dictionary to the design, from its rows to instances and to facts of participants."""

from datetime import date

import polars as pl
import pytest

from datamodel.connections.mapping import Mapping, Place, StatusRule
from datamodel.kernel.errors import BadInputError, FaultError
from datamodel.participants.facts import Facts, difference
from datamodel.study.protocol import Choice
from pipelines.ingest.design import Structure, choices_of, identifiers, protocol_of
from pipelines.ingest.facts import facts_of, site_names
from pipelines.ingest.shape import instances_of
from pipelines.ingest.units import unit_of
from validators.sources.redcap import contract_of

_KEYS = (
    "field_name", "form_name", "field_type", "field_label", "select_choices_or_calculations", "field_note",
    "text_validation_type_or_show_slider_number", "text_validation_min", "text_validation_max", "identifier",
    "branching_logic", "required_field", "section_header",
)  # fmt: skip


def field(name, form="visit", kind="text", **more):
    return (
        dict.fromkeys(_KEYS, "")
        | {"field_name": name, "form_name": form, "field_type": kind, "field_label": name}
        | more
    )


def text(name, validation, **more):
    return field(name, text_validation_type_or_show_slider_number=validation, **more)


def structure():
    return Structure(
        project={"is_longitudinal": 1, "missing_data_codes": "ND, Not done"},
        metadata=[
            field("record_id"),
            field("surname", identifier="y"),
            field("sex", kind="radio", select_choices_or_calculations="1, Male | 2, Female", required_field="y"),
            field("ok", kind="yesno"),
            field("arm", kind="dropdown", select_choices_or_calculations="A, Active | P, Placebo"),
            text("sysbp", "number", field_note="mmHg", text_validation_min="60", text_validation_max="250"),
            text("n", "integer"),
            text("day", "date_dmy", text_validation_min="2020-01-01", text_validation_max="today"),
            text("at", "datetime_ymd"),
            text("clock", "time"),
            field("syms", kind="checkbox", select_choices_or_calculations="1, Headache | A-2, Nausea"),
            field("total", kind="calc"),
            field("hint", kind="descriptive"),
            field("words", kind="notes"),
            field("ae_term", form="ae"),
        ],
        instruments=[
            {"instrument_name": "visit", "instrument_label": "Visit"},
            {"instrument_name": "ae", "instrument_label": "Adverse events"},
        ],
        arms=[{"arm_num": 1, "name": "All"}],
        events=[
            {
                "event_name": "Baseline",
                "arm_num": 1,
                "unique_event_name": "baseline_arm_1",
                "day_offset": 1,
                "offset_min": 2,
                "offset_max": 3,
            },
            {"event_name": "Logs", "arm_num": 1, "unique_event_name": "logs_arm_1", "day_offset": 999},
        ],
        mappings=[
            {"arm_num": 1, "unique_event_name": "baseline_arm_1", "form": "visit"},
            {"arm_num": 1, "unique_event_name": "logs_arm_1", "form": "ae"},
        ],
        repeating=[{"event_name": "logs_arm_1", "form_name": "ae", "custom_form_label": ""}],
    )


def test_choices_keep_commas_in_labels_and_drop_markup():
    assert choices_of("1, Yes | 2, No, <b>never</b>\n-9, Not&nbsp;known |") == (
        Choice("1", "Yes"),
        Choice("2", "No, never"),
        Choice("-9", "Not known"),
    )


@pytest.mark.parametrize(
    ("note", "unit"),
    [
        ("mmHg", "mmHg"),
        ("beats/min", "beats/min"),
        ("Unit: mg/dL", "mg/dL"),
        ("(kg)", "kg"),
        ("10^9/L", "10^9/L"),
        ("%", "%"),
        ("years; asked after screening", ""),
        ("0-70", ""),
        ("As the site wrote it", ""),
        ("", ""),
    ],
)
def test_a_note_is_a_unit_only_when_each_part_is_one(note, unit):
    assert unit_of(note) == unit


def test_the_dictionary_becomes_the_design():
    protocol = protocol_of(structure(), mapping=Mapping(arm=Place("visit", "arm"), unplanned_events=("logs_arm_1",)))
    assert protocol.record_field == "record_id"
    fields = {field.name: field for form in protocol.forms for field in form.fields}
    assert [
        (name, fields[name].kind) for name in ("sex", "ok", "sysbp", "n", "day", "at", "clock", "syms", "total")
    ] == [
        ("sex", "choice"),
        ("ok", "yesno"),
        ("sysbp", "number"),
        ("n", "integer"),
        ("day", "date"),
        ("at", "datetime"),
        ("clock", "time"),
        ("syms", "checkbox"),
        ("total", "calc"),
    ]
    assert fields["sysbp"].unit == "mmHg"
    assert (fields["sysbp"].minimum, fields["sysbp"].maximum) == ("60", "250")
    assert fields["arm"].is_blinded
    assert not fields["sex"].is_blinded
    assert identifiers(protocol) == {"surname"}
    baseline, logs = protocol.events
    assert (baseline.day, baseline.days_before, baseline.days_after, baseline.forms) == (1, 2, 3, ("visit",))
    assert (logs.day, logs.repeating_forms) == (None, ("ae",))
    assert protocol.missing_codes == (Choice("ND", "Not done"),)


def test_a_project_without_events_has_one_nameless_event():
    found = structure()
    classic = Structure(found.project, found.metadata, found.instruments, [], [], [], [{"form_name": "ae"}])
    (event,) = protocol_of(classic).events
    assert (event.name, event.forms, event.repeating_forms) == ("", ("visit", "ae"), ("ae",))


def test_an_empty_dictionary_is_refused_with_what_to_do():
    with pytest.raises(BadInputError, match="Add a form in REDCap"):
        protocol_of(Structure({}, [], [], [], [], [], []))


PROTOCOL = protocol_of(structure())
LEFT_OUT = identifiers(PROTOCOL)


def contract(form):
    return contract_of(PROTOCOL.form(form), record_field="record_id", left_out=LEFT_OUT)


def block(form, *rows):
    one = contract(form)
    names = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", *one.columns]
    blank = dict.fromkeys([*names, *(["surname"] if form == "visit" else []), one.complete], "")
    return pl.DataFrame([blank | row for row in rows])


def shaped(form, raw):
    return instances_of(raw, contract(form), protocol=PROTOCOL, left_out=LEFT_OUT)


def test_rows_that_nobody_filled_are_no_instances():
    raw = block(
        "visit",
        {"record_id": "1", "redcap_event_name": "baseline_arm_1", "visit_complete": "2", "sex": "1", "surname": "Doe"},
        {"record_id": "2", "redcap_event_name": "baseline_arm_1", "syms___1": "0", "syms___a_2": "0"},
        {"record_id": "3", "redcap_event_name": "baseline_arm_1", "syms___1": "1"},
        {
            "record_id": "1",
            "redcap_event_name": "logs_arm_1",
            "redcap_repeat_instrument": "ae",
            "redcap_repeat_instance": "1",
        },
    )
    frame = shaped("visit", raw)
    assert frame["@record"].to_list() == ["1", "3"]
    assert "surname" not in frame.columns


def test_a_repeating_form_keeps_its_numbers():
    lead = {"record_id": "1", "redcap_event_name": "logs_arm_1", "redcap_repeat_instrument": "ae", "ae_complete": "2"}
    frame = shaped("ae", block("ae", *({**lead, "redcap_repeat_instance": n, "ae_term": "x"} for n in ("1", "7"))))
    assert frame.select("@event_repeat", "@form_repeat").rows() == [(0, 1), (0, 7)]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda raw: raw.drop("sex"), "the column sex of the form visit is no longer there"),
        (lambda raw: raw.with_columns(extra=pl.lit("")), "new column extra"),
        (lambda raw: raw.with_columns(redcap_event_name=pl.lit("week_99_arm_1")), "week_99_arm_1"),
    ],
)
def test_a_project_that_is_no_longer_the_design_is_named(spoil, says):
    raw = block("visit", {"record_id": "1", "redcap_event_name": "baseline_arm_1", "visit_complete": "2"})
    with pytest.raises(FaultError, match=says):
        shaped("visit", spoil(raw))


def test_facts_are_read_where_the_mapping_points():
    raw = pl.DataFrame(
        {
            "record_id": ["1", "1", "2"],
            "redcap_event_name": ["baseline_arm_1", "logs_arm_1", "baseline_arm_1"],
            "redcap_data_access_group": ["", "", "north"],
            "arm": ["A", "", ""],
            "day": ["2026-01-05", "2026-03-01", "not a day"],
            "sex": ["", "2", ""],
        }
    )
    mapping = Mapping(
        arm=Place("visit", "arm"),
        enrolled_on=Place("visit", "day", "baseline_arm_1"),
        status=(StatusRule(Place("visit", "sex", "logs_arm_1"), ("2",), "withdrawn", "day"),),
    )
    first, second, third = facts_of(raw, ["1", "2", "3"], mapping=mapping, protocol=PROTOCOL)
    assert first == Facts(
        code="1",
        status="withdrawn",
        status_on=date(2026, 3, 1),
        enrolled_on=date(2026, 1, 5),
        anchor_on=date(2026, 1, 5),
        arm_code="A",
        arm_label="Active",
    )
    assert (second.site, second.status, second.enrolled_on) == ("north", "screened", None)
    assert third == Facts(code="3")
    assert site_names([second], mapping=mapping, protocol=PROTOCOL, groups={"north": "North"}) == {"north": "North"}


def test_only_what_differs_is_changed():
    old = {"1": Facts("1", site="a"), "2": Facts("2", arm_code="A", arm_label="Active")}
    found = difference(old, [Facts("1", site="b"), Facts("2"), Facts("3", status="enrolled")])
    assert [one.code for one in found.new] == ["3"]
    assert [one.code for one in found.changed] == ["1"]
    assert [one.code for one in found.status_changed] == ["3"]
    assert found.arm_changed == ()
    assert difference(old, list(old.values())).is_empty


def test_the_mapping_survives_its_document():
    mapping = Mapping(
        site=Place("visit", "site"),
        status=(StatusRule(Place("v", "s"), ("1",), "completed", "d"),),
        blinded_fields=("x",),
    )
    assert Mapping.from_document(mapping.as_document()) == mapping
