"""Values of one field that its design allows, by chance. Pure.

Chance comes from a text, so that the same order gives the same data. What is drawn is nobody's secret, so the standard
library's generator serves.
"""

import math
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final

from datamodel.study.protocol import Field, Form

#: Of fields that may stay empty, so many do.
BLANK: Final = 0.03
_TICKED: Final = 0.3
#: How far a series moves from one visit to the next, of the range it lies in.
_STEP: Final = 0.04
#: A reading without limits lies between these.
_LOW, _HIGH = 0.0, 100.0
_EARLIEST, _LATEST = time(8), time(17)
_SENTENCES: Final = ("Invented for a rehearsal.", "As expected, nothing to add.", "Checked with the site; no change.")
#: Texts whose form a source checks: nothing that could be somebody's is invented for them.
_FORMED: Final = frozenset({"email", "phone", "zipcode", "postalcode", "mrn", "ssn", "vmrn"})


def chance(*parts: object) -> Random:
    """Return the generator that belongs to these parts, the same in every process."""
    return Random("\x1f".join(str(part) for part in parts))  # noqa: S311 - invented data, no secret


def filled(
    form: Form, *, record_field: str, day: date, until: date, visit: int, seed: tuple[object, ...]
) -> dict[str, str]:
    """Return the values of one form on `day`, by field name; empty ones left out.

    `visit` counts the occasions of this form for this participant from 0; `seed` names study, order and participant.
    """
    found: dict[str, str] = {}
    for field in form.fields:
        if field.name == record_field or field.is_identifier or field.branching or field.validation in _FORMED:
            continue
        rng = chance(*seed, form.name, field.name, visit)
        if field.kind == "checkbox":
            found |= {f"{field.name}___{one.code}": "1" if rng.random() < _TICKED else "0" for one in field.choices}
        elif field.is_required or rng.random() >= BLANK:
            found[field.name] = _one(field, rng, day=day, until=until, visit=visit, seed=(*seed, form.name))
    return {name: value for name, value in found.items() if value}


def _one(field: Field, rng: Random, *, day: date, until: date, visit: int, seed: tuple[object, ...]) -> str:
    match field.kind:
        case "choice" | "yesno":
            codes = [one.code for one in field.choices] or ["0", "1"]
            return rng.choice(codes)
        case "number" | "integer" | "slider":
            return _number(field, visit=visit, seed=seed)
        case "date" | "datetime" | "time":
            at = datetime.combine(_day(field, day, until), _clock(rng))
            return at.strftime(_shape(field))
        case "text" | "notes":
            return rng.choice(_SENTENCES)
        case _:
            return ""


def _shape(field: Field) -> str:
    """Return how a source writes the field's day and hour."""
    if field.validation == "time_mm_ss":
        return "%M:%S"
    clock = "%H:%M:%S" if "seconds" in field.validation or "ss" in field.validation else "%H:%M"
    return {"date": "%Y-%m-%d", "time": clock}.get(field.kind, f"%Y-%m-%d {clock}")


def _number(field: Field, *, visit: int, seed: tuple[object, ...]) -> str:
    """Return a reading that lies near the one of the visit before, inside the field's limits."""
    low, high = _limits(field)
    place = chance(*seed, field.name, "start").uniform(0.25, 0.75)
    for step in range(visit):
        place += chance(*seed, field.name, "step", step).gauss(0, _STEP)
    value = low + (high - low) * min(max(place, 0.0), 1.0)
    digits = _digits(field)
    if digits == 0:
        return str(min(max(round(value), math.ceil(low)), math.floor(high)))
    text = f"{min(max(round(value, digits), low), high):.{digits}f}"
    return text.replace(".", ",") if "comma" in field.validation else text


def _limits(field: Field) -> tuple[float, float]:
    low, high = _plain(field.minimum), _plain(field.maximum)
    if low is None and high is None:
        return _LOW, _HIGH
    if low is None:
        assert high is not None  # noqa: S101 - one of the two is there
        return (min(_LOW, high - _HIGH), high)
    return (low, max(high, low)) if high is not None else (low, low + _HIGH)


def _plain(bound: str) -> float | None:
    """Return a limit that is a number; one that names another field or today is none here."""
    try:
        found = float(bound)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _digits(field: Field) -> int:
    """Return how many decimals the field takes: `number_2dp` two, an integer or a slider none, others one."""
    if field.kind in {"integer", "slider"}:
        return 0
    head, _, tail = field.validation.partition("number_")
    return int(tail[0]) if not head and tail[:1].isdigit() else 1


def _day(field: Field, day: date, until: date) -> date:
    """Return the visit's day, moved inside the field's limits where these are days, and never after `until`."""
    low, high = _dated(field.minimum), _dated(field.maximum)
    found = min(day, until)
    if high is not None:
        found = min(found, high)
    return max(found, low) if low is not None else found


def _dated(bound: str) -> date | None:
    try:
        return date.fromisoformat(bound[:10])
    except ValueError:
        return None


def _clock(rng: Random) -> time:
    first = datetime.combine(date.min, _EARLIEST)
    minutes = int((datetime.combine(date.min, _LATEST) - first).total_seconds() // 60)
    return (first + timedelta(minutes=rng.randrange(minutes))).time()
