"""The words of one language: texts, dates, numbers, refusals."""

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from datamodel.kernel.errors import Refused

LANGUAGES: Final = ("en", "fr")
_FOLDER: Final = Path(__file__).resolve().parent / "strings"


class Words:
    """Call it with a key and what stands in the text's places."""

    def __init__(self, language: str, texts: dict[str, Any]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **places: Any) -> str:
        """Return the text with that key; KeyError when the dictionary lacks it."""
        return str(self._texts[key]).format(**places)

    def refusal(self, refusal: Refused) -> str:
        """Return a refusal's sentence: the one that log and ledger hold, in this language where it was translated."""
        return str(self._texts.get(f"refusal.{refusal.code}", refusal.sentence))

    def name(self, task: str, title: str) -> str:
        """Return what a task is called in this language; the study's own title where it was not translated."""
        return str(self._texts.get(f"name.{task}", title))

    def day(self, day: date) -> str:
        """Write a day as 05-Mar-2026."""
        return f"{day:%d}-{self._texts['months'].split()[day.month - 1]}-{day:%Y}"

    def moment(self, at: datetime, zone: str) -> str:
        """Write an instant as 05-Mar-2026 14:02 with its zone."""
        local = at.astimezone(ZoneInfo(zone))
        return f"{self.day(local.date())} {local:%H:%M} ({zone})"

    def due(self, days: int) -> str:
        """Write how many days are left."""
        if days < 0:
            return self("due.overdue_one") if days == -1 else self("due.overdue", days=-days)
        if days == 0:
            return self("due.today")
        return self("due.tomorrow") if days == 1 else self("due.in", days=days)

    def group(self, prefix: str) -> dict[str, str]:
        """Return the texts under `prefix.` for a script, by the rest of their keys."""
        start = f"{prefix}."
        return {key.removeprefix(start): str(text) for key, text in self._texts.items() if key.startswith(start)}


@lru_cache(maxsize=4)
def of(language: str) -> Words:
    """Return the words of a language, English when we do not have it."""
    known = language if language in LANGUAGES else "en"
    return Words(known, yaml.safe_load((_FOLDER / f"{known}.yaml").read_text(encoding="utf-8")))
