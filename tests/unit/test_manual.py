"""Generated pages of the manual say what the code says, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from metricis import manual

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", manual.PAGES)
def test_a_generated_page_is_fresh(page):
    assert (manual.FOLDER / page).read_text() == manual.PAGES[page](), "run: python -m metricis.manual"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(text):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text.read_text()):
        assert (text.parent / target).exists(), f"{text.name} links to {target}"


def test_decisions_are_numbered_without_gaps_and_name_their_bad_consequences():
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    assert [path.name for path in decisions if "**Bad consequences.**" not in path.read_text()] == []


def test_every_daily_command_of_the_readme_is_one_of_the_script():
    named = set(re.findall(r"`\./go (\w+)", (ROOT / "README.md").read_text()))
    script = (ROOT / "go").read_text()
    assert named
    assert {one for one in named if f'"{one}"' not in script} == set()


def test_every_test_that_the_security_page_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) >= 10
    missing = [f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / path).read_text()]
    assert missing == []
