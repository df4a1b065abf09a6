"""Whether a value may stand in a field, and how it is stored: one check per field, made from its dictionary row.

Ranges are soft in REDCap's imports and are not looked at. Date fields store ISO whatever their display type.
"""

import re
from collections.abc import Callable
from datetime import date

from simulators.redcap.model import Column

type Check = Callable[[str], str]
_SEEN_LIMIT = 20_000
_CALENDAR = {"YMD": (0, 1, 2), "DMY": (2, 1, 0), "MDY": (2, 0, 1)}
_DATE = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_PATTERNS = {
    "integer": r"[-+]?\d+",
    "number": r"[-+]?\d*\.?\d+([eE][-+]?\d+)?|[-+]?\d+\.",
    "number_comma_decimal": r"[-+]?\d*,?\d+",
    "time": _CLOCK,
    "time_hh_mm_ss": _CLOCK + r":[0-5]\d",
    "time_mm_ss": r"[0-5]\d:[0-5]\d",
    "email": r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]{2,}",
    "zipcode": r"\d{5}(-\d{4})?",
    "phone": r"(\+?1[-. ]?)?\(?[2-9]\d{2}\)?[-. ]*\d{3}[-. ]?\d{4}( *(x|ext\.?) *\d+)?",
    "phone_australia": r"\(?0?[2-478]\)?[- ]?(\d[- ]?){8}",
    "ssn": r"\d{3}-?\d{2}-?\d{4}",
    "alpha_only": r"[A-Za-z]+",
    "mrn_10d": r"\d{10}",
    "mrn_generic": r"[A-Za-z0-9-_]+",
    "vmrn": r"\d{1,9}",
    "postalcode_australia": r"\d{4}",
    "postalcode_canada": r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
    "postalcode_french": r"\d{5}",
    "postalcode_germany": r"\d{5}",
}
_PLACES = re.compile(r"number_([1-4])dp(_comma_decimal)?")


def _calendar(value: str, order: str, kind: str) -> str:
    found = _DATE.fullmatch(value)
    if found:
        parts = [found.group(place + 1) for place in _CALENDAR[order]]
        try:
            return date(int(parts[0]), int(parts[1]), int(parts[2])).isoformat()
        except ValueError:
            pass  # 31 February has the right shape and is still refused below
    shape = {"YMD": "YYYY-MM-DD", "DMY": "DD-MM-YYYY", "MDY": "MM-DD-YYYY"}[order]
    raise ValueError(f"The value must be a valid {kind} in the format {shape}")


def _date_check(validation: str, order: str) -> Check:
    clock = {"datetime": _CLOCK, "datetime_seconds": _CLOCK + r":[0-5]\d"}.get(validation.rpartition("_")[0])

    def check(value: str) -> str:
        if clock is None:
            return _calendar(value, order, "date")
        day, _, time = value.replace("T", " ").partition(" ")
        time = "0" + time if re.match(r"\d:", time) else time
        if not re.fullmatch(clock, time):
            raise ValueError(
                f"The value must be a date and time ({'with' if 'seconds' in validation else 'without'} seconds)"
            )
        return f"{_calendar(day, order, 'date and time')} {time}"

    return check


def _choice_check(name: str, codes: set[str]) -> Check:
    def check(value: str) -> str:
        if value in codes:
            return value
        # Nullable number columns of data frames arrive as 1.0.
        if value.endswith(".0") and value[:-2] in codes:
            return value[:-2]
        raise ValueError(f"The value is not a valid category for {name}")

    return check


def _pattern_check(pattern: str, kind: str) -> Check:
    match = re.compile(pattern).fullmatch

    def check(value: str) -> str:
        if match(value):
            return value
        if kind == "integer" and value.endswith(".0") and match(value[:-2]):
            return value[:-2]
        raise ValueError(f"The value is not valid for the validation type {kind}")

    return check


def _rule(column: Column, order: str) -> Check | None:
    if column.kind == "checkbox":
        return _choice_check(column.name, {"0", "1"})
    if column.kind in {"choice", "complete"}:
        return _choice_check(column.name, set(column.choices))
    if column.field is None:
        return None
    validation = "integer" if column.field.kind == "slider" else column.field.validation
    if validation.startswith(("date_", "datetime_")):
        return _date_check(validation, order)
    places = _PLACES.fullmatch(validation)
    if places:
        sign = "," if places.group(2) else r"\."
        return _pattern_check(rf"[-+]?\d*{sign}\d{{{places.group(1)}}}", validation)
    return _pattern_check(_PATTERNS[validation], validation) if validation in _PATTERNS else None


def check_for(column: Column, *, order: str, missing_codes: set[str]) -> Check:
    """The check of one column. ``order`` is the import's date order: YMD, DMY or MDY.

    The check returns the value as stored, or raises ValueError with the reason. What it accepted before it
    remembers, so that coded columns cost one look-up a value.
    """
    rule = _rule(column, order)
    if rule is None:
        return str
    seen = {code: code for code in missing_codes} if column.kind not in {"complete", "checkbox"} else {}

    def check(value: str) -> str:
        known = seen.get(value)
        if known is None:
            known = rule(value)
            if len(seen) < _SEEN_LIMIT:
                seen[value] = known
        return known

    return check
