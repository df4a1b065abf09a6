"""What a Define-XML says: plain frozen values, the same for what is written and for what was read.

Names are those of the standard where they are plain (method, comment, where clause); an ItemGroupDef is a `Table`, an
ItemDef an `Item`, an ItemRef a `Ref`, a leaf a `Document`. An empty text means that the file does not say.
"""

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a document: pages by number (`numbers`, or `first` to `last`) or named destinations."""

    type: str = "PhysicalRef"
    numbers: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """A place in a document."""

    document: str
    pages: tuple[Pages, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file beside the Define-XML; `href` is relative to it."""

    oid: str
    href: str
    title: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values come from: Collected, Derived, Assigned, Protocol, Predecessor, Not Available; and from whom."""

    type: str
    source: str = ""
    description: str = ""
    documents: tuple[DocumentRef, ...] = ()
    #: the file's own word for the type, which in version 2.0 is another (CRF); says nothing more than `type` does
    stated: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard that the datasets follow: SDTMIG 3.4 (IG), CDISC/NCI 2022-09-30 (CT)."""

    oid: str
    name: str
    type: str
    version: str
    status: str = "Final"
    publishing_set: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class CodedTerm:
    """One value of a codelist. `is_extended` marks the sponsor's own; `code` is the C-code of NCI."""

    value: str
    decode: str = ""
    code: str = ""
    is_extended: bool = False
    order: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class DefineCodelist:
    """Values that a variable may have, or the dictionary (MedDRA) that they come from. With decodes every term has one."""

    oid: str
    name: str
    data_type: str = "text"
    terms: tuple[CodedTerm, ...] = ()
    code: str = ""
    standard: str = ""
    is_non_standard: bool = False
    sas_format: str = ""
    comment: str = ""
    dictionary: str = ""
    dictionary_version: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """An item's value against values: EQ, NE, LT, LE, GT, GE, IN, NOTIN."""

    item: str
    comparator: str
    values: tuple[str, ...]
    soft_hard: str = "Soft"


@dataclass(frozen=True, slots=True)
class WhereClause:
    """Conditions that must all hold."""

    oid: str
    conditions: tuple[Condition, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """An item in a dataset or in a value list; `key` is its place among the keys, `where` the clauses, any of which holds."""

    item: str
    order: int | None = None
    is_mandatory: bool = False
    key: int | None = None
    method: str = ""
    role: str = ""
    where: tuple[str, ...] = ()
    is_non_standard: bool = False
    has_no_data: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A variable, or what it is under a where clause."""

    oid: str
    name: str
    data_type: str
    label: str = ""
    length: int | None = None
    significant_digits: int | None = None
    sas_name: str = ""
    display_format: str = ""
    codelist: str = ""
    value_list: str = ""
    origins: tuple[Origin, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ValueList:
    """What a variable is under each of its where clauses."""

    oid: str
    refs: tuple[Ref, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset; `structure` says what one record is."""

    oid: str
    name: str
    label: str
    refs: tuple[Ref, ...]
    domain: str = ""
    structure: str = ""
    class_: str = ""
    subclass: str = ""
    purpose: str = "Tabulation"
    is_repeating: bool = True
    is_reference_data: bool = False
    sas_name: str = ""
    standard: str = ""
    is_non_standard: bool = False
    has_no_data: bool = False
    comment: str = ""
    parent_label: str = ""
    """Of a split dataset: the label of the domain that it is a part of."""
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """How values are made; `expressions` are pairs of a context (the language) and code."""

    oid: str
    name: str
    description: str
    type: str = "Computation"
    expressions: tuple[tuple[str, str], ...] = ()
    documents: tuple[DocumentRef, ...] = ()


@dataclass(frozen=True, slots=True)
class DefineComment:
    """What there is to say of a dataset, variable, codelist, standard or clause."""

    oid: str
    description: str
    documents: tuple[DocumentRef, ...] = ()


@dataclass(frozen=True)
class Define:
    """The whole of a Define-XML. `created` is an ISO 8601 instant, `version` that of the standard (2.1.0)."""

    file_oid: str
    created: str
    study_oid: str
    study_name: str
    study_description: str
    protocol: str
    oid: str
    name: str
    tables: tuple[Table, ...]
    items: tuple[Item, ...]
    description: str = ""
    version: str = "2.1.0"
    context: str = "Submission"
    originator: str = ""
    source_system: str = ""
    source_system_version: str = ""
    comment: str = ""
    standards: tuple[Standard, ...] = ()
    value_lists: tuple[ValueList, ...] = ()
    where_clauses: tuple[WhereClause, ...] = ()
    codelists: tuple[DefineCodelist, ...] = ()
    methods: tuple[Method, ...] = ()
    comments: tuple[DefineComment, ...] = ()
    annotated_crf: tuple[DocumentRef, ...] = ()
    supplements: tuple[DocumentRef, ...] = ()
    documents: tuple[Document, ...] = ()

    @cached_property
    def item_of(self) -> dict[str, Item]:
        """Its items by OID."""
        return {one.oid: one for one in self.items}

    @cached_property
    def codelist_of(self) -> dict[str, DefineCodelist]:
        """Its codelists by OID."""
        return {one.oid: one for one in self.codelists}

    def table(self, name: str) -> Table | None:
        """Return a dataset by name, None where there is none."""
        return next((one for one in self.tables if one.name == name), None)
