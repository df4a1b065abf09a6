"""The consent gate, situation by situation."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from datamodel.consent.gate import REASONS, Ended, Published, Signed, Standing, gate, signed_version, state

START = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
EN1, FR1, EN2 = uuid4(), uuid4(), uuid4()
VERSIONS = (Published(EN1, "1.0", START), Published(FR1, "1.0", START + timedelta(days=1)))
AMENDED = (*VERSIONS, Published(EN2, "2.0", START + timedelta(days=10)))


def day(number, hours=0):
    return START + timedelta(days=number, hours=hours)


def signed(version=EN1, on=2):
    return Signed(version, day(on))


@pytest.mark.parametrize(
    ("situation", "standing", "on", "expected"),
    [
        ("nothing published", Standing("digital"), 1, "none_published"),
        ("published later", Standing("digital", VERSIONS), -1, "none_published"),
        ("not signed", Standing("digital", VERSIONS), 3, "needed"),
        ("signed", Standing("digital", VERSIONS, (signed(),)), 3, "signed"),
        ("signed later than asked", Standing("digital", VERSIONS, (signed(on=4),)), 3, "needed"),
        ("signed in the other language", Standing("digital", VERSIONS, (signed(FR1),)), 3, "signed"),
        ("amended", Standing("digital", AMENDED, (signed(),)), 11, "outdated"),
        ("before the amendment", Standing("digital", AMENDED, (signed(),)), 9, "signed"),
        ("amendment signed", Standing("digital", AMENDED, (signed(), signed(EN2, 11))), 12, "signed"),
        ("a language added later is no new version", Standing("digital", VERSIONS, (signed(on=0),)), 3, "signed"),
        ("declined", Standing("digital", VERSIONS, (), (signed(),)), 3, "declined"),
        ("declined, then signed", Standing("digital", VERSIONS, (signed(on=3),), (signed(),)), 4, "signed"),
        ("withdrawn", Standing("digital", VERSIONS, (signed(),), (), (Ended("participation", day(3)),)), 4, "withdrawn"),
        ("before it was withdrawn", Standing("digital", VERSIONS, (signed(),), (), (Ended("participation", day(3)),)), 2, "signed"),
        ("withdrawn, then signed", Standing("digital", VERSIONS, (signed(), signed(on=5)), (), (Ended("participation", day(3)),)), 6, "signed"),
        ("given elsewhere", Standing("external"), 1, "not_needed"),
        ("waived", Standing("none"), 1, "not_needed"),
    ],
)  # fmt: skip
def test_state_and_gate(situation, standing, on, expected):
    assert state(standing, at=day(on)) == expected
    assert bool(gate(standing, at=day(on))) == (expected in {"signed", "not_needed"})


def test_withdrawing_from_the_tasks_alone_leaves_the_rest_open():
    standing = Standing("digital", VERSIONS, (signed(),), (), (Ended("assessments", day(3)),))
    assert gate(standing, at=day(4))
    assert not gate(standing, at=day(4), scope="assessments")
    assert gate(standing, at=day(2), scope="assessments")


def test_a_withdrawal_counts_where_the_consent_is_given_elsewhere_too():
    standing = Standing("external", withdrawn=(Ended("participation", day(3)),))
    assert gate(standing, at=day(2))
    assert not gate(standing, at=day(4))


def test_results_name_the_newest_signature_of_the_version_in_force():
    standing = Standing("digital", AMENDED, (signed(), signed(FR1, 4), signed(EN2, 11)))
    assert signed_version(standing, at=day(3)) == EN1
    assert signed_version(standing, at=day(5)) == FR1
    assert signed_version(standing, at=day(10, 1)) is None
    assert signed_version(standing, at=day(12)) == EN2


def test_every_refusal_says_why_and_what_to_do():
    assert all(one.reason and one.next_step for one in REASONS)
    assert len({one.code for one in REASONS}) == len(REASONS)
