"""What is refused before anything starts or is read: every way in which a key or a value can be wrong, in both environments."""

import base64
import logging
import os

import psycopg
import pytest
from cryptography.fernet import Fernet

from datamodel.connections import actions as connections
from datamodel.connections import runs
from datamodel.connections.mapping import Mapping
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.vault.keyring import _OPENED
from datamodel.vault.keys import SecretError
from metricis.local import keys
from tests.support.capture import STUDY, build

TOKEN = "0123456789ABCDEF0123456789ABCDEF"
ENVIRONMENTS = ("development", "production")
OLD = Fernet.generate_key().decode()


@pytest.fixture(params=ENVIRONMENTS)
def installation(request, database_url, home, monkeypatch):
    """A connected study, in development and in production."""
    scene = build(database_url)
    with unit_of_work(scene.url, scene.owner) as unit:
        connections.connect(unit, study=STUDY, api_url="http://127.0.0.1:1/api/", token=TOKEN, mapping=Mapping())
    key = (home / "root.key").read_text()
    if request.param == "production":
        monkeypatch.setenv("METRICIS_ROOT_KEY", key)
        monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    settings.cache_clear()
    _OPENED.clear()
    keys.check_start(scene.url)
    return scene


@pytest.fixture
def give(installation, home, monkeypatch):
    """Put another root key in the place of the right one."""

    def give(text):
        if settings().is_production:
            monkeypatch.setenv("METRICIS_ROOT_KEY", text)
        elif text:
            (home / "root.key").write_text(text)
        else:
            (home / "root.key").unlink()
        settings.cache_clear()
        _OPENED.clear()

    return give


def use(scene):
    with reading(scene.url, scene.service()) as session:
        return runs.token(session, scene.service(), study=STUDY)


def refused(scene, kind):
    """Neither start nor use, and no word of any secret in the refusal."""
    for attempt in (lambda: keys.check_start(scene.url), lambda: use(scene)):
        with pytest.raises(SecretError) as refusal:
            attempt()
        assert refusal.value.kind == kind
        assert TOKEN not in str(refusal.value)


def put(server_url, value):
    """Write into the secret column around the program, as somebody who owns the server."""
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "alter table app.redcap_connection drop constraint if exists ck_redcap_connection_token_is_sealed"
        )
        connection.execute("update app.redcap_connection set token = %s", [value])


def stored(server_url):
    with psycopg.connect(server_url) as connection:
        return connection.execute("select token from app.redcap_connection").fetchone()[0]


def test_a_missing_key(installation, give, home):
    give("")
    with pytest.raises(SecretError) as refusal:
        keys.check_start(installation.url)
    assert refusal.value.kind == "missing"
    assert not (home / "root.key").exists() or settings().is_production


@pytest.mark.parametrize(
    "text", ["AAAA", base64.b64encode(bytes(32)).decode(), base64.b64encode(b"x" * 31).decode(), "%%"]
)
def test_a_short_key(installation, give, text):
    give(text)
    refused(installation, "short")


@pytest.mark.parametrize("name", ["REDCAP_ENCRYPTION_KEY", "JWT_SECRET_KEY", "SOME_SERVICE_TOKEN", "ANTHROPIC_API_KEY"])
def test_a_key_that_is_another_secret_too(installation, home, monkeypatch, name):
    key = (home / "root.key").read_text()
    monkeypatch.setenv("METRICIS_ROOT_KEY", key)
    monkeypatch.setenv(name, key if name != "REDCAP_ENCRYPTION_KEY" else key.replace("+", "-").replace("/", "_"))
    settings.cache_clear()
    refused(installation, "reused")


def test_a_key_that_is_the_database_s_password(installation, home, monkeypatch):
    key = (home / "root.key").read_text()
    monkeypatch.setenv("METRICIS_ROOT_KEY", key)
    monkeypatch.setenv("METRICIS_DATABASE_URL", f"postgresql://somebody:{key.replace('/', '%2F')}@127.0.0.1/x")
    settings.cache_clear()
    refused(installation, "reused")


def test_a_wrong_key(installation, give):
    give(base64.b64encode(os.urandom(32)).decode())
    refused(installation, "wrong")


def test_plain_text_in_a_secret_column(installation, server_url):
    put(server_url, TOKEN)
    refused(installation, "plaintext")


def test_the_bridge_reads_plain_text_once_with_a_critical_line_and_the_rotation_seals_it(
    installation, server_url, owner_url, monkeypatch, caplog
):
    put(server_url, TOKEN)
    monkeypatch.setenv("REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS", "true")
    settings.cache_clear()
    with caplog.at_level(logging.CRITICAL, logger="metricis.vault"):
        keys.check_start(installation.url)
        assert use(installation) == TOKEN
    assert len(caplog.records) == 2
    assert all(one.levelno == logging.CRITICAL and one.requires_investigation for one in caplog.records)
    assert TOKEN not in caplog.text
    turn(owner_url, installation)
    assert stored(server_url).startswith("enc:v3:")
    monkeypatch.delenv("REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS")
    settings.cache_clear()
    keys.check_start(installation.url)
    assert use(installation) == TOKEN


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_older_version_without_its_key_is_a_downgrade(installation, server_url, version):
    put(server_url, f"enc:{version}:{Fernet(OLD).encrypt(TOKEN.encode()).decode()}")
    refused(installation, "downgraded")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("place", ["REDCAP_ENCRYPTION_KEY", "REDCAP_ENCRYPTION_KEY_PREVIOUS"])
def test_an_older_version_is_read_with_its_key_and_rewritten(
    installation, server_url, owner_url, monkeypatch, version, place
):
    put(server_url, f"enc:{version}:{Fernet(OLD).encrypt(TOKEN.encode()).decode()}")
    monkeypatch.setenv("REDCAP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv(place, OLD)
    settings.cache_clear()
    keys.check_start(installation.url)
    assert use(installation) == TOKEN
    assert keys.status(owner_url).needs[version] == 1
    turn(owner_url, installation)
    assert keys.status(owner_url).needs[version] == 0
    monkeypatch.delenv("REDCAP_ENCRYPTION_KEY")
    monkeypatch.delenv("REDCAP_ENCRYPTION_KEY_PREVIOUS", raising=False)
    settings.cache_clear()
    keys.check_start(installation.url)
    assert use(installation) == TOKEN


def test_an_older_version_with_another_key_is_an_error(installation, server_url, monkeypatch):
    put(server_url, f"enc:v2:{Fernet(OLD).encrypt(TOKEN.encode()).decode()}")
    monkeypatch.setenv("REDCAP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    settings.cache_clear()
    with pytest.raises(SecretError) as refusal:
        use(installation)
    assert refusal.value.kind == "wrong"


def test_an_older_version_where_none_may_stand_is_refused_even_with_its_key(installation, server_url, monkeypatch):
    monkeypatch.setenv("REDCAP_ENCRYPTION_KEY", OLD)
    settings.cache_clear()
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("alter table app.data_key drop constraint ck_data_key_wrapped_is_sealed")
        connection.execute(
            "update app.data_key set wrapped = %s", [f"enc:v2:{Fernet(OLD).encrypt(bytes(32)).decode()}"]
        )
    with pytest.raises(SecretError):
        keys.check_start(installation.url)


def test_a_version_nobody_knows(installation, server_url):
    put(server_url, "enc:v9:k:AAAA")
    refused(installation, "plaintext")


def test_a_tampered_value_and_a_tampered_key(installation, server_url):
    sealed = stored(server_url)
    put(server_url, sealed[:-8] + ("A" if sealed[-8] != "A" else "B") + sealed[-7:])
    with pytest.raises(SecretError) as refusal:
        use(installation)
    assert refusal.value.kind == "tampered"
    put(server_url, sealed)
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        wrapped = connection.execute("select wrapped from app.data_key where study_id is not null").fetchone()[0]
        worse = wrapped[:-8] + ("A" if wrapped[-8] != "A" else "B") + wrapped[-7:]
        connection.execute("update app.data_key set wrapped = %s where wrapped = %s", [worse, wrapped])
    _OPENED.clear()
    refused(installation, "tampered")


@pytest.mark.parametrize("value", [TOKEN, "", "enc:v3:", "enc:v3:k:", "token enc:v3:k:AAAA"])
@pytest.mark.parametrize(
    "column", ["redcap_connection.token", "envelope.body", "participant_identity.value", "data_key.wrapped"]
)
def test_the_database_itself_refuses_what_is_not_sealed(server_url, column, value):
    table, name = column.split(".")
    if table == "redcap_connection" and value.startswith("enc:v"):
        pytest.skip("a version that the program then refuses")
    with psycopg.connect(server_url) as connection:
        checks = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", [f"ck_{table}_{name}_is_sealed"]
        ).fetchone()[0]
        condition = checks.removeprefix("CHECK ").removesuffix(" NOT VALID")
        answer = connection.execute(f"select {condition} from (select %s::text as {name}) one", [value]).fetchone()[0]
    assert answer is False


def test_an_empty_secret_is_refused_before_it_is_sealed(installation):
    with unit_of_work(installation.url, installation.owner) as unit, pytest.raises(MetricisError):
        connections.connect(unit, study=STUDY, api_url="http://127.0.0.1:1/api/", token="", mapping=Mapping())


def turn(owner_url, scene):
    """Rotate; in production with the approval of a second administrator."""
    approval = None
    if settings().is_production:
        from datamodel.access import actions as access
        from datamodel.access import reads
        from datamodel.access.actor import KNOCKING
        from datamodel.approvals import actions as approvals

        with unit_of_work(scene.url, scene.installer) as unit:
            second = access.create_account(
                unit, kind="staff", name="Ada Second", sign_in_name="ada@staff.example", is_administrator=True
            )
        with unit_of_work(scene.url, KNOCKING) as unit:
            ada = reads.actor(unit.session, second)
        with unit_of_work(scene.url, ada, reason="sealed by an earlier build") as unit:
            approval = approvals.propose(unit, "key_change", "", {"keys": "all"})
        with unit_of_work(scene.url, scene.installer) as unit:
            approvals.approve(unit, approval)
    keys.rotate(owner_url, scene.installer, approval=approval, grace=0)
