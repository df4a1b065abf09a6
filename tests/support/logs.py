"""What an operator's own handler, hung at the root of all loggers, would write.

pytest's `caplog` also hangs itself at loggers that tell nobody above them, so it cannot show that they do not.
"""

import logging
from collections.abc import Iterator

import pytest


class Kept(logging.Handler):
    """A handler that keeps its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record))

    @property
    def text(self) -> str:
        """Everything that was written."""
        return "\n".join(self.lines)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A handler at the root of all loggers, at the lowest level."""
    handler, root = Kept(), logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
