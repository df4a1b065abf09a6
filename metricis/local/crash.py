"""What to say when a command broke off on a fault that nobody foresaw: perhaps a file of the program was altered.

Uses nothing but Python's own library and the list of files, which itself uses nothing else: whatever was altered, this should
still run. The list beside the ledger's record is only a copy; what counts is the check at the start (`datamodel.custody.installed`).
"""

import os
from pathlib import Path
from typing import Final

from datamodel.custody import files

#: The copy of the list in the home folder.
COPY: Final = "files.sha256"


def altered() -> str:
    """Return in production which files of our packages are not those of the copied list; empty when none, or no list is there."""
    if "production" not in {os.environ.get(name) for name in ("METRICIS_ENVIRONMENT", "ENVIRONMENT")}:
        return ""  # who develops alters files, and wants to see the fault itself
    copy = Path(os.environ.get("METRICIS_HOME", ".metricis")) / COPY
    if not copy.is_file():
        return ""
    found = files.differences(files.read(copy.read_text("utf-8")), files.packaged(files.listed(files.here())))
    if not found:
        return ""
    return (
        f"The command broke off, and files of Metricis are not those that were recorded: {files.in_words(found)}. Put the files of "
        "the release back, or, when the change was wanted, run `metricis install record`."
    )
