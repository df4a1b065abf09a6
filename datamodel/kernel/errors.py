"""Answers that are "no", and errors sorted by who must act.

A *refusal* is a value (`Refused`) in pure code and one exception (`RefusedError`) out of actions. A *finding*
(the data are wrong) is a row in a report and never an exception, so it is not here. A *fault* means that we or
the world broke; `TransientFault` says that a retry may help.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Allowed:
    """The answer "yes"; truthy."""

    def __bool__(self) -> bool:
        """Say yes."""
        return True


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer "no", with the one sentence that the person, the log and the ledger all read; falsy.

    `code` names the kind for programs, `reason` says why not and who may, `next_step` what to do now.
    """

    code: str
    reason: str
    next_step: str = ""

    def __bool__(self) -> bool:
        """Say no."""
        return False

    @property
    def sentence(self) -> str:
        """Reason and next step as one text."""
        return f"{self.reason} {self.next_step}".strip()

    def leave_trace(self, url: str, actor: Any) -> None:
        """Tell the ledger at `url` that `actor` was refused, after the act was rolled back; most refusals need not."""


Answer = Allowed | Refused


class MetricisError(Exception):
    """Base of every error that Metricis raises itself. Messages hold pseudonyms only."""


class RefusedError(MetricisError):
    """An action was refused; `refusal` says why."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class BadInputError(MetricisError):
    """What was received cannot be accepted as it is: the sender must act."""


class NotFoundError(MetricisError):
    """The thing asked for does not exist, or does not exist for this actor."""


class FaultError(MetricisError):
    """We or the world broke; nothing was half-written."""


class TransientFault(FaultError):  # noqa: N818 - named as the architecture names it
    """A fault that a retry may cure."""


#: kind of error -> (exit code of the command line, HTTP status)
OUTCOMES: Final[dict[type[MetricisError], tuple[int, int]]] = {
    RefusedError: (3, 403),
    BadInputError: (2, 422),
    NotFoundError: (4, 404),
    TransientFault: (75, 503),
    FaultError: (70, 500),
    MetricisError: (1, 500),
}


def outcome(error: MetricisError) -> tuple[int, int]:
    """Return (exit code, HTTP status) for `error`, by its nearest listed class."""
    for kind in type(error).__mro__:
        if kind in OUTCOMES:
            return OUTCOMES[kind]
    return OUTCOMES[MetricisError]


def require(answer: Answer) -> None:
    """Raise `RefusedError` when `answer` is a refusal."""
    if isinstance(answer, Refused):
        raise RefusedError(answer)
