"""Joins: records of other datasets beside those that a rule checks."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from validators.datasets.study import ROW, SUPPLEMENTAL, Part, Study, bare
from validators.operations.context import SkipError
from validators.operators.table import MissingError, Table, text

KEY = "\x00join"
PLACE = "\x00place"
OTHER = "\x00other"
type Join = Mapping[str, Any]
#: Names of the columns that a rule asks for; None where it may ask for any.
type Wanted = frozenset[str] | None


def joined(table: Table, joins: Sequence[Join], study: Study, part: Part, *, wanted: Wanted = None) -> Table:
    """The table with the columns of the datasets that a rule names beside it."""
    for one in joins:
        table = with_one(table, one, study, part, wanted if len(joins) == 1 else None)
    return table


def with_one(table: Table, join: Join, study: Study, part: Part, wanted: Wanted) -> Table:
    """The table with one dataset beside it."""
    name = table.called(str(join.get("Name") or join.get("name") or ""))
    if name == "RELREC" and join.get("Wildcard"):
        return with_related(table, str(join["Wildcard"]), study, part)
    if join.get("Child"):
        return with_parent(table, study)
    if name in {part.name, part.domain} and all(left == right for left, right in pairs(table, join)):
        # Its own records are there already; `DM.ARM` in a rule on DM is its ARM.
        return replaced(table, table.frame, beside=table.beside | {name})
    if name.startswith(SUPPLEMENTAL) and not part.is_supplemental:
        return with_qualifiers(table, join, study, part)
    return with_dataset(table, join, name, study, wanted)


def pairs(table: Table, join: Join) -> list[tuple[str, str]]:
    """Names of the variables to join by, ours and theirs."""
    found = []
    keys = join.get("Keys") or join.get("keys") or []
    for one in keys if isinstance(keys, list) else [keys]:
        if isinstance(one, Mapping):
            left, right = str(one.get("Left") or one.get("left")), str(one.get("Right") or one.get("right"))
        else:
            left = right = str(one)
        found.append((table.called(left), table.called(right)))
    return found


def with_keys(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with its keys as text."""
    for name in names:
        if name not in frame.columns:
            raise MissingError(name)
    return frame.with_columns(
        text(frame.get_column(name)).fill_null("").alias(f"{KEY}{place}") for place, name in enumerate(names)
    )


def with_dataset(table: Table, join: Join, name: str, study: Study, wanted: Wanted = None) -> Table:
    """The table joined to a dataset by keys: records without a partner go, or stay where the join says left."""
    other = study.frame(name)
    if other is None:
        raise SkipError(f"The dataset {name} is not there; the rule compares with it.")
    keys = pairs(table, join)
    is_left = str(join.get("Join Type") or join.get("Join_Type") or "inner").lower() == "left"
    own, theirs = links(table.frame, other, keys, study, is_left=is_left)
    left = narrowed(table.frame, wanted, [one for one, _ in keys])
    shared = {theirs_name for own_name, theirs_name in keys if own_name == theirs_name} | {ROW}
    right = other.select(
        pl.col(one).alias(f"{name}.{one}" if one in table.frame.columns else one)
        for one in other.columns
        if one not in shared and (wanted is None or one in wanted or f"{name}.{one}" in wanted)
    )
    marker = f"_merge_{name}"
    partner = theirs.is_not_null().replace_strict({True: "both", False: "left_only"}, return_dtype=pl.String)
    beside = [gathered(right, theirs)] if right.width else []
    found = pl.concat(
        [left if own is None else gathered(left, own), *beside, partner.alias(marker).to_frame()], how="horizontal"
    )
    made = replaced(table, found, hidden=table.hidden | {marker}, beside=table.beside | {name})
    if own is None:
        made.goes_on(table)
    return made


def narrowed(frame: pl.DataFrame, wanted: Wanted, keys: Sequence[str]) -> pl.DataFrame:
    """The columns that a rule asks for, with those that say which record it is."""
    if wanted is None:
        return frame
    return frame.select(one for one in frame.columns if one in wanted or one in keys or one.startswith("\x00"))


def gathered(frame: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """Records at these places; a record of empty values where a place is null."""
    found = frame.select(pl.all().gather(places))
    return found.with_columns(pl.col(pl.String).fill_null("")) if places.null_count() else found


def links(
    frame: pl.DataFrame, other: pl.DataFrame, keys: Sequence[tuple[str, str]], study: Study, *, is_left: bool
) -> tuple[pl.Series | None, pl.Series]:
    """Which record goes with which: places in both frames; None for the first where each record is there once, in order.

    Found once for all rules that join the same datasets by the same keys.
    """
    remembered = (id(frame), id(other), tuple(keys), is_left)
    if remembered not in study.links:
        study.links[remembered] = (frame, other, *linked_places(frame, other, keys, is_left=is_left))
    own, theirs = study.links[remembered][2:]
    return own, theirs


def linked_places(
    frame: pl.DataFrame, other: pl.DataFrame, keys: Sequence[tuple[str, str]], *, is_left: bool
) -> tuple[pl.Series | None, pl.Series]:
    """Which record goes with which, by a hash join of the keys."""
    merged = [f"{KEY}{place}" for place in range(len(keys))]
    left = with_keys(frame, [one for one, _ in keys]).select(*merged).with_row_index(PLACE)
    right = with_keys(other, [one for _, one in keys]).select(*merged).with_row_index(OTHER)
    if merged:
        found = left.join(right, on=merged, how="left" if is_left else "inner", maintain_order="left_right")
    else:
        found = left.join(right, how="cross")
    own, theirs = found.get_column(PLACE), found.get_column(OTHER)
    return (None if len(own) == frame.height and bool((own == left[PLACE]).all()) else own), theirs


def replaced(
    table: Table, frame: pl.DataFrame, *, hidden: frozenset[str] | None = None, beside: frozenset[str] | None = None
) -> Table:
    """The table with other records."""
    return Table(
        frame=frame,
        prefix=table.prefix,
        constants=dict(table.constants),
        hidden=table.hidden if hidden is None else hidden,
        beside=table.beside if beside is None else beside,
    )


def with_qualifiers(table: Table, join: Join, study: Study, part: Part) -> Table:
    """The table with supplemental qualifiers as variables, found by IDVAR and IDVARVAL."""
    name = table.called(str(join.get("Name")))
    named = [one for one in study.parts if one.is_supplemental and (one.related == part.domain or one.name == name)]
    if not named:
        raise SkipError(f"The dataset {name} is not there; the rule compares with it.")
    frame = table.frame
    for one in named:
        frame = qualified(frame, one.frame)
    return replaced(table, frame)


def qualified(frame: pl.DataFrame, supplement: pl.DataFrame) -> pl.DataFrame:
    """Records with the qualifiers of one dataset beside them."""
    supplement = as_text(supplement, ("USUBJID", "QNAM", "QVAL"), ("IDVAR", "IDVARVAL"))
    idvars = supplement["IDVAR"].unique(maintain_order=True).to_list() if "IDVAR" in supplement.columns else [""]
    for idvar in idvars:
        rows = supplement.filter(pl.col("IDVAR") == idvar) if "IDVAR" in supplement.columns else supplement
        keys = ["USUBJID"] if "USUBJID" in frame.columns else []
        if idvar:
            if idvar not in frame.columns:
                continue
            rows = rows.with_columns(plain(rows["IDVARVAL"]).alias(KEY))
            frame = frame.with_columns(plain(frame[idvar]).alias(KEY))
            keys = [*keys, KEY]
        wide = (
            rows.select(*keys, "QNAM", "QVAL")
            .unique(subset=[*keys, "QNAM"], maintain_order=True)
            .pivot(on="QNAM", index=keys, values="QVAL")
        )
        frame = filled_beside(frame, wide, keys)
    return frame


def as_text(frame: pl.DataFrame, needed: Sequence[str], more: Sequence[str] = ()) -> pl.DataFrame:
    """The frame with these variables as text without nulls.

    Raises
    ------
    MissingError
        One that is needed is not there.
    """
    for name in needed:
        if name not in frame.columns:
            raise MissingError(name)
    names = [one for one in (*needed, *more) if one in frame.columns]
    return frame.with_columns(text(frame.get_column(one)).fill_null("").alias(one) for one in names)


def plain(series: pl.Series) -> pl.Series:
    """Values as text, numbers in their shortest form, so that 1, 1.0 and "1" are the same."""
    values = text(series).fill_null("")
    numbers = values.str.strip_chars().cast(pl.Float64, strict=False)
    return text(numbers).zip_with(numbers.is_not_null(), values)


def filled_beside(frame: pl.DataFrame, wide: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Columns joined from the left; a qualifier that is there already is filled up."""
    new = [one for one in wide.columns if one not in keys]
    again = {one: f"\x00new {one}" for one in new if one in frame.columns}
    found = frame.join(wide.rename(again), on=list(keys), how="left", maintain_order="left")
    filled = [
        pl.when(text_column(frame, one).fill_null("") == "").then(pl.col(other)).otherwise(pl.col(one)).alias(one)
        for one, other in again.items()
    ]
    return found.with_columns(*filled, *(pl.col(one).fill_null("") for one in new if one not in again)).drop(
        *again.values(), KEY, strict=False
    )


def text_column(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column as text."""
    return pl.col(name) if frame.schema[name] == pl.String else pl.col(name).cast(pl.String)


def with_related(table: Table, wildcard: str, study: Study, part: Part) -> Table:
    """The table with the records that RELREC relates to its own.

    Their columns are named RELREC.x, with the wildcard in place of their domain's letters: with `__`, AETERM is
    RELREC.__TERM. A record that several are related to is there several times; one without any goes.
    """
    relations = study.frame("RELREC")
    if relations is None:
        raise SkipError("The dataset RELREC is not there; the rule compares by it.")
    relations = as_text(relations, ("RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "RELID"))
    own = linked(relations, part.domain, table.frame)
    numbered = table.frame.with_row_index(PLACE)
    found: list[pl.DataFrame] = []
    for domain in relations["RDOMAIN"].unique(maintain_order=True):
        other = study.frame(str(domain)) if domain not in {"", part.domain} else None
        if other is not None:
            found.append(related(numbered, own, relations, other, letters=(str(domain), wildcard)))
    if not found:
        return replaced(table, table.frame.clear())
    whole = pl.concat(found, how="diagonal_relaxed").with_columns(pl.col(pl.String).fill_null(""))
    return replaced(table, whole.sort(PLACE, maintain_order=True).drop(PLACE))


def related(
    numbered: pl.DataFrame, own: pl.DataFrame, relations: pl.DataFrame, other: pl.DataFrame, *, letters: tuple[str, str]
) -> pl.DataFrame:
    """Records beside those of one domain that are related to them."""
    domain, wildcard = letters
    theirs = linked(relations, domain, other).rename({PLACE: OTHER})
    links = own.join(theirs, on=["RELID", "USUBJID"], how="inner").select(PLACE, OTHER).unique()
    prefix = bare(domain)
    names = {
        one: "RELREC." + (wildcard + one.removeprefix(prefix) if one.startswith(prefix) else one)
        for one in other.columns
        if one not in {ROW, "DOMAIN"}
    }
    right = other.select(pl.col(one).alias(new) for one, new in names.items()).with_row_index(OTHER)
    return numbered.join(links, on=PLACE, how="inner").join(right, on=OTHER, how="inner").drop(OTHER)


def linked(relations: pl.DataFrame, domain: str, frame: pl.DataFrame) -> pl.DataFrame:
    """For each record of a domain that RELREC names: RELID, subject, and the record's place in the frame."""
    own = relations.filter(pl.col("RDOMAIN") == domain)
    records = frame.with_row_index(PLACE)
    found: list[pl.DataFrame] = []
    for idvar in own["IDVAR"].unique(maintain_order=True):
        if not idvar or idvar in frame.columns:
            found += link_one(own.filter(pl.col("IDVAR") == idvar), records, str(idvar))
    schema = {"RELID": pl.String, "USUBJID": pl.String, PLACE: pl.get_index_type()}
    return pl.concat(found).unique() if found else pl.DataFrame(schema=schema)


def link_one(rows: pl.DataFrame, records: pl.DataFrame, idvar: str) -> list[pl.DataFrame]:
    """Records that relations by one identifying variable name; without a value, all that have one, by that value."""
    values = plain(records[idvar]) if idvar else pl.Series([""]).new_from_index(0, records.height)
    if "USUBJID" not in records.columns:
        records = records.with_columns(pl.lit("").alias("USUBJID"))
    keyed = records.select("USUBJID", PLACE, values.alias(KEY))
    marked = rows.with_columns(plain(rows["IDVARVAL"]).alias(KEY))
    chosen = ("RELID", "USUBJID", PLACE)
    own = marked.filter(pl.col("USUBJID") != "").select("RELID", "USUBJID", KEY)
    anyone = marked.filter((pl.col("USUBJID") == "") & (pl.col(KEY) != "")).select("RELID", KEY)
    found = [
        own.join(keyed, on=["USUBJID", KEY], how="inner").select(chosen),
        anyone.join(keyed, on=KEY, how="inner").select(chosen),
    ]
    general = marked.filter((pl.col("USUBJID") == "") & (pl.col(KEY) == "")).select("RELID").unique()
    if general.height and idvar:
        crossed = general.join(keyed.filter(pl.col(KEY) != ""), how="cross")
        relation = pl.concat_str("RELID", pl.lit("\x00"), KEY).alias("RELID")
        found.append(crossed.select(relation, "USUBJID", PLACE))
    return found


def with_parent(table: Table, study: Study) -> Table:
    """Records of CO or SUPP-- beside the record that they are about; where that is not there, its columns are empty.

    Records about a domain that the study does not have go.
    """
    if "RDOMAIN" not in table.frame.columns:
        return table
    frame = as_text(table.frame, ("RDOMAIN",), ("IDVAR", "IDVARVAL")).with_row_index(PLACE)
    for name in ("IDVAR", "IDVARVAL"):
        frame = frame if name in frame.columns else frame.with_columns(pl.lit("").alias(name))
    found: list[pl.DataFrame] = []
    for domain in frame["RDOMAIN"].unique(maintain_order=True):
        parent = study.frame(str(domain)) if domain else None
        if parent is not None:
            own = frame.filter(pl.col("RDOMAIN") == domain)
            found += [about(rows, parent) for rows in own.partition_by("IDVAR", maintain_order=True)]
    if not found:
        raise SkipError("None of the datasets that RDOMAIN names is there; the rule compares with them.")
    whole = pl.concat(found, how="diagonal_relaxed").with_columns(pl.col(pl.String).fill_null(""))
    return replaced(table, whole.sort(PLACE, maintain_order=True).drop(PLACE))


def about(rows: pl.DataFrame, parent: pl.DataFrame) -> pl.DataFrame:
    """Records with one IDVAR beside their parent's records, by subject and by the value of that variable."""
    idvar = str(rows["IDVAR"][0])
    right = parent.drop(ROW, "DOMAIN", strict=False)
    right = right.rename({one: f"\x00parent {one}" for one in right.columns if one in rows.columns})
    keys = [KEY] if idvar in parent.columns else []
    if keys:
        rows = rows.with_columns(plain(rows["IDVARVAL"]).alias(KEY))
        right = right.with_columns(plain(parent[idvar]).alias(KEY))
    if "USUBJID" in parent.columns and "USUBJID" in rows.columns:
        right = right.rename({"\x00parent USUBJID": "USUBJID"})
        keys.append("USUBJID")
    if idvar and KEY not in keys:
        return rows
    joined_rows = rows.join(right, on=keys, how="left", maintain_order="left") if keys else rows
    return joined_rows.drop([one for one in joined_rows.columns if one.startswith("\x00parent ")] + [KEY], strict=False)
