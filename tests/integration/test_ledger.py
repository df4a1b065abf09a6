import psycopg
import pytest
from sqlalchemy import text

from datamodel.access.actor import Actor
from datamodel.audit import ledger
from datamodel.audit.verify import verify
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import sealing, unit_of_work

ACTOR = Actor(id=new_id(), kind="machine", name="test")


def append(url, count=3):
    for number in range(count):
        with unit_of_work(url, ACTOR, reason="for the test") as unit:
            ledger.record(unit, "test.happened", subject=f"thing:{number}", change={"new": {"n": number}})


def sealed(url):
    with sealing(url) as session:
        return ledger.seal(session)


def verdict(url):
    with sealing(url) as session:
        return verify(session)


def test_sealed_events_have_positions_without_gaps_and_verify(database_url):
    append(database_url)
    assert sealed(database_url) == 3
    assert sealed(database_url) == 3
    assert verdict(database_url).is_ok
    assert verdict(database_url).checked == 3


def test_an_open_transaction_holds_the_horizon(database_url):
    append(database_url, 1)
    with unit_of_work(database_url, ACTOR) as slow:
        ledger.record(slow, "test.slow")
        append(database_url, 2)
        assert sealed(database_url) == 1
    assert sealed(database_url) == 4
    assert verdict(database_url).is_ok


@pytest.mark.parametrize(
    "statement", ["update app.audit_event set role = 'x'", "delete from app.audit_event", "truncate app.audit_entry"]
)
def test_the_ledger_refuses_to_be_changed(database_url, statement):
    append(database_url)
    sealed(database_url)
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        ("update app.audit_event set role = 'forged' where seq = 2", "columns"),
        ("update app.audit_event set body = body || 'x' where seq = 2", "leaf"),
        ("delete from app.audit_entry where position = 2", "gap"),
        ("""update app.audit_event set change = '{"new": {"n": "9"}}' where seq = 2""", "columns"),
    ],
)
def test_an_owner_who_goes_round_the_trigger_is_caught(database_url, owner_url, attack, kind):
    append(database_url)
    sealed(database_url)
    with psycopg.connect(owner_url) as connection:
        for table in ("audit_event", "audit_entry"):
            connection.execute(f"alter table app.{table} disable trigger user")
        assert connection.execute(attack).rowcount == 1
    found = verdict(database_url)
    assert not found.is_ok
    assert kind in {problem.kind for problem in found.problems}


def test_an_event_is_rolled_back_with_its_change(database_url):
    def fail_after_recording():
        with unit_of_work(database_url, ACTOR) as unit:
            ledger.record(unit, "test.lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_recording()
    with unit_of_work(database_url, ACTOR) as unit:
        assert unit.session.execute(text("select count(*) from app.audit_event")).scalar_one() == 0
