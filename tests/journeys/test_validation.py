"""The validation page in a real browser: findings by rule, dataset and cause, and what a blinded reader is not shown."""

from datetime import UTC, datetime

import polars as pl
import pytest

from datamodel.kernel.settings import settings
from exports.reports.check import Asked, check
from exports.reports.document import to_json
from exports.reports.standards import standards
from tests.journeys.test_dashboard import DEEP_TEXT, INTERNAL, base, scene, visit  # noqa: F401 - fixtures
from tests.support import dashboard
from tests.support.web import serious, sideways
from validators.datasets.shape import Dataset, Variable

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
#: a value that only a finding tells
MARK = "31-DEC-QUOKKA"


def dataset(name, label, **columns):
    return Dataset(
        name, label, tuple(Variable(one, one) for one in columns), pl.DataFrame(columns), f"{name.lower()}.xpt"
    )


@pytest.fixture(scope="module")
def report(scene):  # noqa: F811
    """A report as the flow leaves it, of two datasets with known faults."""
    known = standards("sdtmig", "3.4")
    people = ["01-701-1001", "01-701-1002"]
    datasets = [
        dataset(
            "DM", "Demographics", STUDYID=["S", "S"], DOMAIN=["DM", "DM"], USUBJID=people, RFSTDTC=["2026-01-05", MARK]
        ),
        dataset("AE", "Adverse Events", STUDYID=["S"], DOMAIN=["AE"], USUBJID=["01-999-9999"], AETERM=["Headache"]),
    ]
    asked = Asked("sdtmig", "3.4", datetime(2026, 11, 22, tzinfo=UTC))
    made = check(datasets, known.catalogue, asked, library=known.library)
    place = settings().exports_folder / dashboard.STUDY / "submission" / "0007" / "validation"
    place.mkdir(parents=True)
    (place / "report.json").write_bytes(to_json(made))
    return made


def test_before_the_first_check_the_page_says_so(visit):  # noqa: F811
    page, watch = visit("manager", "/validation")
    page.get_by_role("heading", name="Nothing was checked yet").wait_for()
    assert watch.problems == []


@pytest.mark.parametrize("width", [1440, 390])
def test_findings_are_counted_by_rule_dataset_and_cause(visit, report, pictures, width):  # noqa: F811
    page, watch = visit("manager", "/validation", width=width)
    page.get_by_text("Snapshot 7.").wait_for()
    shown = page.evaluate(DEEP_TEXT)
    for severity, number in report.by_severity.items():
        assert f"{number} {severity}" in " ".join(shown.split())
    page.screenshot(path=pictures / f"validation-{width}.png", full_page=True)
    assert serious(page) == []
    assert sideways(page) == 0
    for show in ("By dataset", "By cause", "Not run"):
        page.get_by_role("button", name=show).click()
        page.wait_for_url("**show=*")
        page.get_by_role("region").first.wait_for()
        assert serious(page) == []
    page.screenshot(path=pictures / f"validation-not-run-{width}.png", full_page=True)
    assert INTERNAL.findall(page.evaluate(DEEP_TEXT)) == []
    assert watch.problems == []


def test_who_is_blinded_reads_counts_and_no_values(visit, report):  # noqa: F811
    assert MARK in to_json(report).decode()
    for path in ("/validation", "/validation?show=causes", "/validation?domain=DM&rule=" + report.details["rule"][0]):
        page, _ = visit("monitor", path)
        page.get_by_role("heading", name="Validation").wait_for()
        assert MARK not in page.content() + page.evaluate(DEEP_TEXT)
