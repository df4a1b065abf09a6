"""Every notebook runs from clean, top to bottom, on an installation of its own with twelve participants."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from datamodel.connections import actions as connections
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from metricis.demo import people
from pipelines.ingest.plain import run_ingest
from pipelines.marts import steps
from simulators.cdiscpilot import load_trial
from simulators.redcap.server import running_simulator

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


@dataclass(frozen=True)
class Installation:
    home: Path
    url: str


@pytest.fixture
def installation(home, database_url, tmp_path, monkeypatch) -> Installation:
    """A study synced from the simulator, with a snapshot and a notebook token."""
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    people.make_study(database_url)
    with running_simulator(tmp_path / "redcap") as simulator:
        token = load_trial(api_url=simulator.url, super_token=simulator.super_token, subjects=12)
        with unit_of_work(database_url, people.staff(database_url, "owner")) as unit:
            connections.connect(
                unit,
                study="cdiscpilot",
                api_url=simulator.url,
                token=token,
                mapping=people.MAPPING,
                server_time_zone="UTC",
            )
        run_ingest("cdiscpilot", url=database_url)
    steps.snapshot(database_url, study="cdiscpilot", folder=settings().marts_folder)
    people.keep_notebook_token(database_url, home / "notebook.token")
    return Installation(home, database_url)


def texts(cell):
    """What a cell showed, as text."""
    shown = [output.get("data", {}).get("text/plain", "") or output.get("text", "") for output in cell.outputs]
    return "".join(part if isinstance(part, str) else "".join(part) for part in shown)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_clean(name, installation, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"PYTHONWARNINGS": "ignore"})
    shown = [texts(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert any("snapshot" in text.lower() and "unblinded" in text for text in shown)
    assert any("Baseline characteristics" in text for text in shown)
    assert not any("metricis_home" in text.lower() or str(installation.home) in text for text in shown)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_without_outputs_and_imports_only_the_front(name):
    notebook = json.loads((NOTEBOOKS / name).read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    source = "\n".join("".join(cell["source"]) for cell in code)
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {"metricis", "polars"}
