"""The languages say the same things."""

import string
from datetime import UTC, date, datetime

import pytest
import yaml

from apps.participant import words
from datamodel.consent.gate import REASONS
from datamodel.kernel.errors import Refused

TEXTS = {one: yaml.safe_load((words._FOLDER / f"{one}.yaml").read_text(encoding="utf-8")) for one in words.LANGUAGES}


def plain(texts):
    return {key: text for key, text in texts.items() if not key.startswith(("refusal.", "name."))}


def places(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_every_language_has_the_same_texts_with_the_same_places():
    english = plain(TEXTS["en"])
    for language, texts in TEXTS.items():
        assert set(plain(texts)) == set(english), language
        for key, text in plain(texts).items():
            assert isinstance(text, str), (language, key)
            assert places(text) == places(english[key]), (language, key)


def test_english_refusals_are_the_sentences_of_the_ledger_and_french_has_them_all():
    for reason in REASONS:
        assert words.of("en").refusal(reason) == reason.sentence
        assert words.of("fr").refusal(reason) != reason.sentence


def test_an_untranslated_refusal_is_shown_as_it_is():
    assert words.of("fr").refusal(Refused("odd", "Why.", "What.")) == "Why. What."


def test_an_unknown_language_is_answered_in_english():
    assert words.of("xx").language == "en"


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "05-Mar-2026 10:30 (Europe/Paris)"), ("fr", "05-mars-2026 10:30 (Europe/Paris)")]
)
def test_instants_are_written_with_their_zone(language, expected):
    assert words.of(language).moment(datetime(2026, 3, 5, 9, 30, tzinfo=UTC), "Europe/Paris") == expected


def test_every_month_has_a_name():
    for language in words.LANGUAGES:
        assert len({words.of(language).day(date(2026, month, 1)) for month in range(1, 13)}) == 12


@pytest.mark.parametrize(
    ("days", "said"), [(-2, "2 days overdue"), (-1, "1 day overdue"), (0, "Due today"), (1, "Due tomorrow"), (5, "Due in 5 days")]
)  # fmt: skip
def test_days_are_said_in_words(days, said):
    assert words.of("en").due(days) == said
