"""The open CORE format of rules: one `rule.yml` read into a `Rule`, faults told with their place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from validators.library.yaml import RefusedYamlError, guard
from validators.operators.conditions import OPERATORS, leaves

#: Whose identifiers a rule carries, and what they are called in reports.
SENSITIVITIES = ("Record", "Dataset", "Group", "Study", "Value")
#: Rule types whose conditions may leave out what they compare with, and operators that compare.
BESIDE_DEFINE = frozenset(
    {
        "Dataset Metadata Check against Define XML",
        "Variable Metadata Check against Define XML",
        "Variable Metadata Check against Define XML and Library Metadata",
        "Variables Metadata Check against Define XML and Library Metadata",
    }
)
COMPARING = frozenset(
    {
        "equal_to",
        "not_equal_to",
        "equal_to_case_insensitive",
        "not_equal_to_case_insensitive",
        "is_contained_by",
        "is_not_contained_by",
        "greater_than",
        "less_than",
    }
)


class RuleError(ValueError):
    """A rule that cannot be read; the message says where and what is wrong."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose rule it is: organisation, its identifier, the standard and version that it was written for."""

    organization: str
    identifier: str
    standard: str
    version: str


@dataclass(frozen=True)
class Rule:
    """One rule, ready to be run.

    `category` and `severity` are "" where the file names none; `check` is the tree of conditions as it was written.
    """

    id: str
    type: str
    sensitivity: str
    message: str
    description: str
    check: Mapping[str, Any]
    category: str = ""
    severity: str = ""
    executability: str = ""
    authorities: tuple[Authority, ...] = ()
    scope: Mapping[str, Any] = field(default_factory=dict)
    operations: tuple[Mapping[str, Any], ...] = ()
    joins: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[str, ...] = ()
    grouping: tuple[str, ...] = ()

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Identifiers that authorities gave it (CG0001, FDAB001), each once."""
        return tuple(dict.fromkeys(one.identifier for one in self.authorities if one.identifier))

    @property
    def operators(self) -> frozenset[str]:
        """Names of the operators that it uses."""
        return frozenset(str(one.get("operator")) for one in leaves(self.check))

    @property
    def unknown(self) -> frozenset[str]:
        """Operators that it uses and this engine has not."""
        return self.operators - OPERATORS.keys()


def read_rule(source: Mapping[str, Any] | str, *, place: str = "rule.yml") -> Rule:
    """A rule from the text of a `rule.yml`, or from what a YAML reader made of it.

    Raises
    ------
    RuleError
        It is no YAML, or lacks what a rule needs; the message names `place`, what was found and what is due.
    """
    content = parsed(source, place) if isinstance(source, str) else source
    try:
        return made(content, place)
    except (AttributeError, KeyError, TypeError) as error:
        words = " ".join(str(error).split())
        raise RuleError(
            f"{place}: a part of it is not as the format has it ({type(error).__name__}: {words})."
        ) from error


def made(content: Any, place: str) -> Rule:
    """A rule from what a YAML reader made of it; errors as `read_rule`."""
    if not isinstance(content, Mapping):
        raise RuleError(
            f"{place}: a rule is a mapping with Core, Check and Outcome; this is a {type(content).__name__}."
        )
    core = mapping(content, "Core", place)
    identifier = str(core.get("Id") or content.get("Id") or "")
    check = content.get("Check")
    if isinstance(check, list):
        check = {"all": check}
    if not isinstance(check, Mapping | str) or not check:
        raise RuleError(f"{place}: Check is {check!r}; it must be a tree of conditions under all or any.")
    outcome = mapping(content, "Outcome", place)
    kind = str(content.get("Rule Type") or content.get("Rule_Type") or "Record Data")
    return Rule(
        id=identifier or Path(place).parent.name,
        type=kind,
        sensitivity=str(content.get("Sensitivity") or "Record"),
        message=" ".join(str(outcome.get("Message") or "").split()),
        description=" ".join(str(content.get("Description") or "").split()),
        check=compared(check, kind) if isinstance(check, Mapping) else {"jsonata": check},
        category=str(content.get("Category") or ""),
        severity=str(content.get("Severity") or ""),
        executability=str(content.get("Executability") or ""),
        authorities=tuple(authorities(content)),
        scope=scope(mapping(content, "Scope", place)),
        operations=tuple(listed(content, "Operations", place)),
        joins=tuple(listed(content, "Match Datasets", place)),
        outputs=names(outcome.get("Output Variables") or outcome.get("Output_Variables")),
        grouping=names(content.get("Grouping Variables") or content.get("Grouping_Variables")),
    )


def names(found: Any) -> tuple[str, ...]:
    """Names of variables, a single one too; none where nothing is said."""
    return tuple(str(one) for one in (found if isinstance(found, list | tuple) else [found] if found else ()))


def compared(check: Any, kind: str) -> Any:
    """The tree of a rule that sets data beside the Define-XML: what names no value is compared with the fact of that name."""
    if kind not in BESIDE_DEFINE:
        return check
    if isinstance(check, list):
        return [compared(one, kind) for one in check]
    if not isinstance(check, Mapping):
        return check
    if "operator" not in check:
        return {how: compared(parts, kind) for how, parts in check.items()}
    name = str(check.get("name"))
    if "value" in check or check["operator"] not in COMPARING or name.startswith(("define_", "$")):
        return check
    return {**check, "value": f"define_{name}"}


def parsed(text: str, place: str) -> Any:
    """What YAML makes of a text, in bounded size and depth."""
    try:
        return yaml.load(guard(text), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except RefusedYamlError as error:
        raise RuleError(f"{place}: {error}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RuleError(f"{place}: not readable as YAML: {' '.join(str(error).split())}.") from error


def mapping(content: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    """A part that is a mapping; {} where it is not there."""
    found = content.get(name) or {}
    if not isinstance(found, Mapping):
        raise RuleError(f"{place}: {name} is a {type(found).__name__}; it must be a mapping.")
    return found


def listed(content: Mapping[str, Any], name: str, place: str) -> Iterator[Mapping[str, Any]]:
    """A part that is a list of mappings, with or without an underscore in its name."""
    found = content.get(name) or content.get(name.replace(" ", "_")) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise RuleError(f"{place}: {name} must be a list of mappings.")
    yield from found


def scope(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a rule applies, its keys with spaces as they are in the open rules."""
    return {
        str(name).replace("_", " ") if str(name) != "include_split_datasets" else str(name): one
        for name, one in found.items()
    }


def authorities(content: Mapping[str, Any]) -> Iterator[Authority]:
    """Everyone who asks for the rule."""
    for authority in content.get("Authorities") or ():
        for standard in authority.get("Standards") or ():
            references: list[Mapping[str, Any]] = list(standard.get("References") or [{}])
            for reference in references:
                identifier = (reference.get("Rule Identifier") or reference.get("Rule_Identifier") or {}).get("Id", "")
                yield Authority(
                    organization=str(authority.get("Organization", "")),
                    identifier=str(identifier or ""),
                    standard=str(standard.get("Name", "")),
                    version=str(standard.get("Version", "")),
                )


def read_rules(folder: Path) -> tuple[list[Rule], list[str]]:
    """All rules of a folder of `rule.yml` files or of files `*.yml`, with what could not be read."""
    rules: list[Rule] = []
    faults: list[str] = []
    for path in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        try:
            rules.append(read_rule(path.read_text(encoding="utf-8"), place=str(path.relative_to(folder))))
        except (RuleError, UnicodeDecodeError, OSError) as error:
            faults.append(f"{path.relative_to(folder)}: {error}")
    return rules, faults
