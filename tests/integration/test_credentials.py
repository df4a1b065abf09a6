"""How staff prove who they are: every rule of `datamodel/credentials`, on a real database and a scripted clock."""

import re
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, event

from datamodel.access import actions as access
from datamodel.access import passwords, people
from datamodel.access import reads as access_reads
from datamodel.credentials import actions, factors, reads
from datamodel.credentials.passwords import check
from datamodel.kernel.errors import Allowed, RefusedError
from datamodel.kernel.settings import settings
from datamodel.links import actions as links
from datamodel.study import actions as study
from tests.support.staff import PASSWORD, World

NEW = "four quiet green boats"


@pytest.fixture
def world(database_url, owner_url, home):
    return World(database_url, owner_url)


# -- confirmation --------------------------------------------------------------------------------------------------


def test_one_s_own_password_confirms_and_another_does_not(world):
    assert world.confirm() == Allowed()
    refused = world.confirm("not my password")
    assert refused.code == "not-confirmed"
    assert "not my password" not in refused.sentence
    assert world.events()[-1] == "credentials.refuse"


def test_five_wrong_confirmations_end_every_session_and_are_told_as_misuse(world):
    token = world.sign_in().token
    codes = [world.confirm(f"wrong number {n}").code for n in range(5)]
    assert codes == ["not-confirmed"] * 4 + ["credentials-misuse"]
    assert not world.is_signed_in(token)
    assert world.events()[-2:] == ["credentials.misuse", "access.revoke_sessions"]
    assert world.confirm().code == "too-many-tries", "the right password is not looked at any more"


def test_wrong_confirmations_stay_counted_when_what_asked_for_them_fails(world):
    def fails() -> None:
        with world.unit(world.actor()) as unit:
            actions.confirm(unit, password="a wrong one")
            raise RuntimeError

    for _ in range(4):
        with pytest.raises(RuntimeError):
            fails()
    assert world.confirm("wrong again").code == "credentials-misuse"


def test_a_right_confirmation_forgives_the_wrong_ones_before(world):
    for _ in range(3):
        assert not world.confirm("wrong")
        world.later(seconds=1)
    assert world.confirm()
    world.later(seconds=1)
    assert [world.confirm("wrong").code for _ in range(4)] == ["not-confirmed"] * 4


# -- passwords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password-length"),
        ("x" * 129, "password-length"),
        ("password1234", "password-common"),
        ("qwertyuiop12", "password-common"),
        ("aaaaaaaaaaaa", "password-common"),
        ("trustno1trustno1", "password-common"),
        ("Metricis2026!", "password-common"),
        ("ada.berger2026", "password-common"),
        ("correct horse battery", ""),
        ("ünïcödé wörds gälore", ""),
        ("no digits or capitals at all", ""),
        ("blue lamp river tooth " * 5, ""),
    ],
)
def test_length_and_lists_decide_over_a_password_and_nothing_else(password, code):
    answer = check(password, about=("Ada Berger", "ada.berger@site.example"))
    assert getattr(answer, "code", "") == code
    assert code == "" or password not in answer.sentence


def test_a_password_typed_on_another_keyboard_is_the_same(world):
    composed, decomposed = "caf\u00e9 au lait demain", "cafe\u0301 au lait demain"
    with world.unit(world.actor()) as unit:
        actions.change_password(unit, old=PASSWORD, new=composed)
    assert world.sign_in(decomposed).token


def test_hashes_are_at_least_owasp_s_cost(world):
    with psycopg.connect(world.owner_url) as connection:
        stored = connection.execute("select password_hash from app.account where id = %s", [world.ada]).fetchone()[0]
    memory, passes, lanes = map(int, re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$", stored).groups())
    assert (memory >= 19 * 1024, passes >= 2, lanes >= 1) == (True, True, True)


def test_an_old_hash_is_renewed_when_its_owner_signs_in(world, monkeypatch):
    today = passwords._HASHER
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1))
    with world.unit(world.actor()) as unit:
        actions.change_password(unit, old=PASSWORD, new=NEW)
    weak = stored(world)
    monkeypatch.setattr(passwords, "_HASHER", today)
    world.refused(password="not the one at all")
    assert stored(world) == weak
    assert world.sign_in(NEW).token
    assert stored(world) != weak
    assert not passwords.is_outdated(stored(world))
    assert "credentials.renew_hash" in world.events()


def stored(world):
    with psycopg.connect(world.owner_url) as connection:
        return connection.execute("select password_hash from app.account where id = %s", [world.ada]).fetchone()[0]


def test_a_changed_password_ends_every_other_session(world):
    here, there = world.sign_in().token, world.sign_in().token
    with world.unit(world.actor()) as unit:
        actions.change_password(unit, old=PASSWORD, new=NEW, token=here)
    assert (world.is_signed_in(here), world.is_signed_in(there)) == (True, False)
    assert world.refused() == "sign-in-failed"
    assert world.sign_in(NEW).token


def test_the_old_password_is_needed_for_a_new_one(world):
    with pytest.raises(RefusedError, match="prove that it is you"), world.unit(world.actor()) as unit:
        actions.change_password(unit, old="not the old one", new=NEW)
    assert world.sign_in().token


# -- unknown names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada@site.example", "wrong wrong wrong"), ("nobody@site.example", PASSWORD), ("nobody@site.example", "x" * 500)],
)
def test_an_unknown_name_gets_the_same_sentence_for_the_same_work(world, monkeypatch, name, password):
    done = []
    real = passwords._HASHER.verify

    class Counting:
        verify = staticmethod(lambda *given: done.append(given[0][:30]) or real(*given))
        check_needs_rehash = staticmethod(passwords._HASHER.check_needs_rehash)

    monkeypatch.setattr(passwords, "_HASHER", Counting)
    with pytest.raises(RefusedError) as caught:
        world.sign_in(password, name=name)
    assert caught.value.refusal.sentence.startswith("Name and password do not belong together.")
    assert len(done) == 1, "one verification, whether the name exists or not"
    assert done[0].startswith("$argon2id$v=19$m=19456,t=2,p=1")


def test_an_unknown_name_asks_the_database_the_same_questions(world):
    asked = {}

    def note(connection, cursor, statement, parameters, context, executemany):
        asked[name].append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for name in ("warm@site.example", "ada@site.example", "nobody@site.example"):
            asked[name] = []
            world.refused(name=name, password="wrong wrong wrong")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert asked["ada@site.example"] == asked["nobody@site.example"]
    assert len(asked["ada@site.example"]) >= 5


def test_no_name_and_no_password_reaches_the_ledger(world):
    world.refused(name="secret.person@site.example", password="a very secret phrase")
    world.sign_in()
    with psycopg.connect(world.owner_url) as connection:
        told = "".join(str(row) for row in connection.execute("select * from app.audit_event"))
    for secret in ("secret.person", "a very secret phrase", "ada@site.example", PASSWORD):
        assert secret not in told


# -- too many tries ------------------------------------------------------------------------------------------------


def test_ten_wrong_passwords_in_ten_minutes_close_the_password_door_for_that_name(world):
    for n in range(10):
        assert world.refused(password=f"wrong number {n}") == "sign-in-failed"
        world.later(seconds=40)
    assert world.refused() == "too-many-tries", "the right one is not looked at"
    assert world.refused(name="nobody@site.example") == "sign-in-failed", "another name is not concerned"
    world.later(minutes=5)
    assert world.sign_in().token, "the first ones are forgotten after ten minutes"


def test_after_five_wrong_ones_each_next_has_to_wait_longer(world):
    for n in range(5):
        assert world.refused(password=f"wrong number {n}") == "sign-in-failed"
    assert world.refused() == "too-many-tries"
    world.later(seconds=2)
    assert world.refused(password="wrong once more") == "sign-in-failed"
    world.later(seconds=3)
    assert world.refused() == "too-many-tries"
    world.later(seconds=1)
    assert world.sign_in().token


def test_unknown_names_are_closed_alike(world):
    answers = {
        name: [world.refused(name=name, password="wrong wrong") for _ in range(7)]
        for name in ("ada@site.example", "nobody@site.example")
    }
    assert answers["ada@site.example"] == answers["nobody@site.example"]


def test_a_hundred_tries_from_one_source_close_it_for_every_name(world):
    for n in range(100):
        world.refused(name=f"person{n}@site.example", source="198.51.100.7")
    assert world.refused(source="198.51.100.7") == "too-many-tries"
    assert world.sign_in(source="192.0.2.1").token, "from elsewhere the right password still opens"


def test_forty_tries_at_once_are_counted_one_by_one(world):
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: world.refused(password=f"wrong number {n}"), range(40)))
    assert codes.count("sign-in-failed") == 5
    assert codes.count("too-many-tries") == 35


def test_whoever_is_blocked_by_strangers_still_comes_in_by_link(world):
    for n in range(5):
        world.refused(password=f"wrong number {n}")
    assert world.refused() == "too-many-tries"
    with world.unit(world.admin) as unit:
        link = links.show(unit, account_id=world.ada)
    with world.unit() as unit:
        opened = links.use(unit, link)
    assert world.is_signed_in(opened.entry.token)


# -- the authenticator and recovery codes --------------------------------------------------------------------------


def test_a_session_begins_only_when_the_code_was_shown(world):
    generator = world.use_authenticator()
    entry = world.sign_in()
    assert (entry.token, entry.needs) == ("", "factor")
    assert not world.is_signed_in(entry.half), "half a sign-in opens nothing"
    assert world.no_second(entry.half, "000000") == "code-wrong"
    token = world.second(entry.half, world.code(generator)).token
    assert world.is_signed_in(token)
    assert world.no_second(entry.half, world.code(generator, 1)) == "sign-in-over"


def test_a_code_works_once_and_one_step_around(world):
    generator = world.use_authenticator()
    for steps, works in ((-2, False), (2, False), (0, True), (0, False), (1, True), (-1, False)):
        half = world.sign_in().half
        code = world.code(generator, steps)
        assert bool(world.second(half, code).token) if works else world.no_second(half, code) == "code-wrong", steps
    world.later(minutes=3)
    assert world.second(world.sign_in().half, world.code(generator, -1)).token


def test_the_same_code_twice_at_once_opens_one_session(world):
    generator = world.use_authenticator()
    halves = [world.sign_in().half for _ in range(8)]
    code = world.code(generator)

    def use(half):
        try:
            return bool(world.second(half, code).token)
        except RefusedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, halves)) == 1


def test_a_half_sign_in_is_over_after_ten_minutes(world):
    generator = world.use_authenticator()
    half = world.sign_in().half
    world.later(minutes=10)
    assert world.no_second(half, world.code(generator)) == "sign-in-over"


def test_codes_are_not_guessed(world):
    generator = world.use_authenticator()
    half = world.sign_in().half
    assert [world.no_second(half, f"{n:06}") for n in range(5)] == ["code-wrong"] * 5
    assert world.no_second(half, world.code(generator)) == "too-many-tries"


@pytest.mark.parametrize("code", ["", "٣٣٣٣٣٣", "１２３４５６", "-1", "12345é", "x" * 5000])
def test_what_is_no_code_is_a_wrong_code(world, code):
    generator = world.use_authenticator()
    assert world.no_second(world.sign_in().half, code) == "code-wrong"
    with world.unit(world.actor()) as unit:
        factors.drop_totp(unit, account_id=world.ada)
        factors.begin_totp(unit, account_id=world.ada)
    with pytest.raises(RefusedError, match="not the code"), world.unit(world.actor()) as unit:
        factors.finish_totp(unit, account_id=world.ada, code=code)
    assert generator


def test_ten_recovery_codes_each_work_once(world):
    world.use_authenticator()
    assert len(set(world.recovery)) == 10
    shown = world.recovery[0].lower().replace("-", " ")
    assert world.second(world.sign_in().half, shown).token
    assert world.no_second(world.sign_in().half, shown) == "code-wrong"
    with world.unit(world.actor()) as unit:
        assert reads.factors(unit.session, world.ada).recovery_left == 9
        fresh = factors.new_recovery_codes(unit, account_id=world.ada)
    assert world.no_second(world.sign_in().half, world.recovery[1]) == "code-wrong", "earlier ones are replaced"
    assert world.second(world.sign_in().half, fresh[0]).token


def test_one_recovery_code_many_times_at_once_opens_one_session(world):
    world.use_authenticator()
    halves = [world.sign_in().half for _ in range(8)]

    def use(half):
        try:
            return bool(world.second(half, world.recovery[0]).token)
        except RefusedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, halves)) == 1


def test_secrets_of_factors_are_not_readable_in_the_database(world):
    generator = world.use_authenticator()
    with psycopg.connect(world.owner_url) as connection:
        held = "".join(
            str(row)
            for table in ("credential_totp", "credential_recovery", "credential_try", "credential_half", "session")
            for row in connection.execute(f"select * from app.{table}")
        )
    assert generator.secret not in held
    assert "enc:v3:" in held
    assert not any(code in held or code.replace("-", "") in held for code in world.recovery)


def test_confirming_needs_a_code_where_an_authenticator_is_used(world):
    generator = world.use_authenticator()
    assert world.confirm().code == "not-confirmed"
    world.later(seconds=1)
    code = world.code(generator)
    assert world.confirm(code=code) == Allowed()
    assert world.confirm(code=code).code == "not-confirmed", "a code confirms once"


def test_an_authenticator_counts_only_after_its_first_code(world):
    with world.unit(world.actor()) as unit:
        factors.begin_totp(unit, account_id=world.ada)
    assert world.sign_in().token
    with pytest.raises(RefusedError, match="not the code"), world.unit(world.actor()) as unit:
        factors.finish_totp(unit, account_id=world.ada, code="000000")
    assert world.sign_in().token


def test_nobody_sets_up_factors_for_somebody_else(world):
    with pytest.raises(RefusedError, match="another account"), world.unit(world.admin) as unit:
        factors.begin_totp(unit, account_id=world.ada)


def test_the_last_factor_stays_where_one_is_required(world, monkeypatch):
    world.use_authenticator()
    monkeypatch.setenv("METRICIS_REQUIRE_SECOND_FACTOR", "true")
    settings.cache_clear()
    with pytest.raises(RefusedError, match="only second factor"), world.unit(world.actor()) as unit:
        factors.drop_totp(unit, account_id=world.ada)
    monkeypatch.setenv("METRICIS_REQUIRE_SECOND_FACTOR", "false")
    settings.cache_clear()
    with world.unit(world.actor()) as unit:
        factors.drop_totp(unit, account_id=world.ada)
    assert world.sign_in().token


def test_where_a_second_factor_is_required_a_password_alone_opens_nothing(world, monkeypatch):
    monkeypatch.setenv("METRICIS_REQUIRE_SECOND_FACTOR", "true")
    settings.cache_clear()
    entry = world.sign_in()
    assert (entry.token, entry.needs) == ("", "enrol")


def test_production_requires_a_second_factor_unless_told_otherwise():
    given = {"environment": "production"}
    assert settings().model_copy(update=given).requires_second_factor
    assert not settings().model_copy(update=given | {"require_second_factor": False}).requires_second_factor
    assert not settings().model_copy(update={"require_second_factor": None}).requires_second_factor


# -- invitation and reset ------------------------------------------------------------------------------------------


def invited(world, kind="invitation"):
    with world.unit(world.admin) as unit:
        return actions.invite(unit, account_id=world.ada, kind=kind)


def accept(world, token, *, password=NEW, has_accepted=True):
    with world.unit() as unit:
        return actions.accept(unit, token, password=password, has_accepted=has_accepted)


def test_an_invitation_sets_the_password_once(world):
    token = invited(world)
    before = world.sign_in().token
    entry = accept(world, token)
    assert world.is_signed_in(entry.token)
    assert not world.is_signed_in(before), "what was signed in before is out"
    assert world.sign_in(NEW).token
    with pytest.raises(RefusedError, match="used already"):
        accept(world, token)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"password": "password1234"}, "guessed first"), ({"has_accepted": False}, "terms of use were not accepted")],
)
def test_a_refused_first_password_leaves_the_invitation_unspent(world, change, words):
    token = invited(world)
    with pytest.raises(RefusedError, match=words):
        accept(world, token, **change)
    assert accept(world, token).token


@pytest.mark.parametrize(("kind", "hours"), [("invitation", 72), ("reset", 1)])
def test_an_invitation_ends(world, kind, hours):
    token = invited(world, kind)
    world.later(hours=hours)
    with pytest.raises(RefusedError, match="too old"):
        accept(world, token)


def test_only_the_newest_invitation_counts(world):
    first, second = invited(world), invited(world)
    with pytest.raises(RefusedError):
        accept(world, first)
    assert accept(world, second).token


def test_an_invitation_used_many_times_at_once_works_once(world):
    token = invited(world)

    def use(n):
        try:
            return bool(accept(world, token, password=f"{NEW} {n}").token)
        except RefusedError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) == 1


def test_a_reset_does_not_go_round_the_second_factor(world):
    world.use_authenticator()
    entry = accept(world, invited(world, "reset"))
    assert (entry.token, entry.needs) == ("", "factor")


def test_only_administrators_invite_and_take_factors_away(world):
    for verb in (actions.invite, actions.drop_factors):
        with pytest.raises(RefusedError, match="administrator"), world.unit(world.actor()) as unit:
            verb(unit, account_id=world.ada)
    world.use_authenticator()
    token = accept(world, invited(world, "reset")).half
    assert token
    with world.unit(world.admin) as unit:
        actions.drop_factors(unit, account_id=world.ada)
    assert world.sign_in(NEW).token


# -- sessions ------------------------------------------------------------------------------------------------------


def session(world, token):
    with world.unit() as unit:
        return access_reads.session_of(unit.session, token, now=unit.instant)


def test_staff_idle_out_after_fifteen_minutes_and_participants_after_thirty(world):
    staff = world.sign_in().token
    with world.unit() as unit:
        other = access.start_session(unit, world.ada, kind="participant")
    world.later(minutes=14, seconds=59)
    assert (world.is_signed_in(staff), world.is_signed_in(other)) == (True, True)
    world.later(minutes=15)
    assert (world.is_signed_in(staff), world.is_signed_in(other)) == (False, True)
    world.later(minutes=30)
    assert not world.is_signed_in(other)


def test_nobody_stays_longer_than_twelve_hours(world):
    token = world.sign_in().token
    for _ in range(71):
        world.later(minutes=10)
        with world.unit() as unit:
            assert access_reads.stay(unit.session, token, now=unit.instant)
    world.later(minutes=10)
    with world.unit() as unit:
        assert access_reads.stay(unit.session, token, now=unit.instant) is None


def test_looking_at_a_session_does_not_prolong_it(world):
    token = world.sign_in().token
    for _ in range(3):
        world.later(minutes=5)
        left = session(world, token)
    assert left is None


def test_a_step_up_renews_the_session_s_identifier_and_lasts_five_minutes(world):
    token = world.sign_in().token
    world.later(minutes=6)
    with world.unit(world.actor()) as unit, pytest.raises(RefusedError, match="last five minutes"):
        actions.require_fresh(access_reads.session_of(unit.session, token, now=unit.instant), unit)
    with world.unit(world.actor()) as unit:
        fresh = actions.step_up(unit, token, password=PASSWORD)
    assert fresh != token
    assert (world.is_signed_in(token), world.is_signed_in(fresh)) == (False, True)
    with world.unit(world.actor()) as unit:
        actions.require_fresh(access_reads.session_of(unit.session, fresh, now=unit.instant), unit)
    world.later(minutes=5)
    with world.unit(world.actor()) as unit, pytest.raises(RefusedError):
        actions.require_fresh(access_reads.session_of(unit.session, fresh, now=unit.instant), unit)


def test_rights_that_change_are_seen_at_once_and_renew_the_identifier(world):
    token = world.sign_in().token
    with world.unit() as unit:
        assert access_reads.still_standing(unit.session, [token, "x" * 43], now=unit.instant) == {token}
    with world.unit(world.admin) as unit:
        study.create_study(unit, code="demo", protocol_id="DEMO-1", title="A study")
        people.grant(unit, account_id=world.ada, study="demo", role="viewer")
    with world.unit() as unit:
        assert access_reads.still_standing(unit.session, [token], now=unit.instant) == set()
        fresh = access.rotate_session(unit, token, why="rights changed")
    with world.unit() as unit:
        assert access_reads.still_standing(unit.session, [token, fresh], now=unit.instant) == {fresh}


def test_sessions_are_listed_by_device_and_ended_one_by_one_or_all_others(world):
    first, second, third = (world.sign_in().token for _ in range(3))
    with world.unit(world.actor()) as unit:
        found = access_reads.sessions_of(unit.session, world.ada, now=unit.instant)
        assert {one.device for one in found} == {"Firefox on Linux"}
        access.revoke_session(unit, session(world, second).id)
    assert [world.is_signed_in(one) for one in (first, second, third)] == [True, False, True]
    with world.unit(world.actor()) as unit:
        assert access.revoke_sessions(unit, account_id=world.ada, except_token=third) == 1
    assert [world.is_signed_in(one) for one in (first, third)] == [False, True]


def test_nobody_ends_somebody_else_s_session(world):
    token = world.sign_in().token
    with world.unit(world.admin) as unit:
        other = access.create_account(unit, kind="staff", name="Eve")
    with world.unit() as unit:
        eve = access_reads.actor(unit.session, other)
    for verb in (
        lambda unit: access.revoke_session(unit, session(world, token).id),
        lambda unit: access.revoke_sessions(unit, account_id=world.ada),
    ):
        with pytest.raises(Exception, match=r"no such signed-in browser|administrator"), world.unit(eve) as unit:
            verb(unit)
    assert world.is_signed_in(token)


def test_a_recovery_code_is_told_in_the_ledger(world):
    world.use_authenticator()
    world.second(world.sign_in().half, world.recovery[3])
    with psycopg.connect(world.owner_url) as connection:
        assert connection.execute("select count(*) from app.unaccounted").fetchone()[0] == 0
    assert "credentials.use_recovery_code" in world.events()
