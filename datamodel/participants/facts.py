"""What is known of participants, and what of it changes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

Status = Literal["screened", "screen_failed", "enrolled", "completed", "withdrawn"]
#: every status, in the order in which people read them
STATUSES: Final[tuple[Status, ...]] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the study's source says of one participant now. `site` is a site's code, empty when unknown.

    `status_on` is the day from which the status holds, when known. The arm is blinded data.
    """

    code: str
    site: str = ""
    status: Status = "screened"
    status_on: date | None = None
    enrolled_on: date | None = None
    anchor_on: date | None = None
    arm_code: str = ""
    arm_label: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Which participants are new, which differ, and whose status or arm is another."""

    new: tuple[Facts, ...]
    changed: tuple[Facts, ...]
    status_changed: tuple[Facts, ...]
    arm_changed: tuple[Facts, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it was."""
        return not (self.new or self.changed or self.arm_changed)


def difference(present: Mapping[str, Facts], given: Iterable[Facts]) -> Difference:
    """Compare what is kept with what the source says now; participants that are not given stay as they are."""
    found = list(given)
    new = tuple(one for one in found if one.code not in present)
    known = [(present[one.code], one) for one in found if one.code in present]
    return Difference(
        new=new,
        changed=tuple(one for old, one in known if _open(old) != _open(one)),
        status_changed=new + tuple(one for old, one in known if old.status != one.status),
        arm_changed=tuple(one for one in new if one.arm_code)
        + tuple(one for old, one in known if one.arm_code and _arm(old) != _arm(one)),
    )


def _open(one: Facts) -> tuple[object, ...]:
    return (one.site, one.status, one.enrolled_on, one.anchor_on)


def _arm(one: Facts) -> tuple[str, str]:
    return (one.arm_code, one.arm_label)
