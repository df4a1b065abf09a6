"""The report of a capture check."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a payload: where, and a sentence."""

    place: str
    sentence: str


@dataclass(frozen=True, slots=True)
class CaptureReport[M: BaseModel]:
    """What came out: the payload as typed values when it holds, problems otherwise; flags in both cases."""

    accepted: M | None
    problems: tuple[Problem, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether the payload may be filed."""
        return self.accepted is not None

    @property
    def sentence(self) -> str:
        """All problems as one text, at most five of them."""
        shown = [one.sentence for one in self.problems[:5]]
        more = len(self.problems) - len(shown)
        return " ".join([*shown, *([f"And {more} more."] if more else [])])


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Return pydantic's findings as sentences without any received value."""
    return tuple(
        Problem(place=place, sentence=f"{place or 'The message'}: {_lower(found['msg'])}.")
        for found in error.errors(include_url=False, include_input=False, include_context=False)
        for place in [".".join(str(part) for part in found["loc"])]
    )


def _lower(text: str) -> str:
    text = text.removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]
