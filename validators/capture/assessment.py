"""The contract of assessment results, as `apps/participant/static/task.js` sends them."""

from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from validators.capture.report import CaptureReport, Problem, problems_of

#: more trials than any task of the library has, in one message
MOST_TRIALS: Final = 2000
_LONGEST_TEXT: Final = 4000

FLAGS: Final[dict[str, str]] = {
    "focus-lost": "the person left the page during the task",
    "times-do-not-add-up": "reaction times are longer than the time that passed: not made by a person in real time",
    "time-runs-back": "the time since the start decreases from one trial to the next",
    "identical-times": "all reaction times are the same",
}


class Trial(BaseModel):
    """A trial as jsPsych 8 gives it; unknown fields are kept as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    trial_index: Annotated[int, Field(ge=0, le=100_000)]
    trial_type: Annotated[str, Field(max_length=100)]
    time_elapsed: Annotated[float, Field(ge=0)]
    phase: Literal["practice", "wait", "test", "info"]
    rt: Annotated[float, Field(ge=0)] | None = None


class Interaction(BaseModel):
    """One entry of jsPsych's interaction data (the code says `event`, one page of its manual `type`)."""

    model_config = ConfigDict(extra="ignore")

    event: Annotated[str, Field(max_length=40)]
    trial: int
    time: float


class Assessment(BaseModel):
    """One part of a session."""

    model_config = ConfigDict(extra="forbid")

    session: UUID
    assignment: UUID
    task: Annotated[str, Field(max_length=80)]
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    is_simulated: bool
    outcome: Literal["complete", "left"] | None = None
    trials_expected: Annotated[int, Field(ge=1, le=MOST_TRIALS)] | None = None
    device: dict[str, str | float | bool | None]
    interactions: Annotated[list[Interaction], Field(max_length=MOST_TRIALS)] = []
    trials: Annotated[list[dict[str, Any]], Field(max_length=MOST_TRIALS)]

    @field_validator("trials")
    @classmethod
    def _each_is_a_trial(cls, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for number, one in enumerate(trials):
            try:
                Trial.model_validate(one)
            except ValidationError as error:
                first = problems_of(error)[0].sentence
                raise ValueError(f"trial {number}, {first}") from None
            if not _is_storable(one):
                raise ValueError(f"trial {number} holds a text with a NUL character or longer than {_LONGEST_TEXT}")
        indexes = [one["trial_index"] for one in trials]
        if len(set(indexes)) != len(indexes):
            raise ValueError("a trial_index comes twice; each trial may come once in a message")
        return trials

    @model_validator(mode="after")
    def _last_part_is_whole(self) -> Self:
        if self.outcome == "complete" and (self.trials_expected is None or self.ended_at is None):
            raise ValueError("the last part (outcome complete) must say trials_expected and ended_at")
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ended_at is before started_at")
        return self


def check_assessment(payload: Any) -> CaptureReport[Assessment]:
    """Check one message against the contract."""
    if not isinstance(payload, dict):
        return CaptureReport(None, (Problem("", "The message must be one JSON object."),))
    try:
        accepted = Assessment.model_validate(payload)
    except ValidationError as error:
        return CaptureReport(None, problems_of(error))
    return CaptureReport(accepted, flags=tuple(_flags(accepted)))


def _is_storable(trial: dict[str, Any]) -> bool:
    texts = [value for value in (*trial, *trial.values()) if isinstance(value, str)]
    return all("\x00" not in text and len(text) <= _LONGEST_TEXT for text in texts)


def _flags(found: Assessment) -> list[str]:
    trials = sorted(found.trials, key=lambda one: int(one["trial_index"]))
    elapsed = [float(one["time_elapsed"]) for one in trials]
    times = [float(one["rt"]) for one in trials if one.get("rt") is not None and one["phase"] == "test"]
    raised = []
    if any(one.event == "blur" for one in found.interactions):
        raised.append("focus-lost")
    if elapsed and sum(times) > elapsed[-1]:
        raised.append("times-do-not-add-up")
    if any(later < earlier for earlier, later in pairwise(elapsed)):
        raised.append("time-runs-back")
    if len(times) >= 3 and len(set(times)) == 1:  # noqa: PLR2004 - two equal times happen
        raised.append("identical-times")
    return raised
