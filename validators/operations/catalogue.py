"""Operations on a standard: its variables, domains, classes, controlled terminology; and on the Define-XML."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from validators.operations.context import Context, Operation, SkipError, Spec, Value
from validators.operators.table import MissingError, UnsupportedError, text

#: Dates of the packages of SDTM controlled terminology, as CDISC and NCI published them.
PUBLISHED = tuple(
    f"20{year}-{day}"
    for year, days in {
        11: "06-10 07-22 12-09",
        12: "03-23 06-29 08-03 12-21",
        13: "04-12 06-28 10-04 12-20",
        14: "03-28 06-27 09-26 12-19",
        15: "03-27 06-26 09-25 12-18",
        16: "03-25 06-24 09-30 12-16",
        17: "03-31 06-30 09-29 12-22",
        18: "03-30 06-29 09-28 12-21",
        19: "03-29 06-28 09-27 12-20",
        20: "03-27 06-26 11-06 12-18",
        21: "03-26 06-25 09-24 12-17",
        22: "03-25 06-24 09-30 12-16",
        23: "03-31 06-30 09-29 12-15",
        24: "03-29 09-27",
        25: "03-28 09-26",
    }.items()
    for day in days.split()
)


def catalogue(context: Context) -> Any:
    """The standard's catalogue.

    Raises
    ------
    SkipError
        None was given.
    """
    if context.catalogue is None:
        raise SkipError("It needs the metadata of the standard, and none were given.")
    return context.catalogue


def by_core(*wanted: str) -> Operation:
    """Names of the domain's variables of one or more kinds of Core."""

    def run(context: Context, spec: Spec) -> Value:
        del spec
        found = catalogue(context).variables(context.part.domain)
        return [one.name for one in found if str(one.core).lower()[:3] in wanted]

    return run


def library_order(context: Context, spec: Spec) -> Value:
    """Names of variables in the standard's order; only those with one role or Core, if one is asked for.

    Those of the domain stand where the model has them, and the model's other variables for its class between them.
    """
    own = {one.name: one for one in catalogue(context).variables(context.part.domain)}
    known = {one.name: one for one in model_variables(context, context.part.domain)}
    order = list(known)
    before = -1
    for name in own:
        if name not in known:
            order.insert(before + 1, name)
        before = order.index(name)
    return [name for name in order if fits(own.get(name) or known[name], spec)]


def fits(variable: Any, spec: Spec) -> bool:
    """Whether a variable has the property that an operation asks for."""
    name = spec.get("key_name")
    if not name:
        return True
    values = {"role": "role", "core": "core", "label": "label", "name": "name", "simpleDatatype": "type"}
    if name not in values:
        raise UnsupportedError(f"Variables are filtered by {', '.join(values)}; the rule asks for {name}.")
    value = str(getattr(variable, values[str(name)]))
    wanted = str(spec.get("key_value"))
    return value == wanted or (
        name == "role" and value.endswith(wanted) and wanted in {"Qualifier", "Timing", "Identifier"}
    )


def model_variables(context: Context, domain: str) -> Sequence[Any]:
    """Variables that the model allows in a domain, with the domain's letters."""
    return catalogue(context).model_variables(domain, context.part)  # type: ignore[no-any-return]


def model_order(context: Context, spec: Spec) -> Value:
    """Names of the model's variables for the class of the dataset."""
    return [one.name for one in model_variables(context, context.part.domain) if fits(one, spec)]


def parent_order(context: Context, spec: Spec) -> Value:
    """Names of the model's variables for the class of the dataset that qualifiers or comments belong to."""
    del spec
    parent = context.part.related or context.part.prefix
    known = context.study.parts_of(parent)
    found = catalogue(context).model_variables(parent, known[0] if known else None)
    return [one.name for one in found]


def filtered_variables(context: Context, spec: Spec) -> Value:
    """Names of the dataset's variables that have a property in the standard."""
    allowed = {one.name for one in model_variables(context, context.part.domain) if fits(one, spec)}
    allowed |= {one.name for one in catalogue(context).variables(context.part.domain) if fits(one, spec)}
    return [one for one in context.part.variables if one in allowed]


def all_names(context: Context, spec: Spec) -> Value:
    """Names of all variables of all domains of the standard."""
    del spec
    known = catalogue(context)
    return list(dict.fromkeys(one.name for domain in known.domains() for one in known.variables(domain)))


def is_custom(context: Context, spec: Spec) -> Value:
    """Whether the standard lacks the domain."""
    del spec
    return not catalogue(context).class_of(context.part.domain)


def dataset_is_custom(context: Context, spec: Spec) -> Value:
    """Whether the standard lacks the dataset, by its name; qualifiers of any domain are the standard's."""
    del spec
    return not catalogue(context).class_of(context.part.name)


def related_is_custom(context: Context, spec: Spec) -> Value:
    """Whether the standard lacks the domain that qualifiers belong to."""
    del spec
    return not catalogue(context).class_of(context.part.related or context.part.prefix)


def domain_label(context: Context, spec: Spec) -> Value:
    """The label that the standard gives the domain."""
    del spec
    return catalogue(context).label(context.part.domain)


def standard_domains(context: Context, spec: Spec) -> Value:
    """Names of the standard's domains, of one class if one is asked for."""
    known = catalogue(context)
    wanted = str(spec.get("domain_class") or "").upper()
    return [one for one in known.domains() if not wanted or known.class_of(one) == wanted]


def referenced_metadata(key: str) -> Operation:
    """What the standard says of the variables that a column names, or labels: a column for each fact."""

    def run(context: Context, spec: Spec) -> Value:
        parent = context.part.related or context.part.domain
        known = {getattr(one, key): one for one in catalogue(context).variables(parent)}
        column = text(context.table.column(str(spec["name"])))
        facts = {"name": "name", "label": "label", "role": "role", "core": "core", "ordinal": "order"}
        return {
            f"{spec['id']}_{fact}": pl.Series(
                [str(getattr(known[one], place)) if one in known else "" for one in column], dtype=pl.String
            )
            for fact, place in facts.items()
        }

    return run


def terminology(context: Context) -> Any:
    """The controlled terminology.

    Raises
    ------
    SkipError
        None was given.
    """
    found = catalogue(context).terminology
    if found is None:
        raise SkipError("It needs controlled terminology, and none was given.")
    return found


def terms(context: Context, spec: Spec) -> Value:
    """Codes, submission values or preferred terms of codelists, or of their terms."""
    if spec.get("codelist_code") or spec.get("version"):
        raise UnsupportedError("codelist_terms by a version in each record is a matter of USDM and not of datasets.")
    names = spec.get("codelists") or [spec.get("codelist")]
    kind = str(spec.get("returntype") or "value")
    found: list[str] = []
    for name in names:
        codelist = terminology(context).named(str(name))
        if codelist is None:
            raise SkipError(f"The codelist {name} is not in the terminology that was given.")
        if spec.get("level") == "codelist":
            found.append(codelist.code if kind == "code" else codelist.submission_value)
        else:
            field = {"code": "code", "value": "value", "pref_term": "preferred"}.get(kind)
            if field is None:
                raise UnsupportedError(f"returntype is {kind!r}; code, value and pref_term may be asked for.")
            found += [str(getattr(one, field)) for one in codelist.terms]
    return list(dict.fromkeys(found))


def extensible(context: Context, spec: Spec) -> Value:
    """Whether a sponsor may add terms to a codelist."""
    name = str(spec.get("codelist") or (spec.get("codelists") or [""])[0])
    codelist = terminology(context).named(name)
    if codelist is None:
        raise SkipError(f"The codelist {name} is not in the terminology that was given.")
    return bool(codelist.is_extensible)


def codelist_attributes(context: Context, spec: Spec) -> Value:
    """All codes or values of the terminology package that each record names; the given package stands for its own date."""
    kinds = {
        "Term CCODE": lambda one: [term.code for term in one.terms],
        "Codelist CCODE": lambda one: [one.code],
        "Term Value": lambda one: [term.value for term in one.terms],
        "Codelist Value": lambda one: [one.submission_value],
        "Term Preferred Term": lambda one: [term.preferred for term in one.terms],
    }
    kind = kinds.get(str(spec.get("ct_attribute")))
    if kind is None:
        raise UnsupportedError(f"ct_attribute is {spec.get('ct_attribute')!r}; it may be {', '.join(kinds)}.")
    versions = text(context.table.column(str(spec["version"])))
    references = text(context.table.column(str(spec["name"])))
    known = terminology(context)
    cdisc = references.str.to_uppercase().is_in(["CDISC", "CDISC CT"])
    asked = set(versions.filter(cdisc).drop_nulls().unique()) - {""}
    lacking = sorted(asked - set(known.dates()))
    if lacking:
        raise SkipError(
            f"It needs the terminology of {', '.join(lacking)}; that of {', '.join(known.dates())} was given."
        )
    lists = {date: [value for one in known.codelists(date) for value in kind(one)] for date in asked}
    rows = [lists.get(version, []) if is_cdisc else [] for version, is_cdisc in zip(versions, cdisc, strict=True)]
    return pl.Series(rows, dtype=pl.List(pl.String))


def dates(context: Context, spec: Spec) -> Value:
    """Dates of the terminology packages that were published, those that are here included."""
    kinds = [str(one).upper() for one in spec.get("ct_package_types") or ["SDTM"]]
    if kinds != ["SDTM"]:
        raise UnsupportedError(f"Dates of packages of {', '.join(kinds)} are asked for; those of SDTM are known.")
    here = context.catalogue.terminology.dates() if context.catalogue and context.catalogue.terminology else ()
    return sorted({*PUBLISHED, *here})


def extensible_terms(context: Context, spec: Spec) -> Value:
    """Terms that the Define-XML adds to extensible codelists."""
    if context.define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    names = spec.get("codelists") or spec.get("codelist") or ["ALL"]
    names = names if isinstance(names, list) else [names]
    return list(context.define.extensions([str(one) for one in names]))


def define_variable(context: Context, spec: Spec) -> Value:
    """One fact of a variable in the Define-XML."""
    if context.define is None:
        raise SkipError("It needs a Define-XML, and none was given.")
    facts = {row["define_variable_name"]: row for row in context.define.variable_rows(context.part.name)}
    attribute = str(spec.get("attribute_name"))
    if not spec.get("name"):
        return {name: row.get(attribute) for name, row in facts.items()}
    name = context.table.called(str(spec["name"]))
    if name not in facts:
        raise MissingError(name)
    return facts[name].get(attribute)


CATALOGUE: dict[str, Callable[[Context, Spec], Value]] = {
    "expected_variables": by_core("exp"),
    "required_variables": by_core("req"),
    "permissible_variables": by_core("per"),
    "required_expected_variables": by_core("req", "exp"),
    "variable_names": all_names,
    "get_column_order_from_library": library_order,
    "get_model_column_order": model_order,
    "get_parent_model_column_order": parent_order,
    "get_model_filtered_variables": model_order,
    "get_dataset_filtered_variables": filtered_variables,
    "label_referenced_variable_metadata": referenced_metadata("label"),
    "name_referenced_variable_metadata": referenced_metadata("name"),
    "get_library_class_domains": standard_domains,
    "standard_domains": standard_domains,
    "domain_is_custom": is_custom,
    "dataset_is_custom": dataset_is_custom,
    "related_domain_is_custom": related_is_custom,
    "domain_label": domain_label,
    "codelist_terms": terms,
    "codelist_extensible": extensible,
    "define_extensible_codelists": extensible_terms,
    "get_codelist_attributes": codelist_attributes,
    "valid_codelist_dates": dates,
    "define_variable_metadata": define_variable,
}
