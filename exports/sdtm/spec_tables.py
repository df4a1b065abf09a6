"""The tables that a study's specification shares between its domains: visits, code lists, units."""

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of a specification: nothing that it does not know, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Visit(Strict):
    """What an event of the study is called in SDTM.

    A `planned` visit has a planned study day, which is the event's day. The event of unscheduled visits has no number and
    no name: the form says which visit it was.
    """

    number: float | None = None
    name: str | None = None
    planned: bool = True
    epoch: str | None = None


class Conversion(Strict):
    """How a value in one unit becomes the standard unit: value * factor + offset, rounded to `decimals`.

    A `unit` of null says that the standard form has none (a fraction).
    """

    unit: str | None
    factor: float = 1.0
    offset: float = 0.0
    decimals: int | None = None


class StudyTables(Strict):
    """Everything the derivations look up by name."""

    visits: dict[str, Visit] = Field(default_factory=dict)
    codelists: dict[str, dict[str, str | None]] = Field(default_factory=dict)
    conversions: dict[str, dict[str, Conversion]] = Field(default_factory=dict)
