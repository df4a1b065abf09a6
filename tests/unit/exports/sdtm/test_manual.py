"""The manual names every derivation with its arguments and what it says of itself."""

import re
from pathlib import Path

import exports.sdtm.derivations  # noqa: F401 # registers the library
from exports.sdtm import registry
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


BLOCK = re.compile(r"```(python|yaml)\n(.*?)```", re.DOTALL)


def test_the_worked_example_does_what_it_says(tmp_path, monkeypatch):
    """Files are written as they stand in the manual, and its code is run in order."""
    text = MANUAL.read_text(encoding="utf-8")
    example = text[text.index("## Worked example") : text.index("## Files")]
    monkeypatch.chdir(tmp_path)
    names = set(registered())
    space = {"__name__": "example"}
    try:
        for kind, block in BLOCK.findall(example):
            if kind == "python":
                exec(compile(block, str(MANUAL), "exec"), space)  # noqa: S102 # our own manual
                continue
            place = tmp_path / block.split("\n", 1)[0].removeprefix("# ")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block, encoding="utf-8")
    finally:
        for name in set(registered()) - names:
            registry._REGISTERED.pop(name)
    assert len(space["faults"]) == 2
