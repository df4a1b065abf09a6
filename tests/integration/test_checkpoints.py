"""The sealer at work: what it signs, what it refuses to sign, and what a crash leaves behind."""

import asyncio
import base64
import hashlib
import json
import logging
import threading
import time

import psycopg
import pytest
from typer.testing import CliRunner

from datamodel.access.actor import Actor
from datamodel.audit import ledger, merkle
from datamodel.audit.reads import checkpoint_of
from datamodel.checkpoints import bundle, sealer
from datamodel.checkpoints.heads import Record, Tree
from datamodel.checkpoints.note import read, read_identity, wrong
from datamodel.checkpoints.proofs import prove
from datamodel.checkpoints.sealer import AlteredError, Sealer
from datamodel.checkpoints.verify import verify
from datamodel.kernel.errors import BadInputError, FaultError, NotFoundError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import sealing, unit_of_work

ACTOR = Actor(id=new_id(), kind="machine", name="test")
CLI = CliRunner()


def append(url, count=1, **more):
    events = []
    for number in range(count):
        with unit_of_work(url, ACTOR) as unit:
            events.append(ledger.record(unit, "test.happened", subject=f"thing:{number}", **more))
    return events


def verdict(url, home):
    with sealing(url) as session:
        return verify(session, Record(home))


@pytest.fixture
def keeper(database_url, home):
    return Sealer(database_url, settings())


def test_a_head_is_signed_kept_and_written_down(database_url, home, keeper):
    append(database_url, 5)
    assert keeper.seal_once() == 5
    identity = Record(home).identity()
    tree = Record(home).tree(identity, None)
    note = read(tree.heads()[-1])
    assert wrong(note, identity) == ""
    assert note.head.size == 5
    with unit_of_work(database_url, ACTOR) as unit:
        assert checkpoint_of(unit.session) == tree.heads()[-1]
        assert checkpoint_of(unit.session, "nobody") == ""
    found = verdict(database_url, home)
    assert (found.is_ok, found.checked) == (True, 5)


def test_heads_are_signed_once_a_second_and_positions_at_once(database_url, home, keeper):
    for _ in range(4):
        append(database_url)
        keeper.seal_once()
    tree = Record(home).tree(Record(home).identity(), None)
    assert [read(one).head.size for one in tree.heads()] == [1]
    assert len(tree.leaves()) == 4 * 32
    keeper.seal_once(force=True)
    assert [read(one).head.size for one in tree.heads()] == [1, 4]
    keeper.seal_once(force=True)
    assert len(tree.heads()) == 2
    assert verdict(database_url, home).is_ok


def test_two_sealers_and_writers_at_once_keep_one_tree(database_url, home):
    writers = [threading.Thread(target=append, args=(database_url, 10)) for _ in range(4)]
    stop = threading.Event()
    failures = []

    def seal():
        one = Sealer(database_url, settings())
        while not stop.is_set():
            try:
                one.seal_once(force=True)
            except FaultError as error:
                failures.append(error)

    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for one in (*sealers, *writers):
        one.start()
    for one in writers:
        one.join()
    stop.set()
    for one in sealers:
        one.join()
    assert failures == []
    assert Sealer(database_url, settings()).seal_once(force=True) == 40
    found = verdict(database_url, home)
    assert (found.problems, found.checked) == ((), 40)


@pytest.mark.parametrize("point", ["leaves", "half a leaf", "signed", "kept"])
def test_a_sealer_that_is_killed_goes_on_where_it_was(database_url, home, monkeypatch, point):
    append(database_url, 3)
    Sealer(database_url, settings()).seal_once(force=True)
    append(database_url, 4)
    with monkeypatch.context() as patch:
        match point:
            case "leaves":
                patch.setattr(Sealer, "_due", _dies)
            case "half a leaf":
                patch.setattr(Tree, "add", _half)
            case "signed":
                patch.setattr(sealer.store, "keep", _dies)
            case _:
                patch.setattr(Tree, "publish", _dies)
        with pytest.raises(KeyboardInterrupt):
            Sealer(database_url, settings()).seal_once(force=True)
    assert Sealer(database_url, settings()).seal_once(force=True) == 7
    tree = Record(home).tree(Record(home).identity(), None)
    assert [read(one).head.size for one in tree.heads()] == [3, 7]
    assert verdict(database_url, home).problems == ()


def _dies(*_, **__):
    raise KeyboardInterrupt


def _half(tree, leaves):
    with tree.leaves_file.open("ab") as file:
        file.write(leaves[0][:17])
    raise KeyboardInterrupt


def test_a_database_that_is_behind_its_record_is_not_signed(database_url, owner_url, home, keeper):
    append(database_url, 5)
    keeper.seal_once(force=True)
    with psycopg.connect(owner_url) as connection:
        for table in ("audit_entry", "checkpoint"):
            connection.execute(f"alter table app.{table} disable trigger user")
            connection.execute(f"delete from app.{table} where {'position' if table == 'audit_entry' else 'size'} > 3")
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.audit_event disable trigger user")
        connection.execute(
            "delete from app.audit_event e where not exists (select from app.audit_entry s where s.event_id = e.id)"
        )
    with pytest.raises(AlteredError, match="3 sealed entries, but 5"):
        Sealer(database_url, settings()).seal_once(force=True)
    found = verdict(database_url, home).problems[0]
    assert (found.kind, found.position) == ("lost", 4)


def test_entries_that_a_head_names_are_not_given_anew(database_url, owner_url, home, keeper):
    append(database_url, 3)
    keeper.seal_once(force=True)
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.audit_entry disable trigger user")
        connection.execute("delete from app.audit_entry where position = 3")
    with sealing(database_url) as session:
        assert ledger.seal(session) == 2
    assert verdict(database_url, home).problems[0].position == 3


def test_another_key_or_a_lost_identity_signs_nothing(database_url, home, keeper, monkeypatch):
    append(database_url)
    keeper.seal_once(force=True)
    monkeypatch.setenv("METRICIS_LEDGER_KEY", base64.b64encode(bytes(range(32))).decode())
    settings.cache_clear()
    with pytest.raises(FaultError, match="not one of the log"):
        Sealer(database_url, settings()).seal_once(force=True)
    assert len(Sealer(database_url, settings()).renew().keys) == 4
    append(database_url)
    Sealer(database_url, settings()).seal_once(force=True)
    assert verdict(database_url, home).is_ok
    (home / "heads" / "identity.txt").unlink()
    with pytest.raises(FaultError, match="no identity"):
        Sealer(database_url, settings()).seal_once(force=True)


def test_a_transaction_that_stays_open_is_an_alarm(database_url, home, keeper, caplog, monkeypatch):
    monkeypatch.setattr(sealer, "LATE", 0.2)
    append(database_url)
    assert keeper.seal_once() == 1
    with unit_of_work(database_url, ACTOR) as slow:
        ledger.record(slow, "test.slow")
        append(database_url)
        time.sleep(0.3)
        assert keeper.seal_once() == 1
        with caplog.at_level(logging.CRITICAL):
            assert keeper.lag() > 0.2
    assert "writing transaction is open" in caplog.text
    assert keeper.seal_once() == 3
    assert keeper.lag() == 0


def test_a_database_moved_to_a_server_whose_numbers_start_again_goes_on(database_url, owner_url, home, keeper):
    append(database_url, 3)
    keeper.seal_once(force=True)
    append(database_url, 1)
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.audit_event disable trigger user")
        connection.execute("update app.audit_event set xid = (xid::text::bigint + 1000000)::text::xid8")
        connection.execute("alter table app.audit_event enable trigger user")
    append(database_url, 2)
    assert keeper.seal_once(force=True) == 6
    append(database_url, 1)
    assert keeper.seal_once(force=True) == 7
    found = verdict(database_url, home)
    assert (found.problems, found.checked) == ((), 7)


def test_the_application_neither_gives_positions_nor_signs_by_itself(database_url, home, keeper):
    append(database_url, 1)
    keeper.seal_once(force=True)
    insert = "insert into app.checkpoint (origin, size, position, root, note) values ('x', 9, 9, '', '')"
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(insert)
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("insert into app.audit_entry (position, event_id, leaf) values (9, gen_random_uuid(), '')")


# -- proofs and bundles


def test_a_proof_convinces_somebody_who_has_only_the_head(database_url, home, keeper):
    events = append(database_url, 21)
    keeper.seal_once(force=True)
    with sealing(database_url) as session:
        shown = prove(session, Record(home), entry=events[12]).document()
    assert len(json.dumps(shown["proof"], separators=(",", ":"))) <= 1500
    origin, size, root = shown["checkpoint"].split("\n")[:3]
    identity = read_identity("\n".join(shown["keys"]))
    assert wrong(read(shown["checkpoint"]), identity) == ""
    leaf = hashlib.sha256(b"\0" + shown["event"].encode()).digest()
    assert leaf == base64.b64decode(shown["proof"]["leaf"])
    assert json.loads(shown["event"])["id"] == str(events[12])
    assert origin == shown["proof"]["origin"]
    assert merkle.proves_inclusion(
        index=shown["proof"]["index"],
        size=int(size),
        leaf=leaf,
        path=[base64.b64decode(one) for one in shown["proof"]["path"]],
        root=base64.b64decode(root),
    )


def test_what_is_not_sealed_or_was_altered_has_no_proof(database_url, owner_url, home, keeper):
    [event] = append(database_url)
    with sealing(database_url) as session, pytest.raises(NotFoundError):
        prove(session, Record(home), entry=event)
    keeper.seal_once(force=True)
    with sealing(database_url) as session, pytest.raises(NotFoundError):
        prove(session, Record(home), entry=2)
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.audit_event disable trigger user")
        connection.execute("update app.audit_event set body = body || ' '::bytea")
    with sealing(database_url) as session, pytest.raises(FaultError, match="altered"):
        prove(session, Record(home), entry=1)


def test_a_bundle_holds_all_that_a_stranger_needs(database_url, home, keeper, tmp_path):
    append(database_url, 4)
    keeper.seal_once(force=True)
    append(database_url, 3)
    keeper.seal_once(force=True)
    with sealing(database_url) as session:
        made = bundle.write(session, Record(home), folder=tmp_path / "out")
    assert (made.entries, made.checkpoints) == (7, 2)
    about = json.loads((made.folder / "bundle.json").read_bytes())
    for name, digest in about["files"].items():
        assert hashlib.sha256((made.folder / name).read_bytes()).hexdigest() == digest
    lines = (made.folder / "events.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    leaves = [hashlib.sha256(b"\0" + line).digest() for line in lines]
    identity = read_identity((made.folder / "keys.txt").read_text("utf-8"))
    for name in ("checkpoints.txt", "heads.txt"):
        parts = (made.folder / name).read_text("utf-8").split("\n\n")
        notes = [read(f"{text}\n\n{signatures}\n") for text, signatures in zip(parts[::2], parts[1::2], strict=False)]
        assert [one.head.size for one in notes] == [4, 7]
        for one in notes:
            assert wrong(one, identity) == ""
            assert merkle.root(leaves[: one.head.size]) == one.head.root
    with sealing(database_url) as session, pytest.raises(BadInputError, match="not empty"):
        bundle.write(session, Record(home), folder=tmp_path / "out")
    with sealing(database_url) as session, pytest.raises(NotFoundError, match="no study"):
        bundle.write(session, Record(home), folder=tmp_path / "other", study="nobody")


def test_the_commands_verify_prove_and_say_who_signs(database_url, owner_url, home, keeper, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    from metricis.cli import app

    append(database_url, 2)
    done = CLI.invoke(app, ["ledger", "verify", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (0, {"ok": True, "checked": 2, "problems": []})
    done = CLI.invoke(app, ["ledger", "prove", "2"])
    assert json.loads(done.output)["proof"]["position"] == 2
    done = CLI.invoke(app, ["ledger", "identity"])
    assert read_identity(done.output) == Record(home).identity()
    with psycopg.connect(owner_url) as connection:
        connection.execute("alter table app.audit_event disable trigger user")
        connection.execute("update app.audit_event set role = 'forged' where seq = 2")
        connection.execute("alter table app.audit_event enable trigger user")
    done = CLI.invoke(app, ["ledger", "verify", "--json"])
    found = json.loads(done.output)
    assert (done.exit_code, found["ok"], found["checked"]) == (1, False, 2)
    assert found["problems"] == [
        {
            "study": "",
            "position": 2,
            "kind": "columns",
            "detail": "The columns role differ from the event's sealed bytes.",
        }
    ]


async def test_the_sealer_goes_on_by_itself_and_through_trouble(database_url, home, monkeypatch, caplog):
    from pipelines.custody import steps

    monkeypatch.setattr(steps, "LOOK", 0.1)
    stop = asyncio.Event()
    running = asyncio.create_task(steps.keep_sealing(database_url, stop))
    await asyncio.to_thread(append, database_url, 3)
    tree = Record(home)
    for _ in range(100):
        identity = tree.identity()
        if identity and len(Record(home).tree(identity, None).leaves()) == 3 * 32:
            break
        await asyncio.sleep(0.1)
    monkeypatch.setattr(Sealer, "seal_once", _falls)
    await asyncio.sleep(0.5)
    assert "The sealer does not sign: the disk is full" in caplog.text
    monkeypatch.undo()
    stop.set()
    await running
    assert verdict(database_url, home).checked == 3


def _falls(*_, **__):
    raise FaultError("the disk is full")


def test_the_application_never_stands_in_for_the_sealer(database_url, monkeypatch):
    monkeypatch.delenv("METRICIS_SEALER_URL")
    settings.cache_clear()
    with pytest.raises(FaultError, match="db url --role sealer"), sealing(database_url):
        pass
