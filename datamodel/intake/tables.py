"""Table of the inbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check


class EnvelopeRow(Base):
    """One thing that arrived."""

    __tablename__ = "envelope"
    __table_args__ = (
        UniqueConstraint("study_id", "kind", "idempotency_key"),
        CheckConstraint("kind in ('consent', 'jspsych', 'redcap_trigger')", name="kind"),
        sealed_check("body"),
        Index("ix_envelope_pending", "study_id", "receipt", postgresql_where=text("state in ('pending', 'failed')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: the number told to the sender
    receipt: Mapped[int] = mapped_column(BigInteger, Identity(always=True, start=1001), unique=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("app.study.id"))
    kind: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    sender_id: Mapped[UUID] = mapped_column(ForeignKey("app.account.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.participant.id"))
    #: a consent holds a name, so it is sealed with the participant's own key
    body: Mapped[Sealed | Foreign] = mapped_column(
        SealedText(person="case when t.kind = 'consent' then t.participant_id end")
    )
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="pending")
    tries: Mapped[int] = mapped_column(server_default="0")
    #: why it was refused or failed, in one sentence
    outcome: Mapped[str] = mapped_column(Text, server_default="")
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.audit_event.id", deferrable=True, initially="DEFERRED"))
