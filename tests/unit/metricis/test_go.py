"""The one-word commands: readable by an old Python, and clear about what they do not know."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
GO = PROJECT / "go"


def go(*arguments: str, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(GO), *arguments], capture_output=True, text=True, cwd=cwd, check=False)


def test_reads_on_python_3_8_and_needs_the_standard_library_only() -> None:
    tree = ast.parse(GO.read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_help_names_every_task(arguments: tuple[str, ...], tmp_path: Path) -> None:
    answer = go(*arguments, cwd=tmp_path)
    assert answer.returncode == 0
    for task in ("demo", "test", "check", "bench", "setup"):
        assert f"./go {task}" in answer.stdout


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    answer = go("dmeo")
    assert answer.returncode == 1
    assert "There is no task 'dmeo'" in answer.stderr
    assert "./go demo" in answer.stderr


def test_continuous_integration_runs_the_two_commands_of_the_readme() -> None:
    script = (PROJECT / ".ci" / "run").read_text()
    assert "./go demo --once" in script
    assert script.rstrip().endswith("./go test")
    assert "bash .ci/run" in (PROJECT / ".github" / "workflows" / "ci.yml").read_text()
