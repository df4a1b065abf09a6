"""Somebody who may write anything in the database puts in events, roles and addresses: verification tells them from ours."""

import subprocess
import sys

import orjson
import psycopg
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import people
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.audit.canonical import canonical_bytes
from datamodel.connections import actions as connections
from datamodel.connections.mapping import Mapping
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.migrations.schema import METADATA
from datamodel.vault.keys import SecretError
from pipelines.custody.steps import verify_all
from tests.support.capture import STUDY, build


@pytest.fixture
def installed(database_url, sealer_url, home, monkeypatch):
    """An installation with a study, sealed."""
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    monkeypatch.setenv("METRICIS_SEALER_URL", sealer_url)
    settings.cache_clear()
    scene = build(database_url)
    assert verify_all(scene.url).is_ok
    return scene


def test_an_address_past_the_program_is_named_by_verification(installed, server_url):
    with unit_of_work(installed.url, installed.owner) as unit:
        where = {
            "api_url": "http://127.0.0.1:1/api/",
            "token": "0123456789ABCDEF0123456789ABCDEF",
            "mapping": Mapping(),
        }
        connections.connect(unit, study=STUDY, **where)
    assert verify_all(installed.url).is_ok
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update app.redcap_connection set api_url = 'http://127.0.0.2:1/api/'")
    [problem] = verify_all(installed.url).problems
    assert problem.kind == "entrance"
    assert "redcap_connection" in problem.detail


def test_a_process_that_only_verifies_knows_every_stamped_table():
    said = (
        "from pipelines.custody import steps; from datamodel.vault.stamps import stamped_tables; "
        "print(*(one.__tablename__ for one in stamped_tables(steps.METADATA)))"
    )
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    whole = {table.name for table in METADATA.tables.values() if "stamp" in table.columns} - {"audit_event"}
    assert set(found.stdout.split()) == whole
    assert len(whole) == 13


def test_an_event_that_somebody_put_into_the_ledger_is_told_from_ours(installed, server_url):
    with psycopg.connect(server_url) as connection:
        [like] = connection.execute("select * from app.audit_event order by seq desc limit 1").fetchall()
        names = [one.name for one in connection.execute("select * from app.audit_event limit 0").description]
        row = dict(zip(names, like, strict=True))
        event = orjson.loads(bytes(row["body"])) | {"id": str(new_id()), "reason": "as if it had been done"}
        connection.execute(
            "insert into app.audit_event (id, xid, at, study_id, actor_id, actor_kind, actor_name, role, action, subject, "
            "reason, request_id, change, body, stamp) select %s, pg_current_xact_id(), at, study_id, actor_id, actor_kind, "
            "actor_name, role, action, subject, %s, request_id, change, %s, stamp from app.audit_event where id = %s",
            [event["id"], event["reason"], canonical_bytes(event), row["id"]],
        )
    found = verify_all(installed.url)
    assert [(one.kind, one.position) for one in found.problems] == [("stamp", found.checked)]


def test_an_event_of_a_process_without_the_root_key_is_a_notebook_s_or_is_not_written(installed, monkeypatch):
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    settings.cache_clear()
    with unit_of_work(installed.url, installed.owner) as unit:
        ledger.record(unit, "marts.open_snapshot")
    with pytest.raises(SecretError, match="given no root key"), unit_of_work(installed.url, installed.owner) as unit:
        ledger.record(unit, "study.create")
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "development")
    settings.cache_clear()
    assert verify_all(installed.url).is_ok


def test_a_role_that_was_written_for_a_moment_shows_in_what_was_done_in_it(installed, server_url):
    with unit_of_work(installed.url, installed.installer) as unit:
        mallory = access.create_account(unit, kind="staff", name="Mallory Quist")
        study = unit.session.execute(text("select id from app.study")).scalar_one()

    def written(statement, *given):
        with psycopg.connect(server_url) as connection:
            connection.execute("set session_replication_role = replica")
            assert connection.execute(statement, given).rowcount == 1

    written(
        "insert into app.membership (id, account_id, study_id, role, is_unblinded, created_at) values "
        "(gen_random_uuid(), %s, %s, 'owner', true, now())",
        mallory,
        study,
    )
    with unit_of_work(installed.url, KNOCKING) as unit:
        actor = access_reads.actor(unit.session, mallory)
    with unit_of_work(installed.url, actor) as unit:
        ledger.record(unit, "test.act", study_id=study, role=actor.role(STUDY))
    written("delete from app.membership where account_id = %s", mallory)
    [problem] = verify_all(installed.url).problems
    assert (problem.study, problem.kind) == (STUDY, "rows")
    assert "acted as owner" in problem.detail


def test_an_act_that_began_before_its_role_ended_is_no_stranger_s(installed):
    with unit_of_work(installed.url, installed.installer) as unit:
        account = access.create_account(unit, kind="staff", name="Rosa Lind")
    with unit_of_work(installed.url, installed.owner, reason="As agreed.") as unit:
        access.grant(unit, account_id=account, study=STUDY, role="monitor")
    with unit_of_work(installed.url, KNOCKING) as unit:
        actor = access_reads.actor(unit.session, account)
    with unit_of_work(installed.url, installed.owner, reason="As agreed.") as unit:
        people.end_role(unit, account_id=account, study=STUDY)
        study = unit.session.execute(text("select id from app.study")).scalar_one()
    with unit_of_work(installed.url, actor) as unit:
        ledger.record(unit, "test.act", study_id=study, role=actor.role(STUDY))
    assert verify_all(installed.url).is_ok
