"""Datasets of a folder, whoever wrote them, with what could not be read as a report tells it."""

from pathlib import Path

from exports.packages.read import read_datasets
from exports.reports.model import Unread
from validators.datasets.shape import Dataset


def read_all(place: Path) -> tuple[list[Dataset], list[Unread]]:
    """Return the datasets of a folder (or of one file), and the files that are none; a second copy of a dataset is no fault."""
    read = read_datasets(place)
    unread = [Unread(one.file, one.reason, one.is_fault) for one in read.unreadable]
    return list(read.datasets), unread
