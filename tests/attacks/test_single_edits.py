"""One field of one row is changed at random, again and again: each time verification says which row."""

import json
import random
import uuid
from datetime import datetime

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.verify import verify

WORDS = (
    "at",
    "study_id",
    "actor_id",
    "actor_kind",
    "actor_name",
    "role",
    "action",
    "subject",
    "reason",
    "request_id",
    "change",
    "body",
    "id",
)
ENTRY = ("position", "event_id", "study_id", "study_position", "leaf")
HEAD = ("origin", "size", "study_id", "position", "root", "note")


def changed(value, chance):
    """Return the value with one thing changed."""
    if isinstance(value, bytes | memoryview):
        raw = bytearray(value)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return bytes(raw)
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return value[:at] + chance.choice("xyzé0 ") + value[at + chance.randrange(2) :] + "~"
    if isinstance(value, dict):
        return json.dumps({**value, chance.choice("abc"): {"sha256": f"{chance.getrandbits(32):x}"}})
    if isinstance(value, int):
        return value + chance.choice((1000, 5000))
    if isinstance(value, datetime):
        return value.replace(microsecond=(value.microsecond + chance.randrange(1, 999999)) % 1000000)
    return uuid.UUID(int=(value.int if value else 0) ^ (1 << chance.randrange(128)))


def edit(session, chance):
    """Change one field; return what a verification must name: study and position, or a tree."""
    table = chance.choices(("audit_event", "audit_entry", "checkpoint"), (6, 3, 1))[0]
    key = {"audit_event": "id", "audit_entry": "position", "checkpoint": "ctid"}[table]
    keys = session.execute(text(f"select {key} from app.{table} order by {key}")).scalars().all()
    one = chance.choice(keys)
    column = chance.choice({"audit_event": WORDS, "audit_entry": ENTRY, "checkpoint": HEAD}[table])
    place = session.execute(
        text(
            "select s.position, coalesce(t.code, '') from app.audit_entry s left join app.study t on t.id = s.study_id "
            f"where {'s.event_id' if table == 'audit_event' else 's.position'} = :key"
        )
        if table != "checkpoint"
        else text(
            "select c.position, coalesce(t.code, '') from app.checkpoint c left join app.study t on t.id = c.study_id "
            "where c.ctid = cast(:key as tid)"
        ),
        {"key": one},
    ).one()
    match = f"{key} = cast(:key as tid)" if table == "checkpoint" else f"{key} = :key"
    old = session.execute(text(f"select {column} from app.{table} where {match}"), {"key": one}).scalar_one()
    new = changed(0 if old is None and column == "study_position" else old, chance)
    session.execute(text(f"update app.{table} set {column} = :new where {match}"), {"key": one, "new": new})
    return table, column, place[1], place[0]


def campaign(attacked, *, rounds, seed):
    attacked.run("alter table app.audit_entry drop constraint uq_audit_entry_event_id")
    chance = random.Random(seed)
    dsn = attacked.connection.info
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args={
            "host": dsn.host,
            "port": dsn.port,
            "user": dsn.user,
            "password": dsn.password,
            "dbname": dsn.dbname,
        },
    )
    missed = []
    with Session(engine) as session:
        for number in range(rounds):
            table, column, study, position = edit(session, chance)
            problems = verify(session, Record(attacked.home)).problems
            if table == "checkpoint":
                # A head under another tree's name is told of both trees, or of the name that nobody knows.
                is_located = study in {one.study for one in problems} or (column in {"origin", "study_id"} and problems)
            else:
                # An entry that was filed under an invented study is told under that name.
                is_located = (study, position) in {(one.study, one.position) for one in problems} or (
                    (table, column) == ("audit_entry", "study_id") and position in {one.position for one in problems}
                )
            if not is_located:
                missed.append((number, table, column, study, position, problems[:3]))
            session.rollback()
        assert verify(session, Record(attacked.home)).is_ok
    engine.dispose()
    assert missed == []


def test_every_edit_of_one_field_is_found_in_its_row(attacked):
    campaign(attacked, rounds=250, seed=20260)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_edits_of_one_field_are_found_in_their_rows(attacked, seed):
    campaign(attacked, rounds=1000, seed=seed)
