import pytest

from apps.shell.places import places
from datamodel.kernel.errors import NotFoundError
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol

BOXES = Field("race", "Race", "checkbox", choices=(Choice("1", "White"), Choice("2", "Asian")))
FORMS = (Form("vs", "Vital signs", (Field("sysbp", "Systolic", "number"), BOXES)), Form("vs2", "Vital signs", ()))


def protocol(*arms):
    events = tuple(Event(f"w2_arm_{arm}", "Week 2", arm, n, 14, 1, 1, ("vs",)) for n, arm in enumerate(arms))
    return Protocol("record_id", tuple(Choice(arm, f"Group {arm}") for arm in arms), events, FORMS)


def test_addresses_hold_labels_and_lead_back():
    words = places(protocol("1"))
    assert words.href("demo", "701-1", "w2_arm_1", "vs") == "/app/demo/participants/701-1/week-2/vital-signs"
    assert words.event_named("week-2").name == "w2_arm_1"
    assert words.form_named("vital-signs-2").name == "vs2"


def test_arms_tell_events_of_the_same_name_apart():
    words = places(protocol("1", "2"))
    assert words.event_label("w2_arm_2") == "Week 2 (Group 2)"
    assert words.event_named("week-2-group-2").name == "w2_arm_2"


def test_a_study_without_events_has_one_place():
    words = places(protocol())
    assert words.href("demo", "1", "", "vs").endswith("/record/vital-signs")
    assert words.event_named("record") is None


def test_what_the_design_does_not_have_is_not_found():
    words = places(protocol("1"))
    with pytest.raises(NotFoundError):
        words.event_named("week-3")
    with pytest.raises(NotFoundError):
        words.form_named("secret")


def test_a_part_of_a_check_box_goes_by_its_field_s_label():
    assert places(protocol("1")).field_label("vs", "race___2") == "Race"
