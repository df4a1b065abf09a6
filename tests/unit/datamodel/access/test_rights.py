"""The table of permissions against the role matrices of the specification, and the answers' words."""

import timeit

import pytest

from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import ADMINISTRATOR, PERMISSIONS, ROLES, STUDY_WIDE, Denied, may, role_in_words
from datamodel.kernel.ids import new_id

STAFF = sorted(set(ROLES) - {"participant", "caregiver", "service"})


def actor(role="", *, site=None, is_unblinded=False, **more) -> Actor:
    memberships = (Membership("demo", role, site, is_unblinded),) if role else ()
    return Actor(id=new_id(), kind="staff", name="Anna", memberships=memberships, **more)


#: permission -> the roles of staff that hold it: the matrices of the specification, read by hand
MATRIX = {
    "study:overview:read": STAFF,
    "study:audit:read": STAFF,
    "study:participants:read": STAFF,
    "study:participants:enrol": ["coordinator", "owner"],
    "study:records:revise": [],
    "study:discrepancies:open": ["data_manager", "monitor"],
    "study:discrepancies:close": ["data_manager", "monitor"],
    "study:discrepancies:answer": ["coordinator", "data_manager"],
    "study:assessments:configure": ["coordinator", "owner"],
    "study:consent:publish": ["investigator", "owner"],
    "study:design:manage": ["data_manager", "owner"],
    "study:connections:manage": ["owner"],
    "study:people:read": ["data_manager", "investigator", "owner", "safety_officer"],
    "study:people:manage": ["data_manager", "owner"],
    "study:data:export": ["data_manager", "investigator", "owner", "statistician"],
    "study:blinded:read": ["pharmacist"],
    "study:arm:decide": ["investigator", "owner", "safety_officer"],
    "study:arm:reveal": ["investigator", "safety_officer"],
}


@pytest.mark.parametrize("permission", MATRIX)
def test_a_permission_is_held_by_the_roles_of_the_matrix_and_no_other(permission):
    held = [role for role in STAFF if permission in ROLES[role]]
    assert held == sorted(MATRIX[permission])


def test_assessments_are_hidden_from_the_safety_officer_and_data_entry_from_machines():
    assert not may(actor("safety_officer"), "study:assessments:read", study="demo")
    assert may(actor("monitor"), "study:assessments:read", study="demo")


def test_an_administrator_manages_people_and_studies_and_sees_no_study():
    root = actor(is_administrator=True)
    for permission in PERMISSIONS:
        assert bool(may(root, permission, study="demo")) == permission.startswith("system:")
    assert frozenset(one for one in PERMISSIONS if one.startswith("system:")) == ADMINISTRATOR


def test_what_is_risky_needs_the_owner_of_that_very_study():
    for who in (actor("data_manager"), actor(is_administrator=True), actor("investigator"), actor("viewer")):
        assert not may(who, "study:connections:manage", study="demo")
    assert may(actor("owner"), "study:connections:manage", study="demo")
    assert not may(actor("owner"), "study:connections:manage", study="other")


def test_a_role_for_one_site_ends_at_the_site_and_reaches_nothing_of_the_whole_study():
    here = actor("owner", site="701")
    assert may(here, "study:records:read", study="demo", site="701")
    assert may(here, "study:records:read", study="demo", site="702").code == "other-site"
    for permission in STUDY_WIDE & ROLES["owner"]:
        assert may(here, permission, study="demo").code == "one-site-only"


def test_a_token_reaches_no_further_than_its_scopes():
    held = actor("data_manager", scopes=frozenset({"study:data:read"}))
    assert may(held, "study:data:read", study="demo")
    refused = may(held, "study:data:export", study="demo")
    assert refused.code == "token-lacks-scope"
    assert "may not export data sets" in refused.sentence
    assert not may(actor("viewer", scopes=frozenset({"study:data:read"})), "study:data:read", study="demo")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_refusal_says_what_who_may_and_where(role, permission):
    answer = may(actor(role), permission, study="demo")
    if answer:
        assert permission in ROLES[role]
        return
    assert isinstance(answer, Denied)
    assert (answer.permission, answer.study) in {(permission, "demo"), (permission, "")}
    assert PERMISSIONS[permission] in answer.reason
    assert not permission.startswith("study:") or role_in_words(role) in answer.reason


def test_a_question_takes_far_less_than_fifty_microseconds():
    who, rounds = actor("data_manager"), 2_000
    best = min(timeit.repeat(lambda: may(who, "study:records:revise", study="demo"), number=rounds, repeat=5))
    assert best / rounds < 50e-6
