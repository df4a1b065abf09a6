"""The questions: what is sealed with what, and what is due. Asked on the owner's address, who sees all studies."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy.orm import Session

from datamodel.kernel.settings import Settings
from datamodel.vault import rotation
from datamodel.vault.keys import load_roots
from datamodel.vault.rotation import DataKey, Held

#: A study's data key is to be changed at least this often (the documented schedule).
LONGEST: Final = timedelta(days=365)

Need = Literal["v2", "v1", "plaintext", "retired key", "old key", "old root"]


@dataclass(frozen=True, slots=True)
class Status:
    """What is sealed with what. `needs` says what a rotation would put right, in values (for keys: in keys)."""

    root_id: str
    held: tuple[Held, ...]
    keys: tuple[DataKey, ...]
    needs: dict[Need, int]

    @property
    def is_due(self) -> bool:
        """Whether a rotation has anything to do that must be done."""
        return any(self.needs.values())


def status(session: Session, given: Settings, *, now: datetime) -> Status:
    """Return what the database holds and what of it is to be sealed anew."""
    root = load_roots(given).present.id
    held, keys = tuple(rotation.held(session)), tuple(rotation.data_keys(session))
    retired = {one.key_id for one in keys if one.state == "retired"}
    needs: dict[Need, int] = {
        "v2": sum(one.number for one in held if one.version == "v2"),
        "v1": sum(one.number for one in held if one.version == "v1"),
        "plaintext": sum(one.number for one in held if one.version not in {"v1", "v2", "v3"}),
        "retired key": sum(one.number for one in held if one.key_id in retired),
        "old key": sum(
            one.state == "present" and one.purpose == "seal" and now - one.made_at > LONGEST for one in keys
        ),
        "old root": sum(one.state != "destroyed" and one.root_id != root for one in keys),
    }
    return Status(root_id=root, held=held, keys=keys, needs=needs)
