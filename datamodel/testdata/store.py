"""Load what is kept of invented participants."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from datamodel.participants.facts import Facts
from datamodel.testdata.people import BEGINNING


def invented(session: Session, study_id: UUID) -> list[Facts]:
    """Return the invented participants of a rehearsal copy, by code."""
    rows = session.execute(
        text(
            "select p.code, coalesce(s.code, '') as site, p.status, p.enrolled_on, p.anchor_on "
            "from app.participant p left join app.site s on s.id = p.site_id "
            "where p.study_id = :study and starts_with(p.code, :beginning) order by p.code"
        ),
        {"study": study_id, "beginning": BEGINNING},
    )
    return [
        Facts(code=row.code, site=row.site, status=row.status, enrolled_on=row.enrolled_on, anchor_on=row.anchor_on)
        for row in rows
    ]
