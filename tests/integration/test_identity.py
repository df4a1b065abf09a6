"""Names and addresses of participants: who reads them, where they stand, and that they can be destroyed."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.audit import ledger
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.participants import identity
from datamodel.vault.keys import SecretError
from tests.support.capture import STUDY, build

CODE, OTHER = "701-1015", "701-1023"
VALUES = {
    "name": "Zoë CANARYNAME",
    "mail": "Canary.Mail@Example.org",
    "phone": "+43 (0)660 123-45-67",
    "birth_date": "1961-04-30",
}


@pytest.fixture
def scene(database_url, home):
    return build(database_url)


@pytest.fixture
def coordinator(scene):
    return member(scene, "coordinator")


def member(scene, role):
    with unit_of_work(scene.url, scene.installer) as unit:
        account = access.create_account(unit, kind="staff", name=f"A {role}", sign_in_name=f"{role}@staff.example")
        access.grant(unit, account_id=account, study=STUDY, role=role)
    with unit_of_work(scene.url, KNOCKING) as unit:
        return access_reads.actor(unit.session, account)


def write(scene, actor, code=CODE, values=VALUES):
    with unit_of_work(scene.url, actor) as unit:
        return identity.write(unit, study=STUDY, code=code, values=values)


def read(scene, actor, code=CODE):
    with unit_of_work(scene.url, actor) as unit:
        return identity.read(unit, study=STUDY, code=code)


def test_what_is_written_is_read_and_every_reading_is_in_the_ledger(scene, coordinator, owner_url):
    write(scene, coordinator)
    assert read(scene, coordinator) == VALUES
    write(scene, coordinator, values={"mail": "new@example.org", "phone": ""})
    assert read(scene, coordinator) == {"name": VALUES["name"], "mail": "new@example.org", "birth_date": "1961-04-30"}
    with psycopg.connect(owner_url) as connection:
        told = connection.execute(
            "select action, change::text from app.audit_event where action like '%identity' order by seq"
        ).fetchall()
    assert [action.split(".")[1] for action, _ in told] == [
        "write_identity",
        "read_identity",
        "write_identity",
        "read_identity",
    ]
    assert "example" not in str(told)
    assert "1961" not in str(told)


@pytest.mark.parametrize(
    "role", ["owner", "data_manager", "monitor", "statistician", "viewer", "data_entry", "pharmacist"]
)
def test_who_need_not_know_a_name_is_not_told(scene, coordinator, role):
    write(scene, coordinator)
    with pytest.raises(RefusedError, match="may not see names"):
        read(scene, member(scene, role))


def test_a_value_is_found_by_its_keyed_hash_however_it_is_written(scene, coordinator):
    write(scene, coordinator)
    with unit_of_work(scene.url, coordinator) as unit:
        for field, value in (
            ("mail", " canary.mail@example.ORG"),
            ("phone", "00436601234567"[2:]),
            ("name", "zoë  canaryname"),
        ):
            expected = [] if field == "phone" else [CODE]
            assert [one.code for one in identity.search(unit, study=STUDY, field=field, value=value)] == expected
        assert [one.code for one in identity.search(unit, study=STUDY, field="phone", value="+43 0660 1234567")] == [
            CODE
        ]
        assert identity.search(unit, study=STUDY, field="mail", value="somebody@else.example") == []
        with pytest.raises(BadInputError, match="Nobody is searched by birth_date"):
            identity.search(unit, study=STUDY, field="birth_date", value="1961-04-30")


def test_the_door_is_told_identifiers_only_and_sees_no_row(scene, coordinator):
    write(scene, coordinator)
    with reading(scene.url, KNOCKING) as session:
        (match,) = identity.matches(session, field="mail", value=VALUES["mail"])
        assert match.participant_id == match.person_id == scene.people[CODE].id
        assert session.connection().exec_driver_sql("select count(*) from app.participant_identity").scalar_one() == 0


def test_a_caregiver_s_address_is_apart_from_the_participant_s(scene, coordinator):
    caregiver = scene.people[OTHER].account
    with unit_of_work(scene.url, coordinator) as unit:
        identity.write(unit, study=STUDY, code=CODE, values={"mail": "parent@example.org"}, of=caregiver)
    with reading(scene.url, scene.service()) as session:
        about = {"study": STUDY, "participant_id": scene.people[CODE].id, "field": "mail"}
        assert identity.address(session, scene.service(), **about) is None
        assert identity.address(session, scene.service(), **about, of=caregiver) == "parent@example.org"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mail", "no address"),
        ("mail", "a@b\r\nBcc: c@d"),
        ("mail", "Name <a@b.example>"),
        ("mail", "x" * 70 + "@b.example"),
        ("phone", "call me"),
        ("phone", "12"),
        ("birth_date", "30.4.1961"),
        ("birth_date", "2999-01-01"),
        ("birth_date", "19610430"),
        ("name", "x" * 201),
        ("name", "bell\a"),
        ("colour", "red"),
    ],
)
def test_what_cannot_be_right_is_refused_without_being_repeated(field, value):
    with pytest.raises(BadInputError) as refused:
        identity.checked(field, value)
    assert value not in str(refused.value)


def test_no_identifying_value_stands_in_any_row_of_the_database(scene, coordinator, server_url):
    write(scene, coordinator)
    with psycopg.connect(server_url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'app'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select t::text from app.{table} t").fetchall()
            found = [row for (row,) in rows if "canary" in row.lower() or "1961-04-30" in row or "1234567" in row]
            assert found == [], table


def test_a_destroyed_identity_is_unreadable_and_the_ledger_stays_whole(scene, coordinator, owner_url):
    write(scene, coordinator)
    write(scene, coordinator, code=OTHER)
    with psycopg.connect(owner_url) as connection:
        before = connection.execute("select body from app.audit_event order by seq").fetchall()
        sealed = connection.execute("select id, value from app.participant_identity").fetchall()
    with pytest.raises(RefusedError, match="a reason is needed"), unit_of_work(scene.url, scene.owner) as unit:
        identity.destroy(unit, study=STUDY, code=CODE)
    with pytest.raises(RefusedError, match="may not destroy"), unit_of_work(scene.url, coordinator, reason="x") as unit:
        identity.destroy(unit, study=STUDY, code=CODE)
    with unit_of_work(scene.url, scene.owner, reason="erasure asked for") as unit:
        identity.destroy(unit, study=STUDY, code=CODE)
    assert read(scene, coordinator) == {}
    assert read(scene, coordinator, code=OTHER) == VALUES
    with pytest.raises(SecretError, match="destroyed for good"):
        write(scene, coordinator)
    with (
        pytest.raises(RefusedError, match="destroyed before"),
        unit_of_work(scene.url, scene.owner, reason="y") as unit,
    ):
        identity.destroy(unit, study=STUDY, code=CODE)
    with psycopg.connect(owner_url) as connection:
        after = connection.execute("select body from app.audit_event order by seq").fetchall()
        assert after[: len(before)] == before
        assert b"destroy_identity" in bytes(after[-3][0]) + bytes(after[-2][0]) + bytes(after[-1][0])
        # whoever kept the sealed value from before cannot open it either, with all keys of the database
        mine = [value for row, value in sealed]
        destroyed = connection.execute("select key_id from app.data_key where wrapped is null").fetchall()
        assert [one for one in mine if one.split(":")[2] == destroyed[0][0]] != []
    with reading(scene.url, KNOCKING) as session:
        assert {one.participant_id for one in identity.matches(session, field="mail", value=VALUES["mail"])} == {
            scene.people[OTHER].id
        }


def test_the_database_destroys_no_key_without_an_event(scene, coordinator):
    write(scene, coordinator)
    with pytest.raises(ProgrammingError, match="without an event"), unit_of_work(scene.url, scene.owner) as unit:
        unit.session.execute(
            text("update app.data_key set wrapped = null, destroyed_at = now() where person_id is not null")
        )
    assert read(scene, coordinator) == VALUES


def test_a_participant_of_another_study_is_not_found(scene, coordinator):
    with pytest.raises(NotFoundError):
        write(scene, coordinator, code="nobody")
    with unit_of_work(scene.url, scene.service()) as unit:
        assert ledger.position(unit.session) >= 0
