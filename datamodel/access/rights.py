"""The one table of permissions, and the answer to "may X do Y in study Z, and why". Pure.

Who reads the ledger reads that something happened; old and new values in it need `study:records:read` as well, and those of
blinded fields `study:blinded:read`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from datamodel.access.actor import Actor, Membership
from datamodel.kernel.errors import Allowed, Answer, Refused

#: permission -> what it lets a person do, in words
PERMISSIONS: Final[dict[str, str]] = {
    "system:users:manage": "create and close accounts and give roles",
    "system:studies:create": "create studies",
    "system:keys:rotate": "change the keys that secrets are sealed with",
    "system:cutover:check": "check whether a study may go live",
    "system:files:record": "record which files of the program belong on this machine",
    "system:rehearsal:manage": "move the simulated day and use what is for development only",
    "study:overview:read": "see the study's overview",
    "study:participants:read": "see participants by pseudonym",
    "study:participants:enrol": "add participants and change their status",
    "study:records:read": "see form values",
    "study:records:revise": "write form values",
    "study:records:verify": "verify forms against their source",
    "study:records:sign": "sign forms",
    "study:records:lock": "lock signed forms",
    "study:records:reopen": "reopen verified, signed or locked forms",
    "study:records:redact": "remove a value that was entered by mistake",
    "study:discrepancies:read": "see data questions",
    "study:discrepancies:open": "open data questions",
    "study:discrepancies:answer": "answer data questions",
    "study:discrepancies:close": "close data questions",
    "study:connections:read": "see the REDCap connection and its sync runs",
    "study:connections:manage": "connect the study to REDCap or change its address, token and mapping",
    "study:connections:sync": "start a sync with REDCap",
    "study:design:manage": "write and publish the study's design",
    "study:consent:read": "see consent states and documents",
    "study:consent:publish": "publish a consent version",
    "study:consent:file": "file a participant's signed consent that arrived",
    "study:assessments:read": "see assessment sessions and scores",
    "study:assessments:configure": "set up batteries and assign them",
    "study:assessments:file": "file assessment results that arrived",
    "study:data:read": "read frames and snapshots in a notebook",
    "study:data:snapshot": "take a numbered snapshot",
    "study:data:export": "export data sets",
    "study:blinded:read": "see the treatment arm and other blinded values",
    "study:audit:read": "read the ledger",
    "study:audit:review": "review changes of critical values",
    "study:people:read": "see who works in the study, with which role",
    "study:people:manage": "give, change and end roles in the study",
    "study:blinding:lift": "propose or approve that somebody sees blinded values",
    "study:arm:decide": "propose or approve that whoever proposes it sees one participant's arm",
    "study:arm:reveal": "see one participant's arm in an emergency",
    "study:closing:decide": "propose or approve that the study is closed",
    "study:outbound:decide": "propose or approve what is sent out of the study, and to whom",
    "study:identity:read": "see names, addresses and birth dates of participants",
    "study:identity:write": "write names, addresses and birth dates of participants",
    "study:identity:destroy": "destroy a participant's identity for good",
    "self:tasks:read": "see one's own tasks",
    "self:consent:sign": "sign one's own consent",
    "self:assessments:submit": "send in one's own assessment results",
}

_READ = frozenset(
    {
        "study:overview:read",
        "study:participants:read",
        "study:records:read",
        "study:discrepancies:read",
        "study:connections:read",
        "study:consent:read",
        "study:assessments:read",
        "study:audit:read",
    }
)
_SELF = frozenset({"self:tasks:read", "self:consent:sign", "self:assessments:submit"})

#: role in a study -> permissions
ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": _READ
    | {
        "study:connections:manage",
        "study:connections:sync",
        "study:design:manage",
        "study:consent:publish",
        "study:assessments:configure",
        "study:participants:enrol",
        "study:identity:destroy",
        "study:data:read",
        "study:data:snapshot",
        "study:data:export",
        "study:people:read",
        "study:people:manage",
        "study:blinding:lift",
        "study:arm:decide",
        "study:closing:decide",
        "study:outbound:decide",
    },
    "investigator": _READ
    | {
        "study:data:read",
        "study:data:export",
        "study:consent:publish",
        "study:identity:read",
        "study:identity:destroy",
        "study:people:read",
        "study:blinding:lift",
        "study:arm:decide",
        "study:arm:reveal",
        "study:closing:decide",
        "study:audit:review",
        "study:records:sign",
        "study:records:reopen",
    },
    "coordinator": _READ
    | {
        "study:identity:read",
        "study:identity:write",
        "study:connections:sync",
        "study:participants:enrol",
        "study:discrepancies:answer",
        "study:assessments:configure",
    },
    "data_manager": _READ
    | {
        "study:connections:sync",
        "study:design:manage",
        "study:discrepancies:open",
        "study:discrepancies:answer",
        "study:discrepancies:close",
        "study:data:read",
        "study:data:snapshot",
        "study:data:export",
        "study:people:read",
        "study:people:manage",
        "study:closing:decide",
        "study:outbound:decide",
        "study:audit:review",
        "study:records:verify",
        "study:records:lock",
        "study:records:reopen",
        "study:records:redact",
    },
    "monitor": _READ
    | {"study:audit:review", "study:discrepancies:open", "study:discrepancies:close", "study:records:verify"},
    "safety_officer": (_READ - {"study:assessments:read"})
    | {"study:blinding:lift", "study:arm:decide", "study:arm:reveal", "study:people:read"},
    "data_entry": frozenset(
        {"study:overview:read", "study:participants:read", "study:records:read", "study:audit:read"}
    ),
    "statistician": _READ | {"study:data:read", "study:data:export"},
    "pharmacist": frozenset(
        {"study:overview:read", "study:participants:read", "study:blinded:read", "study:audit:read"}
    ),
    "viewer": frozenset({"study:overview:read", "study:participants:read", "study:audit:read"}),
    "participant": _SELF,
    "caregiver": _SELF,
    # The account under which scheduled flows act: it moves data, and can neither decide nor publish.
    "service": frozenset(
        {
            "study:design:manage",
            "study:identity:read",
            "study:participants:enrol",
            "study:records:read",
            "study:records:revise",
            "study:discrepancies:open",
            "study:discrepancies:close",
            "study:connections:read",
            "study:connections:sync",
            "study:consent:file",
            "study:assessments:file",
            "study:data:read",
            "study:data:snapshot",
            "study:data:export",
            "study:blinded:read",
        }
    ),
}
#: What an administrator may do; data of a study, and what is risky in one, need a role in that study.
ADMINISTRATOR: Final = frozenset(permission for permission in PERMISSIONS if permission.startswith("system:"))
#: Acts on a whole study, which nobody does whose role is for one site.
STUDY_WIDE: Final = frozenset(
    {
        "study:connections:manage",
        "study:design:manage",
        "study:consent:publish",
        "study:data:snapshot",
        "study:people:manage",
        "study:blinding:lift",
        "study:closing:decide",
        "study:outbound:decide",
    }
)
#: What remains in a closed study beside reading: taking data away, letting people in to read, taking out what must not be kept,
#: filing what a participant decided (a withdrawal counts whenever it comes), and revealing an arm when somebody's safety asks for it.
AFTER_CLOSING: Final = frozenset(
    {
        "self:consent:sign",
        "study:consent:file",
        "study:data:snapshot",
        "study:data:export",
        "study:people:manage",
        "study:blinding:lift",
        "study:arm:decide",
        "study:arm:reveal",
        "study:records:redact",
        "study:identity:destroy",
    }
)
#: Permissions that show who gets which treatment: two people give them.
UNBLINDING: Final = "study:blinded:read"
_IN_WORDS = {"data_manager": "data manager", "safety_officer": "safety officer", "data_entry": "data entry clerk"}


@dataclass(frozen=True, slots=True)
class Denied(Refused):
    """A refusal for want of a right; it says which, and in which study."""

    permission: str = ""
    study: str = ""

    def leave_trace(self, url: str, actor: Any) -> None:
        """Put it into log and ledger; called where the refused act's transaction ended."""
        from datamodel.access.refusals import note  # the table itself needs no database

        note(url, actor, self)


def role_in_words(role: str) -> str:
    """Return a role as people say it."""
    return _IN_WORDS.get(role, role)


def roles_with(permission: str) -> list[str]:
    """Return the study roles that hold `permission`, as people say them, without machines."""
    return [role_in_words(role) for role, held in ROLES.items() if permission in held and role != "service"]


@cache
def _who_may(permission: str) -> str:
    who = roles_with(permission)
    return f"Roles that may: {', '.join(who)}." if who else ""


def may(actor: Actor, permission: str, *, study: str = "", site: str | None = None) -> Answer:
    """Answer whether `actor` may do `permission` in the study with code `study` (at `site`, when one is meant).

    Raises
    ------
    KeyError
        When the permission is not in the table: an undeclared permission is a mistake of ours.
    """
    meaning = PERMISSIONS[permission]
    if actor.scopes is not None and permission not in actor.scopes:
        said, next_step = f"This token does not reach so far: it may not {meaning}.", "Make a token that does."
        return Denied("token-lacks-scope", said, next_step, permission, study)
    if permission.startswith("system:"):
        held = actor.is_administrator and permission in ADMINISTRATOR
        said = f"Only an administrator may {meaning}."
        return Allowed() if held else Denied("not-administrator", said, "", permission)
    membership = actor.membership(study)
    if membership is None:
        said = f"You are not a member of this study, so you may not {meaning}."
        return Denied("not-a-member", said, "Ask the study's owner to add you.", permission, study)
    return _within(membership, permission, meaning=meaning, site=site)


def _within(membership: Membership, permission: str, *, meaning: str, site: str | None) -> Answer:
    study, granted = membership.study, permission == UNBLINDING and membership.is_unblinded
    if permission not in ROLES[membership.role] and not granted:
        said = f"The role {role_in_words(membership.role)} may not {meaning}."
        return Denied("role-lacks-permission", said, _who_may(permission), permission, study)
    if membership.is_closed and not permission.endswith(":read") and permission not in AFTER_CLOSING:
        said = f"This study is closed, so nobody may {meaning} any more; what is in it can be read."
        return Denied("study-closed", said, "", permission, study)
    if membership.site is None:
        return Allowed()
    if site is not None and membership.site != site:
        said = f"You work at site {membership.site}; this belongs to site {site}."
        return Denied("other-site", said, "", permission, study)
    if permission in STUDY_WIDE:
        said = f"You work at site {membership.site}, and to {meaning} concerns the whole study."
        return Denied("one-site-only", said, "Ask somebody whose role is for all sites.", permission, study)
    return Allowed()


def shows_blinded(role: str, *, is_unblinded: bool) -> bool:
    """Return whether somebody with this role sees who gets which treatment."""
    return is_unblinded or UNBLINDING in ROLES[role]
