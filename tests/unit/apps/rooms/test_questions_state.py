from datetime import UTC, datetime, timedelta

from apps.discrepancies.state import QuestionsState, reference
from apps.overview.state import batch_sentence, by_week
from apps.records.state import in_words
from datamodel.audit.reads import Happening
from datamodel.discrepancies.reads import Discrepancy
from datamodel.kernel.ids import new_id
from datamodel.study.protocol import Choice, Field

NOW = datetime(2026, 3, 5, tzinfo=UTC)


def question(code="701-1001", state="open", days=1, reason="not a number"):
    opened = NOW - timedelta(days=days)
    return Discrepancy(new_id(), code, code[:3], "e", "f", 0, 0, "x", "1O2", "SRC", reason, state, opened, opened, days)


EVERY = [
    question(days=1),
    question("702-1002", days=9),
    question("703-1003", state="reopened", days=3),
    question("704-1004", state="answered", days=4),
    question("705-1005", state="closed", days=5),
]


def listed(**query):
    return [one.participant for one in QuestionsState.from_query(EVERY, None, query).listed]


def test_the_oldest_open_question_comes_first():
    assert listed() == ["702-1002", "703-1003", "701-1001"]


def test_choices_leave_what_they_say():
    assert listed(state="answered") == ["704-1004"]
    assert listed(state="closed") == ["705-1005"]
    assert len(listed(state="all")) == 5
    assert listed(site="703") == ["703-1003"]
    assert listed(text="702") == ["702-1002"]
    assert listed(state="nonsense") == listed()


def test_a_question_goes_by_a_short_reference_that_is_its_own():
    references = {reference(one) for one in EVERY}
    assert len(references) == len(EVERY)
    assert all(len(one) == 6 for one in references)


def test_next_and_previous_follow_the_list():
    state = QuestionsState.from_query(EVERY, None, {})
    state.chosen = reference(state.listed[1])
    before, after = state.neighbours()
    assert (before.participant, after.participant) == ("702-1002", "701-1001")
    assert state.one.participant == "703-1003"


def test_many_questions_come_in_pages_and_the_count_stays_whole():
    state = QuestionsState.from_query([question() for _ in range(120)], None, {"page": "3"})
    assert (len(state.listed), state.pages, len(state.shown)) == (120, 3, 20)


def test_values_are_shown_as_people_read_them():
    sex = Field("sex", "Sex", "choice", choices=(Choice("F", "Female"),))
    boxes = Field("race", "Race", "checkbox", choices=(Choice("1", "White"), Choice("2", "Asian")))
    assert in_words(sex, {"sex": "F"}) == "Female"
    assert in_words(sex, {"sex": "Z"}) == "Z"
    assert in_words(boxes, {"race___1": "1", "race___2": "1"}) == "White, Asian"
    assert in_words(Field("ok", "Ok", "yesno"), {"ok": "0"}) == "No"
    assert in_words(Field("on", "On", "date"), {"on": "2026-03-05"}) == "05-Mar-2026"
    assert in_words(sex, {}) == ""


def test_what_a_sync_brought_is_one_sentence():
    def batch(**change):
        return Happening(NOW, "Metricis sync", "machine", "records.revise_batch", "form:vs", change)

    told = batch_sentence("records.revise_batch", [batch(new=1200, changed=0), batch(new=34, changed=1)])
    assert told == "1,234 new form entries, 1 form entry changed, from the sync."
    assert batch_sentence("records.revise_batch", [batch(new=0, changed=0)]) == ""
    assert batch_sentence("records.revise_batch", [batch(new=1)], origin="") == "1 new form entry."


def test_weeks_without_a_question_count_as_none():
    assert by_week([NOW, NOW + timedelta(days=15)]) == [1, 0, 1]
    assert by_week([]) == []
