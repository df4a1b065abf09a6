from datetime import UTC, datetime

import pytest

from apps.overview.state import by_visit
from apps.participants.state import GridState
from apps.participants.views import grid
from apps.shell.places import places, with_questions
from datamodel.records.reads import GridCell, GridSubject, StatusGrid, grid_columns
from datamodel.study.protocol import Choice, Event, Form, Protocol

NOW = datetime(2026, 3, 5, tzinfo=UTC)
FORMS = (Form("vs", "Vital signs", ()), Form("ae", "Adverse events", ()))
DESIGN = Protocol(
    "record_id",
    (Choice("1", "All"),),
    (
        Event("base_arm_1", "Baseline", "1", 1, 0, 0, 0, ("vs", "ae"), ("ae",)),
        Event("w2_arm_1", "Week 2", "1", 2, 14, 1, 1, ("vs",)),
    ),
    FORMS,
)


def cell(state, *, entries=1, n_open=0):
    return GridCell(state, entries, n_open, 0, NOW)


def status_grid(people=3):
    subjects = tuple(
        GridSubject(f"70{n}-100{n}", f"70{n}", ("enrolled", "withdrawn", "screened")[n % 3]) for n in range(people)
    )
    cells = {
        ("700-1000", "base_arm_1", "vs"): cell("complete"),
        ("700-1000", "base_arm_1", "ae"): cell("complete", entries=3),
        ("701-1001", "base_arm_1", "vs"): cell("query", n_open=2),
    }
    return StatusGrid(subjects, grid_columns(DESIGN), cells)


def state(**query):
    return GridState.from_query(status_grid(), places(DESIGN), query, enrolled=frozenset({"700-1000", "701-1001"}))


def codes(**query):
    return [one.participant for one in state(**query).subjects]


def test_choices_leave_what_they_say():
    assert len(codes()) == 3
    assert codes(site="701") == ["701-1001"]
    assert codes(status="withdrawn") == ["701-1001"]
    assert codes(status="ever") == ["700-1000", "701-1001"]
    assert codes(subject="02") == ["702-1002"]
    assert codes(problems="yes") == ["701-1001"]
    assert codes(state="complete") == ["700-1000"]
    assert len(codes(state="not_started")) == 3


def test_with_a_visit_chosen_a_state_is_that_of_the_visit():
    assert codes(visit="baseline", state="complete") == ["700-1000"]
    assert codes(visit="baseline", state="query") == ["701-1001"]
    assert codes(visit="baseline", state="not_started") == ["702-1002"]
    assert [group.label for group in state(visit="week-2").groups] == ["Week 2"]


def test_the_overview_counts_what_the_grid_lists():
    for event, counts in by_visit(status_grid()).items():
        slug = places(DESIGN).event_slugs[event]
        assert sum(counts.values()) == 3
        for code, count in counts.items():
            assert len(codes(visit=slug, state=code)) == count


@pytest.mark.parametrize(
    "query", [{"page": "-1"}, {"page": "x"}, {"rows": "7"}, {"page": "9" * 30}, {"problems": "<b>"}]
)
def test_an_address_with_nonsense_shows_the_first_page(query):
    assert state(**query).number == 1
    assert state(**query).size == 25


def test_pages_hold_as_many_rows_as_asked_for_and_end_with_the_last():
    many = GridState.from_query(status_grid(60), places(DESIGN), {"page": "99"})
    assert (many.pages, many.number, len(many.shown)) == (3, 3, 10)


def test_an_address_restores_its_state():
    asked = {"site": "701", "visit": "baseline", "state": "query", "subject": "70", "problems": "yes"}
    from urllib.parse import parse_qsl, urlsplit

    again = dict(parse_qsl(urlsplit(state(**asked).href("/x")).query))
    assert again == asked


def test_a_cell_says_subject_event_form_and_state_in_words():
    made = grid(state(), path="/app/demo/participants")
    assert 'aria-label="701-1001, Baseline, Vital signs: Query, 2 open"' in made
    assert 'aria-label="700-1000, Baseline, Adverse events: Complete, 3 entries"' in made
    assert 'aria-label="702-1002, Week 2, Vital signs: Not started"' in made
    assert 'href="/app/demo/participants/702-1002/week-2/vital-signs"' in made
    assert "_arm_1" not in made
    assert made.count('class="c ') == 9


def test_a_hostile_code_is_text():
    found = StatusGrid((GridSubject('"><script>', "1", "enrolled"),), grid_columns(DESIGN), {})
    made = grid(GridState.from_query(found, places(DESIGN), {}), path="/x")
    assert "<script>" not in made


def test_a_question_about_a_form_without_an_entry_is_in_the_grid():
    found = with_questions(
        status_grid(), {("702-1002", "w2_arm_1", "vs"): (1, 0), ("nobody", "w2_arm_1", "vs"): (1, 0)}
    )
    assert found.cells["702-1002", "w2_arm_1", "vs"].state == "query"
    assert len(found.cells) == 4


def test_the_legend_lists_each_state_that_is_used():
    assert state().used_states == ["not_started", "complete", "query"]


def test_participants_waited_for_are_those_of_the_week():
    waited_for = {"week": frozenset({"700-1000"}), "overdue": frozenset({"702-1002"})}

    def left(due):
        found = GridState.from_query(status_grid(), places(DESIGN), {"due": due}, waited_for=waited_for)
        return [one.participant for one in found.subjects], found.query()["due"]

    assert left("week") == (["700-1000"], "week")
    assert left("overdue") == (["702-1002"], "overdue")
    assert left("other")[1] == ""
