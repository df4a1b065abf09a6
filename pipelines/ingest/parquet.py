"""A form out of REDCap into one typed Parquet file, batch by batch, without the database.

For those who want to look at a project before they connect it. Memory stays the same however many rows there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.clients.redcap import RedcapClient
from pipelines.ingest.ahead import ahead
from pipelines.ingest.design import identifiers, protocol_of, read_structure
from pipelines.ingest.shape import instances_of
from validators.findings import join
from validators.sources.redcap import contract_of
from validators.sources.types import typed

_FIRST_RECORDS = 50
_MOST_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, and what was found wrong in them; rejected values are null in the file."""

    rows: int
    findings: pl.DataFrame


def export_parquet(client: RedcapClient, form: str, path: Path) -> Exported:
    """Write the filled instances of a form to `path`, typed by the project's dictionary.

    Raises
    ------
    KeyError
        When the project has no such form.
    MetricisError
        As the client raises it; the file is not complete then.
    """
    protocol = protocol_of(read_structure(client))
    shape, left_out = protocol.form(form), identifiers(protocol)
    contract = contract_of(
        shape, record_field=protocol.record_field, missing_codes=protocol.missing_codes, left_out=left_out
    )
    ids = client.record_ids(protocol.record_field)
    findings: list[pl.DataFrame] = []

    def tables() -> Iterator[pa.Table]:
        for raw in ahead(_batches(client, ids, record_field=protocol.record_field, form=form)):
            report = contract.check(instances_of(raw, contract, protocol=protocol, left_out=left_out))
            findings.append(report.findings)
            yield typed(report.accepted, shape).rename(lambda name: name.removeprefix("@")).to_arrow()

    # Three things at a time: the next batch is pulled, this one is checked, the last one is written.
    rows = _write(ahead(tables()), path)
    return Exported(rows, join(findings))


def _write(tables: Iterator[pa.Table], path: Path) -> int:
    rows, writer = 0, None
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _batches(client: RedcapClient, ids: list[str], *, record_field: str, form: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of all records, as many records at a time as keep an answer within bounds."""
    first, size = 0, _FIRST_RECORDS
    while first < len(ids):
        raw = client.records(ids[first : first + size], record_field=record_field, forms=[form])
        first += size
        size = max(1, _MOST_CELLS * size // max(1, raw.height * raw.width))
        yield raw
