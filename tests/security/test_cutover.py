"""The go/no-go list: a fresh installation is red with what to do, a proper one is green, and each fault turns its row red."""

import base64
import json

import psycopg
import pytest

from datamodel.access import actions as access
from datamodel.anchors.record import Anchors
from datamodel.checkpoints.heads import Record
from datamodel.connections import actions as connections
from datamodel.connections.mapping import Mapping
from datamodel.custody import actions as custody
from datamodel.custody import files, installed
from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.vault.signing import load_signer, verifies
from metricis.local.cutover import Place, check
from pipelines.custody.steps import seal
from tests.attacks.test_anchors import Somebody
from tests.support.capture import STUDY, build


@pytest.fixture
def scene(database_url, home, monkeypatch):
    scene = build(database_url)
    with unit_of_work(scene.url, scene.owner) as unit:
        address = "https://redcap.example.org/api/"
        connections.connect(unit, study=STUDY, api_url=address, token="0" * 32, mapping=Mapping())
    seal(scene.url)
    return scene


@pytest.fixture
def proper(scene, home, monkeypatch):
    """The same installation as it should be in production."""
    monkeypatch.setenv("METRICIS_ROOT_KEY", (home / "root.key").read_text())
    monkeypatch.setenv("METRICIS_LEDGER_KEY", (home / "ledger.key").read_text())
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    monkeypatch.setenv("METRICIS_BASE_URL", "https://metricis.example.org")
    monkeypatch.setenv("METRICIS_REDCAP_HOSTS", "redcap.example.org")
    settings.cache_clear()
    kept, witness = Anchors(Record(home)), Somebody()
    kept.keep_witness(witness.cosigned(kept.newest()[1]), key=witness.witness.line())
    found = files.listed(files.here())
    with unit_of_work(scene.url, scene.installer) as unit:
        told = installed.sign(files.written(found), number=len(found), given=settings())
        custody.record_files(unit, told=told)
        custody.record_restore(unit, how="on a second machine, of yesterday; its ledger verified")
        for name in ("ada", "bob"):
            access.create_account(
                unit, kind="staff", name=name, sign_in_name=f"{name}@staff.example", is_administrator=True
            )
    return scene


def look(scene, owner_url):
    return check(Place(settings(), scene.url, owner_url), scene.installer, STUDY)


def red(found):
    return {one.name for one in found.lines if not one.is_green}


def test_a_demo_may_not_go_live_and_is_told_what_to_do(scene, owner_url):
    found = look(scene, owner_url)
    assert not found.is_go
    assert red(found) >= {"environment", "TLS", "cookies", "backup tested", "two administrators", "REDCap address"}
    assert all(one.to_do for one in found.lines if not one.is_green)
    assert "ledger" not in red(found)


def test_a_proper_installation_goes_and_the_signed_list_is_in_the_ledger(proper, owner_url):
    found = look(proper, owner_url)
    assert red(found) == set()
    assert found.is_go
    keys = load_signer(settings()).public_keys()
    with psycopg.connect(owner_url) as connection:
        (change,) = connection.execute("select change from app.audit_event where id = %s", [found.event]).fetchone()
    told = change["new"]
    for name, key in keys.items():
        signature = base64.b64decode(told["signature"][name])
        assert verifies(name, key=key, message=told["signed"].encode(), signature=signature)
        assert not verifies(name, key=key, message=told["signed"].encode() + b" ", signature=signature)
    assert json.loads(told["signed"])["study"] == STUDY
    key = settings().root_key.get_secret_value()
    assert key not in json.dumps(change)


@pytest.mark.parametrize(
    ("variable", "value", "row"),
    [
        ("METRICIS_ENVIRONMENT", "development", "environment"),
        ("METRICIS_ROOT_KEY", base64.b64encode(bytes(range(32))).decode(), "root key"),
        ("METRICIS_LEDGER_KEY", "short", "ledger key"),
        ("REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS", "true", "earlier keys"),
        ("REDCAP_ENCRYPTION_KEY", base64.urlsafe_b64encode(bytes(range(1, 33))).decode(), "earlier keys"),
        ("METRICIS_BASE_URL", "http://metricis.example.org", "TLS"),
        ("METRICIS_DEV_MODE", "true", "development surfaces"),
        ("METRICIS_REDCAP_HOSTS", "elsewhere.example.org", "REDCap address"),
    ],
)
def test_a_wrong_setting_turns_its_row_red(proper, owner_url, monkeypatch, variable, value, row):
    monkeypatch.setenv(variable, value)
    settings.cache_clear()
    assert row in red(look(proper, owner_url))


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("update app.study set integration_mode = 'metricis'", "integration mode"),
        ("update app.audit_event set change = '{\"new\": 1}' where seq = 2", "ledger"),
        ("delete from app.audit_entry where position = 2", "ledger"),
        ("update app.alembic_version set version_num = '0001'", "migrations"),
        ("update app.audit_event set subject = '' where action = 'custody.record_files'", "installed files"),
        ("update app.audit_event set change = '{}' where action = 'custody.record_files'", "installed files"),
        ("alter table app.participant no force row level security", "row-level security"),
        ("update app.data_key set made_at = now() - interval '2 years'", "rotation"),
        ("update app.audit_event set at = at - interval '200 days'", "backup tested"),
        ("update app.account set is_active = false where name = 'bob'", "two administrators"),
        (
            "insert into app.rehearsal select id, 30, event_id from app.study",
            "development surfaces",
        ),
        (
            "insert into app.rehearsal_copy select id, gen_random_uuid(), false, event_id from app.study",
            "development surfaces",
        ),
    ],
)
def test_a_wrong_database_turns_its_row_red(proper, owner_url, server_url, statement, row):
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement)
    assert row in red(look(proper, owner_url))


def test_an_application_that_is_the_owner_is_red(proper, owner_url, server_url):
    found = check(Place(settings(), owner_url, owner_url), proper.installer, STUDY)
    assert "database role" in red(found)


def test_a_file_that_was_put_in_turns_the_installed_files_red(proper, owner_url, monkeypatch):
    listed = files.listed
    monkeypatch.setattr(files, "listed", lambda place: listed(place) | {"apps/extra.py": "0" * 64})
    (row,) = [one for one in look(proper, owner_url).lines if one.name == "installed files"]
    assert not row.is_green
    assert "apps/extra.py (extra)" in row.found


def test_heads_that_nobody_else_saw_turn_the_anchors_red(proper, owner_url, home):
    assert "anchors" not in red(look(proper, owner_url))
    for path in Anchors(Record(home)).folder.glob("*.note"):
        path.unlink()
    (row,) = [one for one in look(proper, owner_url).lines if one.name == "anchors"]
    assert not row.is_green
    assert "metricis ledger witness" in row.to_do


def test_who_may_not_is_refused_and_a_restore_needs_words(proper, owner_url):
    with pytest.raises(RefusedError):
        check(Place(settings(), proper.url, owner_url), proper.owner, STUDY)
    with pytest.raises(BadInputError), unit_of_work(proper.url, proper.installer) as unit:
        custody.record_restore(unit, how="  ")
