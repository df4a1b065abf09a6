"""Rows of a sheet as SpreadsheetML, made of a frame in columns and not cell by cell.

Every text is an inline string, which no spreadsheet program takes for a formula. Characters that XML cannot hold are
written in the way of that format (`_x0007_`), so that they are read back as they are.

Source: ECMA-376, part 1, 18.3.1.4 (cells), 22.9.2.19 (escaped characters).
"""

from collections.abc import Iterator
from typing import Final

import polars as pl

#: What a cell holds at most.
CHARACTERS: Final = 32_767
#: Rows made at once.
CHUNK: Final = 20_000

_UNWRITABLE: Final = [chr(code) for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)]
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "_x000D_"} | {
    one: f"_x{ord(one):04X}_" for one in _UNWRITABLE
}


def letters(place: int) -> str:
    """Return the letters of a column by its place from 0; at most 26 columns are used."""
    if not 0 <= place < 26:  # noqa: PLR2004 - the alphabet
        raise ValueError(f"Received column {place}; a sheet of a report has at most 26 columns.")
    return chr(ord("A") + place)


def rows_of(frame: pl.DataFrame, *, first: int) -> Iterator[bytes]:
    """Give the frame's rows as XML, the first of them with the number `first`; an empty cell is left out."""
    for start in range(0, frame.height, CHUNK):
        part = frame.slice(start, CHUNK).with_row_index(":row", offset=first + start)
        cells = [_cell(name, dtype, place) for place, (name, dtype) in enumerate(frame.schema.items())]
        made = part.select(pl.concat_str(pl.format('<row r="{}">', ":row"), *cells, pl.lit("</row>")))
        yield "".join(made.to_series().to_list()).encode()


def _cell(name: str, dtype: pl.DataType, place: int) -> pl.Expr:
    value = pl.col(name)
    if dtype == pl.String:
        short = (
            pl.when(value.str.len_chars() > CHARACTERS)
            .then(value.str.slice(0, CHARACTERS - 1) + "…")
            .otherwise(value)
            .str.replace_all(r"_x([0-9A-Fa-f]{4}_)", "_x005F_x${1}")
            .str.replace_many(_ESCAPES)
        )
        opening, closing = ' t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
        is_there = value.is_not_null() & (value != "")
    else:
        short = (value.round(3) if dtype.is_float() else value).cast(pl.String)
        opening, closing = "><v>", "</v></c>"
        is_there = value.is_not_null()
    reference = pl.concat_str(pl.lit(f'<c r="{letters(place)}'), pl.col(":row").cast(pl.String), pl.lit('"' + opening))
    cell = pl.concat_str(reference, short, pl.lit(closing))
    return pl.when(is_there).then(cell).otherwise(pl.lit(""))
