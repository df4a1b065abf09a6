"""Datasets of a folder, whoever wrote them, and what could not be read, as a report tells it."""

from pathlib import Path

from exports.packages.read import read_datasets
from exports.reports.model import Unread
from validators.datasets.shape import Dataset


def read_all(place: Path) -> tuple[list[Dataset], list[Unread]]:
    """Return the datasets of a folder (or of one file) by name, and what could not be read."""
    reading = read_datasets(place)
    return list(reading.datasets), [Unread(one.file, one.reason, one.is_fault) for one in reading.unreadable]
