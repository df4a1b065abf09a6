"""The steps of a sync, in order: design, records, then batch by batch, then the end."""

import hashlib
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from datamodel.audit import ledger
from datamodel.connections import runs
from datamodel.connections.runs import Counts
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies.life import Question
from datamodel.kernel.errors import FaultError
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records import reads as record_reads
from datamodel.study import actions as study_actions
from datamodel.study import reads as study_reads
from pipelines.clients.redcap import GROUP
from pipelines.ingest.design import protocol_of, read_structure
from pipelines.ingest.facts import facts_of, site_names
from pipelines.ingest.puller import MOST_RECORDS, Batch, Puller
from pipelines.ingest.run import IngestSummary, Run
from validators.findings import CODES

#: more records than this gone at once look like a lost right, not like deletions
_MOST_VANISHED_SHARE: Final = 0.2
_FEW: Final = 5


def pull_design(run: Run) -> None:
    """Read the project's structure and publish it as the study's design when it changed."""
    with run.stage("design"):
        run.protocol = protocol_of(read_structure(run.client), mapping=run.connection.mapping)
        with run.unit() as unit:
            study_actions.publish_design(unit, study=run.study, protocol=run.protocol)


def pull_participants(run: Run) -> None:
    """Read the list of all records, and make every one a participant with site, status, days and arm."""
    with run.stage("participants"):
        run.inventory = run.client.inventory(run.protocol.record_field)
        run.ids = run.inventory["record"].unique(maintain_order=True).to_list()
        with run.unit() as unit:
            known = record_reads.participants_with_records(unit.session, unit.actor, study=run.study)
        run.vanished = sorted(known - set(run.ids))
        _not_too_many(run, known)
        facts, groups = _facts(run)
        with run.unit() as unit:
            present = study_reads.sites(unit.session, run.connection.study_id)
        names = site_names(facts, mapping=run.connection.mapping, protocol=run.protocol, groups=groups)
        for code in names.keys() - {site.code for site in present}:
            with run.unit() as unit:
                study_actions.add_site(unit, study=run.study, code=code, name=names[code])
        with run.unit() as unit:
            participants.ensure(unit, study=run.study, facts=facts)
        _keep_what_changed(run, known)
        with run.unit() as unit:
            run.pull = runs.begin_pull(unit, run.id, pull_key=_pull_key(run))


def _keep_what_changed(run: Run, known: Collection[str]) -> None:
    """Leave the records to pull that REDCap's log calls changed, and those that are not known yet, where that suffices."""
    if run.is_whole:
        return
    with run.unit() as unit:
        design_at = study_reads.design(unit.session, run.connection.study_id).published_at
        run.since = runs.changes_suffice_since(unit, run.id, design_at=design_at)
    if run.since is not None:
        local = run.since.astimezone(ZoneInfo(run.connection.server_time_zone))
        changed = run.client.changed(run.protocol.record_field, since=local)
        run.ids = [one for one in run.ids if one in changed or one not in known]


def move(run: Run, puller: Puller) -> bool:
    """Save the next batch; return False when there is none left.

    Raises
    ------
    MetricisError
        As the client, the contract and the actions raise it; nothing of the batch is kept then, and calling again
        takes the same batch.
    """
    batch = puller.current()
    if batch is None:
        return False
    _save(run, batch)
    run.progress(batch.form, batch.first + len(batch.ids), len(run.ids))
    puller.done()
    return True


def finish(run: Run) -> IngestSummary:
    """Make sure that the design is still the one pulled, end the run well, and tell what it did.

    Raises
    ------
    FaultError
        When the project's dictionary changed under way.
    """
    with run.stage("design"):
        now = protocol_of(read_structure(run.client), mapping=run.connection.mapping)
    if now.fingerprint != run.protocol.fingerprint:
        raise FaultError(
            "The REDCap project's dictionary was changed while the sync ran, so its values may not fit the design they "
            "were checked against. Finished batches are kept; the next sync takes the new dictionary and checks all again."
        )
    with run.unit() as unit:
        position = ledger.seal(unit.session)
        runs.succeed(unit, run.id, position=position, sentence=_sentence(run))
    counts = run.counts
    return IngestSummary(
        rows_in=counts.rows_in,
        rows_accepted=counts.rows_accepted,
        rows_changed=counts.rows_changed,
        findings=counts.findings,
        seconds={stage: round(seconds, 3) for stage, seconds in run.seconds.items()},
        position=position,
    )


def _save(run: Run, batch: Batch) -> None:
    """Write a batch: revisions, data questions and the note that it is done, in one transaction."""
    began = time.perf_counter()
    with run.stage("save"), run.unit() as unit:
        revised = records.revise_batch(
            unit, study=run.study, form=batch.form, rows=batch.rows, complete_for=set(batch.scope)
        )
        discrepancies.raise_batch(
            unit,
            study=run.study,
            form=batch.form,
            records=batch.scope,
            rules=list(CODES),
            questions=_questions(batch.findings, blinded=batch.blinded),
        )
        counts = Counts(
            rows_in=len(batch.rows),
            rows_accepted=len(batch.rows) - _rejected_rows(batch.findings),
            rows_changed=revised.revisions,
            findings=batch.findings.height,
        )
        runs.batch_done(
            unit,
            run.id,
            form=batch.form,
            first=batch.first,
            records=len(batch.ids),
            counts=counts,
            seconds=time.perf_counter() - began,
            event_id=revised.event_id,
        )
    run.counts += counts


def _questions(findings: pl.DataFrame, *, blinded: Collection[str]) -> list[Question]:
    return [
        Question(
            record=row["record"],
            event_name=row["event_name"],
            form_name=row["form_name"],
            event_repeat=row["event_repeat"],
            form_repeat=row["form_repeat"],
            field=row["field"],
            value=row["value"],
            rule=row["rule"],
            reason=row["reason"],
            is_withheld=row["field"].partition("___")[0] in blinded,
        )
        for row in findings.to_dicts()
    ]


def _rejected_rows(findings: pl.DataFrame) -> int:
    keys = ["record", "event_name", "event_repeat", "form_repeat"]
    return findings.filter("is_rejected").select(keys).unique().height


def _facts(run: Run) -> tuple[list[Facts], dict[str, str]]:
    """Return the facts of all records, and the names of Data Access Groups by code."""
    mapping, facts, has_groups = run.connection.mapping, list[Facts](), False
    for first in range(0, len(run.ids), MOST_RECORDS):
        ids = run.ids[first : first + MOST_RECORDS]
        raw = run.client.records(
            ids,
            record_field=run.protocol.record_field,
            fields=mapping.fields or [run.protocol.record_field],
            expected=run.expected(_forms_of(run)) if mapping.fields else None,
        )
        has_groups = has_groups or GROUP in raw.columns
        facts += facts_of(raw, ids, mapping=mapping, protocol=run.protocol)
        run.progress("records", len(facts), len(run.ids))
    if not has_groups or mapping.site is not None:
        return facts, {}
    rows = run.client.structure("dag")
    return facts, {row["unique_group_name"]: row["data_access_group_name"] for row in rows}


def _forms_of(run: Run) -> set[str]:
    """Return the forms that the mapping's fields stand in."""
    fields = set(run.connection.mapping.fields)
    return {form.name for form in run.protocol.forms if any(one.name in fields for one in form.fields)}


def _not_too_many(run: Run, known: Collection[str]) -> None:
    if len(run.vanished) > max(_FEW, len(known) * _MOST_VANISHED_SHARE):
        raise FaultError(
            f"REDCap names {len(run.ids)} records, and {len(run.vanished)} of the {len(known)} that Metricis holds are not "
            f"among them (first: {run.vanished[0]}). That looks like a lost right or another project rather than "
            "deletions, so nothing was changed. Check the token's rights (full data set, no Data Access Group) and the "
            "address, then sync again."
        )


def _pull_key(run: Run) -> str:
    """Return what is pulled: everything or from when on, and a hash of the design and the records."""
    content = hashlib.sha256("\x1f".join([run.protocol.fingerprint, *run.ids]).encode()).hexdigest()
    what = runs.EVERYTHING if run.since is None else f"changes since {run.since.astimezone(UTC):%Y-%m-%dT%H%M%S}:"
    return f"{what}{content}"


def _sentence(run: Run) -> str:
    counts = run.counts
    changed = f"{counts.rows_changed:,} were new or changed" if counts.rows_changed else "nothing had changed"
    told = f"{counts.rows_in:,} form instances were checked; {changed}."
    if run.since is not None:
        whose = "one record" if len(run.ids) == 1 else f"{len(run.ids):,} records"
        told = f"{counts.rows_in:,} form instances of {whose} changed since {_utc(run.since)} were checked; {changed}."
    if run.undecided:
        (form, field), why = next(iter(run.undecided.items()))
        told += (
            f" Not checked: whether {len(run.undecided)} required {'field is' if len(run.undecided) == 1 else 'fields are'} filled "
            f"when asked (first: {field} of {form}; its condition {why})."
        )
    return told


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d-%b-%Y %H:%M} UTC"
