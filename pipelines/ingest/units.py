"""Whether a field note is a unit. Pure.

REDCap has no place for a field's unit; sites write it into the note. A note counts as a unit when each of its parts is
a unit symbol as UCUM or daily clinical use writes it.
"""

import re
from typing import Final

_SYMBOLS: Final = frozenset(
    [
        "%",
        "g",
        "kg",
        "mg",
        "ug",
        "µg",
        "μg",
        "ng",
        "pg",
        "L",
        "dL",
        "mL",
        "uL",
        "µL",
        "fL",
        "m",
        "cm",
        "mm",
        "um",
        "µm",
        "nm",
        "h",
        "hr",
        "hrs",
        "s",
        "sec",
        "min",
        "day",
        "days",
        "d",
        "week",
        "weeks",
        "month",
        "months",
        "year",
        "years",
        "yr",
        "yrs",
        "U",
        "IU",
        "mU",
        "mIU",
        "uIU",
        "µIU",
        "kU",
        "mol",
        "mmol",
        "umol",
        "µmol",
        "nmol",
        "pmol",
        "eq",
        "mEq",
        "mmHg",
        "kPa",
        "Pa",
        "cmH2O",
        "bpm",
        "beats",
        "breaths",
        "C",
        "°C",
        "F",
        "°F",
        "K",
        "kcal",
        "kJ",
        "W",
        "ms",
        "V",
        "mV",
        "Hz",
        "ratio",
        "fraction",
        "ppm",
        "score",
        "points",
        "m2",
        "cm2",
        "dose",
        "tablet",
        "tablets",
        "capsule",
        "capsules",
        "THOU",
        "MILL",
        "TI",
        "GI",
        "mosm",
        "mOsm",
        "kat",
        "nkat",
        "ukat",
        "cells",
        "copies",
        "seconds",
        "minutes",
        "hours",
    ]
)
_POWER: Final = re.compile(r"(?:10\^?|10E|1E|x10\^?|10\*)\d{1,2}")
_LONGEST: Final = 20
_PREFIX: Final = re.compile(r"^(?:unit|units)\s*[:=]\s*", re.IGNORECASE)
_FOLDED: Final = {symbol.casefold(): symbol for symbol in sorted(_SYMBOLS)}


def unit_of(note: str) -> str:
    """Return the unit that a field note is (“mmHg”, “Unit: mg/dL”, “(kg)”), or an empty text when it is prose."""
    text = _PREFIX.sub("", note.strip()).strip("()[] ")
    if not text or len(text) > _LONGEST:
        return ""
    parts = [part.strip() for part in re.split(r"[/*·.]", text) if part.strip()]
    return text if parts and all(_is_symbol(part) for part in parts) else ""


def _is_symbol(part: str) -> bool:
    return part.casefold() in _FOLDED or bool(_POWER.fullmatch(part.replace(" ", "")))
