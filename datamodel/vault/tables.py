"""Tables of the vault."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from datamodel.kernel.database import Base
from datamodel.vault.seal import Foreign, Sealed, SealedText, sealed_check

_INSTANT = DateTime(timezone=True)
#: one present key for each study and purpose, and one for what belongs to no study
_OF_STUDY = "person_id is null and study_id is not null and retired_at is null"
_COMMON = "person_id is null and study_id is null and retired_at is null"


class InstallationRow(Base):
    """The one row that says which installation this database belongs to."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("is_this", name="only_one"),)

    is_this: Mapped[bool] = mapped_column(primary_key=True)
    id: Mapped[UUID]


class DataKeyRow(Base):
    """A key of the database's own, wrapped: of a study, of what belongs to no study, or of one participant."""

    __tablename__ = "data_key"
    __table_args__ = (
        CheckConstraint("purpose in ('seal', 'lookup', 'person')", name="purpose"),
        CheckConstraint("(purpose = 'person') = (person_id is not null)", name="person"),
        sealed_check("wrapped"),
        Index("uq_data_key_study", "study_id", "purpose", unique=True, postgresql_where=text(_OF_STUDY)),
        Index("uq_data_key_common", "purpose", unique=True, postgresql_where=text(_COMMON)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: what sealed values name it by
    key_id: Mapped[str] = mapped_column(Text, unique=True)
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.study.id"))
    #: the participant whose key it is
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.participant.id"), unique=True)
    purpose: Mapped[str] = mapped_column(Text)
    #: sealed: by a root key, or for a participant's by the study's data key; empty once destroyed
    wrapped: Mapped[Sealed | Foreign | None] = mapped_column(SealedText())
    made_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=text("now()"))
    #: nothing new is sealed with it from then on
    retired_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    destroyed_at: Mapped[datetime | None] = mapped_column(_INSTANT)
