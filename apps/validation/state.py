"""Which findings are shown. No widgets, no server."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
import param

from apps.shell.words import address
from exports.reports.document import FORM

#: choice -> its words
SHOWS: Final = {"rules": "By rule", "datasets": "By dataset", "causes": "By cause", "unrun": "Not run"}
SEVERITIES: Final = ("Reject", "Error", "Warning", "Notice")
#: findings of one rule that are listed on the page; the workbook of the package has all
LISTED: Final = 200


@dataclass(frozen=True, slots=True)
class Found:
    """The newest report of a study: its document, the snapshot, and the folder of the package."""

    document: dict[str, Any]
    snapshot: int
    folder: Path


def newest(exports: Path, study: str) -> Found | None:
    """Return the report of the newest package that has one, or None."""
    place = exports / study / "submission"
    numbered = (
        sorted((one for one in place.glob("[0-9]*") if one.name.isdigit()), reverse=True) if place.is_dir() else []
    )
    for folder in numbered:
        file = folder / "validation" / "report.json"
        if file.is_file():
            return Found(_read(file, file.stat().st_mtime_ns), int(folder.name), folder)
    return None


@lru_cache(maxsize=4)
def _read(file: Path, changed: int) -> dict[str, Any]:
    """Read a report; `changed` is when it was written, so that another one is read anew."""
    document: dict[str, Any] = orjson.loads(file.read_bytes())
    if document.get("form") != FORM:
        raise ValueError(f"{file.name} of {changed} is not a report of the form {FORM}.")
    return document


class ValidationState(param.Parameterized):
    """What the address asks for. Every choice has its place in it."""

    show = param.Selector(default="rules", objects=list(SHOWS))
    severity = param.Selector(default="", objects=["", *SEVERITIES])
    domain = param.String(default="")
    rule = param.String(default="", doc="The rule whose findings are listed.")

    def __init__(self, found: Found, **choices: Any) -> None:
        self.found = found
        super().__init__(**choices)

    @classmethod
    def from_query(cls, found: Found, query: dict[str, str]) -> "ValidationState":
        """Return the state that an address describes; what cannot be read is left out."""
        show, severity, domain = query.get("show", ""), query.get("severity", ""), query.get("domain", "")
        made = cls(
            found,
            show=show if show in SHOWS else "rules",
            severity=severity if severity in SEVERITIES else "",
            rule=query.get("rule", "")[:40],
        )
        if domain in made.domains:
            made.domain = domain
        return made

    def href(self, path: str, **change: Any) -> str:
        """Return the address of this state, with some of it changed."""
        said = {
            "show": self.show if self.show != "rules" else "",
            "severity": self.severity,
            "domain": self.domain,
            "rule": self.rule,
        }
        return address(path, **(said | change))

    @property
    def domains(self) -> list[str]:
        """Return the datasets that have findings or were checked."""
        return sorted(
            {one["domain"] for one in self._rows("datasets")} | {one["domain"] for one in self._rows("issues")}
        )

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Return rules with their findings in a dataset, worst first."""
        return [one for one in self._rows("issues") if self._fits(one, one["domain"])]

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets with their counts."""
        return [one for one in self._rows("datasets") if not self.domain or one["domain"] == self.domain]

    @property
    def causes(self) -> list[dict[str, Any]]:
        """Return findings that have one cause, together."""
        return [one for one in self._rows("causes") if self._fits(one, one["datasets"])]

    @property
    def unrun(self) -> list[dict[str, Any]]:
        """Return what did not run, and why: rules of one reason together."""
        by_reason: dict[tuple[str, str], list[str]] = {}
        for one in self._rows("not_run"):
            if not self.domain or one["domain"] in {self.domain, "(all datasets)"}:
                by_reason.setdefault((one["status"], one["reason"]), []).append(one["rule"])
        return [
            {"status": status, "reason": reason, "rules": list(dict.fromkeys(rules))}
            for (status, reason), rules in sorted(
                by_reason.items(), key=lambda pair: (pair[0][0] != "unsupported", pair[0])
            )
        ]

    @property
    def chosen(self) -> dict[str, Any] | None:
        """Return the rule and dataset whose findings are listed, or None."""
        if not self.rule or not self.domain:
            return None
        return next(
            (one for one in self._rows("issues") if (one["rule"], one["domain"]) == (self.rule, self.domain)), None
        )

    @property
    def details(self) -> list[dict[str, Any]]:
        """Return the first findings of the chosen rule and dataset."""
        return [
            one
            for one in self._rows("details")
            if (one["rule"], one["domain"]) == (self.rule, self.domain) and one["count"] == 1
        ][:LISTED]

    def _rows(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.found.document.get(name, [])
        return rows

    def _fits(self, row: dict[str, Any], domains: str) -> bool:
        return (not self.severity or row["severity"] == self.severity) and (
            not self.domain or self.domain in domains.split(", ")
        )
