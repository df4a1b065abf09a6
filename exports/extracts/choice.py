"""What can be chosen: standards, formats, populations, tables. Pure but for looking into the snapshot."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from datamodel.kernel.errors import BadInputError
from exports.marts.names import form_of
from exports.marts.reader import Snapshot


@dataclass(frozen=True, slots=True)
class Population:
    """Some of the participants: who they are, in a word and in a sentence."""

    label: str
    sentence: str
    #: states that belong to it; none for everybody
    states: tuple[str, ...] = ()
    is_enrolled: bool = False


STANDARDS: Final = {"forms": "Tables as collected", "sdtm": "SDTM", "odm": "ODM"}
#: format -> (words, standards that it can hold)
FORMATS: Final = {
    "xlsx": ("Excel workbooks", ("forms", "sdtm")),
    "csv": ("CSV", ("forms", "sdtm")),
    "parquet": ("Parquet", ("forms", "sdtm")),
    "xpt": ("SAS transport 5 (XPT)", ("sdtm",)),
    "json": ("Dataset-JSON 1.1", ("sdtm",)),
    "ndjson": ("Dataset-JSON 1.1 as lines (NDJSON)", ("sdtm",)),
    "odm-1.3.2": ("ODM 1.3.2 (XML)", ("odm",)),
    "odm-2.0": ("ODM 2.0 (XML)", ("odm",)),
}
POPULATIONS: Final = {
    "all": Population("Everybody", "Everybody who was screened."),
    "enrolled": Population("Enrolled", "Everybody who was enrolled, whatever happened after.", is_enrolled=True),
    "completed": Population("Completed", "Who completed the study.", states=("completed",)),
}
#: tables beside the forms that are offered: short name -> words
TABLES: Final = {
    "participants": "Participants",
    "visits": "Visits",
    "status": "State of every form",
    "sessions": "Assessment sessions",
    "scores": "Assessment scores",
    "trials": "Assessment trials",
    "consents": "Consents",
    "discrepancies": "Data questions",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table that can be taken: its name in files and its words."""

    name: str
    label: str
    #: how a snapshot calls it; empty for a dataset of SDTM
    key: str = ""


def tables_of_forms(snapshot: Snapshot) -> tuple[Table, ...]:
    """Return the tables of a snapshot as this reader has them: forms in dictionary order, then the lists."""
    labels = dict(snapshot.frame("forms").select("form_id", "label").iter_rows())
    forms = [Table(name, str(label), f"form:{name}") for name, label in labels.items()]
    present = {one.rpartition("__list_")[2] for one in snapshot.tables if form_of(one) is None}
    # A study may call a form as one of the lists is called; both are files of one archive.
    lists = [(f"list_{name}" if name in labels else name, name) for name in TABLES if name in present]
    return (*forms, *(Table(name, TABLES[key], key) for name, key in lists))


def subjects(snapshot: Snapshot, population: str) -> frozenset[str] | None:
    """Return who belongs to a population, or None for everybody.

    Raises
    ------
    BadInputError
        For a population that is not offered.
    """
    if population not in POPULATIONS:
        raise BadInputError(f"Received the population “{population}”. There are: {', '.join(POPULATIONS)}.")
    asked = POPULATIONS[population]
    if not asked.states and not asked.is_enrolled:
        return None
    people = snapshot.participants()
    if asked.states:
        people = people.filter(pl.col("status").is_in(asked.states))
    if asked.is_enrolled:
        people = people.filter(pl.col("enrolled_on").is_not_null())
    return frozenset(people["subject_id"])


def formats(standard: str) -> dict[str, str]:
    """Return the formats that can hold a standard: name -> words."""
    return {name: words for name, (words, standards) in FORMATS.items() if standard in standards}
