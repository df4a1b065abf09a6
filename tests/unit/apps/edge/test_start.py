"""The edge is light: it starts without the heavy libraries. How fast, `benchmarks/start.py` measures."""

import json
import subprocess
import sys

CODE = """
import json, sys
{what}
print(json.dumps(sorted({{one.partition(".")[0] for one in sys.modules}})))
"""
EDGE = "from apps.edge.app import create_edge; create_edge()"
HEAVY = {
    "panel",
    "bokeh",
    "polars",
    "duckdb",
    "prefect",
    "pandera",
    "pandas",
    "numpy",
    "pyarrow",
    "redcap",
    "psycopg",
    "zxcvbn",
}


def imported(what):
    code = CODE.format(what=what)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout))


def test_it_imports_nothing_heavy():
    assert HEAVY & imported(EDGE) == set()
