"""How long one question "may X do Y in study Z" takes, allowed and refused: microseconds, median and worst of many batches.

Usage: python benchmarks/permission.py [--questions 200000]

The actor holds a role in ten studies and is asked about the last, which is the slowest place to find. Goal: under 50.
"""

import argparse
import json
import statistics
import sys
import time

from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import may
from datamodel.kernel.ids import new_id

GOAL = 50.0
BATCH = 1000
QUESTIONS = {
    "allowed": ("study:records:read", "701"),
    "refused by role": ("study:connections:manage", None),
    "refused by site": ("study:records:read", "702"),
    "not a member": ("study:records:read", None),
}


def measure(asked: str, *, questions: int) -> list[float]:
    """Return microseconds a question, one figure a batch."""
    studies = tuple(Membership(f"study-{n}", "data_manager", "701") for n in range(10))
    actor = Actor(id=new_id(), kind="staff", name="Anna", memberships=studies)
    permission, site = QUESTIONS[asked]
    study = "elsewhere" if asked == "not a member" else "study-9"
    found = []
    for _ in range(questions // BATCH):
        began = time.perf_counter_ns()
        for _ in range(BATCH):
            may(actor, permission, study=study, site=site)
        found.append((time.perf_counter_ns() - began) / BATCH / 1000)
    return found


def main() -> int:
    """Print one JSON line; exit 1 when a median is over the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200_000)
    questions = parser.parse_args().questions
    figures = {}
    for asked in QUESTIONS:
        found = measure(asked, questions=questions)
        figures[asked] = {"median_us": round(statistics.median(found), 3), "worst_us": round(max(found), 3)}
    is_met = all(one["median_us"] < GOAL for one in figures.values())
    print(json.dumps({"goal_us": GOAL, "is_met": is_met, "questions": figures}))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
