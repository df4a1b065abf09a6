"""Scores from raw trials. Pure: the same trials give the same scores, today and in ten years.

Rule `simple-rt-1` (simple reaction time). Only trials of the phase `test` count; practice does not.

- a *response* is a trial whose `rt` is a number (ms from stimulus); null means that none came before the time-out;
- an *anticipation* is a response faster than 150 ms: it cannot be a reaction to the stimulus (Luce 1986). It is left out
  of n, median, mean, sd, min and max, and counted;
- a *false start* is a press while waiting for the stimulus (trials of the phase `wait`); it is counted;
- a *lapse* is a response of 500 ms or more (Basner & Dinges 2011). It is counted and stays in the means, because leaving
  slow responses out by rule harms more than it helps (Miller 2023);
- `mean_rt_all` is the mean with anticipations, so that with and without stand side by side;
- *accuracy* is the share of test trials with a valid response: neither timed out nor anticipated;
- `sd_rt` is the sample standard deviation (n - 1); what cannot be computed is null, never zero.

Times from a browser are later than those of laboratory devices by 10 to 40 ms, and touch and keyboard differ: compare a
person with themselves on the same device (redcap-jspsych 4.4).
"""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ANTICIPATION_BELOW_MS: Final = 150
LAPSE_FROM_MS: Final = 500
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class Score:
    """One score; `value` is None when it cannot be computed."""

    name: str
    value: float | None
    unit: str


def simple_rt(trials: Iterable[Mapping[str, Any]]) -> list[Score]:
    """Score a simple reaction time session by the rule `simple-rt-1`."""
    every = list(trials)
    test = [one for one in every if one.get("phase") == "test"]
    responses = [float(one["rt"]) for one in test if one.get("rt") is not None]
    valid = [rt for rt in responses if rt >= ANTICIPATION_BELOW_MS]
    false_starts = sum(one.get("phase") == "wait" and one.get("rt") is not None for one in every)
    return [
        Score("n_trials", len(test), "count"),
        Score("n", len(valid), "count"),
        Score("median_rt", _or_none(statistics.median, valid), "ms"),
        Score("mean_rt", _or_none(statistics.fmean, valid), "ms"),
        Score("sd_rt", statistics.stdev(valid) if len(valid) >= _PAIR else None, "ms"),
        Score("min_rt", _or_none(min, valid), "ms"),
        Score("max_rt", _or_none(max, valid), "ms"),
        Score("mean_rt_all", _or_none(statistics.fmean, responses), "ms"),
        Score("lapses", sum(rt >= LAPSE_FROM_MS for rt in responses), "count"),
        Score("anticipations", len(responses) - len(valid), "count"),
        Score("false_starts", false_starts, "count"),
        Score("timeouts", len(test) - len(responses), "count"),
        Score("accuracy", len(valid) / len(test) if test else None, "share"),
    ]


def _or_none(statistic: Callable[[list[float]], float], values: list[float]) -> float | None:
    return statistic(values) if values else None


#: rule -> how it scores
RULES: Final[dict[str, Callable[[Iterable[Mapping[str, Any]]], list[Score]]]] = {"simple-rt-1": simple_rt}
