from datetime import UTC, date, datetime, timedelta

import pytest

from apps.shell import words

NOW = datetime(2026, 3, 5, 14, 10, tzinfo=UTC)


def test_days_and_instants_are_written_one_way():
    assert words.day(date(2026, 3, 5)) == "05-Mar-2026"
    assert words.day(None) == "–"
    assert words.instant(NOW, "America/New_York") == "05-Mar-2026 09:10"
    assert words.clock(NOW, "America/New_York", now=NOW) == "09:10"
    assert words.clock(NOW - timedelta(days=1), "America/New_York", now=NOW) == "04-Mar-2026 09:10"


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (1234, "1,234"), (2.5, "2.5"), (0.333, "0.33"), (None, "–"), (312.0, "312")]
)
def test_numbers(value, told):
    assert words.number(value) == told


def test_lengths_of_time_are_told_in_their_largest_unit():
    assert words.span(timedelta(days=3, hours=5)) == "3 days"
    assert words.span(timedelta(minutes=1, seconds=59)) == "1 minute"
    assert words.ago(None, now=NOW) == "never"
    assert words.ago(NOW - timedelta(hours=2), now=NOW) == "2 hours ago"


def test_addresses_say_only_what_there_is_to_say():
    assert words.address("/x", site="701", text="", page=None) == "/x?site=701"
    assert words.address("/x", text="") == "/x"
    assert words.slug("Week 2 (Day 14) – Étude") == "week-2-day-14-etude"


def test_what_looks_like_a_day_is_shown_as_one_and_the_rest_stays():
    assert words.shown("2026-03-05") == "05-Mar-2026"
    assert words.shown("2026-03") == "2026-03"


def test_templates_escape_what_they_are_given():
    made = words.markup("shell/state.html", title="<script>", words="a & b", icon="open", link="", href="", more="")
    assert "&lt;script&gt;" in made
    assert "a &amp; b" in made


@pytest.mark.parametrize(
    ("asked", "page"),
    [(None, 1), ("", 1), ("3", 3), ("0", 1), ("-2", 1), ("2.5", 1), ("²", 1), ("999999", 999_999), ("9" * 30, 1)],
)
def test_a_page_that_cannot_be_is_the_first(asked, page):
    assert words.page_number({} if asked is None else {"page": asked}) == page
