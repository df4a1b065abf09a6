"""What is checked: datasets as files hold them, with what reading them found."""

from dataclasses import dataclass
from typing import Literal

import polars as pl


@dataclass(frozen=True, slots=True)
class Note:
    """Something that reading a file found: a cp1252 byte, a number stored as text, a value over 200 bytes."""

    kind: str
    detail: str
    variable: str = ""
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A column as its file declares it."""

    name: str
    label: str = ""
    type: Literal["Char", "Num"] = "Char"
    length: int | None = None
    format: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The content of one file.

    `name` is in upper case, as the file is called ("LBCH", "SUPPAE"). In `frame`, Char is String ("" stays "", null is
    missing; checks treat both as empty) and Num is Float64; its columns are those of `variables`, in their order.
    """

    name: str
    label: str
    variables: tuple[Variable, ...]
    frame: pl.DataFrame
    file: str = ""
    notes: tuple[Note, ...] = ()
