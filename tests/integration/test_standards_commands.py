"""Loading and pinning from the command line."""

import pytest
from typer.testing import CliRunner

from datamodel.access import actions as access
from datamodel.access import reads as accounts
from datamodel.access import tokens
from datamodel.access.actor import Actor
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.study import actions
from metricis.cli import app

CT = "codelist_code,extensible,submission_value,preferred_term,synonyms\nC66742,false,Y,Yes,\n"
RULE = "Core: {Id: R-1}\nCheck: {all: [{name: AETERM, operator: empty}]}\nOutcome: {Message: No term}\n"


@pytest.fixture
def holder(database_url, home, monkeypatch):
    first = Actor(id=new_id(), kind="machine", name="Metricis installer")
    with unit_of_work(database_url, first) as unit:
        access.install(unit)
    with unit_of_work(database_url, first) as unit:
        installer = accounts.installer_actor(unit.session)
    with unit_of_work(database_url, installer) as unit:
        actions.create_study(unit, code="demo", protocol_id="DEMO-1", title="A study")
        account = access.create_account(unit, kind="staff", name="Ada B.", sign_in_name="ada@site.example")
        access.grant(unit, account_id=account, study="demo", role="owner")
        token = tokens.make_token(
            unit,
            account_id=account,
            purpose="test",
            days=1,
            study="demo",
            scopes=["study:design:manage", "study:overview:read"],
        )
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    monkeypatch.setenv("METRICIS_TOKEN", token)
    settings.cache_clear()


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.mark.usefixtures("holder")
def test_what_is_loaded_can_be_pinned_and_is_shown(tmp_path):
    (tmp_path / "sdtmct-2022-09-30.csv").write_text(CT)
    (tmp_path / "rules" / "R-1").mkdir(parents=True)
    (tmp_path / "rules" / "R-1" / "rule.yml").write_text(RULE)
    assert "1 terms, loaded" in said("ct", "load", str(tmp_path / "sdtmct-2022-09-30.csv"))
    assert "here already, unchanged" in said("ct", "load", str(tmp_path / "sdtmct-2022-09-30.csv"))
    assert "1 rules, loaded" in said("rules", "load", str(tmp_path / "rules"), "--version", "2026-08-22")
    assert "2022-09-30" in said("ct", "list")
    assert "2026-08-22" in said("rules", "list")
    assert "pinned to nothing" in said("standards", "show", "demo")
    assert said("standards", "pin", "demo", "--ct", "2022-09-30", "--rules", "2026-08-22") == "Pinned.\n"
    assert "already" in said("standards", "pin", "demo", "--ct", "2022-09-30", "--rules", "2026-08-22")
    shown = said("standards", "show", "demo")
    assert "Controlled terminology  2022-09-30" in shown
    assert "Rules                   2026-08-22" in shown


@pytest.mark.usefixtures("holder")
def test_a_version_that_is_not_here_cannot_be_pinned():
    result = CliRunner().invoke(app, ["standards", "pin", "demo", "--ct", "2001-01-01"])
    assert result.exit_code != 0
    assert "There is no controlled terminology of version 2001-01-01 here" in str(result.exception)
    assert "pinned to nothing" in said("standards", "show", "demo")
