"""Data standards in a real browser: where a variable comes from, and what a code becomes."""

import pytest
from playwright.sync_api import expect

from tests.journeys.test_dashboard import DEEP_TEXT, INTERNAL, base, scene, visit  # noqa: F401 - fixtures
from tests.support.web import serious, sideways

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.mark.parametrize("width", [1440, 390])
def test_a_reader_finds_where_a_variable_comes_from_and_its_code_list(visit, pictures, width):  # noqa: F811
    page, watch = visit("monitor", "/standards", width=width)
    page.get_by_role("link", name="VS", exact=True).click()
    page.wait_for_url("**domain=VS*")
    page.get_by_role("heading", name="VS Vital Signs").wait_for()
    row = page.get_by_role("row", name="VSORRESU text")
    expect(row).to_contain_text("Original Units", use_inner_text=True)
    page.screenshot(path=pictures / f"standards-{width}.png", full_page=True)
    assert serious(page) == []
    assert sideways(page) == 0
    page.get_by_label("Variable, field or code list").fill("VSTEST")
    page.get_by_role("row", name="VSORRESU text").wait_for(state="detached")
    page.get_by_role("link", name="vs test").first.click()
    page.wait_for_url("**list=vs_test*")
    page.get_by_role("cell", name="Systolic Blood Pressure").wait_for()
    page.screenshot(path=pictures / f"standards-codelist-{width}.png", full_page=True)
    assert INTERNAL.findall(page.evaluate(DEEP_TEXT)) == []
    assert serious(page) == []
    assert watch.problems == []
