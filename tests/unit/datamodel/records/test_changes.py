from uuid import RFC_4122, UUID

import pytest

from datamodel.kernel.errors import BadInputError
from datamodel.kernel.ids import new_id, new_ids
from datamodel.records.changes import Present, changes
from datamodel.records.content import canonical_values, content_hash, digest_line, rows_digest

ROW = ("P1", "visit", 0, 0, "complete", '{"a":"1"}')
KEY = ROW[:4]


def kept(status="complete", values='{"a":"1"}', *, is_removed=False):
    return {KEY: Present("id-1", 3, content_hash(status, values, is_removed=is_removed), is_removed)}


def test_a_new_instance_gets_its_first_revision():
    found = changes({}, [ROW], complete_for={"P1"})
    assert [(one.number, one.values) for one in found.new] == [(1, '{"a":"1"}')]
    assert found.revisions == found.new


def test_equal_content_makes_no_revision():
    found = changes(kept(), [ROW], complete_for={"P1"})
    assert (found.revisions, found.unchanged) == ([], 1)


@pytest.mark.parametrize("before", [kept(values='{"a":"2"}'), kept(status="in_progress"), kept(is_removed=True)])
def test_other_content_makes_the_next_revision(before):
    (one,) = changes(before, [ROW], complete_for={"P1"}).changed
    assert (one.instance_id, one.number, one.is_removed) == ("id-1", 4, False)


def test_what_is_gone_is_removed_only_where_the_pull_was_complete_and_only_once():
    (gone,) = changes(kept(), [], complete_for={"P1"}).removed
    assert (gone.number, gone.is_removed, gone.values) == (4, True, "{}")
    assert changes(kept(), [], complete_for=set()).revisions == []
    assert changes(kept(is_removed=True), [], complete_for={"P1"}).revisions == []


def test_an_instance_that_comes_twice_is_refused():
    with pytest.raises(BadInputError, match="same form instance twice: P1"):
        changes({}, [ROW, ROW], complete_for=set())


def test_canonical_values_sort_names_and_leave_blanks_out():
    assert canonical_values({"b": "2", "a": "1", "c": ""}) == '{"a":"1","b":"2"}'


def test_the_digest_does_not_depend_on_the_order_of_rows_and_does_on_everything_else():
    lines = [digest_line("i1", 1, b"\x01", "redcap"), digest_line("i2", 1, b"\x02", "redcap")]
    assert rows_digest(lines) == rows_digest(lines[::-1])
    assert rows_digest(lines) != rows_digest(lines[:1])
    assert rows_digest(lines) != rows_digest([lines[0], digest_line("i2", 2, b"\x02", "redcap")])


def test_identifiers_made_in_bulk_are_as_those_made_one_by_one() -> None:
    made = new_ids(500)
    assert len(set(made)) == 500
    assert {(str(UUID(one)) == one, UUID(one).version, UUID(one).variant) for one in made} == {(True, 7, RFC_4122)}
    assert str(new_id())[:7] == made[0][:7]
    assert new_ids(0) == []


def test_an_instance_that_came_twice_is_named_whether_or_not_it_is_kept_already() -> None:
    twice = [("P1", "e", 0, 2, "complete", "{}"), ("P1", "e", 0, 2, "complete", '{"a":"1"}')]
    kept = {("P1", "e", 0, 1): Present("i1", 1, b"", is_removed=False)}
    for present in ({}, kept):
        with pytest.raises(BadInputError, match="P1, event “e”, event repeat 0, form repeat 2"):
            changes(present, twice, complete_for=[])
