import re

import pytest

from apps.shell import status
from apps.shell.frame import FILES


def luminance(ink):
    parts = [int(ink[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    line = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * line[0] + 0.7152 * line[1] + 0.0722 * line[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(ink, ground, share=0.09):
    return "#" + "".join(
        f"{round(int(ink[n : n + 2], 16) * share + int(ground[n : n + 2], 16) * (1 - share)):02x}" for n in (1, 3, 5)
    )


def surfaces():
    css = (FILES / "shell.css").read_text()
    light, dark = css.split('html[data-theme="dark"]', 1)
    found = {}
    for name, part in (("light", light), ("dark", dark)):
        found[name] = [re.search(rf"--mx-{token}: (#\w{{6}})", part).group(1) for token in ("bg", "surface", "sunken")]
    return found


@pytest.mark.parametrize("family", status.INKS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_ink_can_be_read_on_every_ground(family, theme):
    ink = status.INKS[family][theme == "dark"]
    for ground in (*surfaces()[theme], mixed(ink, surfaces()[theme][1])):
        assert contrast(ink, ground) >= 4.5, (family, theme, ground)


def test_no_two_states_of_the_grid_share_a_shape():
    grid = ["not_started", "in_progress", "complete", "query", "answered", "verified", "signed", "locked", "not_done"]
    drawings = [status.STATES[code].drawing for code in grid]
    assert len(set(drawings)) == len(grid)


def test_a_chip_holds_icon_and_word():
    made = status.chip("query")
    assert "<svg" in made
    assert "Query" in made


@pytest.mark.parametrize(
    ("states", "expected", "word"),
    [
        ([], 3, "not_started"),
        (["complete"] * 3, 3, "complete"),
        (["complete"] * 2, 3, "in_progress"),
        (["complete", "in_progress", "complete"], 3, "in_progress"),
        (["complete", "query", "answered"], 3, "query"),
        (["complete", "answered"], 3, "answered"),
        (["complete", "verified", "locked"], 3, "complete"),
        (["not_started"], 3, "not_started"),
    ],
)
def test_a_visit_has_one_state_made_of_those_of_its_forms(states, expected, word):
    assert status.combined(states, expected=expected) == word
