"""Build step: fetch the pinned browser libraries (jsPsych) from npm and copy the files that a page loads."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class VendorHook(BuildHookInterface):
    """Runs on every build of the project, editable or wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy nothing yet: no page needs a browser library so far."""
