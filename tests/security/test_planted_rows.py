"""Somebody who may write anything in the database, and has an account of her own, comes in as nobody else."""

import hashlib
from uuid import uuid4

import orjson
import psycopg
import pyotp
import pytest
from alembic import command

from apps.shell.frame import failure_of
from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.access.passwords import hash_password
from datamodel.audit import ledger
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections import runs
from datamodel.connections.mapping import Mapping
from datamodel.credentials import actions, factors, institutions
from datamodel.credentials import store as credentials
from datamodel.credentials.proofs import recovery_hash
from datamodel.credentials.tables import PasskeyRow
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.links import actions as links
from datamodel.links import devices
from datamodel.migrations import run
from datamodel.migrations.roles import Roles
from datamodel.migrations.schema import METADATA
from datamodel.vault.stamps import event_check, strangers
from pipelines.ingest.run import open_run
from tests.conftest import _PASSWORD
from tests.support.capture import STUDY, build
from tests.support.mailbox import coordinator
from tests.support.staff import PASSWORD, World

HERS = "mallory's own long password"
ADA = "(select id from app.account where name = 'Ada Berger')"
MALLORY = "(select id from app.account where name = 'Mallory Quist')"


class Owner(World):
    """The world, in which Mallory knows the password of the database's owner."""

    def __init__(self, url, owner_url, server_url):
        super().__init__(url, owner_url)
        self.server_url = server_url
        with self.unit(self.admin) as unit:
            self.mallory = access.create_account(
                unit, kind="staff", name="Mallory Quist", sign_in_name="mallory@site.example", password=HERS
            )

    def write(self, statement, *given):
        """Run a statement with every trigger off; it must change something."""
        with psycopg.connect(self.server_url) as connection:
            connection.execute("set session_replication_role = replica")
            assert connection.execute(statement, given or None).rowcount > 0

    def hers(self):
        """Sign Mallory in as herself and return the token."""
        return self.sign_in(HERS, name="mallory@site.example").token

    def strange(self):
        """Return the tables that verification names."""
        with self.unit() as unit:
            return {table for table, _ in strangers(unit.session, METADATA)}


@pytest.fixture
def world(database_url, owner_url, server_url, home):
    return Owner(database_url, owner_url, server_url)


def digest(token):
    return hashlib.sha256(token.encode()).digest()


def test_nothing_is_strange_before(world):
    world.use_authenticator()
    token = world.hers()
    assert world.is_signed_in(token)
    assert world.strange() == set()


def test_a_session_written_into_the_table(world):
    world.hers()
    world.write(
        "insert into app.session (id, token_hash, account_id, created_at, seen_at, ends_at, kind, how, device, confirmed_at, rights, "
        f"stamp) select gen_random_uuid(), %s, {ADA}, created_at, seen_at, ends_at, kind, how, device, confirmed_at, "
        "rights, stamp from app.session limit 1",
        digest("planted"),
    )
    assert not world.is_signed_in("planted")
    assert world.strange() == {"session"}


def test_a_session_of_one_s_own_given_to_another_account(world):
    token = world.hers()
    world.write(f"update app.session set account_id = {ADA}")
    assert not world.is_signed_in(token)
    with world.unit() as unit:
        assert access_reads.still_standing(unit.session, [token], now=unit.instant) == set()
    with world.unit(world.actor()) as unit, pytest.raises(RefusedError):
        access.rotate_session(unit, token, is_confirmed=True)
    assert world.strange() == {"session"}


@pytest.mark.parametrize("column", ["confirmed_at", "ends_at", "created_at"])
def test_a_session_confirmed_or_prolonged_in_the_table(world, column):
    token = world.hers()
    world.write(f"update app.session set {column} = {column} + interval '1 minute'")
    assert not world.is_signed_in(token)


def test_a_password_of_one_s_own_at_another_account(world):
    world.write(
        f"update app.account a set password_hash = m.password_hash, stamp = m.stamp from app.account m "
        f"where a.id = {ADA} and m.id = {MALLORY}"
    )
    assert world.refused(password=HERS) == "sign-in-failed"
    assert world.strange() == {"account"}
    assert world.sign_in(HERS, name="mallory@site.example").token


def test_the_sign_in_name_of_another_account(world):
    world.write(f"update app.account set sign_in_name = 'gone@site.example' where id = {ADA}")
    world.write(f"update app.account set sign_in_name = 'ada@site.example' where id = {MALLORY}")
    assert world.refused(password=HERS) == "sign-in-failed"
    assert world.strange() == {"account"}


def test_a_password_that_was_replaced_does_not_confirm_and_a_new_one_does_again(world):
    token = world.sign_in().token
    world.write(
        f"update app.account a set password_hash = m.password_hash from app.account m where a.id = {ADA} and m.id = {MALLORY}"
    )
    assert world.is_signed_in(token)
    assert world.confirm(HERS).code == "not-confirmed"
    with world.unit(world.admin) as unit:
        link = actions.invite(unit, account_id=world.ada, kind="reset")
    with world.unit() as unit:
        actions.accept(unit, link, password="a new quiet green boat", has_accepted=True)
    assert world.strange() == set()
    assert world.sign_in("a new quiet green boat").token


def test_a_token_for_notebooks_written_or_widened(world):
    with world.unit(world.admin) as unit:
        study_token = access.make_token(unit, account_id=world.admin.id, purpose="Mine", days=3, scopes=None)
    world.write(
        "insert into app.access_token (id, token_hash, account_id, purpose, created_at, ends_at, stamp) select "
        f"gen_random_uuid(), %s, {ADA}, purpose, created_at, ends_at, stamp from app.access_token",
        digest("planted"),
    )
    with world.unit() as unit:
        assert access_reads.actor_of_token(unit.session, "planted", now=unit.instant) is None
        assert access_reads.actor_of_token(unit.session, study_token, now=unit.instant) is not None
    world.write(
        "update app.access_token set scopes = null where purpose = 'Mine' and token_hash <> %s", digest("planted")
    )
    with world.unit() as unit:
        assert access_reads.actor_of_token(unit.session, study_token, now=unit.instant) is None
    assert world.strange() == {"access_token"}


def test_a_second_factor_of_one_s_own_at_another_account(world):
    world.use_authenticator()
    half = world.sign_in().half
    with world.unit(world.admin) as unit:
        hers = access_reads.actor(unit.session, world.mallory)
    with world.unit(hers) as unit:
        setup = factors.begin_totp(unit, account_id=world.mallory)
    world.write("delete from app.credential_totp where account_id = " + ADA)
    world.write(f"update app.credential_totp set account_id = {ADA}, confirmed_at = now(), last_step = 0")
    assert world.no_second(half, world.code(pyotp.TOTP(setup.secret))) == "code-wrong"
    assert world.strange() == {"credential_totp"}


def test_a_recovery_code_written_into_the_table(world):
    world.use_authenticator()
    half = world.sign_in().half
    world.write(
        "update app.credential_recovery set code_hash = %s where id = (select id from app.credential_recovery limit 1)",
        recovery_hash(world.ada, "MALLORYMALLORYMA"),
    )
    assert world.no_second(half, "MALL-ORYM-ALLO-RYMA") == "code-wrong"
    assert world.strange() == {"credential_recovery"}


def test_half_a_sign_in_of_one_s_own_given_to_another_account(world):
    generator = world.use_authenticator()
    with world.unit() as unit:
        half = actions.first_factor(unit, world.ada, how="password").half
    world.write("update app.credential_half set how = 'institution'")
    assert world.no_second(half, world.code(generator)) == "sign-in-over"
    assert world.strange() == {"credential_half"}


@pytest.mark.parametrize("change", [f"account_id = {ADA}", "ends_at = ends_at + interval '1 day'"])
def test_an_invitation_to_set_a_password_given_to_another_account(world, change):
    with world.unit(world.admin) as unit:
        link = actions.invite(unit, account_id=world.mallory)
    world.write(f"update app.credential_invitation set {change}")
    with world.unit() as unit, pytest.raises(RefusedError, match="used already or is too old"):
        actions.accept(unit, link, password="a new quiet green boat", has_accepted=True)
    assert world.strange() == {"credential_invitation"}


def test_an_institution_s_identity_of_one_s_own_given_to_another_account(world):
    with world.unit(world.admin) as unit:
        hers = access_reads.actor(unit.session, world.mallory)
    with world.unit(hers) as unit:
        institutions.link(unit, issuer="https://id.example", subject="mallory")
        trip = institutions.begin_trip(unit, holder="browser", account_id=world.mallory)
    world.write(f"update app.credential_identity set account_id = {ADA}")
    with world.unit() as unit, pytest.raises(RefusedError, match="No account here is linked"):
        institutions.sign_in(unit, issuer="https://id.example", subject="mallory", is_strong=True)
    with world.unit(hers) as unit, pytest.raises(RefusedError):
        institutions.link(unit, issuer="https://id.example", subject="mallory")
    world.write(f"update app.credential_trip set account_id = {ADA}")
    with world.unit() as unit, pytest.raises(RefusedError):
        institutions.end_trip(unit, state=trip.state, holder="browser")
    assert world.strange() == {"credential_identity", "credential_trip"}


def test_a_passkey_of_one_s_own_given_to_another_account(world):
    with world.unit(world.admin) as unit:
        row = PasskeyRow(
            id=new_id(),
            account_id=world.mallory,
            credential_id=b"one",
            public_key=b"key",
            sign_count=0,
            label="Phone",
            created_at=unit.instant,
        )
        credentials.add(unit.session, row)
        ledger.record(unit, "test.passkey")
    with world.unit() as unit:
        assert credentials.passkey(unit.session, b"one") is not None
    world.write(f"update app.credential_passkey set account_id = {ADA}")
    with world.unit() as unit:
        assert credentials.passkey(unit.session, b"one") is None


def test_a_participant_s_link_and_device_given_to_another_participant(database_url, server_url, home):
    scene = build(database_url)
    one, other = list(scene.people)[:2]
    with unit_of_work(scene.url, coordinator(scene)) as unit:
        handed = links.hand_out(unit, study=STUDY, code=one)
    with unit_of_work(scene.url, scene.actor(one)) as unit:
        secret = devices.set_pin(unit, pin="4071", label="Chrome on Android")
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        for table in ("link", "device"):
            moved = connection.execute(
                f"update app.{table} set account_id = (select a.id from app.account a join app.participant p "
                "on p.id = a.participant_id where p.code = %s)",
                [other],
            )
            assert moved.rowcount == 1
    with unit_of_work(scene.url, KNOCKING) as unit, pytest.raises(RefusedError, match="used already"):
        links.use(unit, handed.token, code=handed.code)
    with unit_of_work(scene.url, KNOCKING) as unit:
        entered = devices.enter(unit, secret, pin="4071")
        assert (entered.token, entered.is_forgotten) == ("", True)
        assert not devices.is_known(unit.session, secret, now=unit.instant)
        assert {table for table, _ in strangers(unit.session, METADATA)} == {"link", "device"}


def test_another_installation_s_key_stamps_nothing_here(world):
    token = world.sign_in().token
    assert world.is_signed_in(token)
    world.write("delete from app.data_key")
    settings.cache_clear()  # as a process that starts
    assert not world.is_signed_in(token)
    assert world.refused() == "sign-in-failed"
    assert world.strange() == {"account", "session"}


def test_a_key_that_was_not_kept_is_not_used_again(database_url, owner_url, home):
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(database_url, first) as unit:
        access.install(unit)

    def person(name):
        with unit_of_work(database_url, first) as unit:
            admin = access_reads.installer_actor(unit.session)
        with unit_of_work(database_url, admin) as unit:
            access.create_account(unit, kind="staff", name=name, sign_in_name=f"{name}@site.example", password=PASSWORD)
            if name == "lost":
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        person("lost")
    person("kept")
    settings.cache_clear()  # as a process that starts: it knows the key that the database has
    with unit_of_work(database_url, KNOCKING) as unit:
        assert actions.sign_in(unit, name="kept@site.example", password=PASSWORD).token


def test_rows_of_an_earlier_version_let_in_what_they_did(cluster, home, monkeypatch):
    name = f"earlier_{uuid4().hex[:8]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url, app = cluster.url(name), cluster.url(name, role=Roles().app, password=_PASSWORD)
    upgrade = command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0016"))
        patch.setattr(run.guards, "apply", lambda *_: None)
        patch.setattr(run.closing, "apply", lambda *_: None)
        run.upgrade(url)
    account, token = uuid4(), "of the earlier version"
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into app.account (id, kind, name, sign_in_name, password_hash, is_administrator, is_active, created_at) "
            "values (%s, 'staff', 'Ada Berger', 'ada@site.example', %s, false, true, now())",
            [account, hash_password(PASSWORD)],
        )
        connection.execute(
            "insert into app.session (id, token_hash, account_id, created_at, seen_at, ends_at, kind, how, device) values "
            "(%s, %s, %s, now(), now(), now() + interval '12 hours', 'staff', 'password', 'Firefox')",
            [uuid4(), digest(token), account],
        )
        event = {"id": str(uuid4()), "at": "2026-01-01T00:00:00.000000+00:00"}
        connection.execute(
            "insert into app.audit_event (id, at, actor_id, actor_kind, actor_name, role, action, subject, reason, request_id, "
            "change, body) values (%s, %s, %s, 'staff', 'Ada Berger', '', 'test.earlier', '', '', %s, '{}', %s)",
            [event["id"], event["at"], account, uuid4(), orjson.dumps(event)],
        )
    run.upgrade(url)
    with unit_of_work(app, KNOCKING) as unit:
        is_ours = event_check(unit.session)
        with psycopg.connect(url) as connection:
            events = connection.execute(
                "select body, stamp from app.audit_event where action = 'test.earlier'"
            ).fetchall()
        assert [is_ours(*one) for one in events] == [True]
        assert access_reads.actor_of_session(unit.session, token, now=unit.instant).id == account
        assert actions.sign_in(unit, name="ada@site.example", password=PASSWORD).token
        assert list(strangers(unit.session, METADATA)) == []
    for each in (url, app):
        engine_for(each).dispose()


def test_an_address_of_one_s_own_gets_no_token_of_redcap(database_url, server_url, home):
    scene = build(database_url)
    where = {"study": STUDY, "token": "0123456789ABCDEF0123456789ABCDEF", "mapping": Mapping()}
    with unit_of_work(scene.url, scene.owner) as unit:
        connections.connect(unit, api_url="http://127.0.0.1:1/api/", **where)
    with reading(scene.url, scene.service()) as session:
        assert runs.token(session, scene.service(), study=STUDY) == where["token"]
        assert list(strangers(session, METADATA)) == []
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update app.redcap_connection set api_url = 'http://127.0.0.2:1/api/'")
    asked = []
    with (
        pytest.raises(RefusedError, match="altered in the database"),
        open_run(STUDY, url=scene.url, client=asked.append),
    ):
        pass
    assert asked == []
    with reading(scene.url, scene.owner) as session:
        health = connection_reads.sync_health(session, scene.owner, study=STUDY)
        assert (health.is_stale, health.sentence) == (True, connection_reads.ALTERED)
        assert "altered in the database" in failure_of(health)
        assert [table for table, _ in strangers(session, METADATA) if table != "session"] == ["redcap_connection"]
    with (
        pytest.raises(RefusedError, match=r"altered in the database.*Connect the study"),
        unit_of_work(scene.url, scene.owner) as unit,
    ):
        connections.request_sync(unit, study=STUDY)
    with unit_of_work(scene.url, scene.owner) as unit:
        connections.connect(unit, api_url="http://127.0.0.1:1/api/", **where)
    with reading(scene.url, scene.service()) as session:
        assert runs.token(session, scene.service(), study=STUDY) == where["token"]
