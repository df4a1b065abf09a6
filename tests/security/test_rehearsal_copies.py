"""Rehearsal copies: invented data and the consent bypass exist there only, never in production, and every act is told."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime

import psycopg
import pytest
from typer.testing import CliRunner

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.consent import reads as consent
from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.participants import reads as participants
from datamodel.records import reads as records
from datamodel.rehearsal import actions as rehearsals
from datamodel.rehearsal import reads
from datamodel.study import actions as study_actions
from datamodel.study import reads as studies
from datamodel.testdata import actions as testdata
from datamodel.vault.keys import load_key
from metricis.cli import app
from metricis.local import testdata as local
from tests.support import dashboard

UNTIL = date(2026, 9, 1)
AT = datetime(2026, 9, 1, 12, tzinfo=UTC)
COPY = f"{dashboard.STUDY}-uat"
GATED = {"generate": testdata.generate, "set_anchors": testdata.set_anchors, "clear": testdata.clear}


def become(monkeypatch, environment="development", *, dev_mode="true"):
    load_key(settings())  # made on first use, outside production
    monkeypatch.setenv("METRICIS_ENVIRONMENT", environment)
    monkeypatch.setenv("METRICIS_DEV_MODE", dev_mode)
    if environment == "production" and "METRICIS_ROOT_KEY" not in os.environ:
        monkeypatch.setenv("METRICIS_ROOT_KEY", (settings().home / "root.key").read_text())
    settings.cache_clear()


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    become(monkeypatch)
    return dashboard.build(database_url, subjects=4, with_runs=False)


@pytest.fixture
def copied(scene):
    local.copy(dashboard.STUDY, code="")
    return scene


def service(scene):
    with unit_of_work(scene.url, KNOCKING) as unit:
        return access_reads.service_actor(unit.session)


def ordered(scene, act, *, study=COPY, **details):
    with unit_of_work(scene.url, scene.installer) as unit:
        return rehearsals.order(unit, study=study, act=act, **details)


def done(scene, act, order, *, study=COPY, actor=None):
    with unit_of_work(scene.url, actor or service(scene)) as unit:
        return GATED[act](unit, study=study, order=order)


def generate(scene, **more):
    return done(
        scene, "generate", ordered(scene, "generate", **{"participants": 12, "seed": 1, "until": UNTIL, **more})
    )


def counted(owner_url):
    with psycopg.connect(owner_url) as connection:
        return connection.execute(
            "select s.code, (select count(*) from app.participant p where p.study_id = s.id), "
            "(select count(*) from app.form_instance i where i.study_id = s.id and not i.is_removed), "
            "(select count(*) from app.form_revision r join app.form_instance i on i.id = r.instance_id where i.study_id = s.id) "
            "from app.study s order by s.code"
        ).fetchall()


def test_a_copy_has_the_design_the_sites_and_the_people_of_its_study(copied):
    with unit_of_work(copied.url, KNOCKING) as unit:
        again = access_reads.actor(unit.session, copied.actor("owner").id)
    with reading(copied.url, service(copied)) as session:
        of, made = studies.study(session, dashboard.STUDY), studies.study(session, COPY)
        assert studies.design(session, made.id).fingerprint == studies.design(session, of.id).fingerprint
        assert [one.code for one in studies.sites(session, made.id)] == [
            one.code for one in studies.sites(session, of.id)
        ]
        assert (made.title, made.protocol_id) == (f"Rehearsal of {of.title}", f"{of.protocol_id}-UAT")
        assert reads.copy_of(session, made.id) == dashboard.STUDY
        assert reads.copy_of(session, of.id) is None
        assert "Rehearsal copy of cdiscpilot: every participant" in reads.notice(session, made.id, AT)
    assert again.role(COPY) == "owner"


def test_what_is_generated_stands_in_the_copy_and_nowhere_else(copied, owner_url):
    before = {row[0]: row[1:] for row in counted(owner_url)}
    made = generate(copied)
    after = {row[0]: row[1:] for row in counted(owner_url)}
    assert after[dashboard.STUDY] == before[dashboard.STUDY]
    assert after[COPY] == (12, made.revisions, made.revisions)
    assert made.participants == 12
    assert made.revisions > 100
    assert generate(copied, participants=3).participants == 3
    assert counted(owner_url)[1][1] == 15
    with unit_of_work(copied.url, KNOCKING) as unit:
        owner = access_reads.actor(unit.session, copied.actor("owner").id)
    with reading(copied.url, owner) as session:
        people = participants.participants(session, owner, study=COPY)
        grid = records.status_grid(session, owner, study=COPY)
    assert {one.code for one in people} == {f"TEST-{n:04d}" for n in range(1, 16)}
    assert len(grid.cells) > 100


def test_taking_the_data_out_keeps_what_was_there(copied, owner_url):
    made = generate(copied)
    gone = done(copied, "clear", ordered(copied, "clear"))
    assert gone.revisions == made.revisions
    assert counted(owner_url)[1] == (COPY, 12, 0, 2 * made.revisions)
    assert done(copied, "clear", ordered(copied, "clear")).revisions == 0


def test_anchor_dates_are_set_in_bulk(copied, owner_url):
    generate(copied)
    done(copied, "set_anchors", ordered(copied, "set_anchors", on=date(2026, 1, 5)))
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "select distinct p.anchor_on from app.participant p join app.study s on s.id = p.study_id where s.code = %s",
            [COPY],
        ).fetchall()
    assert {row[0] for row in found} - {None} == {date(2026, 1, 5)}


def test_an_order_is_carried_out_once_for_its_own_study_and_act(copied):
    order = ordered(copied, "generate", participants=2, seed=1, until=UNTIL)
    for wrong in (lambda: done(copied, "clear", order), lambda: done(copied, "generate", new_id())):
        with pytest.raises(RefusedError, match="No administrator ordered this"):
            wrong()
    done(copied, "generate", order)
    with pytest.raises(RefusedError, match="carried out already"):
        done(copied, "generate", order)


def test_a_study_that_is_no_copy_takes_no_invented_data_and_keeps_its_gate(copied):
    with pytest.raises(RefusedError, match="not a rehearsal copy"):
        ordered(copied, "generate", study=dashboard.STUDY, participants=2, seed=1, until=UNTIL)
    order = ordered(copied, "generate", participants=2, seed=1, until=UNTIL)
    with pytest.raises(RefusedError, match="not a rehearsal copy"):
        done(copied, "generate", order, study=dashboard.STUDY)
    with unit_of_work(copied.url, copied.installer) as unit, pytest.raises(RefusedError, match="not a rehearsal copy"):
        rehearsals.bypass_consent(unit, study=dashboard.STUDY, is_bypassed=True)
    with (
        unit_of_work(copied.url, copied.installer) as unit,
        pytest.raises(RefusedError, match="a rehearsal copy itself"),
    ):
        rehearsals.open_copy(unit, study=COPY)


@pytest.mark.parametrize(
    "details",
    [
        {"participants": 0, "seed": 1, "until": UNTIL},
        {"participants": 2_001, "seed": 1, "until": UNTIL},
        {"participants": 1, "seed": -1, "until": UNTIL},
        {"participants": 1, "seed": 1},
    ],
)
def test_a_bad_order_is_refused_with_what_is_allowed(copied, details):
    with pytest.raises(BadInputError, match="Nothing was ordered"):
        ordered(copied, "generate", **details)


def test_people_order_and_the_flows_account_writes(copied):
    owner = copied.actor("owner")
    with unit_of_work(copied.url, owner) as unit, pytest.raises(RefusedError, match="Only an administrator"):
        rehearsals.order(unit, study=COPY, act="clear")
    order = ordered(copied, "clear")
    with pytest.raises(RefusedError, match="write form values"):
        done(copied, "clear", order, actor=copied.installer)


def gate(scene, participant_id):
    with reading(scene.url, service(scene)) as session:
        return consent.gate(session, participant_id, at=AT, scope="assessments")


def test_consent_is_bypassed_in_the_copy_alone_and_never_in_production(copied, owner_url, monkeypatch):
    generate(copied)
    with psycopg.connect(owner_url) as connection:
        people = dict(
            connection.execute(
                "select distinct on (s.code) s.code, p.id from app.participant p join app.study s on s.id = p.study_id "
                "order by s.code, p.code"
            ).fetchall()
        )
    invented, real = people[COPY], people[dashboard.STUDY]
    assert gate(copied, invented).code == "consent-not-published"
    local.bypass_consent(COPY, is_bypassed=True)
    assert gate(copied, invented)
    assert not gate(copied, real)
    for environment, dev_mode in (("development", "false"), ("production", "false"), ("production", "true")):
        become(monkeypatch, environment, dev_mode=dev_mode)
        assert not gate(copied, invented), (environment, dev_mode)
    become(monkeypatch)
    local.bypass_consent(COPY, is_bypassed=False)
    assert not gate(copied, invented)


@pytest.mark.parametrize(
    ("environment", "dev_mode"), [("development", "false"), ("production", "false"), ("production", "true")]
)
def test_every_act_is_refused_outside_development_mode(copied, owner_url, monkeypatch, environment, dev_mode):
    order = ordered(copied, "generate", participants=2, seed=1, until=UNTIL)
    clear = ordered(copied, "clear")
    anchors = ordered(copied, "set_anchors", on=UNTIL)
    before = counted(owner_url)
    become(monkeypatch, environment, dev_mode=dev_mode)
    acts = [
        (copied.installer, lambda unit: rehearsals.open_copy(unit, study=dashboard.STUDY, code="another")),
        (copied.installer, lambda unit: rehearsals.bypass_consent(unit, study=COPY, is_bypassed=True)),
        (copied.installer, lambda unit: rehearsals.order(unit, study=COPY, act="clear")),
        (service(copied), lambda unit: rehearsals.adopt_design(unit, study=COPY)),
        (service(copied), lambda unit: testdata.generate(unit, study=COPY, order=order)),
        (service(copied), lambda unit: testdata.set_anchors(unit, study=COPY, order=anchors)),
        (service(copied), lambda unit: testdata.clear(unit, study=COPY, order=clear)),
    ]
    for actor, act in acts:
        with unit_of_work(copied.url, actor) as unit, pytest.raises(RefusedError) as refused:
            act(unit)
        assert refused.value.refusal.code == "development-only"
    assert counted(owner_url) == before


def test_the_ledger_tells_who_ordered_and_what_came_of_it(copied, owner_url):
    generate(copied)
    local.bypass_consent(COPY, is_bypassed=True)
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "select action, actor_name, change->'new' from app.audit_event "
            "where action like 'rehearsal.%' or action like 'testdata.%' order by seq"
        ).fetchall()
    assert [row[0] for row in found] == [
        "rehearsal.open_copy",
        "rehearsal.adopt_design",
        "rehearsal.order",
        "testdata.generate",
        "rehearsal.bypass_consent",
    ]
    order, outcome = found[2], found[3]
    assert order[1] == access_reads.INSTALLER_NAME
    assert order[2] == {"act": "generate", "participants": "12", "seed": "1", "until": "2026-09-01"}
    assert outcome[1] == access_reads.SERVICE_NAME
    assert outcome[2]["participants"] == "12"
    assert found[4][2] == {"is_bypassed": True}


def test_a_copy_follows_its_study(copied):
    with reading(copied.url, service(copied)) as session:
        found = studies.study(session, dashboard.STUDY)
        protocol = studies.design(session, found.id).protocol
    with unit_of_work(copied.url, service(copied)) as unit:
        newer = replace(protocol, record_field="other")
        study_actions.publish_design(unit, study=dashboard.STUDY, protocol=newer)
    said = local.copy(dashboard.STUDY, code="")
    assert said.startswith(f"{COPY} is a rehearsal copy of {dashboard.STUDY}: version 2 of its design, 0 more people")


def test_the_whole_of_it_from_the_command_line(scene):
    runner = CliRunner()

    def run(*words):
        done = runner.invoke(app, ["testdata", *words])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.output

    assert "is a rehearsal copy" in run("copy", dashboard.STUDY)
    assert "4 more invented participants" in run("generate", COPY, "--participants", "4", "--until", "2026-09-01")
    assert "counts from 2026-02-01" in run("anchors", COPY, "--on", "2026-02-01")
    assert "without a signed consent" in run("consent", COPY, "--bypass")
    assert "asks for consent" in run("consent", COPY, "--ask")
    assert f"of {COPY} are removed" in run("clear", COPY)
