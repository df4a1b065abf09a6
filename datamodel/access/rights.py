"""The one table of permissions, and the answer to "may X do Y in study Z, and why". Pure."""

from typing import Final

from datamodel.access.actor import Actor, Membership
from datamodel.kernel.errors import Allowed, Answer, Refused

#: permission -> what it lets a person do, in words
PERMISSIONS: Final[dict[str, str]] = {
    "system:users:manage": "create accounts and give roles",
    "system:studies:create": "create studies",
    "system:keys:rotate": "change the keys that secrets are sealed with",
    "system:rehearsal:manage": "move the simulated day and use what is for development only",
    "study:overview:read": "see the study's overview",
    "study:participants:read": "see participants by pseudonym",
    "study:participants:enrol": "add participants and change their status",
    "study:records:read": "see form values",
    "study:records:revise": "write form values",
    "study:discrepancies:read": "see data questions",
    "study:discrepancies:open": "open data questions",
    "study:discrepancies:answer": "answer data questions",
    "study:discrepancies:close": "close data questions",
    "study:connections:read": "see the REDCap connection and its sync runs",
    "study:connections:manage": "set up the REDCap connection",
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
        "study:audit:read",
    },
    "investigator": _READ
    | {"study:data:read", "study:audit:read", "study:consent:publish", "study:identity:read", "study:identity:destroy"},
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
        "study:connections:manage",
        "study:connections:sync",
        "study:design:manage",
        "study:discrepancies:open",
        "study:discrepancies:answer",
        "study:discrepancies:close",
        "study:data:read",
        "study:data:snapshot",
        "study:data:export",
        "study:audit:read",
    },
    "monitor": _READ | {"study:discrepancies:open", "study:discrepancies:close", "study:audit:read"},
    "safety_officer": _READ | {"study:audit:read"},
    "data_entry": frozenset({"study:overview:read", "study:participants:read", "study:records:read"}),
    "statistician": _READ | {"study:data:read", "study:data:export"},
    "pharmacist": frozenset({"study:overview:read", "study:participants:read", "study:blinded:read"}),
    "viewer": frozenset({"study:overview:read", "study:participants:read"}),
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
_SYSTEM_ADMINISTRATOR = frozenset(
    {"system:users:manage", "system:studies:create", "system:keys:rotate", "system:rehearsal:manage"}
)
_IN_WORDS = {"data_manager": "data manager", "safety_officer": "safety officer", "data_entry": "data entry clerk"}


def role_in_words(role: str) -> str:
    """Return a role as people say it."""
    return _IN_WORDS.get(role, role)


def roles_with(permission: str) -> list[str]:
    """Return the study roles that hold `permission`, as people say them, without machines."""
    return [role_in_words(role) for role, held in ROLES.items() if permission in held and role != "service"]


def may(actor: Actor, permission: str, *, study: str = "", site: str | None = None) -> Answer:
    """Answer whether `actor` may do `permission` in the study with code `study` (at `site`, when one is meant).

    Raises
    ------
    KeyError
        When the permission is not in the table: an undeclared permission is a mistake of ours.
    """
    meaning = PERMISSIONS[permission]
    if permission.startswith("system:"):
        held = actor.is_administrator and permission in _SYSTEM_ADMINISTRATOR
        return Allowed() if held else Refused("not-administrator", f"Only an administrator may {meaning}.")
    membership = actor.membership(study)
    if membership is None:
        return Refused(
            "not-a-member",
            f"You are not a member of this study, so you may not {meaning}.",
            "Ask the study's owner to add you.",
        )
    return _within(membership, permission, meaning=meaning, site=site)


def _within(membership: Membership, permission: str, *, meaning: str, site: str | None) -> Answer:
    granted = permission == "study:blinded:read" and membership.is_unblinded
    if permission not in ROLES[membership.role] and not granted:
        who = roles_with(permission)
        return Refused(
            "role-lacks-permission",
            f"The role {role_in_words(membership.role)} may not {meaning}.",
            f"Roles that may: {', '.join(who)}." if who else "",
        )
    if site is not None and membership.site is not None and membership.site != site:
        return Refused("other-site", f"You work at site {membership.site}; this belongs to site {site}.")
    return Allowed()
