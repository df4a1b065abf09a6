"""The tables of the spine, and the triggers that keep append-only tables append-only."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: As they were when this revision was made; `schema.py` names those of today.
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


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name the type in DDL."""
        return "xid8"


def upgrade() -> None:
    tables()
    # Rows up to 8 kB stay in the table as they are: compressing each takes longer than writing it.
    op.execute("alter table app.form_revision set (toast_tuple_target = 8160)")
    op.execute(
        """
        create function app.refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception 'Rows of %.% are never changed or removed.', tg_table_schema, tg_table_name
                using errcode = 'insufficient_privilege';
        end $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger keep_rows before update or delete on app.{table} "
            "for each row execute function app.refuse_change()"
        )
        op.execute(
            f"create trigger keep_table before truncate on app.{table} "
            "for each statement execute function app.refuse_change()"
        )
    op.execute(
        """
        create function app.tell() returns trigger language plpgsql as $$
        begin
            perform pg_notify('metricis', json_build_object('table', tg_table_name)::text);
            return null;
        end $$
        """
    )
    for table in ("envelope", "sync_request", "sync_run"):
        op.execute(
            f"create trigger tell after insert or update on app.{table} for each statement execute function app.tell()"
        )


def tables() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sign_in_name", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('staff', 'participant', 'caregiver', 'machine')", name=op.f("ck_account_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("sign_in_name", name=op.f("uq_account_sign_in_name")),
        schema="app",
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_event_seq")),
        schema="app",
    )
    op.create_index("ix_audit_event_study", "audit_event", ["study_id", "seq"], unique=False, schema="app")
    op.create_index("ix_audit_event_subject", "audit_event", ["subject"], unique=False, schema="app")
    op.create_index("ix_audit_event_xid", "audit_event", ["xid", "seq"], unique=False, schema="app")
    op.create_table(
        "access_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["app.account.id"], name=op.f("fk_access_token_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_token_token_hash")),
        schema="app",
    )
    op.create_table(
        "audit_entry",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["app.audit_event.id"], name=op.f("fk_audit_entry_event_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_entry_event_id")),
        schema="app",
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("site_code", sa.Text(), nullable=True),
        sa.Column("is_unblinded", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["app.account.id"], name=op.f("fk_membership_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("account_id", "study_id", name=op.f("uq_membership_account_id_study_id")),
        schema="app",
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["app.account.id"], name=op.f("fk_session_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_session_token_hash")),
        schema="app",
    )
    op.create_table(
        "sign_in_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["app.account.id"], name=op.f("fk_sign_in_link_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_link_token_hash")),
        schema="app",
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("protocol_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("integration_mode", sa.Text(), nullable=False),
        sa.Column("consent_mode", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("planned_enrolment", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["app.audit_event.id"], name=op.f("fk_study_event_id"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("code", name=op.f("uq_study_code")),
        schema="app",
    )
    op.create_table(
        "battery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("tasks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_battery_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_battery_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_battery")),
        sa.UniqueConstraint("study_id", "code", "version", name=op.f("uq_battery_study_id_code_version")),
        schema="app",
    )
    op.create_table(
        "consent_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sections", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_consent_version_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_consent_version_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_version")),
        sa.UniqueConstraint(
            "study_id",
            "document",
            "version",
            "language",
            name=op.f("uq_consent_version_study_id_document_version_language"),
        ),
        schema="app",
    )
    op.create_table(
        "design",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["app.audit_event.id"], name=op.f("fk_design_event_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_design_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_design")),
        sa.UniqueConstraint("study_id", "version", name=op.f("uq_design_study_id_version")),
        schema="app",
    )
    op.create_index(
        "ix_design_one_published",
        "design",
        ["study_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_table(
        "redcap_connection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("server_time_zone", sa.Text(), nullable=False),
        sa.Column("last_good_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_good_position", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_redcap_connection_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_redcap_connection_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redcap_connection")),
        sa.UniqueConstraint("study_id", name=op.f("uq_redcap_connection_study_id")),
        schema="app",
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["app.audit_event.id"], name=op.f("fk_site_event_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_site_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("study_id", "code", name=op.f("uq_site_study_id_code")),
        schema="app",
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("enrolled_on", sa.Date(), nullable=True),
        sa.Column("anchor_on", sa.Date(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_participant_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["site_id"], ["app.site.id"], name=op.f("fk_participant_site_id")),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_participant_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint("study_id", "code", name=op.f("uq_participant_study_id_code")),
        schema="app",
    )
    op.create_table(
        "sync_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app.redcap_connection.id"], name=op.f("fk_sync_request_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_sync_request_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_request")),
        schema="app",
    )
    op.create_table(
        "sync_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows_in", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("findings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("flow_run", sa.Text(), server_default="", nullable=False),
        sa.Column("pull_key", sa.Text(), server_default="", nullable=False),
        sa.Column("pull_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["app.redcap_connection.id"], name=op.f("fk_sync_run_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_run")),
        schema="app",
    )
    op.create_index("ix_sync_run_recent", "sync_run", ["connection_id", "started_at"], unique=False, schema="app")
    op.create_table(
        "consent_decline",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("declined_by", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["declined_by"], ["app.account.id"], name=op.f("fk_consent_decline_declined_by")),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_consent_decline_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_consent_decline_participant_id")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["app.consent_version.id"], name=op.f("fk_consent_decline_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_decline")),
        schema="app",
    )
    op.create_index(
        op.f("ix_consent_decline_participant_id"), "consent_decline", ["participant_id"], unique=False, schema="app"
    )
    op.create_table(
        "consent_signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_consent_signature_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_consent_signature_participant_id")
        ),
        sa.ForeignKeyConstraint(["signed_by"], ["app.account.id"], name=op.f("fk_consent_signature_signed_by")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["app.consent_version.id"], name=op.f("fk_consent_signature_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_signature")),
        schema="app",
    )
    op.create_index(
        op.f("ix_consent_signature_participant_id"), "consent_signature", ["participant_id"], unique=False, schema="app"
    )
    op.create_table(
        "consent_withdrawal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_consent_withdrawal_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_consent_withdrawal_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_withdrawal")),
        schema="app",
    )
    op.create_index(
        op.f("ix_consent_withdrawal_participant_id"),
        "consent_withdrawal",
        ["participant_id"],
        unique=False,
        schema="app",
    )
    op.create_table(
        "discrepancy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("form_name", sa.Text(), nullable=False),
        sa.Column("event_repeat", sa.Integer(), nullable=False),
        sa.Column("form_repeat", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_closed_by_source", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_discrepancy_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["participant_id"], ["app.participant.id"], name=op.f("fk_discrepancy_participant_id")),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_discrepancy_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancy")),
        sa.UniqueConstraint("study_id", "key", name=op.f("uq_discrepancy_study_id_key")),
        schema="app",
    )
    op.create_index("ix_discrepancy_open", "discrepancy", ["study_id", "state"], unique=False, schema="app")
    op.create_table(
        "envelope",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("receipt", sa.BigInteger(), sa.Identity(always=True, start=1001), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind in ('consent', 'jspsych', 'redcap_trigger')", name=op.f("ck_envelope_kind")),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_envelope_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["participant_id"], ["app.participant.id"], name=op.f("fk_envelope_participant_id")),
        sa.ForeignKeyConstraint(["sender_id"], ["app.account.id"], name=op.f("fk_envelope_sender_id")),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_envelope_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope")),
        sa.UniqueConstraint("receipt", name=op.f("uq_envelope_receipt")),
        sa.UniqueConstraint(
            "study_id", "kind", "idempotency_key", name=op.f("uq_envelope_study_id_kind_idempotency_key")
        ),
        schema="app",
    )
    op.create_index(
        "ix_envelope_pending",
        "envelope",
        ["study_id", "receipt"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("state in ('pending', 'failed')"),
    )
    op.create_table(
        "form_instance",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("form_name", sa.Text(), nullable=False),
        sa.Column("event_repeat", sa.Integer(), nullable=False),
        sa.Column("form_repeat", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_form_instance_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_instance")),
        sa.UniqueConstraint(
            "study_id",
            "participant_id",
            "event_name",
            "form_name",
            "event_repeat",
            "form_repeat",
            name=op.f("uq_form_instance_study_id_participant_id_event_name_form_name_event_repeat_form_repeat"),
        ),
        schema="app",
    )
    op.create_table(
        "participant_arm",
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("arm_code", sa.Text(), nullable=False),
        sa.Column("arm_label", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_participant_arm_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_participant_arm_participant_id")
        ),
        sa.PrimaryKeyConstraint("participant_id", name=op.f("pk_participant_arm")),
        schema="app",
    )
    op.create_table(
        "participant_status",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("on", sa.Date(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_participant_status_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_participant_status_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant_status")),
        schema="app",
    )
    op.create_table(
        "sync_batch",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("form_name", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("rows_in", sa.Integer(), nullable=False),
        sa.Column("rows_accepted", sa.Integer(), nullable=False),
        sa.Column("rows_changed", sa.Integer(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_sync_batch_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["run_id"], ["app.sync_run.id"], name=op.f("fk_sync_batch_run_id")),
        sa.PrimaryKeyConstraint("run_id", "form_name", "first", name=op.f("pk_sync_batch")),
        schema="app",
    )
    op.create_table(
        "task_assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("battery_id", sa.Uuid(), nullable=False),
        sa.Column("opens_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["battery_id"], ["app.battery.id"], name=op.f("fk_task_assignment_battery_id")),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_task_assignment_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_task_assignment_participant_id")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_task_assignment_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_assignment")),
        schema="app",
    )
    op.create_index(
        op.f("ix_task_assignment_participant_id"), "task_assignment", ["participant_id"], unique=False, schema="app"
    )
    op.create_table(
        "assessment_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("battery_id", sa.Uuid(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=True),
        sa.Column("acted_by", sa.Uuid(), nullable=False),
        sa.Column("consent_version_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trials_expected", sa.Integer(), nullable=True),
        sa.Column("device", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("flags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("receipt", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["acted_by"], ["app.account.id"], name=op.f("fk_assessment_session_acted_by")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["app.task_assignment.id"], name=op.f("fk_assessment_session_assignment_id")
        ),
        sa.ForeignKeyConstraint(["battery_id"], ["app.battery.id"], name=op.f("fk_assessment_session_battery_id")),
        sa.ForeignKeyConstraint(
            ["consent_version_id"], ["app.consent_version.id"], name=op.f("fk_assessment_session_consent_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_assessment_session_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["app.participant.id"], name=op.f("fk_assessment_session_participant_id")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["app.study.id"], name=op.f("fk_assessment_session_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment_session")),
        schema="app",
    )
    op.create_index(
        op.f("ix_assessment_session_assignment_id"), "assessment_session", ["assignment_id"], unique=False, schema="app"
    )
    op.create_index(
        op.f("ix_assessment_session_participant_id"),
        "assessment_session",
        ["participant_id"],
        unique=False,
        schema="app",
    )
    op.create_table(
        "discrepancy_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("discrepancy_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["discrepancy_id"], ["app.discrepancy.id"], name=op.f("fk_discrepancy_step_discrepancy_id")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_discrepancy_step_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancy_step")),
        schema="app",
    )
    op.create_index(
        op.f("ix_discrepancy_step_discrepancy_id"), "discrepancy_step", ["discrepancy_id"], unique=False, schema="app"
    )
    op.create_table(
        "form_revision",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("values", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_form_revision_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["instance_id"], ["app.form_instance.id"], name=op.f("fk_form_revision_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "number", name=op.f("pk_form_revision")),
        schema="app",
    )
    op.create_index("ix_form_revision_event", "form_revision", ["event_id"], unique=False, schema="app")
    op.create_table(
        "assessment_score",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_assessment_score_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["app.assessment_session.id"], name=op.f("fk_assessment_score_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", "name", "rule", name=op.f("pk_assessment_score")),
        schema="app",
    )
    op.create_table(
        "assessment_trial",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("trial_index", sa.Integer(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["app.audit_event.id"],
            name=op.f("fk_assessment_trial_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["app.assessment_session.id"], name=op.f("fk_assessment_trial_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", "trial_index", name=op.f("pk_assessment_trial")),
        schema="app",
    )
