import pytest

from apps.shell.pages import NO_SUCH_STUDY, PAGES, Page, Registry, may_open
from apps.web import ROOMS
from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import PERMISSIONS
from datamodel.kernel.errors import Refused
from datamodel.kernel.ids import new_id

assert ROOMS  # importing the web process declares every page


def actor(role, site=None):
    return Actor(id=new_id(), kind="staff", name="Anna", memberships=(Membership("demo", role, site),))


@pytest.mark.parametrize("page", PAGES.all(), ids=lambda page: page.path)
def test_a_page_says_its_path_title_and_permission(page):
    assert page.path.startswith("/app/")
    assert page.title
    is_known = page.permission in PERMISSIONS
    assert (
        is_known
        if "{study}" in page.path
        else page.permission == "" or (is_known and page.permission.startswith("system:"))
    )


def test_an_address_that_no_page_declares_does_not_exist():
    for path in ("/app", "/app/demo", "/app/demo/secrets", "/app/demo/participants/1/2", "/app/studies/x/y/z/0/1"):
        assert PAGES.at(path) is None


def test_an_address_names_what_it_shows():
    page, named = PAGES.at("/app/demo/participants/701-1015/week-2/vital-signs")
    assert page.title == "Form"
    assert named == {"study": "demo", "subject": "701-1015", "event": "week-2", "form": "vital-signs"}


def test_keys_of_the_rail_are_each_used_once():
    keys = [page.key for page in PAGES.all() if page.key]
    assert len(keys) == len(set(keys))


def test_whoever_is_no_member_reads_the_same_words_as_for_a_study_that_is_not_there():
    page, named = PAGES.at("/app/other/overview")
    answer = may_open(page, actor("owner"), named)
    assert answer.sentence == NO_SUCH_STUDY.sentence
    assert (answer.permission, answer.study) == ("study:overview:read", "other")


def test_the_rail_holds_only_what_a_role_may_open():
    assert [page.title for page in PAGES.open_to(actor("viewer"), "demo")] == [
        "Overview",
        "Data standards",
        "Audit trail",
    ]
    assert "Sync runs" in [page.title for page in PAGES.open_to(actor("coordinator"), "demo")]
    page, named = PAGES.at("/app/demo/participants")
    assert isinstance(may_open(page, actor("viewer"), named), Refused)


@pytest.mark.parametrize(
    "wrong",
    [
        Page(path="/app/{study}/x", title="X", permission="", build=print),
        Page(path="/app/{study}/x", title="X", permission="study:everything:read", build=print),
    ],
)
def test_a_page_without_a_known_permission_cannot_be_declared(wrong):
    with pytest.raises(ValueError, match=r"permission|needs"):
        Registry().declare(wrong)


def test_a_path_is_taken_once():
    registry, page = Registry(), Page(path="/app/x", title="X", permission="", build=print)
    registry.declare(page)
    with pytest.raises(ValueError, match="Two pages"):
        registry.declare(page)
