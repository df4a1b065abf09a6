"""What to pull next: form by form, in batches bounded in cells, one batch ahead of what is being saved."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import polars as pl

from datamodel.study.protocol import Form
from pipelines.clients.transport import UnusableAnswerError
from pipelines.ingest.design import identifiers
from pipelines.ingest.pack import rows_of
from pipelines.ingest.run import Run
from pipelines.ingest.shape import instances_of
from validators.sources.redcap import Contract, contract_of

#: most cells of one answer, and records of the first and of any batch
MOST_CELLS: Final = 2_000_000
FIRST_RECORDS: Final = 500
MOST_RECORDS: Final = 20_000
_LEAST_RECORDS: Final = 5
#: nobody knows how often a repeating form is filled until the first answer tells, so that is asked of few records
_FIRST_OF_REPEATING: Final = 50


@dataclass(frozen=True, slots=True)
class Batch:
    """The instances of some records for one form, checked and ready to be saved.

    `scope` is every participant whose instances of this form are all here.
    """

    form: str
    blinded: frozenset[str]
    first: int
    ids: list[str]
    scope: list[str]
    rows: list[tuple[str, str, int, int, str, str]]
    findings: pl.DataFrame


class Puller:
    """Gives batch after batch; the next one is pulled and checked in a thread while the present one is saved.

    `current` stays the same until `done`, so that a step that failed can be done again.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._contracts = list(_contracts(run))
        self._first = 0
        self._size = 0
        self._coming: Future[Batch | None] | None = None
        self._batch: Batch | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pull")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def current(self) -> Batch | None:
        """Return the batch to save now, or None when all is done; raises what pulling it raised."""
        if self._batch is None:
            coming, self._coming = self._coming or self._pool.submit(self._next), None
            self._batch = coming.result()
            if self._batch is not None:
                self._coming = self._pool.submit(self._next)
        return self._batch

    def done(self) -> None:
        """Say that the current batch is saved."""
        self._batch = None

    def _next(self) -> Batch | None:
        """Pull the next batch that no earlier run of this pull has done; forget nothing when it fails."""
        run = self._run
        while self._contracts:
            contract, blinded = self._contracts[0]
            while skipped := run.pull.done.get((contract.form, self._first)):
                self._first += skipped
            is_first = self._first == 0
            if self._first < len(run.ids) or (is_first and run.vanished):
                self._size = self._size or _first_size(run, contract)
                ids, raw = self._pull(contract.form)
                scope = [*ids, *run.vanished] if is_first else ids
                batch = self._checked(contract, blinded, ids, scope, raw)
                self._first += len(ids)
                if not run.ids:
                    self._forward()
                return batch
            self._forward()
        return None

    def _checked(
        self, contract: Contract, blinded: frozenset[str], ids: list[str], scope: list[str], raw: pl.DataFrame
    ) -> Batch:
        """Sort what was pulled into accepted rows and findings."""
        run = self._run
        with run.stage("check"):
            frame = instances_of(raw, contract, protocol=run.protocol, left_out=identifiers(run.protocol))
            report = contract.check(frame)
            rows = rows_of(report.accepted, contract)
        return Batch(contract.form, blinded, self._first, ids, scope, rows, report.findings)

    def _forward(self) -> None:
        """Go on to the next form."""
        self._contracts.pop(0)
        self._first = self._size = 0

    def _pull(self, form: str) -> tuple[list[str], pl.DataFrame]:
        """Return records and their rows; an unusable answer is asked for again in smaller and smaller parts."""
        run, expected = self._run, self._run.expected({form})
        while ids := run.ids[self._first : self._first + self._size]:
            try:
                with run.stage("pull"):
                    raw = run.client.records(
                        ids, record_field=run.protocol.record_field, forms=[form], expected=expected
                    )
            except UnusableAnswerError:
                if len(ids) <= _LEAST_RECORDS:
                    raise
                self._size = max(_LEAST_RECORDS, len(ids) // 4)
                continue
            cells_a_record = max(1, raw.height * raw.width // len(ids))
            self._size = max(1, min(MOST_CELLS // cells_a_record, MOST_RECORDS))
            return ids, raw
        return [], pl.DataFrame()


def _contracts(run: Run) -> Iterator[tuple[Contract, frozenset[str]]]:
    """Yield contract and blinded fields of each form that belongs to some event."""
    left_out, protocol = identifiers(run.protocol), run.protocol
    used = {form for event in protocol.events for form in event.forms}
    for form in protocol.forms:
        if form.name in used:
            contract = contract_of(
                form, record_field=protocol.record_field, missing_codes=protocol.missing_codes, left_out=left_out
            )
            run.undecided |= {(form.name, name): why for name, why in contract.undecided}
            yield contract, _blinded(form)


def _blinded(form: Form) -> frozenset[str]:
    return frozenset(field.name for field in form.fields if field.is_blinded)


def _first_size(run: Run, contract: Contract) -> int:
    """Return how many records to ask for first: by the cells that a record may have."""
    events = [event for event in run.protocol.events if contract.form in event.forms]
    is_repeating = any(contract.form in event.repeating_forms or event.is_repeating for event in events)
    most = _FIRST_OF_REPEATING if is_repeating else FIRST_RECORDS
    return max(1, min(most, MOST_CELLS // (len(events) * (len(contract.columns) + 5))))
