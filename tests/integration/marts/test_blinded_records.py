"""What a blinded reader gets of a form that holds blinded values, and of how they changed."""

from datamodel.access.actor import Actor, Membership
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.records import reads as records

DRUG = ("S-1", "base_arm_1", 0, 0)


def seen_by(trial, *, is_unblinded):
    actor = Actor(new_id(), "staff", "Reader", (Membership("small", "data_manager", is_unblinded=is_unblinded),))
    with unit_of_work(trial.url, actor) as unit:
        (one,) = records.instances(unit.session, actor, study="small", participant="S-1", form_name="drug")
        return one, records.field_history(unit.session, actor, study="small", one=one)


def test_a_blinded_value_that_was_emptied_is_in_no_history(trial):
    trial.revise("drug", (*DRUG, "complete", {}))
    one, history = seen_by(trial, is_unblinded=True)
    assert [(change.field, change.old, change.new) for change in history if change.old] == [("arm", "1", "")]
    one, history = seen_by(trial, is_unblinded=False)
    assert history == []
    assert one.values == {}


def test_every_choice_of_a_blinded_checkbox_is_withheld(trial):
    trial.revise("drug", (*DRUG, "complete", {"arm___1": "1", "arm___2": "0", "armour": "leather"}))
    one, history = seen_by(trial, is_unblinded=False)
    assert one.values == {"armour": "leather"}
    assert one.withheld == ("arm",)
    assert {change.field for change in history} == {"armour"}
