"""The contract of consent events, as `apps/participant/static/consent.js` sends them."""

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from validators.capture.report import CaptureReport, Problem, problems_of

_MOST_STROKES: Final = 500
_MOST_POINTS: Final = 20_000

Point = tuple[float, float]


class ConsentEvent(BaseModel):
    """A decision: agreed (with a drawn or typed signature), declined or withdrawn."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["agreed", "declined", "withdrawn"]
    decided_at: AwareDatetime
    version: UUID | None = None
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    is_certified: bool = False
    method: Literal["drawn", "typed"] | None = None
    typed_name: Annotated[str, Field(min_length=2, max_length=200)] | None = None
    strokes: Annotated[list[list[Point]], Field(min_length=1, max_length=_MOST_STROKES)] | None = None
    scope: Literal["participation", "assessments"] = "participation"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.decision != "withdrawn" and (self.version is None or self.content_sha256 is None):
            raise ValueError("a decision must name the version and the hash of the text that was shown")
        if self.decision == "agreed":
            self._check_signature()
        if self.decision == "declined" and (self.typed_name or self.strokes):
            raise ValueError("a decline carries no signature")
        return self

    def _check_signature(self) -> None:
        if not self.is_certified:
            raise ValueError("the box that says “I have read this and agree” must be ticked")
        given = (self.method, self.typed_name is not None, self.strokes is not None)
        if given not in {("drawn", False, True), ("typed", True, False)}:
            raise ValueError("a signature is either drawn (strokes) or typed (typed_name), and says which")
        if self.typed_name is not None and "\x00" in self.typed_name:
            raise ValueError("typed_name holds a NUL character")
        if self.strokes and sum(len(stroke) for stroke in self.strokes) > _MOST_POINTS:
            raise ValueError(f"the drawing has too many points; at most {_MOST_POINTS} are kept")


def check_consent(payload: Any) -> CaptureReport[ConsentEvent]:
    """Check one message against the contract."""
    if not isinstance(payload, dict):
        return CaptureReport(None, (Problem("", "The message must be one JSON object."),))
    try:
        return CaptureReport(ConsentEvent.model_validate(payload))
    except ValidationError as error:
        return CaptureReport(None, problems_of(error))
