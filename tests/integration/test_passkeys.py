"""Passkeys: an honest one signs in; whatever else a browser may send does not (S8)."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from datamodel.access import actions as access
from datamodel.credentials import factors, reads
from datamodel.kernel.errors import RefusedError
from datamodel.kernel.settings import settings
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator, words
from tests.support.staff import World

ORIGIN, HOST = "https://trial.example", "trial.example"
HOLDER = "the browser's own cookie"


@pytest.fixture
def world(database_url, owner_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_BASE_URL", ORIGIN)
    settings.cache_clear()
    return World(database_url, owner_url)


def register(world, device=None, *, account=None, holder=HOLDER, **lie):
    device = device or Authenticator(ORIGIN, HOST)
    account = account or world.ada
    with world.unit() as unit:
        options = factors.begin_passkey(unit, account_id=account, holder=HOLDER)
    with world.unit() as unit:
        factors.finish_passkey(
            unit, account_id=account, holder=holder, answer=device.make(options, **lie), label="Phone"
        )
    return device


@pytest.fixture
def device(world):
    return register(world)


def question(world, **given):
    with world.unit() as unit:
        return factors.ask_passkey(unit, holder=HOLDER, **given)


def sign_in(world, answer, *, holder=HOLDER, half=""):
    with world.unit() as unit:
        return factors.sign_in_with_passkey(unit, holder=holder, answer=answer, half=half)


def refused(world, answer, **given):
    with pytest.raises(RefusedError) as caught:
        sign_in(world, answer, **given)
    assert caught.value.refusal.code == "passkey-refused"


def test_an_honest_passkey_signs_in_and_is_both_factors(world, device):
    for _ in range(3):
        entry = sign_in(world, device.show(question(world)))
        assert world.is_signed_in(entry.token)
    with world.unit() as unit:
        found = reads.factors(unit.session, world.ada)
    assert (found.passkeys[0].label, found.passkeys[0].used_at) == ("Phone", world.now)


def test_user_verification_and_our_own_name_are_asked_for(world, device):
    asked = json.loads(question(world))
    assert (asked["userVerification"], asked["rpId"], asked["allowCredentials"]) == ("required", HOST, [])
    with world.unit() as unit:
        made = json.loads(factors.begin_passkey(unit, account_id=world.ada, holder=HOLDER))
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert [one["id"] for one in made["excludeCredentials"]] == [words(device.id)]


#: What an answer may say that it must not: twelve of the ways that S8 names.
LIES = {
    "origin of a look-alike": {"origin": "https://trial.example.attacker.example"},
    "origin without tls": {"origin": "http://trial.example"},
    "origin with another port": {"origin": "https://trial.example:8443"},
    "another relying party": {"rp_id": "attacker.example"},
    "a challenge of its own": {"challenge": words(b"c" * 32)},
    "an answer to the other ceremony": {"kind": "webauthn.create"},
    "no user verification": {"flags": PRESENT},
    "nobody present": {"flags": VERIFIED},
    "a counter that went back": {"count": 0},
    "another key's signature": {"key": ec.generate_private_key(ec.SECP256R1())},
    "a frame of another site": {"cross": True},
    "somebody else's user handle": {"handle": b"x" * 16},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_what_is_not_as_it_was_asked_is_refused(world, device, lie):
    assert sign_in(world, device.show(question(world))).token, "honest before"
    refused(world, device.show(question(world), **lie))
    assert sign_in(world, device.show(question(world))).token, "and honest after"


def test_a_challenge_works_once_also_when_it_failed(world, device):
    options = question(world)
    refused(world, device.show(options, origin="https://attacker.example"))
    refused(world, device.show(options))
    answer = device.show(question(world))
    assert sign_in(world, answer).token
    refused(world, answer)


def test_one_answer_many_times_at_once_opens_one_session(world, device):
    answer = device.show(question(world))

    def use(_):
        try:
            return bool(sign_in(world, answer).token)
        except RefusedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) == 1


def test_a_challenge_belongs_to_one_browser_one_purpose_and_five_minutes(world, device):
    refused(world, device.show(question(world)), holder="another browser")
    refused(world, device.show(question(world, purpose="confirm", account_id=world.ada)))
    options = question(world)
    world.later(minutes=5)
    refused(world, device.show(options))


def other_account(world):
    with world.unit(world.admin) as unit:
        return access.create_account(unit, kind="staff", name="Eve", sign_in_name="eve@site.example")


def test_a_passkey_opens_its_own_account_only(world, device):
    eve = other_account(world)
    mine = register(world, account=eve)
    refused(world, mine.show(question(world), handle=device.handle))
    refused(world, mine.show(question(world), id=device.id))
    generator = world.use_authenticator()
    half = world.sign_in().half
    refused(world, mine.show(question(world, account_id=world.ada)), half=half)
    assert world.second(half, world.code(generator)).token


def test_a_passkey_completes_its_own_half_sign_in(world, device):
    entry = world.sign_in()
    assert entry.needs == "factor"
    done = sign_in(world, device.show(question(world, account_id=world.ada)), half=entry.half)
    assert world.is_signed_in(done.token)
    refused_half = device.show(question(world, account_id=world.ada))
    with pytest.raises(RefusedError):
        sign_in(world, refused_half, half=entry.half)


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://attacker.example"},
        {"rp_id": "attacker.example"},
        {"flags": PRESENT},
        {"kind": "webauthn.get"},
        {"challenge": words(b"c" * 32)},
        {"holder": "another browser"},
    ],
    ids=str,
)
def test_a_passkey_is_not_kept_when_its_making_was_not_as_asked(world, lie):
    with pytest.raises(RefusedError):
        register(world, **lie)
    with world.unit() as unit:
        assert not reads.factors(unit.session, world.ada).passkeys


def test_a_known_passkey_is_not_registered_for_somebody_else(world, device):
    with pytest.raises(RefusedError):
        register(world, device, account=other_account(world))


def test_a_removed_passkey_opens_nothing(world, device):
    with world.unit(world.actor()) as unit:
        key = reads.factors(unit.session, world.ada).passkeys[0]
        factors.drop_passkey(unit, account_id=world.ada, passkey_id=key.id)
    refused(world, device.show(question(world)))


def test_whose_password_door_is_closed_still_comes_in_with_a_passkey(world, device):
    for n in range(5):
        world.refused(password=f"wrong number {n}")
    assert world.refused() == "too-many-tries"
    assert sign_in(world, device.show(question(world))).token


def test_a_passkey_confirms_and_renews_the_session_s_identifier(world, device):
    token = sign_in(world, device.show(question(world))).token
    options = question(world, purpose="confirm", account_id=world.ada)
    with world.unit(world.actor()) as unit:
        fresh = factors.step_up_with_passkey(unit, token, holder=HOLDER, answer=device.show(options))
    assert (world.is_signed_in(token), world.is_signed_in(fresh)) == (False, True)


@pytest.mark.parametrize(
    "answer",
    ["", "[]", "null", "{}", '{"id": 1, "response": []}', "[" * 5000, '{"id":"", "response":{"clientDataJSON":"e30"}}'],
)
def test_what_is_no_passkey_s_answer_is_refused(world, answer):
    refused(world, answer)


def test_every_step_is_in_the_ledger_without_the_passkey(world, device):
    sign_in(world, device.show(question(world)))
    assert {"credentials.add_passkey", "access.sign_in"} <= set(world.events())
    with psycopg.connect(world.owner_url) as connection:
        told = "".join(str(row) for row in connection.execute("select change from app.audit_event"))
    assert words(device.id) not in told
    assert device.id.hex() not in told
