"""All tables, imported so that the metadata is whole (for migrations), and how the database guards each of them."""

from typing import Literal, NamedTuple

from datamodel.access import tables as access
from datamodel.approvals import tables as approvals
from datamodel.assessments import tables as assessments
from datamodel.audit import tables as audit
from datamodel.connections import tables as connections
from datamodel.consent import tables as consent
from datamodel.credentials import tables as credentials
from datamodel.discrepancies import tables as discrepancies
from datamodel.intake import tables as intake
from datamodel.kernel.database import Base
from datamodel.links import tables as links
from datamodel.migrations import tables as own
from datamodel.notices import tables as notices
from datamodel.participants import tables as participants
from datamodel.records import tables as records
from datamodel.rehearsal import tables as rehearsal
from datamodel.reveals import tables as reveals
from datamodel.signatures import tables as signatures
from datamodel.study import tables as study
from datamodel.tasks import tables as tasks
from datamodel.trail import tables as trail
from datamodel.vault import tables as vault

METADATA = Base.metadata
ROOMS = (
    access,
    approvals,
    assessments,
    audit,
    connections,
    consent,
    credentials,
    discrepancies,
    intake,
    links,
    notices,
    own,
    participants,
    records,
    rehearsal,
    reveals,
    signatures,
    study,
    tasks,
    trail,
    vault,
)


class Guard(NamedTuple):
    """What PostgreSQL itself holds of a table, whatever the program does; `guards.py` applies it."""

    #: Which rows a transaction may see and write.
    #: study: those of a study in its signed scope; participant: also only of participants in it (sites, own person);
    #: door: sign-in code, administrators, and whoever the row's `account_id` names; open: no study data;
    #: owner: nobody but the database's owner
    scope: Literal["study", "participant", "door", "open", "owner"]
    #: rows are never changed or removed
    is_append_only: bool = False
    #: a statement that changes it without a ledger event in the same transaction is refused
    is_regulated: bool = True
    #: (column, table): where a row without study and participant of its own hangs on a row that has them
    through: tuple[str, str] | None = None
    #: only those who may see blinded data of the study see its rows
    is_blinded: bool = False
    #: of blinded rows: one participant's are also seen by whoever revealed that participant's arm
    is_revealed: bool = False
    #: what the sealer may do; append-only tables are read by it in any case, as verification needs them.
    #: What it reads of the others is what it vouches for (`checkpoints.held`) or holds against the ledger.
    sealer: Literal["", "reads", "writes"] = ""
    #: the columns that it reads; empty: all
    sealer_sees: tuple[str, ...] = ()
    #: columns that change without an event (when somebody was last seen, how far a run is)
    free: tuple[str, ...] = ()
    #: the application may remove rows (never of an append-only table)
    is_removable: bool = False
    #: written in bulk: the ledger is asked once a statement instead of once a row, so its event comes first or a
    #: statement that changes no row is refused too
    is_bulk: bool = False


#: One entry for each table; a test fails for a table without one.
GUARDS: dict[str, Guard] = {
    # who acts
    "account": Guard("door", sealer="reads", sealer_sees=("id", "kind", "name", "is_administrator", "is_active")),
    "membership": Guard("door", sealer="reads"),
    "session": Guard("door", free=("seen_at",)),
    "access_token": Guard("door", free=("used_at",)),
    "credential_profile": Guard("door"),
    "credential_totp": Guard("door", free=("last_step",), is_removable=True),
    "credential_passkey": Guard("door", free=("sign_count", "used_at"), is_removable=True),
    "credential_recovery": Guard("door", is_removable=True),
    "credential_invitation": Guard("door"),
    "credential_identity": Guard("door", free=("used_at",), is_removable=True),
    # links and devices of participants; wrong tries are told in the ledger, a PIN that was right by its session
    "link": Guard("door", free=("tries",)),
    "link_request": Guard("door", is_regulated=False, is_removable=True),
    "device": Guard("door", free=("tries", "used_at")),
    "notice": Guard("door"),
    # acts that need two people
    "approval": Guard("study", is_append_only=True),
    "approval_step": Guard("study", is_append_only=True, through=("approval_id", "approval")),
    # short-lived steps of signing in; what comes of them is in the ledger
    "credential_try": Guard("door", is_regulated=False, is_removable=True),
    "credential_challenge": Guard("door", is_regulated=False, is_removable=True),
    "credential_half": Guard("door", is_regulated=False, is_removable=True),
    "credential_trip": Guard("door", is_regulated=False, is_removable=True),
    # the ledger: it is what the others are held against
    "audit_event": Guard("study", is_append_only=True, is_regulated=False),
    "audit_entry": Guard("open", is_append_only=True, is_regulated=False, sealer="writes"),
    "checkpoint": Guard("open", is_append_only=True, is_regulated=False, sealer="writes"),
    # studies
    "study": Guard("study", sealer="reads"),
    "site": Guard("study", sealer="reads"),
    "design": Guard("study", sealer="reads"),
    "study_standards": Guard("study", is_append_only=True),
    "redcap_connection": Guard("study", free=("last_good_at", "last_good_position")),
    "sync_run": Guard("study", is_regulated=False, through=("connection_id", "redcap_connection")),
    "sync_batch": Guard("study", is_regulated=False, through=("run_id", "sync_run")),
    "sync_request": Guard("study", through=("connection_id", "redcap_connection"), free=("taken_at", "run_id")),
    # participants and what hangs on them
    "participant": Guard("participant", sealer="reads"),
    "participant_status": Guard("participant", is_append_only=True),
    "participant_arm": Guard("participant", is_blinded=True, is_revealed=True, sealer="reads"),
    # that an arm was revealed to one person, never which; a trigger asks whether it may be
    "arm_reveal": Guard("participant", is_append_only=True),
    "arm_reveal_shown": Guard("participant", is_append_only=True),
    "envelope": Guard("participant"),
    "form_instance": Guard("participant", sealer="reads", is_bulk=True),
    "form_revision": Guard("participant", is_append_only=True, is_bulk=True, through=("instance_id", "form_instance")),
    "form_blinded": Guard("participant", is_append_only=True, is_bulk=True, is_blinded=True),
    "form_step": Guard("participant", is_append_only=True),
    "signature": Guard("participant", is_append_only=True),
    "signature_void": Guard("participant", is_append_only=True),
    "form_redaction": Guard("participant", is_append_only=True),
    "discrepancy": Guard("participant", sealer="reads"),
    "discrepancy_step": Guard("participant", is_append_only=True, through=("discrepancy_id", "discrepancy")),
    "consent_version": Guard("study", sealer="reads"),
    "consent_signature": Guard("participant", is_append_only=True),
    "consent_decline": Guard("participant", is_append_only=True),
    "consent_withdrawal": Guard("participant", is_append_only=True),
    "battery": Guard("study", sealer="reads"),
    "task_assignment": Guard("participant", sealer="reads"),
    "assessment_session": Guard("participant", sealer="reads"),
    "assessment_trial": Guard(
        "participant", is_append_only=True, is_bulk=True, through=("session_id", "assessment_session")
    ),
    "assessment_score": Guard("participant", is_append_only=True, through=("session_id", "assessment_session")),
    # what was looked at afterwards
    "critical_field": Guard("study", is_append_only=True),
    "change_review": Guard("participant", is_append_only=True, through=("instance_id", "form_instance")),
    "participant_identity": Guard("participant"),
    "caregiver": Guard("participant", sealer="reads"),
    "rehearsal": Guard("study"),
    "rehearsal_copy": Guard("study"),
    # wrapped keys: worth nothing without the root key, and needed wherever something sealed is read
    "installation": Guard("open", sealer="reads"),
    "data_key": Guard("open", is_regulated=False),  # changes of a key are: see migration 0006
    # what the guards themselves need
    "scope_key": Guard("owner", is_regulated=False),
    "unaccounted": Guard("owner", is_regulated=False),
    "redacting": Guard("owner", is_regulated=False),
}
