"""Read PostgreSQL as of one ledger position, in one repeatable-read transaction, through ADBC.

Values are cast in SQL (`uuid`, `numeric` and `jsonb` have no plain Arrow type). Every query is limited to rows whose
ledger event has a position up to the one asked for.
"""
# ruff: noqa: S608 - the SQL is made of constants; values go in as literals, quoted by psycopg

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import adbc_driver_manager
import orjson
import polars as pl
from adbc_driver_postgresql import dbapi
from psycopg import sql

from datamodel.kernel.database import libpq_url
from datamodel.kernel.errors import TransientFault
from datamodel.kernel.scope import SETTING, scope_for
from datamodel.kernel.unit import ActorLike
from datamodel.records.blinded import JOIN, VALUES

#: rows that reach a mart: did the event `e` write one?
_BEARING: Final = (
    "select 1 from app.form_revision r where r.event_id = e.event_id",
    "select 1 from app.form_step r where r.event_id = e.event_id",
    "select 1 from app.form_redaction r where r.event_id = e.event_id",
    "select 1 from app.participant r where r.event_id = e.event_id",
    "select 1 from app.participant_status r where r.event_id = e.event_id",
    "select 1 from app.participant_arm r where r.event_id = e.event_id",
    "select 1 from app.discrepancy r where r.event_id = e.event_id",
    "select 1 from app.discrepancy_step r where r.event_id = e.event_id",
    "select 1 from app.consent_version r where r.event_id = e.event_id",
    "select 1 from app.consent_signature r where r.event_id = e.event_id",
    "select 1 from app.consent_withdrawal r where r.event_id = e.event_id",
    "select 1 from app.consent_decline r where r.event_id = e.event_id",
    "select 1 from app.assessment_session r where r.event_id = e.event_id",
    "select 1 from app.assessment_score r where r.event_id = e.event_id",
    "select 1 from app.battery r where r.event_id = e.event_id",
    "select 1 from app.design r where r.event_id = e.event_id",
    "select 1 from app.site r where r.event_id = e.event_id",
    "select 1 from app.study r where r.event_id = e.event_id",
    "select 1 from app.redcap_connection r where r.event_id = e.event_id",
)
#: For how long a snapshot may read, in seconds.
_LONGEST: Final = 3600.0
_SEALED: Final = (
    "with sealed as materialized (select event_id, position from app.audit_entry where position <= {position}) "
)


@dataclass(frozen=True, slots=True)
class Source:
    """A study in PostgreSQL as of `position`; every frame read through it shows the same instant."""

    cursor: Any
    study_id: UUID
    position: int

    def frame(self, query: str, **values: str) -> pl.DataFrame:
        """Return what `query` selects; `{study}` and `{position}` are filled in, and `values` as literals."""
        literals = {"study": str(self.study_id), "position": self.position, **values}
        text = sql.SQL(query).format(**{name: sql.Literal(value) for name, value in literals.items()}).as_string()
        self.cursor.execute(text)
        table = self.cursor.fetch_arrow_table()
        return pl.DataFrame(table.replace_schema_metadata(None))

    def documents(self, query: str) -> list[Any]:
        """Return the JSON documents in the one text column that `query` selects."""
        return [orjson.loads(text) for text in self.frame(query).to_series(0)]


@contextmanager
def as_of(url: str, *, actor: ActorLike, study_id: UUID, position: int | None = None) -> Iterator[Source]:
    """Open the study as of `position` (default: the newest sealed one), as far as `actor` may see it.

    Raises
    ------
    TransientFault
        When PostgreSQL cannot be reached or goes away.
    """
    try:
        with dbapi.connect(libpq_url(url)) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            # A large study is read for longer than the application's transactions may take; it only reads.
            cursor.execute("set local transaction_timeout = 0")
            cursor.execute("set local idle_in_transaction_session_timeout = 0")
            scope = scope_for(url, actor, seconds=_LONGEST)
            cursor.execute("select set_config($1, $2, true)", (SETTING, scope))
            newest = position
            if newest is None:
                cursor.execute("select coalesce(max(position), 0)::bigint from app.audit_entry")
                newest = int(cursor.fetchone()[0])
            yield Source(cursor=cursor, study_id=study_id, position=newest)
    except (adbc_driver_manager.OperationalError, adbc_driver_manager.InternalError) as error:
        raise TransientFault(
            "PostgreSQL did not answer or closed the connection while the study was read, so no snapshot was made. "
            "Check that the database is running, then do it again."
        ) from error


def data_position(source: Source) -> int:
    """Return the newest position at which a row that reaches the mart changed (0 when there is none).

    Signing in, reading, syncs without a change and snapshots themselves advance the ledger, and not this number.
    """
    bearing = " or ".join(f"exists ({one})" for one in _BEARING)
    frame = source.frame(
        "select coalesce(max(e.position), 0)::bigint as position from app.audit_entry e "
        "join app.audit_event v on v.id = e.event_id "
        f"where v.study_id = {{study}}::uuid and e.position <= {{position}} and ({bearing})"
    )
    return int(frame.item())


def revisions(source: Source, form: str) -> pl.DataFrame:
    """Return the newest revision of each instance of `form`: its keys, status, instant, and `values` as JSON text.

    The status is that of its life (verified, signed, locked) where somebody vouched for this very revision, and the one that
    the revision came with otherwise.
    """
    return source.frame(
        _SEALED
        + f"""
        select p.code as subject_id, i.event_name as event_id, i.event_repeat::bigint, i.form_repeat::bigint,
               coalesce(m.status, n.status) as form_status, n.recorded_at as form_updated_at, n.values
        from (
            select distinct on (r.instance_id) r.instance_id, r.number, r.status, r.recorded_at, r.is_removed,
                   ({VALUES})::text as values
            from app.form_revision r {JOIN}
            join app.form_instance i on i.id = r.instance_id
            join sealed s on s.event_id = r.event_id
            where i.study_id = {{study}}::uuid and i.form_name = {{form}}
            order by r.instance_id, r.number desc
        ) n
        join app.form_instance i on i.id = n.instance_id
        join app.participant p on p.id = i.participant_id
        left join (
            select distinct on (x.instance_id, x.revision) x.instance_id, x.revision, x.status
            from app.form_step x
            join app.form_instance i on i.id = x.instance_id
            join sealed s on s.event_id = x.event_id
            where x.study_id = {{study}}::uuid and i.form_name = {{form}}
            order by x.instance_id, x.revision, s.position desc, x.at desc
        ) m on m.instance_id = n.instance_id and m.revision = n.number
        where not n.is_removed
        """,
        form=form,
    )


def participants(source: Source) -> pl.DataFrame:
    """Return everybody who was in at the position, with the status of then, site and arm."""
    return source.frame(
        _SEALED
        + """
        select p.code as subject_id, t.code as site_id, a.arm_code as arm_id, a.arm_label,
               coalesce(n.status, p.status) as status, n."on" as status_on, p.enrolled_on, p.anchor_on, p.language
        from app.participant p
        left join app.site t on t.id = p.site_id
        left join (select x.* from app.participant_arm x join sealed s on s.event_id = x.event_id) a
            on a.participant_id = p.id
        left join lateral (
            select c.status, c."on" from app.participant_status c join sealed s on s.event_id = c.event_id
            where c.participant_id = p.id order by s.position desc, c.at desc limit 1
        ) n on true
        where p.study_id = {study}::uuid
          and (n.status is not null or exists (select 1 from sealed s where s.event_id = p.event_id))
        order by p.code
        """
    )


def discrepancies(source: Source) -> pl.DataFrame:
    """Return the data questions with their state at the position."""
    return source.frame(
        _SEALED
        + """
        select coalesce(p.code, d.record) as subject_id, t.code as site_id, d.event_name as event_id,
               d.event_repeat::bigint, d.form_name as form_id, d.form_repeat::bigint, d.field, d.value, d.rule, d.reason,
               coalesce(n.state, d.state) as state, d.opened_at, coalesce(n.at, d.changed_at) as changed_at
        from app.discrepancy d
        left join app.participant p on p.id = d.participant_id
        left join app.site t on t.id = p.site_id
        left join lateral (
            select x.state, x.at from app.discrepancy_step x join sealed s on s.event_id = x.event_id
            where x.discrepancy_id = d.id order by s.position desc, x.at desc limit 1
        ) n on true
        where d.study_id = {study}::uuid
          and (n.state is not null or exists (select 1 from sealed s where s.event_id = d.event_id))
        order by subject_id, event_id, form_id, event_repeat, form_repeat, field, d.opened_at
        """
    )


def consents(source: Source) -> pl.DataFrame:
    """Return each signature, refusal and withdrawal, as one row a happening."""
    return source.frame(
        _SEALED
        + """
        select p.code as subject_id, t.code as site_id, v.document, v.version, v.language, 'signed' as state,
               g.signed_at as at, g.received_at, g.method, '' as scope, g.receipt::bigint
        from app.consent_signature g
        join sealed s on s.event_id = g.event_id
        join app.participant p on p.id = g.participant_id
        join app.consent_version v on v.id = g.version_id
        left join app.site t on t.id = p.site_id
        where p.study_id = {study}::uuid
        union all
        select p.code, t.code, null, null, null, 'withdrawn', w.at, w.at, null, w.scope, null
        from app.consent_withdrawal w
        join sealed s on s.event_id = w.event_id
        join app.participant p on p.id = w.participant_id
        left join app.site t on t.id = p.site_id
        where p.study_id = {study}::uuid
        union all
        select p.code, t.code, v.document, v.version, v.language, 'declined', d.at, d.received_at, null, '',
               d.receipt::bigint
        from app.consent_decline d
        join sealed s on s.event_id = d.event_id
        join app.participant p on p.id = d.participant_id
        join app.consent_version v on v.id = d.version_id
        left join app.site t on t.id = p.site_id
        where p.study_id = {study}::uuid
        order by 1, 7
        """
    )


_SESSION: Final = """
        select x.id, p.code as subject_id, t.code as site_id, x.receipt::bigint as session_id, x.task,
               b.code as battery, b.version::bigint as battery_version, v.version as consent_version, x.state,
               x.started_at, x.ended_at, c.kind as actor, x.is_simulated, x.flags::text as flags,
               x.device::text as device
        from app.assessment_session x
        join app.participant p on p.id = x.participant_id
        join app.battery b on b.id = x.battery_id
        left join app.account c on c.id = x.acted_by
        left join app.site t on t.id = p.site_id
        left join app.consent_version v on v.id = x.consent_version_id
        where x.study_id = {study}::uuid and (
            exists (select 1 from sealed s where s.event_id = x.event_id)
            or exists (select 1 from app.assessment_trial r join sealed s on s.event_id = r.event_id
                       where r.session_id = x.id))
"""


def sessions(source: Source) -> pl.DataFrame:
    """Return the assessment sessions; `session_id` is the receipt number that the participant was told."""
    return source.frame(_SEALED + _SESSION + " order by subject_id, session_id").drop("id")


def scores(source: Source) -> pl.DataFrame:
    """Return the scores of all sessions, one row a score and scoring rule."""
    return source.frame(
        _SEALED
        + f"""
        select n.subject_id, n.site_id, n.session_id, n.task, c.name as score, c.rule, c.value::float8 as value, c.unit
        from ({_SESSION}) n join app.assessment_score c on c.session_id = n.id
        join sealed s on s.event_id = c.event_id
        order by n.subject_id, n.session_id, c.rule, c.name
        """
    )


def trials(source: Source) -> pl.DataFrame:
    """Return the trials of all sessions; `data` is the whole trial as jsPsych gave it."""
    return source.frame(
        _SEALED
        + f"""
        select n.subject_id, n.site_id, n.session_id, n.task, r.trial_index::bigint,
               r.data->>'trial_type' as trial_type,
               case when jsonb_typeof(r.data->'rt') = 'number' then (r.data->>'rt')::float8 end as rt_ms,
               r.data->>'response' as response,
               case when jsonb_typeof(r.data->'correct') = 'boolean' then (r.data->>'correct')::boolean end
                   as is_correct,
               r.data::text as data
        from ({_SESSION}) n join app.assessment_trial r on r.session_id = n.id
        join sealed s on s.event_id = r.event_id
        order by n.subject_id, n.session_id, r.trial_index
        """
    )


def syncs(source: Source) -> pl.DataFrame:
    """Return the sync's batches that changed something: when, which form, how many rows, how long."""
    return source.frame(
        _SEALED
        + """
        select u.started_at, u.asked_by, b.form_name as form_id, b.first::bigint as batch, b.rows_in::bigint,
               b.rows_accepted::bigint, b.rows_changed::bigint, b.findings::bigint, b.seconds::float8
        from app.sync_batch b
        join sealed s on s.event_id = b.event_id
        join app.sync_run u on u.id = b.run_id
        join app.redcap_connection c on c.id = u.connection_id
        where c.study_id = {study}::uuid
        order by u.started_at, b.form_name, b.first
        """
    )


def design(source: Source) -> tuple[int, dict[str, Any]] | None:
    """Return number and document of the newest design published by the position, or None."""
    found = source.frame(
        _SEALED
        + """
        select d.version::bigint, d.document::text from app.design d join sealed s on s.event_id = d.event_id
        where d.study_id = {study}::uuid order by d.version desc limit 1
        """
    )
    return (int(found["version"][0]), orjson.loads(found["document"][0])) if found.height else None


def mapping(source: Source) -> dict[str, Any]:
    """Return the mapping of the study's REDCap connection as plain data; empty when there is none."""
    found = source.documents(
        "select mapping::text from app.redcap_connection where study_id = {study}::uuid and {position} >= 0"
    )
    return dict(found[0]) if found else {}
