"""The datasets of a package as files."""

from collections.abc import Mapping
from pathlib import Path

from exports.packages.datasetjson import write_dataset_json
from exports.packages.xpt import write_xpt
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.exchange import fields_of, header_of
from exports.submission.manifest import Source


def write_transport(folder: Path, datasets: Mapping[str, SdtmDataset]) -> dict[str, Path]:
    """Write every dataset as a SAS transport file; XptError when one does not fit the format."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in datasets.items():
        written[name] = folder / f"{name.lower()}.xpt"
        write_xpt(one.frame, written[name], dataset=name, label=one.label, columns=one.columns)
    return written


def write_exchange(folder: Path, datasets: Mapping[str, SdtmDataset], source: Source) -> dict[str, Path]:
    """Write every dataset as Dataset-JSON 1.1; the instants in the files are the snapshot's."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in datasets.items():
        written[name] = folder / f"{name.lower()}.json"
        header = header_of(one, created=source.created, protocol=source.protocol, software=source.software_version)
        write_dataset_json(one.frame, written[name], header=header, fields=fields_of(one))
    return written
