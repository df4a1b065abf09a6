"""Accounts, roles and tokens: who may give what, what ends when, and what the ledger keeps."""

import pytest
from sqlalchemy import text

from datamodel.access import actions, people, reads, tokens
from datamodel.access.actor import KNOCKING
from datamodel.access.rights import may
from datamodel.approvals import actions as approvals
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.unit import unit_of_work
from datamodel.vault.seal import token_hash
from tests.support.people import people as make_people

ROLES = {
    "owner": "owner",
    "second": "owner",
    "manager": "data_manager",
    "investigator": "investigator",
    "coordinator": "coordinator",
    "viewer": "viewer",
    "statistician": "statistician",
}


@pytest.fixture
def staff(database_url):
    made = make_people(database_url, ROLES)
    with unit_of_work(database_url, made.installer, reason="set-up") as unit:
        for name in ("root", "newcomer"):
            made.accounts[name] = actions.create_account(
                unit,
                kind="staff",
                name=f"{name} person",
                sign_in_name=f"{name}@x.example",
                is_administrator=name == "root",
            )
        made.accounts["robot"] = actions.create_account(unit, kind="machine", name="Robot")
        actions.grant(unit, account_id=made.accounts["robot"], study="demo", role="viewer")
    return made


def do(staff, who, verb, *args, reason="Because.", **more):
    with unit_of_work(staff.url, staff[who], reason=reason) as unit:
        return verb(unit, *args, **more)


def last(staff):
    with unit_of_work(staff.url, staff["owner"]) as unit:
        return unit.session.execute(
            text("select action, actor_name, reason, change from app.audit_event order by seq desc limit 1")
        ).one()


@pytest.mark.parametrize("who", ["owner", "manager", "root"])
def test_those_who_manage_people_give_change_and_end_a_role_with_a_reason(staff, who):
    one = {"account_id": staff.accounts["newcomer"], "study": "demo"}
    do(staff, who, people.grant, **one, role="monitor")
    assert staff["newcomer"].role("demo") == "monitor"
    do(staff, who, people.change_role, **one, role="coordinator", site="701", reason="Moved to the site.")
    assert staff["newcomer"].membership("demo").site == "701"
    told = last(staff)
    assert (told.action, told.reason) == ("access.change_role", "Moved to the site.")
    assert told.change == {
        "old": {"role": "monitor", "site": None, "is_unblinded": False},
        "new": {"role": "coordinator", "site": "701", "is_unblinded": False},
    }
    do(staff, who, people.end_role, **one)
    assert staff["newcomer"].memberships == ()
    do(staff, who, people.grant, **one, role="viewer")
    assert staff["newcomer"].role("demo") == "viewer"


@pytest.mark.parametrize("who", ["investigator", "coordinator", "viewer", "stranger"])
def test_others_give_change_and_end_nothing(staff, who):
    one = {"account_id": staff.accounts["viewer" if who != "viewer" else "coordinator"], "study": "demo"}
    for verb, more in (
        (people.grant, {"role": "monitor"}),
        (people.change_role, {"role": "monitor"}),
        (people.end_role, {}),
    ):
        with pytest.raises((RefusedError, NotFoundError)):
            do(staff, who, verb, **one, **more)
    for verb in (people.close_account, people.open_account):
        with pytest.raises((RefusedError, NotFoundError)):
            do(staff, who, verb, account_id=one["account_id"])


@pytest.mark.parametrize("who", ["owner", "manager", "root"])
def test_nobody_changes_their_own_rights(staff, who):
    one = {"account_id": staff.accounts[who], "study": "demo"}
    for verb, more in (
        (people.grant, {"role": "owner"}),
        (people.change_role, {"role": "owner"}),
        (people.end_role, {}),
    ):
        with pytest.raises(RefusedError, match="Nobody changes their own rights"):
            do(staff, who, verb, **one, **more)
    for verb, more in ((people.close_account, {}), (people.set_administrator, {"is_administrator": True})):
        with pytest.raises(RefusedError, match="Nobody changes their own rights"):
            do(staff, who, verb, account_id=staff.accounts[who], **more)


def test_only_owners_and_administrators_make_and_unmake_owners(staff):
    newcomer, owner = staff.accounts["newcomer"], staff.accounts["second"]
    with pytest.raises(RefusedError, match="Only an owner"):
        do(staff, "manager", people.grant, account_id=newcomer, study="demo", role="owner")
    with pytest.raises(RefusedError, match="Only an owner"):
        do(staff, "manager", people.end_role, account_id=owner, study="demo")
    with pytest.raises(RefusedError, match="Only an owner"):
        do(staff, "manager", people.change_role, account_id=owner, study="demo", role="viewer")
    do(staff, "root", people.grant, account_id=newcomer, study="demo", role="owner")
    do(staff, "owner", people.end_role, account_id=owner, study="demo")


def test_a_change_of_rights_needs_a_reason_and_a_role_that_exists(staff):
    one = {"account_id": staff.accounts["newcomer"], "study": "demo"}
    with pytest.raises(BadInputError, match="Say why"):
        do(staff, "owner", people.grant, **one, role="monitor", reason=" ")
    with pytest.raises(BadInputError, match="allowed are owner"):
        do(staff, "owner", people.grant, **one, role="king")
    with pytest.raises(BadInputError, match="An account of the kind staff"):
        do(staff, "owner", people.grant, **one, role="service")
    with pytest.raises(BadInputError, match="already"):
        do(staff, "owner", people.grant, account_id=staff.accounts["viewer"], study="demo", role="monitor")
    with pytest.raises(BadInputError, match="already"):
        do(staff, "owner", people.change_role, account_id=staff.accounts["viewer"], study="demo", role="viewer")
    with pytest.raises(NotFoundError, match="no role"):
        do(staff, "owner", people.end_role, **one)


@pytest.mark.parametrize("given", [{"role": "pharmacist"}, {"role": "statistician", "is_unblinded": True}])
@pytest.mark.parametrize("who", ["owner", "root"])
def test_one_person_alone_lets_nobody_see_the_arms(staff, who, given):
    with pytest.raises(RefusedError, match="takes two people"):
        do(staff, who, people.grant, account_id=staff.accounts["newcomer"], study="demo", **given)
    with pytest.raises(RefusedError):
        do(staff, who, people.change_role, account_id=staff.accounts["viewer"], study="demo", role="pharmacist")


def propose(staff, account="statistician", *, who="owner", **more):
    what = {"account": str(staff.accounts[account]), "role": "statistician", "is_unblinded": True} | more
    return do(staff, who, approvals.propose, "unblinding", "demo", what)


def test_two_people_let_somebody_see_the_arms_and_it_ends_with_the_role(staff):
    approval_id = propose(staff)
    with pytest.raises(RefusedError, match="Nobody else has approved"):
        do(staff, "owner", approvals.let_see, approval_id, study="demo")
    do(staff, "investigator", approvals.approve, approval_id)
    assert not may(staff["statistician"], "study:blinded:read", study="demo")
    do(staff, "owner", approvals.let_see, approval_id, study="demo")
    assert may(staff["statistician"], "study:blinded:read", study="demo")
    with pytest.raises(RefusedError, match="done already"):
        do(staff, "owner", approvals.let_see, approval_id, study="demo")
    do(staff, "owner", people.change_role, account_id=staff.accounts["statistician"], study="demo", role="viewer")
    assert not may(staff["statistician"], "study:blinded:read", study="demo")


def test_an_approval_for_one_person_serves_no_other_and_none_is_needed_twice(staff):
    approval_id = propose(staff)
    do(staff, "investigator", approvals.approve, approval_id)
    with unit_of_work(staff.url, staff["owner"], reason="The board asked.") as unit:
        approvals.take(unit, approval_id, kind="unblinding", study="demo")
        with pytest.raises(RefusedError, match="No approval of two people"):
            people.unblind(
                unit,
                account_id=staff.accounts["viewer"],
                study="demo",
                role="statistician",
                site=None,
                is_unblinded=True,
                approval_id=approval_id,
            )
    with pytest.raises(RefusedError, match="No approval"), unit_of_work(staff.url, staff["owner"], reason="x") as unit:
        people.unblind(  # what was used in an earlier transaction is worth nothing
            unit,
            account_id=staff.accounts["statistician"],
            study="demo",
            role="statistician",
            site=None,
            is_unblinded=True,
            approval_id=approval_id,
        )


def test_nobody_lets_themselves_see_the_arms(staff):
    approval_id = propose(staff, "owner", who="second", role="owner")
    do(staff, "investigator", approvals.approve, approval_id)
    with pytest.raises(RefusedError, match="own rights"):
        do(staff, "owner", approvals.let_see, approval_id, study="demo")


def test_a_closed_account_signs_in_no_more_and_its_tokens_end(staff):
    token = do(staff, "statistician", tokens.make_token, account_id=staff.accounts["statistician"], purpose="n", days=3)
    with unit_of_work(staff.url, KNOCKING) as unit:
        session = actions.start_session(unit, staff.accounts["statistician"], kind="staff", how="password")
    do(staff, "root", people.close_account, account_id=staff.accounts["statistician"], reason="Left.")
    with unit_of_work(staff.url, KNOCKING) as unit:
        assert reads.actor_of_token(unit.session, token, now=unit.instant) is None
        assert reads.actor_of_session(unit.session, session, now=unit.instant) is None
    with pytest.raises(BadInputError, match="closed already"):
        do(staff, "root", people.close_account, account_id=staff.accounts["statistician"])
    do(staff, "root", people.open_account, account_id=staff.accounts["statistician"])
    with unit_of_work(staff.url, KNOCKING) as unit:
        assert reads.actor_of_token(unit.session, token, now=unit.instant) is None
    assert staff["statistician"].role("demo") == "statistician"


def test_an_administrator_is_made_by_another_one(staff):
    do(staff, "root", people.set_administrator, account_id=staff.accounts["newcomer"], is_administrator=True)
    assert staff["newcomer"].is_administrator
    with pytest.raises((RefusedError, NotFoundError)):
        do(staff, "owner", people.set_administrator, account_id=staff.accounts["viewer"], is_administrator=True)


# -- tokens ------------------------------------------------------------------------------------------------------------


def holder(staff, token):
    with unit_of_work(staff.url, KNOCKING) as unit:
        return reads.actor_of_token(unit.session, token, now=unit.instant)


def own(staff, who="manager", **more):
    given = {"purpose": "notebook", "days": 30, "study": "demo"} | more
    return do(staff, who, tokens.make_token, account_id=staff.accounts[who], **given)


def test_a_token_reaches_its_study_and_its_scopes_and_no_further(staff):
    actor = holder(staff, own(staff, scopes=["study:data:read"]))
    assert may(actor, "study:data:read", study="demo")
    assert may(actor, "study:data:export", study="demo").code == "token-lacks-scope"
    assert not may(actor, "study:data:read", study="other")
    assert not holder(staff, own(staff, "owner", scopes=["study:data:read"])).is_administrator


def test_a_token_reaches_no_further_than_its_account_does_now(staff):
    token = own(staff, scopes=["study:data:read"])
    do(staff, "owner", people.change_role, account_id=staff.accounts["manager"], study="demo", role="viewer")
    assert not may(holder(staff, token), "study:data:read", study="demo")


def test_a_token_may_not_reach_further_than_its_account(staff):
    with pytest.raises(RefusedError, match="role viewer may not read frames"):
        own(staff, "viewer", scopes=["study:data:read"])
    with pytest.raises(RefusedError, match="not a member"):
        own(staff, study="other", scopes=["study:data:read"])
    for scopes in (["system:users:manage"], ["study:everything:read"], []):
        with pytest.raises(BadInputError, match="permissions of studies"):
            own(staff, scopes=scopes)


def test_a_token_is_shown_once_kept_as_a_hash_and_its_last_use_is_known(staff):
    token = own(staff)
    with unit_of_work(staff.url, staff["manager"]) as unit:
        kept = unit.session.execute(text("select token_hash::text, to_jsonb(t)::text from app.access_token t")).all()
        assert token not in str(kept)
        assert token_hash(token).hex() in str(kept)
        (info,) = tokens.tokens_of(unit.session, staff.accounts["manager"])
        assert info.used_at is None
        assert info.state(unit.instant) == "live"
    holder(staff, token)
    with unit_of_work(staff.url, staff["manager"]) as unit:
        (info,) = tokens.tokens_of(unit.session, staff.accounts["manager"])
    assert info.used_at is not None
    assert info.study == "demo"
    assert token not in str(last(staff))


def test_a_revoked_token_opens_nothing_from_that_moment_on(staff):
    token = own(staff)
    with unit_of_work(staff.url, staff["manager"]) as unit:
        (info,) = tokens.tokens_of(unit.session, staff.accounts["manager"])
    with pytest.raises(NotFoundError):
        do(staff, "owner", tokens.revoke_token, info.id)
    do(staff, "manager", tokens.revoke_token, info.id)
    assert holder(staff, token) is None
    with pytest.raises(NotFoundError, match="no such live token"):
        do(staff, "manager", tokens.revoke_token, info.id)


def test_a_person_s_token_is_made_by_that_person_alone(staff):
    for who in ("owner", "root"):
        with pytest.raises((RefusedError, NotFoundError)):
            do(staff, who, tokens.make_token, account_id=staff.accounts["statistician"], purpose="x", days=1)
    token = do(staff, "root", tokens.make_token, account_id=staff.accounts["robot"], purpose="x", days=1)
    assert holder(staff, token).kind == "machine"


def test_a_token_cannot_make_another_one(staff):
    actor = holder(staff, own(staff))
    with pytest.raises(RefusedError), unit_of_work(staff.url, actor) as unit:
        tokens.make_token(unit, account_id=actor.id, purpose="more", days=300)


@pytest.mark.parametrize(
    ("more", "says"), [({"days": 0}, "allowed are 1"), ({"days": 9999}, "allowed"), ({"purpose": " "}, "purpose")]
)
def test_bad_input_of_a_token(staff, more, says):
    with pytest.raises(BadInputError, match=says):
        own(staff, **more)


def test_a_list_of_people_is_for_those_who_may_see_it(staff):
    with unit_of_work(staff.url, staff["investigator"]) as unit:
        names = {one.name: one.role for one in reads.members(unit.session, staff["investigator"], study="demo")}
    assert names["Owner Person"] == "owner"
    assert "Stranger Person" not in names
    with pytest.raises(RefusedError), unit_of_work(staff.url, staff["viewer"]) as unit:
        reads.members(unit.session, staff["viewer"], study="demo")
    with unit_of_work(staff.url, staff["root"]) as unit:
        everybody = reads.accounts(unit.session, staff["root"])
    assert {"Stranger Person", "Robot"} <= {one.name for one in everybody}
