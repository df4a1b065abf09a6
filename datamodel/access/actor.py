"""Who acts."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Membership:
    """One role in one study; `site` is None for all sites. In a study that `is_closed` a role reads, and changes nothing."""

    study: str
    role: str
    site: str | None = None
    is_unblinded: bool = False
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """An account with what it may draw on. `name` is the printed name of staff, the pseudonym of a participant."""

    id: UUID
    kind: str
    name: str
    memberships: tuple[Membership, ...] = field(default=())
    is_administrator: bool = False
    #: For a participant's own account: the participant it is (and for a caregiver: acts for).
    participant_id: UUID | None = None
    #: For who comes with a token: the permissions it reaches to. None: everything the account may.
    scopes: frozenset[str] | None = None

    def membership(self, study: str) -> Membership | None:
        """Return this actor's membership of the study with that code."""
        return next((one for one in self.memberships if one.study == study), None)

    def role(self, study: str) -> str:
        """Return this actor's role in that study, or an empty text."""
        found = self.membership(study)
        return found.role if found else ""


#: Whoever knocks at the door and is not signed in yet.
KNOCKING = Actor(id=UUID(int=0), kind="machine", name="not signed in")
