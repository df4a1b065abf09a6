"""The seventeen acts of a database owner against the ledger, done with every guard of the database taken away.

Each must be found, and the first thing that is told must be the study and the first entry that is not what it was.
"""

import os
import shutil

import pytest

from datamodel.audit.merkle import Range
from datamodel.checkpoints.note import Head, signed
from datamodel.kernel.settings import settings
from datamodel.vault.signing import load_signer, signer_of

STRANGER = signer_of(os.urandom(32))


def stolen():
    return load_signer(settings())


def edit_a_value(forger):
    at = forger.at("alpha", 20)
    forger.run("""update app.audit_event set change = '{"new": {"sha256": "ff"}}' where id = %s""", forger.event_at(at))
    return "alpha", at


def edit_and_hash_one_row(forger):
    at = forger.at("beta", 11)
    forger.edit(at, change={"old": {"sha256": "00"}, "new": {"sha256": "ff"}})
    return "beta", at


def delete_a_middle_row(forger):
    at = forger.at("alpha", 20)
    forger.delete(at)
    return "alpha", at


def swap_two_rows(forger):
    first, second = forger.at("alpha", 9), forger.at("alpha", 21)
    forger.swap(first, second)
    return "alpha", first


def splice_a_row_of_another_study(forger):
    target, source = forger.at("alpha", 15), forger.at("beta", 15)
    [(study,)] = forger.run("select study_id from app.audit_entry where position = %s", target)
    [(subject, action)] = forger.run(
        "select subject, action from app.audit_event e join app.audit_entry s on s.event_id = e.id where position = %s",
        source,
    )
    forger.delete(target)
    forger.edit(source, study_id=str(study), subject=subject, action=action)
    forger.run(
        "update app.audit_entry set position = %s, study_id = %s, study_position = 15 where position = %s",
        target,
        study,
        source,
    )
    return "alpha", target


def delete_renumber_and_link(forger):
    at = forger.at("beta", 20)
    forger.delete(at)
    forger.close_gaps()
    return "beta", at


def truncate_the_tail(forger):
    first = forger.at("alpha", 36)
    for at in range(forger.at("beta", 40), first - 1, -1):
        forger.delete(at)
    return "alpha", first


def rewrite_from_here_on(forger):
    first = forger.at("beta", 25)
    for number in range(25, 41):
        forger.edit(forger.at("beta", number), actor_name="Somebody else")
    return "beta", first


def insert_with_an_old_date(forger):
    before = forger.at("alpha", 12)
    forger.run("alter table app.audit_entry drop constraint if exists pk_audit_entry")
    forger.run("drop index if exists app.ix_audit_entry_study")
    forger.run("update app.audit_entry set position = position + 1 where position >= %s", before)
    forger.run(
        "insert into app.audit_event (id, xid, at, study_id, actor_id, actor_kind, actor_name, role, action, subject, reason, "
        "request_id, change, body) select gen_random_uuid(), xid, at, study_id, actor_id, actor_kind, actor_name, role, action, "
        "'participant:a-999', reason, request_id, change, body from app.audit_event where id = %s",
        forger.event_at(before + 1),
    )
    forger.run(
        "insert into app.audit_entry (position, event_id, study_id, study_position, leaf) "
        "select %s, id, study_id, 0, sha256('\\x00'::bytea || body) from app.audit_event where subject = 'participant:a-999'",
        before,
    )
    forger.edit(before, subject="participant:a-999", id=str(forger.event_at(before)))
    forger.close_gaps()
    return "alpha", before


def slip_in_without_a_position(forger):
    before = forger.at("alpha", 12)
    forger.run(
        "insert into app.audit_event (id, xid, at, study_id, actor_id, actor_kind, actor_name, role, action, subject, reason, "
        "request_id, change, body) select gen_random_uuid(), xid, at, study_id, actor_id, actor_kind, actor_name, role, action, "
        "'participant:a-999', reason, request_id, change, body from app.audit_event where id = %s",
        forger.event_at(before - 1),
    )
    [(study,)] = forger.run(
        "select t.code from app.audit_event e join app.study t on t.id = e.study_id where subject = 'participant:a-999'"
    )
    return study, before


def drop_a_study_s_log(forger):
    for at in reversed(forger.positions["beta"]):
        forger.delete(at)
    forger.run(
        "delete from app.checkpoint where study_id is not null and origin like '%%' || "
        "(select id::text from app.study where code = 'beta')"
    )
    forger.close_gaps()
    forger.cut_heads()
    return "beta", forger.at("beta", 1)


def date_back(forger):
    for number in range(30, 41):
        forger.edit(forger.at("alpha", number), at="2020-01-01T00:00:00.000000+00:00")
    return "alpha", forger.at("alpha", 30)


def drop_everything(forger):
    for table in ("checkpoint", "audit_entry", "audit_event"):
        forger.run(f"delete from app.{table}")
    return "", 1


def delete_all_heads_and_rewrite(forger):
    forger.run("delete from app.checkpoint")
    forger.edit(forger.at("alpha", 5), reason="another reason")
    return "alpha", forger.at("alpha", 5)


def sign_with_another_key(forger):
    forger.edit(forger.at("beta", 7), subject="participant:b-777")
    forger.sign_again(STRANGER)
    return "beta", forger.at("beta", 7)


def truncate_rows_and_the_last_head(forger):
    first = forger.at("alpha", 33)
    for at in range(forger.at("beta", 40), first - 1, -1):
        forger.delete(at)
    forger.cut_heads()
    return "alpha", first


def put_a_backup_back_and_write_another_history(forger):
    first = forger.at("alpha", 33)
    forger.cut_heads()
    for number in range(33, 41):
        for study in ("alpha", "beta"):
            forger.edit(forger.at(study, number), subject=f"participant:x-{number}")
    forger.run("delete from app.checkpoint where position > %s", first)
    _sign_heads(forger, sizes=(forger.at("beta", 40), 40, 40))
    return "alpha", first


def rewrite_and_sign_with_the_stolen_key(forger):
    forger.edit(forger.at("alpha", 3), subject="participant:a-333")
    forger.sign_again(stolen())
    return "alpha", forger.at("alpha", 3)


def _sign_heads(forger, *, sizes):
    """Sign heads of all three trees as the real sealer would have, with the stolen key."""
    names = forger.run("select distinct origin, study_id from app.checkpoint order by study_id nulls first")
    for (origin, study), size in zip(names, sizes, strict=True):
        leaves = forger.run(
            "select leaf from app.audit_entry where %s::uuid is null or study_id = %s::uuid order by position",
            study,
            study,
        )
        root = Range().extend(bytes(one[0]) for one in leaves[:size]).root()
        forger.run(
            "insert into app.checkpoint (origin, size, study_id, position, root, note) values (%s, %s, %s, %s, %s, %s)",
            origin,
            size,
            study,
            forger.at("beta", 40),
            root,
            signed(Head(origin, size, root), stolen()),
        )


#: what a chain of hashes alone finds, what it takes signed heads for, and what it takes a record outside for
BY_HASHES = [edit_a_value, edit_and_hash_one_row, delete_a_middle_row, swap_two_rows, splice_a_row_of_another_study]
BY_HEADS = [
    delete_renumber_and_link,
    truncate_the_tail,
    rewrite_from_here_on,
    insert_with_an_old_date,
    drop_a_study_s_log,
    date_back,
    drop_everything,
    delete_all_heads_and_rewrite,
    sign_with_another_key,
]
BY_RECORD = [
    truncate_rows_and_the_last_head,
    put_a_backup_back_and_write_another_history,
    rewrite_and_sign_with_the_stolen_key,
]
ATTACKS = [*BY_HASHES, *BY_HEADS, *BY_RECORD, slip_in_without_a_position]


def test_there_are_seventeen_and_one_of_our_own():
    assert len({*BY_HASHES, *BY_HEADS, *BY_RECORD}) == 17


def test_an_untouched_ledger_verifies(attacked):
    found = attacked.verdict()
    assert found.is_ok, found.problems
    assert found.checked == attacked.at("beta", 40)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
def test_an_attack_is_found_and_located(attacked, attack):
    study, position = attack(attacked)
    found = attacked.verdict()
    assert not found.is_ok
    assert (found.problems[0].study, found.problems[0].position) == (study, position), found.problems


@pytest.mark.parametrize("attack", [truncate_the_tail, drop_everything, *BY_RECORD], ids=lambda one: one.__name__)
def test_signed_heads_alone_find_it_too_and_say_between_which_entries(attacked, attack):
    for path in (attacked.home / "heads").glob("*.leaves"):
        path.unlink()
    _, position = attack(attacked)
    found = attacked.verdict()
    assert not found.is_ok
    assert min(one.position for one in found.problems) <= position


def test_without_the_folder_nobody_can_say_who_signed(attacked):
    shutil.rmtree(attacked.home / "heads")
    assert [one.kind for one in attacked.verdict().problems] == ["identity"]
