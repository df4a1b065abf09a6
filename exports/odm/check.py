"""Hold clinical data to the definitions of the file that they came in. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from exports.odm.shape import Departure

if TYPE_CHECKING:
    from exports.odm.read import Node

_DATE: Final = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d{2}:\d{2})?"
#: ODM type -> what its values look like
_LOOKS: Final[dict[str, str]] = {
    "integer": r"^[+-]?\d+$",
    "float": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$",
    "double": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$",
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "datetime": f"^{_DATE}T{_TIME}$",
    "boolean": r"^(true|false|0|1)$",
    "partialDate": r"^\d{4}(-\d{2}(-\d{2})?)?$",
    "partialTime": r"^\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?$",
    "partialDatetime": r"^\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$",
}
_DEFINED: Final = {"event": "StudyEventDef", "form": "FormDef", "group": "ItemGroupDef", "item": "ItemDef"}

_ONE: Final = {"event": "an event", "form": "a form", "group": "a group", "item": "an item"}


@dataclass(slots=True)
class Checks:
    """The definitions by which data are checked: identifiers that exist, types of items, codes of lists."""

    known: dict[str, frozenset[str]]
    types: pl.DataFrame
    codes: pl.DataFrame

    @classmethod
    def of(cls, studies: "list[Node]") -> Self:
        """Collect the definitions of all metadata versions."""
        versions = [one for study in studies for one in study.all("MetaDataVersion")]
        known = {
            column: frozenset(one.attributes.get("OID", "") for version in versions for one in version.all(tag))
            for column, tag in _DEFINED.items()
        }
        types = []
        for one in (item for version in versions for item in version.all("ItemDef")):
            listed = one.first("CodeListRef")
            types.append(
                (
                    one.attributes.get("OID", ""),
                    one.attributes.get("DataType", ""),
                    listed.attributes.get("CodeListOID") if listed else None,
                )
            )
        codes = [
            (one.attributes.get("OID", ""), item.attributes.get("CodedValue", ""))
            for version in versions
            for one in version.all("CodeList")
            for item in (*one.all("CodeListItem"), *one.all("EnumeratedItem"))
        ]
        return cls(
            known,
            pl.DataFrame(types, schema=dict.fromkeys(("item", "type", "list"), pl.String), orient="row").unique("item"),
            pl.DataFrame(codes, schema=dict.fromkeys(("list", "value"), pl.String), orient="row").unique(),
        )

    def run(self, items: pl.DataFrame) -> Iterator[Departure]:
        """Yield what is not as defined. Values themselves are never named."""
        for column, tag in _DEFINED.items():
            seen = items[column].drop_nulls().value_counts()
            for oid, count in seen.filter(~pl.col(column).is_in(list(self.known[column]))).iter_rows():
                yield Departure("unknown OID", oid, f"the data name {_ONE[column]} that no {tag} defines", count)
        found = (
            items.lazy()
            .filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
            .group_by("item", "value")
            .len("times")
            .join(self.types.lazy(), on="item")
            .collect()
        )
        for kind, looks in _LOOKS.items():
            wrong = found.filter((pl.col("type") == kind) & ~pl.col("value").str.contains(looks))
            for oid, count in wrong.group_by("item", maintain_order=True).agg(pl.col("times").sum()).iter_rows():
                yield Departure("type", oid, f"values are not of the type {kind}", count)
        listed = found.filter(pl.col("list").is_in(self.codes["list"].unique().to_list()))
        unlisted = listed.join(self.codes, on=["list", "value"], how="anti")
        for oid, count in unlisted.group_by("item", maintain_order=True).agg(pl.col("times").sum()).iter_rows():
            yield Departure("code", oid, "values are not in the item's code list", count)
