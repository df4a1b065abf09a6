"""A field that holds blinded data stays blinded, whoever writes the design."""

from dataclasses import replace

import pytest

from datamodel.kernel.errors import RefusedError
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.records import reads as records
from datamodel.study import actions as study
from datamodel.study import reads as studies
from tests.support import dashboard


def changed(protocol, change):
    """Return the design with every field passed through `change`; a field of which nothing comes is left out."""
    forms = [
        replace(form, fields=tuple(new for one in form.fields if (new := change(one)) is not None))
        for form in protocol.forms
    ]
    return replace(protocol, forms=tuple(forms))


@pytest.fixture
def scene(database_url, home):
    return dashboard.build(database_url, subjects=2, with_runs=False)


def first(scene, name="coordinator"):
    """Return the first form with values as somebody sees it, and the name of one of its fields."""
    with reading(scene.url, scene.actor(name)) as session:
        return records.instances(session, scene.actor(name), study=dashboard.STUDY, participant=dashboard.codes(2)[0])[
            0
        ]


def publish(scene, change):
    with unit_of_work(scene.url, scene.actor("manager")) as unit:
        design = studies.design(unit.session, studies.study(unit.session, dashboard.STUDY).id)
        return study.publish_design(unit, study=dashboard.STUDY, protocol=changed(design.protocol, change))


def test_one_person_opens_no_blinded_field_by_a_new_design(scene):
    name = next(iter(first(scene).values))
    publish(scene, lambda one: replace(one, is_blinded=True) if one.name == name else one)
    assert name not in first(scene).values
    with pytest.raises(RefusedError, match=f"the values of .*{name}, which are blinded"):
        publish(scene, lambda one: replace(one, is_blinded=False))
    assert name not in first(scene).values


def test_a_blinded_field_that_was_taken_out_of_the_design_is_not_shown_and_does_not_come_back_open(scene):
    name = next(iter(first(scene).values))
    publish(scene, lambda one: replace(one, is_blinded=True) if one.name == name else one)
    kept = []
    publish(scene, lambda one: kept.append(one) if one.name == name else one)
    assert name not in first(scene).values
    with reading(scene.url, scene.actor("coordinator")) as session:
        one = first(scene)
        changes = records.field_history(session, scene.actor("coordinator"), study=dashboard.STUDY, one=one)
    assert name not in {change.field for change in changes}
    fields = iter(kept)

    def back(one):
        return replace(next(fields, one), name=name, is_blinded=False) if one.name != name else one

    with pytest.raises(RefusedError, match="are blinded"):
        publish(scene, back)
