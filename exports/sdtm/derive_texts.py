"""Texts, codes and plain numbers."""

import polars as pl

from exports.sdtm.registry import Number, Study, Text, derivation


@derivation
def concat(parts: list[pl.Expr], prefix: str = "", separator: str = "-") -> Text:
    """Join columns with a separator, after a fixed prefix; missing when a part is missing (USUBJID)."""
    joined = pl.concat_str([part.cast(pl.String) for part in parts], separator=separator)
    return pl.lit(prefix) + joined


@derivation
def decode(of: pl.Expr, codelist: str, study: Study) -> Text:
    """Give what a code list says for another variable; missing where it says nothing."""
    table = study.tables.codelists[codelist]
    return of.cast(pl.String).replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.String)


@derivation
def number(of: pl.Expr) -> Number:
    """Read a number from a text; missing where the text is no number."""
    return of.cast(pl.Float64, strict=False)


@derivation
def number_text(of: pl.Expr, decimals: pl.Expr | None = None) -> Text:
    """Write a number as text, without needless zeros, or with as many decimals as the measurement is recorded with.

    `decimals` is the least number of decimals (0 or 1): 97 recorded to one decimal is `97.0`.
    """
    shortest = of.cast(pl.String).str.replace(r"\.0+$", "")
    if decimals is None:
        return shortest
    whole = ~shortest.str.contains(r"\.") & (decimals.cast(pl.Float64) == 1)
    return pl.when(whole).then(shortest + ".0").otherwise(shortest)


@derivation
def flag(when: pl.Expr, equals: list[str], then: str = "Y") -> Text:
    """Give a fixed text where a column has one of these values, and nothing elsewhere."""
    return pl.when(when.cast(pl.String).is_in(equals)).then(pl.lit(then))


@derivation
def first_given(of: list[pl.Expr]) -> pl.Expr:
    """Give the first of several columns that has a value."""
    return pl.coalesce(of)


@derivation
def decode_by(of: pl.Expr, kind: pl.Expr, codelists: dict[str, str], otherwise: pl.Expr, study: Study) -> Text:
    """Decode by one of several code lists, chosen by another column; `otherwise` stands for rows of no such kind."""
    result = otherwise
    for wanted, codelist in codelists.items():
        result = pl.when(kind == wanted).then(decode(of=of, codelist=codelist, study=study)).otherwise(result)
    return result


@derivation
def fixed_text(of: pl.Expr, decimals: int, cut: bool = False) -> Text:
    """Write a number as text: a whole number as it is, any other with so many decimals, rounded or (`cut`) cut off."""
    # The tiny step keeps 40.3, which binary fractions hold as slightly less, from being cut to 40.2.
    shortened = ((of * 10**decimals + 1e-6).floor() / 10**decimals if cut else of).round(decimals)
    return pl.when(of == of.round(0)).then(number_text(of=of)).otherwise(shortened.cast(pl.String))


@derivation
def decode_number(of: pl.Expr, codelist: str, study: Study) -> Number:
    """Give the number that a code list says for another variable; missing where it says nothing."""
    return decode(of=of, codelist=codelist, study=study).cast(pl.Float64)


@derivation
def given(of: pl.Expr, then: str = "Y") -> Text:
    """Give a fixed text where a column has a value, and nothing elsewhere (a flag such as DTHFL)."""
    return pl.when(of.is_not_null()).then(pl.lit(then))


@derivation
def not_given(of: pl.Expr, then: str) -> Text:
    """Give a fixed text where a column has no value, and nothing elsewhere (NOT DONE)."""
    return pl.when(of.is_null()).then(pl.lit(then))


@derivation
def all_given(of: list[pl.Expr], then: str = "Y") -> Text:
    """Give a fixed text where every one of the columns has a value, and nothing elsewhere."""
    return pl.when(pl.all_horizontal([one.is_not_null() for one in of])).then(pl.lit(then))


@derivation
def padded(of: pl.Expr, width: int, prefix: str = "", stem: pl.Expr | None = None) -> Text:
    """Write a number with leading zeros, after a fixed prefix or the text of another column (`INCL01`)."""
    digits = of.cast(pl.Float64, strict=False).cast(pl.Int64).cast(pl.String).str.zfill(width)
    return pl.lit(prefix) + (digits if stem is None else stem + digits)


@derivation
def upper(of: pl.Expr) -> Text:
    """Write a text in capital letters, without blanks at its ends."""
    return of.cast(pl.String).str.strip_chars().str.to_uppercase()


@derivation
def part_of(of: pl.Expr, pattern: str) -> Text:
    """Give the part of a text that a regular expression's first group matches (SUBJID and SITEID from a longer identifier)."""
    return of.cast(pl.String).str.extract(pattern, 1)


@derivation
def text_part(of: pl.Expr, part: int, size: int = 200) -> Text:
    """Give one part of a long text, counted from 1, each of at most `size` bytes and cut between words (COVAL, COVAL1)."""

    def made(column: pl.Series) -> pl.Series:
        parts = {text: pieces(text, size) for text in column.unique().to_list() if text is not None}
        values = [one[part - 1] if len(one) >= part else None for one in parts.values()]
        return column.replace_strict(list(parts), values, default=None, return_dtype=pl.String)

    return of.cast(pl.String).map_batches(made, return_dtype=pl.String)


def pieces(text: str, size: int) -> list[str]:
    """Cut a text between words into pieces of at most `size` bytes; a word that is longer is cut where it must be."""
    found, rest = [], text.strip()
    while len(rest.encode()) > size:
        fits = rest.encode()[: size + 1].decode(errors="ignore")
        fits = fits if len(fits.encode()) <= size or fits.endswith(" ") else fits[:-1]
        cut = fits.rfind(" ") if " " in fits.strip() else -1
        piece = rest[:cut] if cut > 0 else rest.encode()[:size].decode(errors="ignore")
        found.append(piece.rstrip())
        rest = rest[len(piece) :].lstrip()
    return [*found, rest] if rest else found
