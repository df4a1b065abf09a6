"""Which datasets a rule is about: by class of observation, by domain, split or not."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from validators.datasets.study import CODE, Part

ALL = "ALL"
#: What tells the class of a domain that the standard does not have: the variable that is its topic.
TOPICS = (("OBJ", "FINDINGS ABOUT"), ("TESTCD", "FINDINGS"), ("TERM", "EVENTS"), ("TRT", "INTERVENTIONS"))
#: Domains that are known without the catalogue of a standard.
KNOWN = {
    **dict.fromkeys(("CO", "DM", "SE", "SJ", "SM", "SV", "SUPP"), "SPECIAL PURPOSE"),
    **dict.fromkeys(("TA", "TD", "TE", "TI", "TM", "TP", "TS", "TT", "TV", "TX"), "TRIAL DESIGN"),
    **dict.fromkeys(("RELREC", "RELSUB", "RELSPEC", "RELREF", "POOLDEF"), "RELATIONSHIP"),
    **dict.fromkeys(("DI", "OI", "BI"), "STUDY REFERENCE"),
}


#: What tells the structure of an analysis dataset: its name, or variables that must all be there.
SUBJECT_LEVEL, BASIC, OCCURRENCE, OTHER = (
    "SUBJECT LEVEL ANALYSIS DATASET",
    "BASIC DATA STRUCTURE",
    "OCCURRENCE DATA STRUCTURE",
    "ADAM OTHER",
)
CODED = ("DECOD", "TERM", "TRT")


class Classes(Protocol):
    """What the catalogue of a standard says of domains."""

    def class_of(self, domain: str) -> str:
        """The class of a domain in upper case, "" where the standard does not have it."""
        ...


def class_of(part: Part, catalogue: Classes | None) -> str:
    """The class of a dataset in upper case; "" where nothing tells it."""
    if part.is_supplemental or part.name in {"RELREC", "RELSUB", "RELSPEC"}:
        return "RELATIONSHIP"
    names = (part.domain, part.prefix)
    for name in names:
        known = catalogue.class_of(name) if catalogue else ""
        if known or name in KNOWN:
            return known or KNOWN[name]
    variables = set(part.frame.columns)
    return next((found for topic, found in TOPICS if f"{part.prefix}{topic}" in variables), "")


def given(scope: Mapping[str, Any], name: str, how: str) -> list[str]:
    """Names that a scope includes or excludes."""
    part = scope.get(name) or {}
    found = (part.get(how) if isinstance(part, Mapping) else part if how == "Include" else None) or []
    names = [str(one).strip() for one in (found if isinstance(found, list) else [found])]
    return [ALL if one.upper() == ALL else one for one in names]


def matches_domain(part: Part, names: Sequence[str]) -> bool:
    """Whether a dataset is one of those named, by its name, its domain or a pattern such as SUPP-- and AP--."""
    for name in names:
        if name in {ALL, part.name} or (name == part.domain and not part.is_supplemental):
            return True
        if name in {"SUPP--", "SQ--"} and part.is_supplemental:
            return True
        if name == "AP--" and part.is_associated:
            return True
        if name.endswith("--") and name not in {"SUPP--", "SQ--", "AP--"} and part.name.startswith(name[:-2]):
            return True
    return False


def matches_class(found: str, names: Sequence[str]) -> bool:
    """Whether a class is one of those named; Findings About is a kind of Findings."""
    upper = {name.upper() for name in names}
    return bool(upper & {ALL, found}) or (found == "FINDINGS ABOUT" and "FINDINGS" in upper)


#: What a scope may call the datasets that it is about.
DATASETS = ("Domains", "Datasets", "Dataset or Domain or Item Group")


def named(scope: Mapping[str, Any], how: str) -> list[str]:
    """Names of datasets that a scope includes or excludes."""
    return [one for key in DATASETS for one in given(scope, key, how)]


def applies(part: Part, scope: Mapping[str, Any], catalogue: Classes | None) -> bool:
    """Whether a rule with this scope is about a dataset."""
    domains, classes = named(scope, "Include"), given(scope, "Classes", "Include")
    about = scope.get("Domains")
    split = about.get("include_split_datasets") if isinstance(about, Mapping) else None
    if part.is_split if split is False else split is True and not domains and not part.is_split:
        return False
    if domains and not matches_domain(part, domains):
        return False
    if matches_domain(part, named(scope, "Exclude")) or not of_structure(part, scope):
        return False
    if not classes and not given(scope, "Classes", "Exclude"):
        return True
    found = class_of(part, catalogue)
    if classes and not matches_class(found, classes):
        return False
    excluded = given(scope, "Classes", "Exclude")
    return not (excluded and matches_class(found, excluded))


def structure_of(part: Part) -> str:
    """The structure of an analysis dataset, told by its name and variables."""
    variables = set(part.frame.columns)
    if part.name == "ADSL":
        return SUBJECT_LEVEL
    if {"PARAMCD", "PARAM"} & variables and {"AVAL", "AVALC"} & variables:
        return BASIC
    coded = any(len(one.removesuffix(topic)) == CODE for one in variables for topic in CODED if one.endswith(topic))
    return OCCURRENCE if coded else OTHER


def of_structure(part: Part, scope: Mapping[str, Any]) -> bool:
    """Whether a dataset has a structure that a rule for analysis datasets is about; other rules name none."""
    wanted, unwanted = given(scope, "Data Structures", "Include"), given(scope, "Data Structures", "Exclude")
    if not (set(wanted) - {ALL} or unwanted):
        return True
    found = structure_of(part)
    return (not wanted or ALL in wanted or found in wanted) and found not in unwanted


def foreign(scope: Mapping[str, Any]) -> str:
    """Why a scope is about something that this engine does not tell apart; "" where it does."""
    if scope.get("Entities"):
        return "The rule is about entities of a study design as JSON (USDM), not about datasets."
    kinds = [one for how in ("Include", "Exclude") for one in given(scope, "Subclasses", how) if one != ALL]
    if kinds:
        return f"The rule is about subclasses of analysis datasets ({', '.join(kinds)}), which this engine does not tell apart."
    return ""
