"""An owner changes what the ledger is about: values, whom they belong to, when, rights, texts, and the guards themselves."""

import re
from contextlib import contextmanager
from uuid import uuid4

import orjson
import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from datamodel.access import actions as access
from datamodel.audit.canonical import canonical_bytes
from datamodel.checkpoints import rows
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.sealer import Sealer
from datamodel.checkpoints.verify import verify
from datamodel.consent import actions as consent
from datamodel.kernel.database import engine_for
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.migrations import guarded
from datamodel.migrations.roles import Roles
from datamodel.records.digest import DIGESTS
from pipelines.custody.steps import STATES
from tests.conftest import _PASSWORD
from tests.support import dashboard

INSTANCES = "(select id from app.form_instance where form_name = 'vs' order by id limit 1)"
#: what is done, and the kind of thing that must be told
ATTACKS = {
    "a revision slipped in under another event": (
        'insert into app.form_revision select instance_id, number + 1, \'{"PULSE": "99"}\'::json, status, is_removed, '
        "content_hash, source, recorded_at, (select id from app.audit_event where action = 'study.publish_design' limit 1) "
        f"from app.form_revision where instance_id = {INSTANCES} order by number desc limit 1"
    ),
    "a value dated back": (
        f"update app.form_revision set recorded_at = recorded_at - interval '30 days' where instance_id = {INSTANCES}"
    ),
    "an earlier revision put in front": f"update app.form_instance set revision = revision - 1 where id = {INSTANCES}",
    "a form given to another participant": (
        "update app.form_instance set participant_id = (select id from app.participant where code like '702%' limit 1), "
        f"event_repeat = 77 where id = {INSTANCES}"
    ),
    "a form moved to another visit": f"update app.form_instance set event_name = 'visit_9x' where id = {INSTANCES}",
    "a form declared locked": f"update app.form_instance set status = 'locked' where id = {INSTANCES}",
    "a form hidden": f"update app.form_instance set is_removed = true where id = {INSTANCES}",
    "a participant put at another site": (
        "update app.participant set site_id = (select id from app.site where code = '702') where code like '701%'"
    ),
    "a participant renamed": "update app.participant set code = '701-9999' where code = (select min(code) from app.participant)",
    "an arm changed": "update app.participant_arm set arm_code = 'X' where participant_id = (select min(id::text)::uuid from app.participant)",
    "an arm removed": "delete from app.participant_arm",
    "a data question closed": "update app.discrepancy set state = 'closed' where id = (select min(id::text)::uuid from app.discrepancy)",
    "a data question reworded": "update app.discrepancy set reason = 'all is well' where id = (select min(id::text)::uuid from app.discrepancy)",
    "a consent text changed": 'update app.consent_version set sections = \'[{"heading": "H", "paragraphs": ["You get money"]}]\'',
    "a design changed": "update app.design set document = document || '{\"arms\": []}'",
    "a study renamed": "update app.study set title = 'Another study'",
    "a role widened": "update app.membership set role = 'owner', site_code = null where role = 'viewer'",
    "somebody unblinded": "update app.membership set is_unblinded = true where role = 'coordinator'",
    "a role ended": "update app.membership set ended_at = now() where role = 'owner'",
    "a role removed": "delete from app.membership where role = 'monitor'",
    "somebody made an administrator": "update app.account set is_administrator = true where name = 'Vera Long'",
    "an account renamed": "update app.account set name = 'Olga Reyes' where name = 'Vera Long'",
    "an entry sealed at another time": "update app.audit_entry set sealed_at = sealed_at - interval '30 days' where position = 5",
    "a role made": (
        "insert into app.membership (id, account_id, study_id, role, is_unblinded, created_at) select gen_random_uuid(), "
        "(select id from app.account where name = 'Adam New'), id, 'owner', true, now() from app.study"
    ),
}
GUARDS = {
    "a trigger disabled": "alter table app.form_revision disable trigger keep_rows",
    "all triggers disabled": "alter table app.signature disable trigger user",
    "a trigger dropped": "drop trigger keep_rows on app.audit_event",
    "a function hollowed out": (
        "create or replace function app.refuse_change() returns trigger language plpgsql as $$ begin return new; end $$"
    ),
    "a scope widened": "create or replace function app.scope_studies() returns uuid[] language sql stable security definer as "
    "$$ select array_agg(id) from app.study $$",
    "a policy more": "create policy everybody on app.participant_arm for select to public using (true)",
    "a policy altered": "alter policy of_scope on app.participant_arm using (true)",
    "a policy dropped": "drop policy of_scope on app.participant_arm",
    "a right given": "grant update, delete on app.audit_event to metricis_app",
    "a table not guarded any more": "alter table app.participant no force row level security",
    "a rule": "create rule quiet as on insert to app.form_step do instead nothing",
    "a trigger more": "create trigger mine before insert on app.form_revision for each row execute function app.refuse_change()",
    "a check dropped": "alter table app.consent_signature drop constraint ck_consent_signature_mark_is_sealed",
    "sealed rows hidden": "create policy hide on app.discrepancy_step as restrictive for select to metricis_sealer using (false)",
}


@pytest.fixture(scope="module")
def kept(cluster, template, tmp_path_factory):
    """A study with people, values, questions and a consent, sealed and attested."""
    name = f"about_{uuid4().hex[:8]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    home = tmp_path_factory.mktemp("about") / "home"
    url = cluster.url(name, role=Roles().app, password=_PASSWORD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METRICIS_HOME", str(home))
        patch.setenv("METRICIS_SEALER_URL", cluster.url(name, role=Roles().sealer, password=_PASSWORD))
        settings.cache_clear()
        scene = dashboard.build(url, subjects=6, with_runs=False)
        _more(scene)
        Sealer(url, settings()).seal_once(force=True)
        yield cluster.url(name), home
        for each in (url, settings().sealer_url.get_secret_value()):
            engine_for(each).dispose()
    settings.cache_clear()


def _more(scene):
    with unit_of_work(scene.url, scene.installer) as unit:
        access.create_account(unit, kind="staff", name="Adam New")
    with unit_of_work(scene.url, scene.actor("owner")) as unit:
        consent.publish(
            unit,
            study=dashboard.STUDY,
            version="1",
            language="en",
            title="T",
            sections=[{"heading": "H", "paragraphs": ["P"]}],
        )


@contextmanager
def after(kept, statement):
    """The database after a statement of its administrator, until the end of the transaction."""
    url, home = kept
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with Session(engine) as session, session.begin():
        session.execute(text("set local session_replication_role = replica"))
        done = session.execute(text(statement.replace(":", "\\:")))
        assert done.rowcount != 0
        session.execute(text("set local session_replication_role = origin"))
        session.execute(text("set local role metricis_sealer"))
        yield verify(session, Record(home), digests=DIGESTS, states=STATES), list(guarded.differences(session))
        session.rollback()
    engine.dispose()


def test_untouched(kept):
    with after(kept, "update app.account set password_hash = password_hash") as (found, guards):
        assert (found.problems, guards) == ((), [])


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_ledger_is_about_is_not_changed_unseen(kept, attack):
    with after(kept, ATTACKS[attack]) as (found, _):
        assert {one.kind for one in found.problems} == {"rows"}
        assert all(one.position >= 0 and one.detail for one in found.problems)


@pytest.mark.parametrize("attack", GUARDS)
def test_a_guard_of_the_database_is_not_changed_unseen(kept, attack):
    statement, name = GUARDS[attack], ""
    with after(kept, statement) as (_, guards):
        name = re.search(r"app\.(\w+)", statement).group(1)
        assert guards
        assert any(f"“{name}" in one for one in guards), guards


def test_a_digest_of_an_arm_is_not_guessed(kept):
    url, _ = kept
    with psycopg.connect(url) as connection:
        [(nonces, rows)] = connection.execute(
            "select count(distinct nonce), count(*) from app.participant_arm"
        ).fetchall()
        [(columns,)] = connection.execute(
            "select change->'held_columns'->'participant_arm' from app.audit_event where action = 'ledger.attest' "
            "order by seq desc limit 1"
        ).fetchall()
    assert nonces == rows > 0
    assert "nonce" in columns


def put_in(forger, **fields):
    """Put a new event of somebody into the ledger, as an owner can, and let the sealer seal it."""
    like = forger.event_at(forger.at("alpha", 40))
    [(body,)] = forger.run("select body from app.audit_event where id = %s", like)
    event = orjson.loads(bytes(body)) | {"id": str(new_id())} | fields
    forger.run(
        "insert into app.audit_event (id, xid, at, study_id, actor_id, actor_kind, actor_name, role, action, subject, reason, "
        "request_id, change, body) select %s, pg_current_xact_id(), %s, study_id, actor_id, actor_kind, actor_name, role, %s, "
        "subject, reason, request_id, %s, %s from app.audit_event where id = %s",
        event["id"],
        event["at"],
        event["action"],
        orjson.dumps(event["change"]).decode(),
        canonical_bytes(event),
        like,
    )
    Sealer(forger.url, settings()).seal_once(force=True)


def test_a_new_event_that_is_dated_back_is_found(attacked):
    put_in(attacked, at="2020-01-01T00:00:00.000000+00:00")
    found = attacked.verdict()
    assert [(one.study, one.position) for one in found.problems] == [("alpha", attacked.at("beta", 40) + 1)]
    assert "dated back" in found.problems[0].detail


@pytest.mark.parametrize("change", [{"from": "1", "to": "999999", "tables": {}, "rows": {}}, {"to": "what"}], ids=str)
def test_who_is_not_the_sealer_attests_nothing(attacked, change):
    put_in(attacked, action="ledger.attest", change=change)
    with sealing(attacked.url) as session:
        assert rows.attested_upto(session) < 1000
    assert attacked.verdict().is_ok
