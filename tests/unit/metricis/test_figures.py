import json
import math

import polars as pl
import pytest

from datamodel.kernel.errors import BadInputError, NotFoundError
from metricis.figures import ARM_COLOURS, change_from_baseline, changes_from_baseline

VISITS = ["Week 12", "Baseline", "Week 4"]
FRAME = pl.DataFrame(
    [
        ("1", "A", "Baseline", 10.0),
        ("1", "A", "Week 4", 12.0),
        ("2", "A", "Baseline", 20.0),
        ("2", "A", "Week 4", 26.0),
        ("3", "B", "Baseline", 30.0),
        ("3", "B", "Week 4", 29.0),
        ("4", "B", "Week 4", 99.0),  # without a baseline
        ("5", "B", "Baseline", None),
        ("5", "B", "Week 4", 1.0),
    ],
    schema=["subject_id", "arm_id", "event_id", "score"],
    orient="row",
)


def changes(frame=FRAME):
    found = changes_from_baseline(frame, value="score", baseline="Baseline")
    return {(row["event_id"], row["arm_id"]): row for row in found.iter_rows(named=True)}


def test_change_is_counted_only_with_a_baseline():
    found = changes()
    assert (found["Week 4", "A"]["n"], found["Week 4", "A"]["mean"]) == (2, 4.0)
    # changes 2 and 6: standard deviation sqrt(8), standard error sqrt(8) / sqrt(2)
    assert math.isclose(found["Week 4", "A"]["se"], 2.0)
    assert (found["Week 4", "B"]["n"], found["Week 4", "B"]["mean"], found["Week 4", "B"]["se"]) == (1, -1.0, None)
    assert (found["Baseline", "A"]["mean"], found["Baseline", "A"]["se"]) == (0.0, None)


def test_two_values_at_one_visit_are_refused():
    with pytest.raises(BadInputError, match="two values at one visit"):
        changes(pl.concat([FRAME, FRAME.head(1)]))


def test_an_unknown_baseline_names_the_visits():
    with pytest.raises(NotFoundError, match="Visits with values: Baseline, Week 4"):
        changes_from_baseline(FRAME, value="score", baseline="Screening")


def test_the_figure_shows_n_colours_and_the_order_of_visits():
    frame = FRAME.with_columns(pl.col("event_id").cast(pl.Enum(["Baseline", "Week 4", "Week 12"])))
    figure = change_from_baseline(frame, value="score", baseline="Baseline")
    spec = json.loads(figure.chart.to_json())
    text = json.dumps(spec)
    assert '["Baseline", "Week 4"]' in text
    assert ARM_COLOURS[0] in text
    assert ARM_COLOURS[1] in text
    assert '"text": {"field": "n"' in text
    assert figure.frame()["event_id"].cast(pl.String).to_list() == ["Baseline", "Baseline", "Week 4", "Week 4"]
    shown = figure._repr_mimebundle_()
    assert "mean" in shown.pop("text/plain")
    only = change_from_baseline(frame, value="score", baseline="Baseline", visits=["Week 4"])
    assert only.frame()["event_id"].cast(pl.String).unique().to_list() == ["Week 4"]
    assert [kind for kind, content in shown.items() if "Week 4" in content]


def test_a_figure_is_saved_with_its_numbers_inside(tmp_path):
    change_from_baseline(FRAME, value="score", baseline="Baseline").save(tmp_path / "change.json")
    assert "Week 4" in (tmp_path / "change.json").read_text()
