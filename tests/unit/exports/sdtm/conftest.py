import sys
from pathlib import Path

import pytest

# The pilot's frames and answers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def pilot():
    import pilot as module

    return module
