"""The definition is whole, the README says what it says, and the project XML carries it."""

import re

import pytest
from lxml import etree
from pydantic import ValidationError

from simulators.cdiscpilot import project_xml
from simulators.cdiscpilot.dictionary import Form, export_columns, project
from simulators.cdiscpilot.odm import ODM, REDCAP
from simulators.cdiscpilot.readme import README, render


def test_readme_is_what_the_definition_generates():
    assert README.read_text(encoding="utf-8") == render(), "run: python -m simulators.cdiscpilot.readme"


def test_field_names_are_legal_and_unique_over_the_whole_project():
    names = [field.name for form in project().forms for field in form.fields]
    names += [f"{form.form}_complete" for form in project().forms]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name)] == []


def test_every_choice_field_names_a_code_list_and_every_list_is_used():
    used = {field.choices for form in project().forms for field in form.fields if field.choices}
    assert used == set(project().codelists)
    with_codes = {"radio", "dropdown", "checkbox", "yesno"}
    wrong = [f.name for form in project().forms for f in form.fields if (f.type in with_codes) != bool(f.choices)]
    assert wrong == []


def test_codes_are_unique_and_no_choice_is_sdtms_own_word():
    for name, choices in project().codelists.items():
        assert len({choice.code for choice in choices}) == len(choices), name
        sdtm = [choice.sdtm for choice in choices if choice.sdtm is not None]
        assert len(set(sdtm)) == len(sdtm), name
    # The mapping to SDTM has real work to do: what is typed for these is never SDTM's value.
    for name in ("sex", "race", "treatment_arm", "severity", "route", "lb_test", "ds_reason"):
        assert not {c.code for c in project().codelists[name]} & {c.sdtm for c in project().codelists[name]}, name


def test_events_of_forms_exist_and_branching_names_fields_that_exist():
    events = {event.event for event in project().events}
    fields = {field.name for form in project().forms for field in form.fields}
    for form in project().forms:
        assert set(form.events) <= events, form.form
        assert set(form.repeats_in) <= set(form.events), form.form
        for field in form.fields:
            named = set(re.findall(r"\[([a-z0-9_-]+)\]", f"{field.branch or ''}{field.calc or ''}")) - {"event-name"}
            assert named <= fields, field.name


def test_event_names_are_what_redcap_makes_of_their_labels():
    for event in project().events:
        made = re.sub(r"[^a-z0-9_]", "", event.name.lower().replace(" ", "_"))[:18]
        assert event.event == f"{made}_arm_1"


def test_an_unknown_key_in_a_form_is_refused():
    good = project().forms[0].model_dump(by_alias=True)
    with pytest.raises(ValidationError, match="colour"):
        Form(**good, colour="red")


def test_xml_holds_every_form_event_field_and_code():
    root = etree.fromstring(project_xml())
    names = {"o": ODM}
    variable = f"{{{REDCAP}}}Variable"
    assert [node.get("OID") for node in root.iterfind(".//o:FormDef", names)] == [
        f"Form.{form.form}" for form in project().forms
    ]
    assert len(root.findall(".//o:StudyEventDef", names)) == len(project().events) == 22
    items = [node.get("OID") for node in root.iterfind(".//o:ItemDef", names)]
    assert len(items) == len(set(items))
    expected = {name for form in project().forms for name in export_columns(form)}
    assert set(items) == expected
    assert [node.get("ItemOID") for node in root.iterfind(".//o:ItemRef", names)] == items_in_form_order()
    lists = {node.get("OID") for node in root.iterfind(".//o:CodeList", names)}
    refs = {node.get("CodeListOID") for node in root.iterfind(".//o:CodeListRef", names)}
    assert lists == refs
    flags = root.find(".//o:CodeList[@OID='lb_flag.choices']", names)
    assert [item.get("CodedValue") for item in flags] == ["N", "L", "H", "A"]
    assert flags.get(variable) == "lb_flag"


def items_in_form_order():
    return [name for form in project().forms for name in export_columns(form)]


def test_the_simulator_reads_the_xml_as_it_was_meant():
    reader = pytest.importorskip("simulators.redcap.project_xml.reader")
    numbers = iter(range(1, 10_000))
    doc = reader.read_project(reader.read_root(project_xml().decode()), lambda: next(numbers))
    by_name = {row["field_name"]: row for row in doc["fields"]}
    assert [name for name, _ in doc["forms"]] == [form.form for form in project().forms]
    assert list(by_name) == [field.name for form in project().forms for field in form.fields]
    for form in project().forms:
        for field in form.fields:
            row = by_name[field.name]
            assert row["form_name"] == form.form
            assert row["field_type"] == field.type
            assert row["field_label"] == field.label
            assert row["text_validation_type_or_show_slider_number"] == (field.validation or "")
            assert row["text_validation_min"] == (field.min or "")
            assert row["text_validation_max"] == (field.max or "")
            assert row["branching_logic"] == (field.branch or "")
            assert row["required_field"] == ("y" if field.required else "")
            if field.calc:
                assert row["select_choices_or_calculations"] == field.calc
            elif field.choices and field.type != "yesno":
                shown = " | ".join(f"{choice.code}, {choice.label}" for choice in project().choices(field))
                assert row["select_choices_or_calculations"] == shown
    mapping = {
        (event.event, form.form) for event in project().events for form in project().forms if event.event in form.events
    }
    unique = {event["id"]: event["unique"] for event in doc["events"]}
    assert {(unique[event], form) for event, form in doc["mapping"]} == mapping
    repeating = {(event, form.form, form.instance_label) for form in project().forms for event in form.repeats_in}
    assert {(unique[event], form, label) for event, form, label in doc["repeating"]} == repeating
