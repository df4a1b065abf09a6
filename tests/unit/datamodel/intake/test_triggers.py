"""REDCap's trigger is a hint about a place."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from datamodel.intake.triggers import hint, is_secret, secret
from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import settings

AT = datetime(2026, 3, 5, 9, 0, 0, tzinfo=UTC)
FORM = {"project_id": "1", "record": "701-1015", "instrument": "vitals", "vitals_complete": "1", "username": "jane"}


def test_a_hint_keeps_the_place_and_nothing_of_who_or_what():
    _, body = hint(FORM | {"redcap_event_name": "week_2"}, at=AT)
    assert orjson.loads(body) == {
        "project_id": "1",
        "record": "701-1015",
        "instrument": "vitals",
        "redcap_event_name": "week_2",
    }


def test_saves_of_one_place_within_seconds_are_one_hint_and_the_key_names_no_record():
    first, again = hint(FORM, at=AT), hint(FORM | {"vitals_complete": "2"}, at=AT + timedelta(seconds=5))
    assert first == again
    assert hint(FORM, at=AT + timedelta(seconds=30))[0] != first[0]
    assert hint(FORM | {"record": "701-1016"}, at=AT)[0] != first[0]
    assert "701-1015" not in first[0]


@pytest.mark.parametrize("missing", ["project_id", "record", "instrument"])
def test_what_redcap_always_sends_must_be_there(missing):
    with pytest.raises(BadInputError, match=missing):
        hint({name: value for name, value in FORM.items() if name != missing}, at=AT)


def test_too_long_a_part_is_refused():
    with pytest.raises(BadInputError, match="longer than"):
        hint(FORM | {"record": "x" * 201}, at=AT)


def test_a_secret_belongs_to_one_study(home):
    assert is_secret(settings(), "demo", secret(settings(), "demo"))
    assert not is_secret(settings(), "other", secret(settings(), "demo"))
    assert not is_secret(settings(), "demo", "")
    assert len(secret(settings(), "demo")) == 64
