"""What a mapping specification is made of: sources of rows, values, variables, domains, relationships."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from exports.sdtm.registry import references
from exports.sdtm.spec_tables import Strict, StudyTables

#: Columns that every form frame may have beside its fields.
KEY_COLUMNS: Final = frozenset({"subject_id", "site_id", "event_id", "event_repeat", "form_id", "form_repeat"})
#: What a source may take its rows from.
ORIGINS: Final = ("form", "table", "domain", "records")
#: Kinds of origin that Define-XML knows.
Origin = Literal["CRF", "Derived", "Assigned", "Protocol", "eDT", "Predecessor", "Not collected"]

Scalar = str | int | float
SasName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,7}$")]
WorkName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=40)]


# --- rows --------------------------------------------------------------------------------------------------------------


class Row(Strict):
    """One line that a wide form is turned into: which fields fill which working columns, and what is constant.

    `only` keeps the line where a working column has one of these values, `unless` leaves it out there; `empty` keeps it where none
    of these fields of the form is filled.
    """

    fields: dict[str, str]
    values: dict[str, Scalar] = Field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    empty: tuple[str, ...] = ()


class Join(Strict):
    """Another form or table whose fields are added, where the columns `on` are equal; each of its keys may be there once."""

    form: str | None = None
    table: str | None = None
    on: tuple[str, ...] = ("subject_id",)

    @model_validator(mode="after")
    def _one(self) -> "Join":
        if (self.form is None) == (self.table is None):
            raise ValueError("a join names exactly one of form, table")
        return self

    @property
    def frame(self) -> str:
        """The name of the frame it takes."""
        return self.form or table_frame(self.table or "")


class Source(Strict):
    """What gives rows to a domain: a form, a table of Metricis, another domain, or records written here.

    `where` keeps the rows with these values, `unless` drops them, `needs` keeps those where at least one of these columns is
    filled, `first_by` keeps one row for each value of these columns, `join` adds fields of other forms, `values` constants.
    With `rows` each row becomes several lines (wide to long); the working columns then hold text.
    """

    form: str | None = None
    table: str | None = None
    domain: SasName | None = None
    records: tuple[dict[str, Scalar | None], ...] | None = None
    join: tuple[str | Join, ...] = ()
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    unless: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    first_by: tuple[str, ...] = ()
    values: dict[str, Scalar] = Field(default_factory=dict)
    rows: tuple[Row, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        given = [key for key in ORIGINS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a source has exactly one of {', '.join(ORIGINS)}; it has {', '.join(given) or 'none'}")
        return self

    @property
    def joins(self) -> tuple[Join, ...]:
        """The joins, a bare name being a form that each subject has once."""
        return tuple(Join(form=one) if isinstance(one, str) else one for one in self.join)

    @property
    def frame(self) -> str | None:
        """The name of the frame that holds its rows; None when they come from a domain or stand here."""
        return self.form or (table_frame(self.table) if self.table else None)


def table_frame(table: str) -> str:
    """Return the name under which a table of Metricis (`scores`) is among the frames of forms."""
    return f"table:{table}"


#: The frame of the schedule: the days of the study's events.
EVENTS: Final = table_frame("events")


# --- values ------------------------------------------------------------------------------------------------------------


class Value(Strict):
    """What a column is made of: exactly one of constant, field, derive, missing."""

    name: str
    type: Literal["char", "num"] = "char"
    constant: Scalar | None = None
    field: str | None = None
    derive: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    missing: str | None = None
    """Why the variable has no value; the variable is kept because the standard or the sponsor expects it."""
    codelist: str | None = None
    """The code list that turns the value into the submission value."""
    terminology: str | None = None
    """The code of a controlled-terminology code list (C66742): a value becomes the submission value of the term it is."""
    otherwise: Scalar | None = None
    """What stands where nothing was given."""
    only_if: str | None = None
    """The variable has a value only where this column has one."""
    unblinds: bool = False
    """Whether it tells the treatment: readers who are blinded get it empty, and whatever is made from it."""

    @model_validator(mode="after")
    def _one_source(self) -> "Value":
        given = [key for key in ("constant", "field", "derive", "missing") if getattr(self, key) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"{self.name} must have exactly one of constant, field, derive, missing; it has {found}")
        if self.args and not self.derive:
            raise ValueError(f"{self.name} has args but no derive")
        if self.type == "num" and isinstance(self.constant, str):
            raise ValueError(f"{self.name} is of type num, but its constant {self.constant!r} is a text")
        return self

    def references(self) -> list[str]:
        """Give the columns this value is made from."""
        named = [self.field] if self.field else references(self.derive, self.args) if self.derive else []
        return named + ([self.only_if] if self.only_if else [])


class Working(Value):
    """A column that other columns are made from and that no dataset shows."""

    name: WorkName


class Variable(Value):
    """One SDTM variable with its metadata."""

    name: SasName
    label: Label
    length: int | None = Field(default=None, ge=1, le=200)
    origin: Origin


class Qualifier(Value):
    """One supplemental qualifier: a value that has no variable of its own and goes to SUPP--."""

    name: SasName
    label: Label
    origin: str
    evaluator: str | None = None
    """Who judged it (QEVAL); null when nobody did."""
    evaluator_from: str | None = None
    """The column that says who judged it, where that differs from row to row."""


class Split(Strict):
    """How a domain is divided into several datasets: by the values of a variable, `""` for rows without one."""

    by: SasName
    datasets: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{2,3}$")], tuple[Scalar, ...]]


class Member(Strict):
    """One side of a relationship: rows of a domain, told by `by` (AESEQ), that belong together by `match`."""

    domain: SasName
    by: SasName
    match: tuple[str, ...] = ()
    type: Literal["ONE", "MANY"] | None = None


class Relationship(Strict):
    """Rows of several domains that belong together (RELREC), or datasets that do (`type` ONE and MANY)."""

    id: str
    """What RELID is: a text in which `{USUBJID}` and `{0}`, `{1}`… stand for the subject and the matched values."""
    members: Annotated[tuple[Member, ...], Field(min_length=2)]


class Domain(Strict):
    """One dataset: its sources, its variables in order, and what identifies and orders its rows."""

    domain: SasName
    label: Annotated[str, StringConstraints(max_length=40)]
    structure: str
    keys: tuple[SasName, ...]
    """Natural keys: what a person would call the same row."""
    sort: tuple[str, ...]
    """Variables or working columns."""
    sources: tuple[Source, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    working: tuple[Working, ...] = ()
    variables: tuple[Variable, ...]
    supplemental: tuple[Qualifier, ...] = ()
    """What goes to SUPP--; the dataset is made from this list."""
    split: Split | None = None
    unblinds: bool = False
    """Whether the whole dataset tells the treatment: a blinded reader does not get it."""
    optional: bool = False
    """Whether the dataset is left out while it has no rows."""
    parent: str | None = None
    """For a dataset made from another one's list (SUPPAE): that domain."""

    @property
    def values(self) -> tuple[Value, ...]:
        """Everything that is made for the domain: its variables and what they need on the way."""
        return (*self.working, *self.variables, *self.supplemental)

    @property
    def others(self) -> set[str]:
        """The domains that must be made before this one."""
        related = {member.domain for one in self.relationships for member in one.members} | self.looks_up
        return {name for name, _ in self.elsewhere()} | {one.domain for one in self.sources if one.domain} | related

    @property
    def looks_up(self) -> set[str]:
        """The domains whose rows its derivations read (`from_domain`)."""
        return {v.args["domain"] for v in self.values if v.derive and isinstance(v.args.get("domain"), str)}

    def elsewhere(self) -> Iterator[tuple[str, str]]:
        """Give the variables of other domains that this one refers to."""
        for value in self.values:
            for name in value.references():
                if "." in name:
                    other, _, column = name.partition(".")
                    yield other, column


class StudySpec(Strict):
    """The whole specification of a study."""

    study: str
    standard: str
    version: str
    revision: str = "1"
    """Version of the specification itself, as its author counts."""
    design_version: int | None = None
    """Version of the study design that it was written for; null when it is for all."""
    studyid: str = ""
    """STUDYID of what is made for the study as a whole (RELREC); the first constant STUDYID if left out."""
    sha256: str = ""
    """Hash of its files."""
    tables: StudyTables
    domains: tuple[Domain, ...]
    relationships: tuple[Relationship, ...] = ()

    def domain(self, name: str) -> Domain:
        """Give one domain; raises KeyError naming those that exist."""
        for domain in self.domains:
            if domain.domain == name:
                return domain
        raise KeyError(f"No domain {name!r}. There are: {', '.join(domain.domain for domain in self.domains)}.")
