"""The export page in a real browser: what was chosen is what is in the archive, and the ledger knows it."""

import csv
import hashlib
import io
import json
import zipfile

import pytest
from lxml import etree
from sqlalchemy import text

from datamodel.kernel.settings import settings
from datamodel.kernel.unit import sealing
from pipelines.marts.steps import snapshot
from tests.journeys.test_dashboard import DEEP_TEXT, HOME, base, scene, visit  # noqa: F401 - fixtures
from tests.support import dashboard
from tests.support.web import serious, sideways

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def taken(scene):  # noqa: F811
    snapshot(scene.url, study=dashboard.STUDY, folder=settings().marts_folder)


def test_a_study_without_snapshot_says_what_to_do(visit):  # noqa: F811
    page, watch = visit("manager", "/export")
    page.get_by_role("heading", name="No snapshot yet").wait_for()
    assert watch.problems == []


@pytest.mark.parametrize("width", [1440, 390])
def test_what_was_chosen_is_in_the_archive_and_in_the_ledger(visit, scene, taken, pictures, tmp_path, width):  # noqa: F811
    page, watch = visit("manager", "/export?format=csv&tables=vs,participants", width=width)
    page.get_by_text("Everybody who was screened.").wait_for()
    page.screenshot(path=pictures / f"export-{width}.png", full_page=True)
    assert serious(page) == []
    assert sideways(page) == 0
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
        page.get_by_text("The file is an entry of the ledger now").wait_for()
        page.get_by_role("link", name="Download").or_(page.get_by_role("button", name="Download")).first.click()
    file = tmp_path / "taken.zip"
    waiting.value.save_as(file)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert {one["name"] for one in manifest["files"]} == {
            "vs.csv",
            "participants.csv",
            "codebook.csv",
            "signatures.csv",
            "READ-ME-FIRST.txt",
        }
        for one in manifest["files"]:
            assert hashlib.sha256(archive.read(one["name"])).hexdigest() == one["sha256"]
        rows = list(csv.DictReader(io.StringIO(archive.read("vs.csv").decode())))
    assert len(rows) == next(one["rows"] for one in manifest["files"] if one["name"] == "vs.csv") > 0
    with sealing(scene.url) as session:
        told = session.execute(
            text("select change from app.audit_event where action = 'trail.extract' order by seq desc limit 1")
        ).scalar_one()
    assert told["new"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert watch.problems == []


def test_a_study_is_taken_as_odm(visit, scene, taken, pictures, tmp_path):  # noqa: F811
    page, watch = visit("manager", "/export?standard=odm&population=enrolled")
    page.get_by_text("Participants with an entry").wait_for()
    assert page.get_by_label("Tables (none chosen: all)").count() == 0
    page.screenshot(path=pictures / "export-odm.png", full_page=True)
    assert serious(page) == []
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
        page.get_by_text("The file is an entry of the ledger now").wait_for()
        page.get_by_role("link", name="Download").or_(page.get_by_role("button", name="Download")).first.click()
    file = tmp_path / "study.xml"
    waiting.value.save_as(file)
    root = etree.parse(str(file)).getroot()
    assert root.get("ODMVersion") == "1.3.2"
    assert waiting.value.suggested_filename.endswith("-odm-1.3.2.xml")
    with sealing(scene.url) as session:
        told = session.execute(
            text("select change from app.audit_event where action = 'odm.export' order by seq desc limit 1")
        ).scalar_one()
    assert told["new"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert watch.problems == []
