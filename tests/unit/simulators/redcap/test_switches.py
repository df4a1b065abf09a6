import pytest

from simulators.redcap.web.switches import Switches, Traffic, drip, truncate


async def pieces(*parts: bytes):
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"nope": 1}, "no such switch"),
        ({"latency_ms": "a"}, "latency_ms was 'a'; allowed is int"),
        ({"html_200": "yes"}, "bool"),
    ],
)
def test_a_wrong_switch_is_refused_with_what_is_allowed(wanted, said):
    with pytest.raises(ValueError) as refusal:
        Switches.read(wanted, Switches())
    assert said in str(refusal.value)


def test_switches_are_changed_one_by_one():
    once = Switches.read({"latency_ms": 5}, Switches())
    both = Switches.read({"html_200": True}, once)
    assert (both.latency_ms, both.html_200) == (5, True)


def test_next_requests_count_down_to_nothing():
    traffic = Traffic()
    traffic.switches = Switches(html_200=True, next_requests=2)
    assert [traffic.take("record").html_200 for _ in range(3)] == [True, True, False]


def test_only_the_named_content_is_hit():
    traffic = Traffic()
    traffic.switches = Switches(html_200=True, only_content="record")
    assert not traffic.take("version").html_200
    assert traffic.take("record").html_200


def test_an_address_past_the_limit_is_banned_until_reset():
    traffic = Traffic()
    traffic.switches = Switches(ban_per_minute=2)
    assert [traffic.is_banned("a") for _ in range(4)] == [False, False, True, True]
    assert not traffic.is_banned("b")
    traffic.reset()
    assert not traffic.is_banned("a")


async def test_a_truncated_body_ends_at_the_limit():
    assert b"".join([piece async for piece in truncate(pieces(b"abc", b"def", b"ghi"), 4)]) == b"abcd"


async def test_a_dripped_body_arrives_whole():
    assert b"".join([piece async for piece in drip(pieces(b"abcdef"), 40)]) == b"abcdef"
