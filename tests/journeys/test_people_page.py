"""People and rights in a real browser: roles, acts of two people, tokens, accounts; at two widths, and by right."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from datamodel.access import actions, reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from tests.journeys.test_dashboard import DEEP_TEXT, HOME, INTERNAL, _folder, base, here, scene
from tests.support.web import Watch, serious, sideways

__all__ = ["base", "scene"]
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def signed_in(scene, who, *, ago=timedelta(0)):
    """Return the cookie of somebody who showed a password that long ago."""
    with unit_of_work(scene.url, KNOCKING, clock=lambda: datetime.now(UTC) - ago) as unit:
        return actions.start_session(unit, scene.accounts[who], kind="staff", how="password")


@pytest.fixture
def visit(scene, base, window):
    def opened(who, path, *, width=1440, token=""):
        context = window(width=width, height=900)
        context.add_cookies([{"name": "metricis_session", "value": token or signed_in(scene, who), "url": base}])
        page = context.new_page()
        watch = Watch(page, base)
        page.goto(base + (path if path.startswith("/app") else HOME + path))
        here(page)
        return page, watch

    return opened


@pytest.fixture(scope="module")
def root(scene):
    """An administrator without a role in any study, and somebody without a role."""
    with unit_of_work(scene.url, scene.installer) as unit:
        for name, printed, is_root in (("root", "Rita Root", True), ("newcomer", "Nora New", False)):
            scene.accounts[name] = actions.create_account(
                unit, kind="staff", name=printed, sign_in_name=f"{name}@demo.example", is_administrator=is_root
            )
    return "root"


def actor(scene, who):
    with unit_of_work(scene.url, KNOCKING) as unit:
        return reads.actor(unit.session, scene.accounts[who])


def choose(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.locator("li").filter(has_text=re.compile(f"^{option}$")).click()


def test_an_owner_gives_a_role_changes_it_and_ends_it(visit, scene, root):
    page, watch = visit("owner", "/people")
    page.get_by_label("Sign-in name").fill("newcomer@demo.example")
    choose(page, "Role", "Monitor")
    page.get_by_role("button", name="Give the role").click()
    page.get_by_text("Received no reason").wait_for()
    page.get_by_label("Reason").fill("Joins the trial.")
    page.get_by_role("button", name="Give the role").click()
    page.get_by_text("Nora New now has the role monitor.").wait_for()
    assert actor(scene, "newcomer").role("cdiscpilot") == "monitor"
    page.get_by_role("link", name="Nora New").click()
    page.wait_for_url("**one=*")
    here(page)
    choose(page, "Role", "Coordinator")
    choose(page, "Site", "701")
    page.get_by_label("Reason").fill("Moved.")
    page.get_by_role("button", name="Change the role").click()
    page.get_by_text("Nora New now has the role coordinator").wait_for()
    assert actor(scene, "newcomer").membership("cdiscpilot").site == "701"
    expect(page.get_by_label("Reason")).to_have_value("")
    page.get_by_role("button", name="End the role").click()  # the first act on a part of the page that is new
    page.get_by_text("Received no reason").wait_for()
    page.get_by_label("Reason").fill("Left.")
    page.get_by_role("button", name="End the role").click()
    page.get_by_text("has ended.").wait_for()
    assert actor(scene, "newcomer").memberships == ()
    assert watch.problems == []


def test_two_people_let_a_statistician_see_blinded_values(visit, scene):
    page, watch = visit("owner", "/people")
    page.get_by_role("link", name="Stefan Ott").click()
    page.wait_for_url("**one=*")
    here(page)
    page.get_by_label("Reason").fill("The final analysis begins.")
    page.get_by_role("button", name="Propose that they see blinded values").click()
    page.get_by_text("Proposed. A second person").wait_for()
    proposal = page.get_by_role("link", name="Stefan Ott sees blinded values as statistician")
    href = proposal.get_attribute("href")
    proposal.click()
    page.wait_for_url(f"**{href}")
    here(page)
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("You proposed this yourself").wait_for()
    other, _ = visit("investigator", href)
    other.get_by_role("button", name="Approve").click()
    other.get_by_text("Approved.", exact=True).wait_for()
    page.reload()
    here(page)
    page.get_by_role("button", name="Do it now").click()
    page.get_by_text("They see blinded values from now on").wait_for()
    assert actor(scene, "statistician").membership("cdiscpilot").is_unblinded
    assert watch.problems == []


def test_closing_the_study_is_proposed_by_one_and_approved_by_another(visit, scene):
    page, watch = visit("owner", "/people")
    page.get_by_label("New REDCap address").fill("no address")
    page.get_by_role("button", name="Propose the address").click()
    page.get_by_text("A REDCap API address begins with").wait_for()
    page.get_by_label("Why").fill("The last visit was in May.")
    page.get_by_role("button", name="Propose to close the study").click()
    page.get_by_text("Proposed. A second person").wait_for()
    href = page.get_by_role("link", name="Close the study for good").get_attribute("href")
    other, more = visit("investigator", href, width=390)
    other.get_by_role("button", name="Approve").click()
    other.get_by_text("Approved.", exact=True).wait_for()
    expect(other.get_by_role("button", name="Close the study for good")).to_be_visible()
    assert sideways(other) <= 0
    assert serious(other) == []
    other.screenshot(path=_folder() / "people-close-390.png", full_page=True)
    page.reload()
    here(page)
    page.screenshot(path=_folder() / "people-close-1440.png", full_page=True)
    other.get_by_label("Reason").fill("Not before the audit.")
    other.get_by_role("button", name="Turn down or take back").click()
    other.get_by_text("Ended; nothing was changed.").wait_for()
    assert (watch.problems, more.problems) == ([], [])


def test_two_administrators_change_keys(visit, scene, root):
    with unit_of_work(scene.url, scene.installer) as unit:
        made = {"kind": "staff", "name": "Rolf Root", "sign_in_name": "rolf@demo.example", "is_administrator": True}
        scene.accounts["second"] = actions.create_account(unit, **made)
    page, watch = visit(root, "/app/people")
    page.get_by_label("Why").fill("A year is over.")
    page.get_by_role("button", name="Propose a change of keys").click()
    page.get_by_text("Proposed. Another administrator").wait_for()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    other, _ = visit("second", "/app/people", width=390)
    assert sideways(other) <= 0
    other.get_by_role("button", name="Approve").click()
    other.get_by_text("Whoever runs the machine may change the keys now").wait_for()
    other.screenshot(path=_folder() / "accounts-keys-390.png", full_page=True)
    assert watch.problems == []


def test_one_s_own_rights_are_shown_and_not_changed(visit):
    page, _ = visit("owner", "/people")
    page.get_by_role("link", name="Olga Reyes").click()
    page.wait_for_url("**one=*")
    here(page)
    page.get_by_text("Nobody changes their own").wait_for()
    expect(page.get_by_role("button", name="Change the role")).to_have_count(0)


def test_who_did_not_confirm_lately_is_asked_to_and_nothing_is_changed(visit, scene, root):
    page, _ = visit("owner", "/people", token=signed_in(scene, "owner", ago=timedelta(minutes=10)))
    assert page.get_by_role("link", name="Confirm now").get_attribute("href").startswith("/confirm?next=")
    page.get_by_label("Sign-in name").fill("newcomer@demo.example")
    page.get_by_label("Reason").fill("Joins.")
    page.get_by_role("button", name="Give the role").click()
    page.get_by_text("This needs you to confirm that it is you").wait_for()
    assert actor(scene, "newcomer").memberships == ()


def test_an_investigator_sees_who_works_here_and_why_they_may_not_change_it(visit):
    page, watch = visit("investigator", "/people")
    expect(page.get_by_role("button", name="Give the role")).to_have_count(0)
    page.get_by_role("link", name="Vera Long").click()
    page.wait_for_url("**one=*")
    here(page)
    page.get_by_text("The role investigator may not give, change and end roles").wait_for()
    assert watch.problems == []


def test_a_token_is_shown_once_and_revoked(visit, scene):
    page, watch = visit("manager", "/tokens")
    page.get_by_label("What for").fill("My notebook")
    page.get_by_role("button", name="Make the token").click()
    page.get_by_text("Your new token").wait_for()
    token = page.locator(".secret").inner_text()
    with unit_of_work(scene.url, KNOCKING) as unit:
        assert reads.actor_of_token(unit.session, token, now=unit.instant).id == scene.accounts["manager"]
    page.reload()
    here(page)
    assert token not in page.evaluate(DEEP_TEXT)
    page.get_by_role("link", name="My notebook").click()
    page.wait_for_url("**one=*")
    here(page)
    page.get_by_role("button", name="Revoke the token").click()
    page.get_by_text("Revoked. It opens nothing").wait_for()
    with unit_of_work(scene.url, KNOCKING) as unit:
        assert reads.actor_of_token(unit.session, token, now=unit.instant) is None
    assert watch.problems == []


def test_an_administrator_invites_closes_and_signs_out_and_sees_no_study(visit, scene, root, base):
    page, watch = visit(root, "/app/people")
    page.get_by_label("Printed name").fill("Ivo Invited")
    page.get_by_label("Sign-in name (address of work)").fill("ivo@demo.example")
    page.get_by_label("Reason").fill("New at the site.")
    page.get_by_role("button", name="Create the account").click()
    page.get_by_text("A link to set a password").wait_for()
    assert re.search(r"/welcome#\S{20,}", page.locator(".secret").inner_text())
    page.get_by_role("link", name="Ivo Invited").click()
    page.wait_for_url("**one=*")
    here(page)
    page.get_by_label("Reason").fill("By mistake.")
    page.get_by_role("button", name="Close the account").click()
    page.get_by_text("nobody signs in with it").wait_for()
    assert watch.problems == []
    page.goto(f"{base}{HOME}/overview")
    expect(page.get_by_text("There is no such study among yours.")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(("who", "path"), [("owner", "/people"), ("manager", "/tokens"), ("root", "/app/people")])
def test_the_pages_are_whole_at_every_width(visit, root, who, path, width):
    page, watch = visit(who, path, width=width)
    page.wait_for_timeout(300)
    name = path.strip("/").replace("/", "-")
    page.screenshot(path=str(_folder() / f"access-{name}-{width}.png"), full_page=True)
    assert sideways(page) <= 0
    assert watch.problems == []
    assert len(page.locator("main h1").all_inner_texts()) == 1
    assert INTERNAL.findall(page.evaluate(DEEP_TEXT) + page.url) == []
    assert serious(page) == []
