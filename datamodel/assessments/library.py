"""The task library: what each task is, its parameters with their limits, and the rule that scores it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from datamodel.kernel.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a study may set, with its default and its limits."""

    default: int
    lowest: int
    highest: int
    unit: str


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its code, version, name for staff, parameters and scoring rule."""

    code: str
    version: int
    title: str
    parameters: Mapping[str, Parameter]
    rule: str


SIMPLE_REACTION_TIME: Final = Task(
    code="simple-reaction-time",
    version=1,
    title="Simple reaction time",
    parameters={
        "trials": Parameter(20, 1, 200, "count"),
        "practice_trials": Parameter(3, 0, 20, "count"),
        "timeout_ms": Parameter(5000, 500, 30_000, "ms"),
        "isi_min_ms": Parameter(500, 200, 10_000, "ms"),
        "isi_max_ms": Parameter(1500, 200, 10_000, "ms"),
    },
    rule="simple-rt-1",
)
LIBRARY: Final[dict[str, Task]] = {task.code: task for task in (SIMPLE_REACTION_TIME,)}


def settled(code: str, given: Mapping[str, Any]) -> dict[str, int]:
    """Return all parameters of a task: the given ones, and defaults for the rest.

    Raises
    ------
    BadInputError
        When the task or a parameter is unknown, or a value is outside its limits.
    """
    if code not in LIBRARY:
        raise BadInputError(f"Received the task “{code}”; the library holds {', '.join(LIBRARY)}.")
    task = LIBRARY[code]
    unknown = sorted(set(given) - set(task.parameters))
    if unknown:
        raise BadInputError(
            f"Received the parameter “{unknown[0]}” for {code}; allowed are {', '.join(task.parameters)}."
        )
    values = {name: given.get(name, one.default) for name, one in task.parameters.items()}
    for name, value in values.items():
        one = task.parameters[name]
        if not isinstance(value, int) or isinstance(value, bool) or not one.lowest <= value <= one.highest:
            raise BadInputError(
                f"Received {value!r} for {name} of {code}; allowed are whole numbers from {one.lowest} to "
                f"{one.highest} ({one.unit})."
            )
    if values.get("isi_min_ms", 0) > values.get("isi_max_ms", 0):
        raise BadInputError(
            f"Received a shortest pause of {values['isi_min_ms']} ms and a longest of {values['isi_max_ms']} ms; the "
            "shortest may not be longer than the longest."
        )
    return values
