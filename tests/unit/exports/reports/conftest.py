import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made():
    path = Path(__file__).with_name("made.py")
    spec = importlib.util.spec_from_file_location("reports_made", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
