"""What is chosen. No widgets, no server."""

from typing import Any

import param

from apps.shell.words import address
from exports.extracts.choice import FORMATS, POPULATIONS, STANDARDS, formats
from exports.extracts.make import Asked


class ExportState(param.Parameterized):
    """The choice. Every part has its place in the address."""

    standard = param.Selector(default="forms", objects=list(STANDARDS))
    form = param.Selector(default="xlsx", objects=list(FORMATS), doc="The files' format.")
    population = param.Selector(default="all", objects=list(POPULATIONS))
    snapshot = param.Integer(default=0, doc="Its number; 0 when there is none.")
    tables = param.List(default=[], item_type=str, doc="Names of tables; none for all.")

    def __init__(self, snapshots: list[int], *, has_sdtm: bool, **choices: Any) -> None:
        self.snapshots, self.has_sdtm = snapshots, has_sdtm
        super().__init__(**choices)

    @classmethod
    def from_query(cls, snapshots: list[int], query: dict[str, str], *, has_sdtm: bool) -> "ExportState":
        """Return the choice that an address describes; what cannot be read or made is left out."""
        asked = query.get("snapshot", "")
        number = int(asked) if asked.isdigit() and len(asked) < 7 else 0  # noqa: PLR2004 - sane numbers
        standard = query.get("standard", "")
        made = cls(
            snapshots,
            has_sdtm=has_sdtm,
            standard=standard if standard in STANDARDS and (has_sdtm or standard != "sdtm") else "forms",
            population=query.get("population") if query.get("population") in POPULATIONS else "all",
            snapshot=number if number in snapshots else (snapshots[-1] if snapshots else 0),
            tables=[one for one in query.get("tables", "")[:2000].split(",") if one],
        )
        made.form = query["format"] if query.get("format") in made.formats.values() else made.first_form
        if standard == "odm":
            made.tables = []
        return made

    @property
    def first_form(self) -> str:
        """Return the format that is chosen when nobody chose."""
        return next(iter(self.formats.values()))

    @property
    def standards(self) -> dict[str, str]:
        """Return what can be chosen of this study: words -> name."""
        return {words: name for name, words in STANDARDS.items() if self.has_sdtm or name != "sdtm"}

    @property
    def formats(self) -> dict[str, str]:
        """Return the formats that can hold the standard: words -> name."""
        return {words: name for name, words in formats(self.standard).items()}

    @property
    def asked(self) -> Asked:
        """Return the choice as it is made."""
        return Asked(self.standard, self.form, self.population, tuple(self.tables))

    def href(self, path: str) -> str:
        """Return the address of this choice."""
        return address(
            path,
            standard=self.standard if self.standard != "forms" else "",
            format=self.form if self.form != self.first_form else "",
            population=self.population if self.population != "all" else "",
            snapshot=self.snapshot if self.snapshots and self.snapshot != self.snapshots[-1] else "",
            tables=",".join(self.tables),
        )
