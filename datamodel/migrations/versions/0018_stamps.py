"""Stamps on rows that let somebody in: `datamodel.vault.stamps` says what they are over."""

from alembic import op
from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.vault.stamps import event_stamp, stamped

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

_STAMPED = {
    "account": ("id", "kind", "sign_in_name", "password_hash"),
    "session": ("id", "token_hash", "account_id", "kind", "how", "created_at", "ends_at", "confirmed_at"),
    "access_token": ("id", "token_hash", "account_id", "created_at", "ends_at", "scopes", "study_id"),
    "credential_totp": ("id", "account_id"),
    "credential_passkey": ("id", "account_id", "credential_id", "public_key"),
    "credential_recovery": ("id", "account_id", "code_hash"),
    "credential_half": ("id", "token_hash", "account_id", "how", "created_at", "ends_at"),
    "credential_invitation": ("id", "token_hash", "account_id", "kind", "created_at", "ends_at"),
    "credential_identity": ("id", "account_id", "issuer", "subject"),
    "credential_trip": ("id", "state_hash", "holder_hash", "account_id", "created_at", "ends_at"),
    "redcap_connection": ("id", "study_id", "api_url", "mapping", "server_time_zone"),
    "link": ("id", "token_hash", "account_id", "kind", "holder_hash", "code_hash", "created_at", "ends_at"),
    "device": ("id", "secret_hash", "account_id", "pin_hash", "created_at", "ends_at"),
}


def upgrade() -> None:
    """Add the columns. What is there keeps letting in: it is stamped with the installation's key as it stands today."""
    session = Session(op.get_bind())
    for table, columns in _STAMPED.items():
        op.execute(f"alter table app.{table} add column stamp bytea")
        # rows of every account are looked at and written here, and none of it is an act that the ledger tells
        op.execute(f"alter table app.{table} no force row level security, disable trigger user")
        where = " where password_hash is not null" if table == "account" else ""
        for row in session.execute(text(f"select {', '.join(columns)} from app.{table}{where}")).mappings().all():
            session.execute(
                text(f"update app.{table} set stamp = :stamp where id = :id"),
                {"stamp": stamped(session, table, dict(row)), "id": row["id"]},
            )
        op.execute(f"alter table app.{table} force row level security, enable trigger user")
    _events(session)


def _events(session: Session) -> None:
    op.execute("alter table app.audit_event add column stamp bytea")
    op.execute("alter table app.audit_event no force row level security, disable trigger user")
    last = 0
    while rows := session.execute(text(_NEXT), {"last": last}).all():
        last = rows[-1].seq
        stamps = [event_stamp(session, bytes(row.body)) for row in rows]
        session.execute(text(_STAMP), {"ids": [row.id for row in rows], "stamps": stamps})
    op.execute("alter table app.audit_event force row level security, enable trigger user")


_NEXT = "select id, seq, body from app.audit_event where seq > :last order by seq limit 5000"
_STAMP = """
    update app.audit_event e set stamp = t.stamp
    from unnest(cast(:ids as uuid[]), cast(:stamps as bytea[])) as t(id, stamp) where e.id = t.id
"""
