"""REDCap's rows of a form as instances: from the block of its flat export to one row a filled form. Frame to frame."""

from typing import Final

import polars as pl

from datamodel.kernel.errors import FaultError
from datamodel.study.protocol import Protocol
from pipelines.clients.redcap import EVENT, GROUP, REPEAT_FORM, REPEAT_NUMBER
from validators.sources.redcap import KEYS, Contract

_LEAD: Final = frozenset({EVENT, REPEAT_FORM, REPEAT_NUMBER, GROUP, "redcap_survey_identifier"})
#: REDCap's form status -> ours; "unverified" means that somebody has to look at it again
STATUS: Final = {"": "in_progress", "0": "in_progress", "1": "in_progress", "2": "complete"}


def instances_of(
    raw: pl.DataFrame, contract: Contract, *, protocol: Protocol, left_out: frozenset[str]
) -> pl.DataFrame:
    """Return one row for each filled instance: keys, form status, values; identifying columns are dropped here.

    REDCap's export is a block: rows of other repeating forms and of events without this form come along, blank.

    Raises
    ------
    FaultError
        When columns or events are not those of the design: the project was changed under way.
    """
    if raw.is_empty():
        return _empty(contract)
    _same_columns(raw, contract, protocol=protocol, left_out=left_out)
    frame = raw.lazy().select(
        pl.col(protocol.record_field).alias("@record"),
        _or_blank(raw, EVENT).alias("@event_name"),
        _number(raw, of_form=False).alias("@event_repeat"),
        _number(raw, of_form=True).alias("@form_repeat"),
        _or_blank(raw, REPEAT_FORM).alias(REPEAT_FORM),
        contract.complete,
        *contract.columns,
    )
    kept = (
        frame.filter(pl.col(REPEAT_FORM).is_in(["", contract.form]) & _is_filled(contract)).drop(REPEAT_FORM).collect()
    )
    known = {event.name for event in protocol.events}
    strange = sorted(set(kept["@event_name"].unique().to_list()) - known)
    if strange:
        raise FaultError(_changed(f"the event {strange[0]} is not in the design"))
    return kept


def _is_filled(contract: Contract) -> pl.Expr:
    """Say whether anybody ever saved the form: it has a status, a value, or a ticked box (unticked ones are 0)."""
    boxes = [name for name in contract.columns if "___" in name]
    values = [contract.complete, *(name for name in contract.columns if "___" not in name)]
    filled = pl.any_horizontal(pl.col(name) != "" for name in values)
    return filled | pl.any_horizontal(pl.col(name) == "1" for name in boxes) if boxes else filled


def _number(raw: pl.DataFrame, *, of_form: bool) -> pl.Expr:
    """Return the repeat number: of the form where the row names one, of the event otherwise; 0 where nothing repeats."""
    if REPEAT_NUMBER not in raw.columns:
        return pl.lit(0, dtype=pl.Int32)
    number = pl.col(REPEAT_NUMBER).cast(pl.Int32, strict=False).fill_null(0)
    is_form = _or_blank(raw, REPEAT_FORM) != ""
    return pl.when(is_form if of_form else ~is_form).then(number).otherwise(pl.lit(0, dtype=pl.Int32))


def _or_blank(raw: pl.DataFrame, column: str) -> pl.Expr:
    return pl.col(column) if column in raw.columns else pl.lit("")


def _same_columns(raw: pl.DataFrame, contract: Contract, *, protocol: Protocol, left_out: frozenset[str]) -> None:
    wanted = {*contract.columns, contract.complete}
    came = set(raw.columns) - _LEAD - left_out - {protocol.record_field, f"{contract.form}_timestamp"}
    if missing := sorted(wanted - came):
        raise FaultError(_changed(f"the column {missing[0]} of the form {contract.form} is no longer there"))
    if added := sorted(came - wanted):
        raise FaultError(_changed(f"the form {contract.form} has a new column {added[0]}"))


def _changed(what: str) -> str:
    return (
        f"The REDCap project was changed while the sync ran: {what}. Finished batches are kept, nothing is half-written; "
        "the next sync takes the new dictionary first."
    )


def _empty(contract: Contract) -> pl.DataFrame:
    schema = pl.Schema(dict.fromkeys((*KEYS, contract.complete, *contract.columns), pl.String()))
    return pl.DataFrame(schema=schema).cast({"@event_repeat": pl.Int32, "@form_repeat": pl.Int32})
