"""YAML that was written elsewhere, held to a size, a depth and a number of values before it is read.

YAML lets a few lines stand for billions of values (aliases of aliases), and a reader in C ends the whole process on a file that
is nested deep enough. Both are seen in the stream of events, of which none is kept. A text that can hold neither is not
looked at twice.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

#: Bytes of a text, levels of nesting, and values with every alias written out.
LARGEST: Final = 4_000_000
DEEPEST: Final = 100
MOST: Final = 200_000
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: In block style a level takes a character at the beginning of a line.
_INDENTED: Final = re.compile(rf"^[ \t?:-]{{{DEEPEST},}}", re.MULTILINE)


class RefusedYamlError(ValueError):
    """A YAML text that is too large, too deep, or swells; the message says which and what is allowed."""


def guard(text: str, *, largest: int = LARGEST) -> str:
    """Return the text when it may be read.

    Raises
    ------
    RefusedYamlError
        When it is too large, nested too deep, or stands for too many values.
    """
    if len(text) > largest:
        raise RefusedYamlError(f"has {len(text):,} characters; at most {largest:,} are read")
    has_aliases = "&" in text and "*" in text
    if has_aliases or text.count("[") + text.count("{") > DEEPEST or _INDENTED.search(text):
        try:
            _count(yaml.parse(text, Loader=_LOADER))
        except yaml.YAMLError:
            return text  # whoever reads it says where it is no YAML
    return text


class _Counter:
    """Values so far, those that an alias stands for each time it is written, and how deep the present one is."""

    def __init__(self) -> None:
        self.total = 0
        self.open: list[tuple[str | None, int]] = []
        self.sizes: dict[str, int] = {}

    def take(self, event: Any) -> None:
        """Take in one event."""
        if isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            if name not in self.sizes:
                raise RefusedYamlError(f"has an alias *{name[:40]} to what is not there yet, or to itself")
            self.total += self.sizes[name]
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.open.pop()
            if anchor:
                self.sizes[anchor] = self.total - before
        elif isinstance(event, yaml.NodeEvent):
            self.total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                self.open.append((event.anchor, self.total - 1))
            elif event.anchor:
                self.sizes[event.anchor] = 1


def _count(events: Iterator[Any]) -> None:
    counter = _Counter()
    for event in events:
        counter.take(event)
        if len(counter.open) > DEEPEST:
            raise RefusedYamlError(f"is nested more than {DEEPEST} deep")
        if counter.total > MOST:
            raise RefusedYamlError(f"stands for more than {MOST:,} values")
