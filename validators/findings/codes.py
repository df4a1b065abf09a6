"""Every rule that a finding may name, in plain words."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One rule. `reason` is what people read; `{limit}` and `{form}` are filled in where the rule has them."""

    code: str
    title: str
    reason: str
    is_rejected: bool
    what_to_do: str


def _code(code: str, title: str, reason: str, *, is_rejected: bool, what_to_do: str) -> tuple[str, Code]:
    return code, Code(code, title, reason, is_rejected, what_to_do)


_CORRECT: Final = "Correct the value in REDCap; the next sync closes the question by itself."

#: code -> the rule
CODES: Final[dict[str, Code]] = dict(
    (
        _code(
            "unknown_code",
            "Code not in the list",
            "The value is not one of the codes of this field ({limit}).",
            is_rejected=True,
            what_to_do=_CORRECT,
        ),
        _code(
            "not_an_integer",
            "Not a whole number",
            "The field takes a whole number.",
            is_rejected=True,
            what_to_do=_CORRECT,
        ),
        _code("not_a_number", "Not a number", "The field takes a number.", is_rejected=True, what_to_do=_CORRECT),
        _code(
            "not_a_date",
            "Not a date",
            "The field takes a date written year-month-day (2026-03-31).",
            is_rejected=True,
            what_to_do=_CORRECT,
        ),
        _code(
            "not_a_datetime",
            "Not a date with time",
            "The field takes a date with time (2026-03-31 14:05, with seconds where the field has them).",
            is_rejected=True,
            what_to_do=_CORRECT,
        ),
        _code(
            "not_a_time",
            "Not a time of day",
            "The field takes a time ({limit}).",
            is_rejected=True,
            what_to_do=_CORRECT,
        ),
        _code(
            "not_storable",
            "Character that cannot be kept",
            "The value holds a NUL character, which PostgreSQL cannot keep.",
            is_rejected=True,
            what_to_do="Type the value anew in REDCap; the next sync closes the question by itself.",
        ),
        _code(
            "below_minimum",
            "Below the expected range",
            "The value is below {limit}, the least that the field expects.",
            is_rejected=False,
            what_to_do="Correct the value in REDCap, or answer that it is right.",
        ),
        _code(
            "above_maximum",
            "Above the expected range",
            "The value is above {limit}, the most that the field expects.",
            is_rejected=False,
            what_to_do="Correct the value in REDCap, or answer that it is right.",
        ),
        _code(
            "required_blank",
            "Required and left blank",
            "The form is marked complete, but this required field is blank.",
            is_rejected=False,
            what_to_do="Fill the field in REDCap, or enter the code for why it is missing.",
        ),
    )
)
