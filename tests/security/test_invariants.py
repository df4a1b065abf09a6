"""Rules of the source itself that a later change must not weaken: they fail when somebody does."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
from sqlalchemy import Text

from datamodel.kernel.settings import Settings
from datamodel.migrations.schema import GUARDS, METADATA
from datamodel.rehearsal.surfaces import DEV_TEST_ROUTES, is_simulation_honoured, opened
from datamodel.vault.seal import Sealed, SealedText, sealed_columns

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("datamodel", "validators", "exports", "pipelines", "apps", "metricis")
SOURCES = {str(path.relative_to(ROOT)): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


@lru_cache(maxsize=1)
def parsed():
    """Code of every file (not its comments or words), one text for each name, attribute, call and keyword."""
    kinds = ast.Attribute | ast.Call | ast.Name | ast.keyword
    return {
        name: {ast.unparse(one) for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, kinds)}
        for name, path in SOURCES.items()
        if "/versions/" not in name
    }


def using(pattern, *, folders=FOLDERS):
    """Files whose code matches."""
    shape = re.compile(pattern)
    return {
        name
        for name, texts in parsed().items()
        if name.split("/")[0] in folders and any(shape.search(text) for text in texts)
    }


# -- one clock; the simulated day ----------------------------------------------------------------------------------------


def test_nobody_but_the_clock_asks_the_machine_what_time_it_is():
    allowed = {
        "datamodel/kernel/clock.py",  # it is the clock
        "datamodel/kernel/scope.py",  # how long a scope is good: the machine's time on purpose
        "apps/shell/session.py",  # when a browser was last seen
        "metricis/demo/trial.py",  # how long the demo took
        "metricis/local/postgres.py",  # name of a folder put aside
    }
    asking = r"^(datetime\.(now|today|utcnow)|date\.today|time\.time)\b"
    assert using(asking) <= allowed


def test_the_stored_offset_is_read_by_the_gate_and_by_who_asks_it():
    allowed = {
        "datamodel/rehearsal/tables.py",
        "datamodel/rehearsal/store.py",
        "datamodel/rehearsal/reads.py",
        "datamodel/rehearsal/actions.py",  # says what it was before
        "datamodel/consent/store.py",  # hands it to tasks
        "metricis/local/cutover.py",  # reports it
        "datamodel/tasks/reads.py",  # asks the gate
        "apps/edge/pages.py",  # asks the gate
        "apps/rehearsal/page.py",
    }
    found = using(r"\boffset_days\b")
    assert found <= allowed
    for name in ("datamodel/rehearsal/reads.py", "datamodel/tasks/reads.py", "apps/edge/pages.py"):
        assert "is_simulation_honoured(settings())" in SOURCES[name].read_text()


def test_the_stored_consent_bypass_is_asked_through_the_gate():
    allowed = {
        "datamodel/rehearsal/tables.py",
        "datamodel/rehearsal/actions.py",  # says what it was before
        "datamodel/rehearsal/reads.py",  # is the gate
        "datamodel/consent/store.py",  # hands it to the gate
        "datamodel/consent/reads.py",  # asks the gate
        "apps/rehearsal/page.py",  # asks the gate, to show it
    }
    assert using(r"\bis_consent_bypassed\b") <= allowed
    assert "is_stored and bool(opened(settings()))" in SOURCES["datamodel/rehearsal/reads.py"].read_text()


@pytest.mark.parametrize("dev_mode", [True, False])
def test_the_gate_is_shut_in_production_whatever_is_set(dev_mode):
    production = Settings(environment="production", dev_mode=dev_mode)
    assert not is_simulation_honoured(production)
    assert not opened(production)


@pytest.mark.parametrize("surface", [one for one in DEV_TEST_ROUTES if one.kind == "action"], ids=lambda one: one.name)
def test_every_development_action_asks_the_gate_first(surface):
    room, verb = surface.name.split(".")
    tree = ast.parse((ROOT / "datamodel" / room / "actions.py").read_text())
    (function,) = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == verb]
    first = next(
        one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    )
    assert ast.unparse(first) == "require(opened(settings()))"


def test_a_room_of_development_pages_is_declared_by_the_gate_alone():
    web = SOURCES["apps/web.py"].read_text()
    assert "if surfaces.opened(settings()):\n        rehearsal.declare()" in web
    assert using(r"rehearsal\.declare\(") == {"apps/web.py"}


# -- no fallback; one source of truth --------------------------------------------------------------------------------------


def test_a_failed_sync_never_makes_values():
    assert using(r"\bfallback_used\b") == set()
    assert using(r"\bsync_status\b") == set()


def test_only_these_read_whose_data_a_study_has():
    allowed = {
        "datamodel/study/tables.py",
        "datamodel/study/reads.py",  # hands it out
        "datamodel/study/actions.py",  # writes it
        "datamodel/rehearsal/actions.py",  # a copy has no source of data
        "exports/marts/snapshot.py",  # which forms a snapshot expects
        "exports/marts/moment.py",  # the same, of an earlier moment
        "metricis/local/cutover.py",  # compares it with the connection
    }
    assert using(r"\bintegration_mode\b") <= allowed
    assert using(r"\bredcap_enabled\b") == set()


def test_nothing_below_the_unit_of_work_commits():
    assert using(r"\.commit\(", folders=("datamodel", "exports", "pipelines", "apps")) == set()
    assert using(r"^(orm\.)?Session\(", folders=("datamodel", "exports", "pipelines", "apps")) == {
        "datamodel/kernel/unit.py"
    }


def test_redcap_has_one_layer_of_retries():
    assert using(r"^Retrying\b", folders=("pipelines", "datamodel", "apps")) == {"pipelines/clients/redcap.py"}


# -- secrets -----------------------------------------------------------------------------------------------------------------

#: Columns whose name sounds secret and whose content is not, each with the reason.
OPEN_COLUMNS = {
    "data_key.key_id": "names a key",
    "discrepancy.key": "which rule at which place, so that a finding is told once",
    "envelope.idempotency_key": "chosen by the sender so that a repeat is known",
    "sync_run.pull_key": "a hash of what is pulled",
}


def test_every_column_that_sounds_secret_takes_sealed_values_only():
    secret = re.compile(r"(^|_)(token|secret|password|mark|key|mail|phone|birth_date|address|content|pin)$")
    bare = {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if secret.search(column.name) and isinstance(column.type, Text) and not isinstance(column.type, SealedText)
    }
    assert bare - set(OPEN_COLUMNS) == set()


def test_every_sealed_column_has_a_check_in_the_database_and_a_row_to_be_bound_to():
    sealed = sealed_columns()
    assert len(sealed) >= 6
    for one in sealed:
        table = METADATA.tables[f"app.{one.table}"]
        assert [column.name for column in table.primary_key] == ["id"], one.table
        assert any(f"{one.column}_is_sealed" in str(check.name) for check in table.constraints), one
        assert one.table in GUARDS


def test_only_the_connection_may_hold_what_an_earlier_build_sealed():
    assert {f"{one.table}.{one.column}" for one in sealed_columns() if one.takes_old} == {"redcap_connection.token"}


def test_a_sealed_value_holds_no_plain_text():
    assert Sealed.__slots__ == ("text",)
    with pytest.raises(Exception, match="enc:v3"):
        Sealed("0123456789ABCDEF0123456789ABCDEF")


def test_no_source_holds_a_key_or_a_token():
    # what a real REDCap token, Fernet key or private key looks like
    shapes = re.compile(r"['\"][0-9A-F]{32}['\"]|['\"][\w-]{43}=['\"]|BEGIN [A-Z ]*PRIVATE KEY")
    found = {name: shapes.findall(path.read_text()) for name, path in SOURCES.items()}
    assert {name: some for name, some in found.items() if some} == {}
