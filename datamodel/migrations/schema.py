"""All tables, imported so that the metadata is whole (for migrations)."""

from datamodel.access import tables as access
from datamodel.assessments import tables as assessments
from datamodel.audit import tables as audit
from datamodel.connections import tables as connections
from datamodel.consent import tables as consent
from datamodel.credentials import tables as credentials
from datamodel.discrepancies import tables as discrepancies
from datamodel.intake import tables as intake
from datamodel.kernel.database import Base
from datamodel.participants import tables as participants
from datamodel.records import tables as records
from datamodel.study import tables as study
from datamodel.tasks import tables as tasks

METADATA = Base.metadata
ROOMS = (
    access,
    assessments,
    audit,
    connections,
    consent,
    credentials,
    discrepancies,
    intake,
    participants,
    records,
    study,
    tasks,
)
#: tables whose rows are never changed or removed
APPEND_ONLY = (
    "audit_event",
    "audit_entry",
    "participant_status",
    "form_revision",
    "discrepancy_step",
    "consent_signature",
    "consent_decline",
    "consent_withdrawal",
    "assessment_trial",
    "assessment_score",
)
