"""The manual names every derivation with its arguments and what it says of itself."""

import re
from pathlib import Path

import exports.sdtm.derivations  # noqa: F401 # registers the library
from exports.sdtm.registry import registered

MANUAL = Path(__file__).parents[4] / "docs" / "manual" / "sdtm.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<arguments>.*?) \| (?P<summary>.*) \|$", re.MULTILINE)


def test_the_manual_lists_every_derivation_as_it_is():
    said = {row["name"]: row for row in ROW.finditer(MANUAL.read_text(encoding="utf-8")) if row["name"] in registered()}
    assert set(said) == set(registered())
    for name, one in registered().items():
        arguments = set(re.findall(r"`(\w+)`", said[name]["arguments"]))
        assert arguments == one.columns | one.column_lists | set(one.values), name
        assert said[name]["summary"] == one.summary, name
