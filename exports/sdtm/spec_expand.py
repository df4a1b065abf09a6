"""Datasets that follow from a specification without being written in it: SUPP-- of each domain, and RELREC."""

from collections.abc import Sequence

from exports.sdtm.spec_types import Domain, Qualifier, Relationship, Row, Source, Variable, Working

SUPP = "SUPP"


def expanded(domains: Sequence[Domain], relationships: Sequence[Relationship], *, studyid: str) -> list[Domain]:
    """Return the domains, each followed by its SUPP--, and RELREC at the end when rows of domains belong together."""
    made = [one for domain in domains for one in (domain, *supplemental_of(domain))]
    return made + ([related(relationships, studyid=studyid)] if relationships else [])


def supplemental_of(domain: Domain) -> list[Domain]:
    """Return the domain's SUPP-- in a list, empty when it has no supplemental qualifiers."""
    if not domain.supplemental:
        return []
    number = sequence_of(domain)
    idvarval: dict[str, object] = {"missing": "The value belongs to the subject, not to a row"}
    if number:
        idvarval = {"derive": "number_text", "args": {"of": number}}
    rows = tuple(_line(one) for one in domain.supplemental)
    variables = (
        _variable("STUDYID", "Study Identifier", "Protocol", field="STUDYID"),
        _variable("RDOMAIN", "Related Domain Abbreviation", "Assigned", constant=domain.domain),
        _variable("USUBJID", "Unique Subject Identifier", "Derived", field="USUBJID"),
        _variable("IDVAR", "Identifying Variable", "Assigned", **_idvar(number)),
        _variable("IDVARVAL", "Identifying Variable Value", "Assigned", **idvarval),
        _variable("QNAM", "Qualifier Variable Name", "Assigned", field="qnam"),
        _variable("QLABEL", "Qualifier Variable Label", "Assigned", field="qlabel"),
        _variable("QVAL", "Data Value", "CRF", field="qval"),
        _variable("QORIG", "Origin", "Assigned", field="qorig"),
        _variable("QEVAL", "Evaluator", "Assigned", **_evaluator(domain)),
    )
    order = [Working(name="row_number", type="num", field=number)] if number else []
    return [
        Domain(
            domain=f"{SUPP}{domain.domain}",
            label=f"Supplemental Qualifiers for {domain.domain}",
            structure="One record per IDVAR, IDVARVAL, and QNAM value per subject",
            keys=("USUBJID", "IDVARVAL", "QNAM") if number else ("USUBJID", "QNAM"),
            sort=("USUBJID", *(one.name for one in order), "QNAM"),
            sources=(Source(domain=domain.domain, needs=("qval",), rows=rows),),
            working=tuple(order),
            variables=variables,
            unblinds=domain.unblinds,
            parent=domain.domain,
        )
    ]


def sequence_of(domain: Domain) -> str | None:
    """Return the variable that numbers the rows of a domain (AESEQ), None when a subject has one row (DM)."""
    name = f"{domain.domain}SEQ"
    return name if any(one.name == name for one in domain.variables) else None


def related(relationships: Sequence[Relationship], *, studyid: str) -> Domain:
    """Return RELREC."""
    return Domain(
        domain="RELREC",
        label="Related Records",
        structure="One record per related record, group of records or dataset",
        keys=("RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "RELID"),
        sort=("RDOMAIN", "USUBJID", "IDVARVAL", "RELID"),
        relationships=tuple(relationships),
        variables=(
            _variable("STUDYID", "Study Identifier", "Protocol", constant=studyid),
            _variable("RDOMAIN", "Related Domain Abbreviation", "Assigned", field="rdomain"),
            _variable("USUBJID", "Unique Subject Identifier", "Derived", field="usubjid"),
            _variable("IDVAR", "Identifying Variable", "Assigned", field="idvar"),
            _variable("IDVARVAL", "Identifying Variable Value", "Assigned", field="idvarval"),
            _variable("RELTYPE", "Relationship Type", "Assigned", field="reltype"),
            _variable("RELID", "Relationship Identifier", "Assigned", field="relid"),
        ),
    )


#: The working columns that the engine fills for RELREC.
RELATED_COLUMNS = ("rdomain", "usubjid", "idvar", "idvarval", "reltype", "relid")


def _line(one: Qualifier) -> Row:
    values = {"qnam": one.name, "qlabel": one.label, "qorig": one.origin}
    values |= {"qeval": one.evaluator} if one.evaluator else {}
    return Row(
        fields={"qval": one.name} | ({"qeval": one.evaluator_from} if one.evaluator_from else {}),
        values=dict(values),
    )


def _idvar(number: str | None) -> dict[str, object]:
    return {"constant": number} if number else {"missing": "The value belongs to the subject, not to a row"}


def _evaluator(domain: Domain) -> dict[str, object]:
    judged = any(one.evaluator or one.evaluator_from for one in domain.supplemental)
    return {"field": "qeval"} if judged else {"missing": "Nobody judged the values; the site gave them"}


def _variable(name: str, label: str, origin: str, **made: object) -> Variable:
    return Variable.model_validate({"name": name, "label": label, "origin": origin, **made})
