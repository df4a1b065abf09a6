"""The Define of derived datasets: made from the mapping, the standard's metadata, the terminology and the values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import polars as pl

from exports.define.values import described
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.spec_types import StudySpec, Variable
from validators.library import Library, Terminology
from validators.library.define import (
    CodedTerm,
    Condition,
    Define,
    DefineCodelist,
    DefineComment,
    Document,
    Item,
    Method,
    Origin,
    Ref,
    Standard,
    Table,
    ValueList,
    WhereClause,
)
from validators.library.facts import DomainFacts

#: origin of the mapping -> origin and source of Define-XML 2.1
_ORIGINS: Final = {
    "CRF": ("Collected", "Investigator"),
    "eDT": ("Collected", "Vendor"),
    "Derived": ("Derived", "Sponsor"),
    "Assigned": ("Assigned", "Sponsor"),
    "Protocol": ("Protocol", "Sponsor"),
    "Predecessor": ("Predecessor", ""),
    "Not collected": ("Not Available", ""),
}
_IG: Final = "STD.IG"
_CT: Final = "STD.CT"
#: What is different from test to test, by the letters after the domain's.
_BY_TEST: Final = ("ORRES", "STRESC", "STRESN")


@dataclass
class _Parts:
    items: list[Item] = field(default_factory=list)
    value_lists: list[ValueList] = field(default_factory=list)
    clauses: dict[str, WhereClause] = field(default_factory=dict)
    codelists: list[DefineCodelist] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    comments: list[DefineComment] = field(default_factory=list)


def define_of(
    study: StudySpec,
    datasets: Mapping[str, SdtmDataset],
    *,
    created: datetime,
    library: Library | None = None,
    title: str = "",
) -> Define:
    """Return the Define of the datasets, as they are submitted (split domains in their parts).

    `created` is the instant of the data (with its zone), so that the same snapshot gives the same bytes. Without a
    terminology in the library there are no codelists of the standard.
    """
    known = library or Library.bundled(study.version)
    parts = _Parts()
    tables = tuple(_table(name, one, known, parts) for name, one in datasets.items())
    terms = known.terminology
    standards = [Standard(_IG, study.standard.upper().replace("SDTM-IG", "SDTMIG"), "IG", study.version)]
    if terms is not None:
        standards.append(Standard(_CT, "CDISC/NCI", "CT", terms.date, publishing_set=terms.standard.split()[0]))
    return Define(
        file_oid=f"DEF.{study.study}",
        created=created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        study_oid=f"ST.{study.study}",
        study_name=study.studyid or study.study,
        study_description=title or study.studyid or study.study,
        protocol=study.studyid or study.study,
        oid=f"MDV.{study.study}.{study.revision}",
        name=f"Datasets of {study.studyid or study.study}",
        description=f"Mapping revision {study.revision}",
        standards=tuple(standards),
        tables=tables,
        items=tuple(parts.items),
        value_lists=tuple(parts.value_lists),
        where_clauses=tuple(parts.clauses.values()),
        codelists=tuple(parts.codelists),
        methods=tuple(parts.methods),
        comments=tuple(parts.comments),
    )


def _table(name: str, one: SdtmDataset, library: Library, parts: _Parts) -> Table:
    domain = _domain(name, one)
    facts = library.domain("SUPPQUAL" if one.spec.parent else domain)
    refs = tuple(
        _variable(name, domain, one, v, order, facts, library, parts) for order, v in enumerate(one.variables, 1)
    )
    return Table(
        oid=f"IG.{name}",
        name=name,
        label=one.label,
        refs=refs,
        domain=domain,
        structure=one.spec.structure,
        class_=facts.class_ if facts else "",
        is_repeating=domain != "DM",
        is_reference_data=facts is not None and facts.class_ == "TRIAL DESIGN",
        sas_name=name,
        standard=_IG if facts else "",
        is_non_standard=facts is None,
        has_no_data=one.frame.is_empty(),
        parent_label=facts.label if facts and name != domain and not one.spec.parent else "",
        document=Document(f"LF.{name}", f"{name.lower()}.xpt", f"{name.lower()}.xpt"),
    )


def _domain(name: str, one: SdtmDataset) -> str:
    """Return what DOMAIN says: that of a split part is its domain's."""
    if "DOMAIN" in one.frame.columns and not one.frame.is_empty():
        return str(one.frame["DOMAIN"][0] or name)
    return one.spec.parent or name


def _variable(
    table: str,
    domain: str,
    one: SdtmDataset,
    variable: Variable,
    order: int,
    facts: DomainFacts | None,
    library: Library,
    parts: _Parts,
) -> Ref:
    oid = f"IT.{table}.{variable.name}"
    values = one.frame[variable.name]
    type_, source = _ORIGINS[variable.origin]
    of_standard = facts.variable(variable.name) if facts else None
    item = replace(
        described(values, oid, variable.name, width=variable.length),
        label=variable.label,
        sas_name=variable.name,
        origins=(Origin(type_, source),),
        codelist=_codelist(table, values, of_standard.codelists if of_standard else (), library.terminology, parts),
        value_list=_value_list(table, domain, one, variable, parts),
    )
    if variable.missing:
        item = replace(item, comment=f"COM.{table}.{variable.name}")
        parts.comments.append(DefineComment(item.comment, variable.missing))
    parts.items.append(item)
    keys = one.spec.keys
    return Ref(
        item=oid,
        order=order,
        is_mandatory=of_standard is not None and of_standard.core == "Req",
        key=keys.index(variable.name) + 1 if variable.name in keys else None,
        method=_method(table, variable, parts),
        role=of_standard.role if of_standard else "",
        is_non_standard=facts is not None and of_standard is None,
        has_no_data=bool(values.len()) and values.null_count() == values.len(),
    )


def _method(table: str, variable: Variable, parts: _Parts) -> str:
    """Return the method of a derived variable: the derivation of the mapping and what it is given."""
    if not variable.derive or variable.origin != "Derived":
        return ""
    oid = f"MT.{table}.{variable.name}"
    given = "; ".join(f"{name}: {value}" for name, value in sorted(variable.args.items()))
    text = f"Derivation “{variable.derive}” of the mapping" + (f", with {given}." if given else ".")
    parts.methods.append(Method(oid, f"{table}.{variable.name}", text))
    return oid


def _codelist(
    table: str, values: pl.Series, codes: tuple[str, ...], terminology: Terminology | None, parts: _Parts
) -> str:
    """Return the codelist of a variable: the terms that its values use, with C-codes, and what the sponsor added."""
    found = next((one for code in codes if terminology and (one := terminology.codelist(code))), None)
    if found is None or values.dtype != pl.String:
        return ""
    oid = f"CL.{table}.{values.name}"
    used = values.drop_nulls().unique().sort().to_list()
    known = found.by_value
    terms = tuple(
        CodedTerm(
            value=one,
            decode=(known[one].preferred or one) if one in known else one,
            code=known[one].code if one in known else "",
            is_extended=one not in known,
            order=order,
        )
        for order, one in enumerate((one for one in used if one), 1)
    )
    if not terms:
        return ""
    parts.codelists.append(
        DefineCodelist(oid, f"{found.name} ({table}.{values.name})", terms=terms, code=found.code, standard=_CT)
    )
    return oid


def _value_list(table: str, domain: str, one: SdtmDataset, variable: Variable, parts: _Parts) -> str:
    """Return the value list of a result by its test, or of a supplemental value by its name; empty for other variables."""
    by = "QNAM" if variable.name == "QVAL" else f"{domain}TESTCD"
    is_result = variable.name.removeprefix(domain) in _BY_TEST and variable.name.startswith(domain)
    if by not in one.frame.columns or not (is_result or variable.name == "QVAL") or one.frame.is_empty():
        return ""
    oid = f"VL.{table}.{variable.name}"
    refs = []
    origins = (Origin(*_ORIGINS[variable.origin]),)
    groups = one.frame.select(by, variable.name).drop_nulls().partition_by(by, as_dict=True)
    for order, (key, rows) in enumerate(sorted(groups.items(), key=lambda pair: str(pair[0][0])), 1):
        test = str(key[0])
        clause = f"WC.{table}.{test}"
        parts.clauses.setdefault(clause, WhereClause(clause, (Condition(f"IT.{table}.{by}", "EQ", (test,)),)))
        item = described(rows[variable.name], f"IT.{table}.{variable.name}.{test}", variable.name, width=None)
        parts.items.append(replace(item, origins=origins))
        refs.append(Ref(item=item.oid, order=order, where=(clause,)))
    if refs:
        parts.value_lists.append(ValueList(oid, tuple(refs)))
    return oid if refs else ""
