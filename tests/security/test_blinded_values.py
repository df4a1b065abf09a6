"""Values of blinded fields are kept from whoever is blinded by PostgreSQL itself, whatever a query asks for, and stay provable."""

import hashlib
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.sealer import Sealer
from datamodel.checkpoints.verify import verify
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import NotFoundError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, sealing, unit_of_work
from datamodel.migrations import run
from datamodel.records import actions as records
from datamodel.records import reads, redaction
from datamodel.records.content import canonical_values
from datamodel.records.digest import DIGESTS
from datamodel.study import actions as study
from datamodel.study import reads as studies
from datamodel.trail import reads as trail
from datamodel.trail.reads import ChangeFilter
from tests.support import dashboard

MARK = "ZQXBLIND"
CODE = dashboard.codes(3)[0]
PLACE = (CODE, "visit_0_arm_1", 0, 0, "complete")
OPEN = {"birth_year": "1950", "sex": "F", "dm_date": "2026-01-05"}
SEEN = "select t::text from app.form_revision t union all select t::text from app.form_blinded t"


@pytest.fixture
def scene(database_url, home):
    made = dashboard.build(database_url, subjects=3, with_runs=False)
    add_unblinded(made)
    revise(made, arm_planned=f"{MARK} one")
    return made


def add_unblinded(scene):
    """Somebody who may see form values and blinded ones; that two people decide so is tested elsewhere."""
    with unit_of_work(scene.url, scene.installer) as unit:
        scene.accounts["unblinded"] = access.create_account(unit, kind="staff", name="Uma Open")
        access.grant(
            unit, account_id=scene.accounts["unblinded"], study=dashboard.STUDY, role="data_manager", is_unblinded=True
        )


def revise(scene, form="dm", **values):
    given = OPEN | values if form == "dm" else values
    with unit_of_work(scene.url, scene.service()) as unit:
        return records.revise_batch(unit, study=dashboard.STUDY, form=form, rows=[(*PLACE, canonical_values(given))])


def seen(scene, name, query=SEEN):
    with reading(scene.url, scene.actor(name)) as session:
        return [str(row) for row in session.execute(text(query))]


def instance(scene, name, form="dm"):
    with reading(scene.url, scene.actor(name)) as session:
        [one] = reads.instances(
            session, scene.actor(name), study=dashboard.STUDY, participant=CODE, form_name=form, event_name=PLACE[1]
        )
        return one


def problems(scene):
    Sealer(scene.url, settings()).seal_once(force=True)
    with sealing(scene.url) as session:
        return verify(session, Record(settings().home), digests=DIGESTS).problems


def blind(scene, *names, unblind=()):
    with unit_of_work(scene.url, scene.actor("manager")) as unit:
        protocol = studies.design(unit.session, studies.study(unit.session, dashboard.STUDY).id).protocol
        forms = tuple(
            replace(
                form,
                fields=tuple(
                    replace(one, is_blinded=(one.is_blinded or one.name in names) and one.name not in unblind)
                    for one in form.fields
                ),
            )
            for form in protocol.forms
        )
        return study.publish_design(unit, study=dashboard.STUDY, protocol=replace(protocol, forms=forms))


BLINDED = [name for name, one in dashboard.PEOPLE.items() if one[1] != "pharmacist"]


@pytest.mark.parametrize("name", BLINDED)
def test_no_query_of_somebody_who_is_blinded_finds_a_blinded_value(scene, name):
    assert not [one for one in seen(scene, name) if MARK in one or "Placebo" in one]
    assert seen(scene, name, "select * from app.form_blinded") == []


def test_who_may_see_it_does_and_somebody_who_is_blinded_is_told_that_it_is_withheld(scene):
    assert [one for one in seen(scene, "unblinded") if MARK in one]
    assert instance(scene, "unblinded").values == OPEN | {"arm_planned": f"{MARK} one"}
    assert instance(scene, "coordinator").values == OPEN
    assert instance(scene, "coordinator").withheld == ("arm_planned",)


def test_that_a_value_is_there_is_not_told_either(scene):
    with_value = instance(scene, "coordinator")
    revise(scene)
    assert "arm_planned" not in instance(scene, "unblinded").values
    without = instance(scene, "coordinator")
    assert (without.values, without.withheld) == (with_value.values, with_value.withheld)


def test_hashes_that_everybody_sees_do_not_tell_which_value_it_is(scene):
    """Whoever knows the open values and the few possible blinded ones tries them all."""
    with reading(scene.url, scene.actor("coordinator")) as session:
        told = session.execute(
            text("select r.content_hash, r.blinded_sha256 from app.form_revision r where r.blinded_sha256 is not null")
        ).all()
    tries = set()
    for arm in (f"{MARK} one", "Placebo"):
        for shown in ({"arm_planned": arm}, {"arm_planned": arm, "": ""}, OPEN | {"arm_planned": arm}):
            for head in ("", "complete|0|", f"complete|0|{canonical_values(OPEN)}|"):
                tries.add(hashlib.sha256(f"{head}{canonical_values(shown)}".encode()).digest())
    assert told
    assert not {bytes(one) for row in told for one in row} & tries


def test_equal_values_make_no_revision_and_another_blinded_value_makes_one(scene):
    again = revise(scene, arm_planned=f"{MARK} one")
    assert (again.unchanged, again.revisions) == (1, 0)
    assert revise(scene, arm_planned=f"{MARK} two").changed == 1
    assert revise(scene, arm_planned=f"{MARK} two").unchanged == 1
    assert revise(scene).changed == 1
    assert revise(scene).unchanged == 1
    assert problems(scene) == ()


def test_history_and_changes_are_whole_for_who_may_see_and_without_it_for_others(scene):
    revise(scene, arm_planned=f"{MARK} two")
    told = {}
    for name in ("manager", "unblinded"):
        actor, one = scene.actor(name), instance(scene, name)
        with reading(scene.url, actor) as session:
            history = reads.field_history(session, actor, study=dashboard.STUDY, one=one)
            page = trail.changes(
                session,
                actor,
                study=dashboard.STUDY,
                asked=ChangeFilter(participant=CODE, form="dm", field="arm_planned"),
            )
        told[name] = (
            [(each.old, each.new) for each in history if each.field == "arm_planned"],
            [(each.old, each.new) for each in page.rows],
        )
    last = (f"{MARK} one", f"{MARK} two")
    assert told["manager"] == ([], [])
    assert [each[0] for each in told["unblinded"]] == [last, last]
    assert not [name for each in told["unblinded"] for pair in each for name in pair if name and len(name) == 32], (
        "no random text"
    )


def test_a_design_that_blinds_a_field_takes_its_values_from_everybody_at_once(scene):
    revise(scene, form="vs", vs_date="2026-01-11", sysbp=f"{MARK} 151")
    assert [one for one in seen(scene, "coordinator") if f"{MARK} 151" in one]
    before = instance(scene, "unblinded", "vs")
    blind(scene, "sysbp")
    assert not [one for one in seen(scene, "coordinator") if MARK in one]
    assert instance(scene, "unblinded", "vs").values == before.values
    assert "sysbp" not in instance(scene, "coordinator", "vs").values
    assert problems(scene) == ()
    assert revise(scene, form="vs", vs_date="2026-01-11", sysbp=f"{MARK} 151").unchanged == 1
    assert revise(scene, form="vs", vs_date="2026-01-12", sysbp=f"{MARK} 151").changed == 1
    assert revise(scene, form="vs", vs_date="2026-01-12", sysbp=f"{MARK} 151").unchanged == 1
    assert problems(scene) == ()


def test_a_second_field_of_a_form_that_is_blinded_later_follows(scene):
    blind(scene, "sex")
    assert instance(scene, "coordinator").values == {name: one for name, one in OPEN.items() if name != "sex"}
    assert instance(scene, "unblinded").values == OPEN | {"arm_planned": f"{MARK} one"}
    assert problems(scene) == ()
    assert revise(scene, arm_planned=f"{MARK} one").unchanged == 1
    assert revise(scene, arm_planned=f"{MARK} two").changed == 1
    assert revise(scene, arm_planned=f"{MARK} two").unchanged == 1
    assert instance(scene, "unblinded").values == OPEN | {"arm_planned": f"{MARK} two"}
    blind(scene, "birth_year")
    assert instance(scene, "coordinator").values == {"dm_date": OPEN["dm_date"]}
    assert problems(scene) == ()


def test_nobody_blinds_without_the_event_or_moves_a_value_back(scene, database_url):
    with reading(scene.url, scene.actor("manager")) as session:
        study_id = session.execute(
            text("select id from app.study where code = :code"), {"code": dashboard.STUDY}
        ).scalar_one()
    for statement in (
        f"select app.blind_fields('{uuid4()}', '{study_id}', '{{sysbp}}')",
        f"select app.move_blinded('{study_id}', '{{sysbp}}', null)",
        "update app.form_blinded set moved = '{}'",
        "delete from app.form_blinded",
    ):
        with (
            pytest.raises(Exception, match=r"only together with an event|permission denied"),
            unit_of_work(database_url, scene.service()) as unit,
        ):
            unit.session.execute(text(statement.replace(":", "\\:")))
    with pytest.raises(RefusedError, match="are blinded"):
        blind(scene, unblind=("arm_planned",))


def redact(scene, name, field, revision):
    with unit_of_work(scene.url, scene.actor(name), reason="a name was typed into it") as unit:
        return redaction.redact(
            unit, study=dashboard.STUDY, instance_id=instance(scene, name).id, revision=revision, field=field
        )


def test_who_is_blinded_takes_an_open_value_out_and_no_blinded_one(scene):
    revision = instance(scene, "manager").revision
    with pytest.raises(NotFoundError, match="has no value in the field"):
        redact(scene, "manager", "arm_planned", revision)
    redact(scene, "manager", "birth_year", revision)
    assert "birth_year" not in instance(scene, "unblinded").values
    assert instance(scene, "unblinded").values["arm_planned"] == f"{MARK} one"
    assert problems(scene) == ()


def test_a_blinded_value_is_taken_out_and_every_proof_holds(scene):
    assert problems(scene) == ()
    redact(scene, "unblinded", "arm_planned", instance(scene, "unblinded").revision)
    assert "arm_planned" not in instance(scene, "unblinded").values
    assert not [one for one in seen(scene, "unblinded") if MARK in one]
    assert problems(scene) == ()
    redact(scene, "unblinded", "birth_year", instance(scene, "unblinded").revision)
    assert instance(scene, "unblinded").values == {name: one for name, one in OPEN.items() if name != "birth_year"}
    assert problems(scene) == ()


def test_after_a_blinded_value_was_taken_out_who_is_blinded_is_told_who_can_take_an_open_one_out(scene):
    redact(scene, "unblinded", "arm_planned", instance(scene, "unblinded").revision)
    with pytest.raises(RefusedError, match="cannot tell what would be left"):
        redact(scene, "manager", "birth_year", instance(scene, "manager").revision)
    assert instance(scene, "manager").values == OPEN
    assert problems(scene) == ()


def test_a_value_that_was_blinded_later_is_taken_out_too(scene):
    blind(scene, "sex")
    assert problems(scene) == ()
    redact(scene, "unblinded", "sex", instance(scene, "unblinded").revision)
    assert "sex" not in instance(scene, "unblinded").values
    assert problems(scene) == ()


ATTACKS = {
    "a blinded value put in the open": (
        "update app.form_revision r set values = (r.values::jsonb || (b.values::jsonb - ''))::json from app.form_blinded b "
        "where b.instance_id = r.instance_id and b.number = r.number"
    ),
    "a blinded value changed": 'update app.form_blinded set values = (values::jsonb || \'{"arm_planned": "Active"}\')::json',
    "a blinded value that was open changed": 'update app.form_blinded set moved = \'{"sysbp": "120"}\'',
    "a blinded value removed": "delete from app.form_blinded",
    "a blinded value shown to another study": f"update app.form_blinded set study_id = '{uuid4()}'",
    "a blinded value given to another participant": (
        "update app.form_blinded set participant_id = (select max(id::text)::uuid from app.participant)"
    ),
    "a blinded value added": (
        "insert into app.form_blinded select r.instance_id, r.number, i.study_id, i.participant_id, '{\"pulse\": \"99\"}', '{}', "
        "r.event_id from app.form_revision r join app.form_instance i on i.id = r.instance_id where i.form_name = 'mh' limit 1"
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_an_owner_alters_of_blinded_values_is_found(scene, server_url, attack):
    assert problems(scene) == ()
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(ATTACKS[attack]).rowcount > 0
    found = problems(scene)
    assert {one.kind for one in found} == {"rows"}
    assert not [one for one in found if MARK in one.detail]


def test_an_installation_of_the_version_before_moves_what_it_kept_in_the_open(
    database_url, server_url, home, monkeypatch
):
    with monkeypatch.context() as patch:  # the version before kept values of every field beside each other
        patch.setattr(studies, "blinded_by_form", lambda *_: {})
        scene = dashboard.build(database_url, subjects=3, with_runs=False)
        add_unblinded(scene)
        revise(scene, arm_planned=f"{MARK} one")
    with psycopg.connect(server_url) as connection:
        [(count,)] = connection.execute("select count(*) from app.form_blinded").fetchall()
        assert count == 0
        connection.execute("drop table app.form_blinded")
        connection.execute("alter table app.form_revision drop column blinded_sha256 cascade")
        connection.execute("drop function app.blind_fields, app.move_blinded")
        connection.execute("update app.alembic_version set version_num = '0018'")
    engine_for(scene.url).dispose()
    run.upgrade(server_url)
    assert not [one for one in seen(scene, "coordinator") if MARK in one]
    assert instance(scene, "coordinator").withheld == ("arm_planned",)
    assert instance(scene, "unblinded").values == OPEN | {"arm_planned": f"{MARK} one"}
    assert problems(scene) == ()
    assert revise(scene, arm_planned=f"{MARK} one").unchanged == 1
    assert revise(scene, arm_planned=f"{MARK} two").changed == 1
    assert problems(scene) == ()
