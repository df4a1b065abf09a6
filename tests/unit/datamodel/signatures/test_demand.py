"""The state table of signing: 4 acts in 6 situations, each cell as people would tell it."""

from uuid import uuid4

import pytest

from datamodel.kernel.errors import Refused
from datamodel.signatures.demand import ACTS, NOT_YOURS, SESSION_OVER, Standing, demand

ME, OTHER = uuid4(), uuid4()
SITUATIONS = {
    "first": Standing(ME, ME, has_signed=False),
    "later": Standing(ME, ME, has_signed=True),
    "after idle": Standing(ME, None, has_signed=False),
    "after logout": Standing(ME, None, has_signed=False),
    "other tab": Standing(ME, ME, has_signed=True),
    "other user": Standing(ME, OTHER, has_signed=True),
}
TABLE = {
    #                sign          counter-sign  lock          unblind
    "first": ("all", "all", "all", "all"),
    "later": ("password", "password", "password", "all"),
    "after idle": (SESSION_OVER,) * 4,
    "after logout": (SESSION_OVER,) * 4,
    "other tab": ("password", "password", "password", "all"),
    "other user": (NOT_YOURS,) * 4,
}
CELLS = [
    (situation, act, TABLE[situation][number])
    for situation in SITUATIONS
    for number, act in enumerate(sorted(ACTS, key=ACTS.index))
]


def test_the_table_has_24_cells():
    assert len(CELLS) == len({cell[:2] for cell in CELLS}) == 24


@pytest.mark.parametrize(
    ("situation", "act", "asked"), CELLS, ids=lambda value: value if isinstance(value, str) else "refused"
)
def test_each_cell_asks_for_what_the_rule_says(situation, act, asked):
    assert demand(act, SITUATIONS[situation]) == asked


@pytest.mark.parametrize("act", ACTS)
def test_whoever_comes_back_is_asked_for_everything_again(act):
    assert demand(act, Standing(ME, ME, has_signed=False)) == "all"


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("has_signed", [True, False])
def test_nobody_signs_in_another_person_s_session(act, has_signed):
    refused = demand(act, Standing(ME, OTHER, has_signed=has_signed))
    assert isinstance(refused, Refused)
    assert "somebody else" in refused.sentence
