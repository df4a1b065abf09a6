"""What the demo prints."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from metricis.demo.people import People
from metricis.demo.places import Places


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, in numbers."""

    rows_in: int
    rows_accepted: int
    rows_changed: int
    findings: int
    seconds: dict[str, float]
    snapshot: int
    position: int
    sdtm_folder: str


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print the table of what happened."""
    table = Table(title="What happened", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for label, value in (
        ("Rows read from REDCap", f"{outcome.rows_in:,}"),
        ("Rows accepted", f"{outcome.rows_accepted:,}"),
        ("Rows new or changed", f"{outcome.rows_changed:,}"),
        ("Findings (data questions)", f"{outcome.findings:,}"),
        ("Snapshot", f"{outcome.snapshot}"),
        ("Ledger position", f"{outcome.position:,}"),
        *((f"Seconds: {stage}", f"{seconds:.1f}") for stage, seconds in outcome.seconds.items()),
    ):
        table.add_row(label, value)
    console.print(table)


def print_addresses(console: Console, places: Places, people: People, outcome: Outcome) -> None:
    """Print where to go and the one-time links."""
    table = Table(title="Where to go", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ignore")
    table.add_row("Dashboard, as a coordinator", people.coordinator)
    table.add_row("Dashboard, as a statistician", people.statistician)
    table.add_row(f"Phone view, as {people.participant_code}", people.participant)
    table.add_row("REDCap simulator", places.redcap)
    table.add_row("Prefect", places.prefect)
    table.add_row("SDTM files", outcome.sdtm_folder)
    table.add_row("Notebook", "notebooks/tutorial.ipynb  (import metricis as mx)")
    console.print(table)
    console.print(
        "Each sign-in link works once, for an hour. New ones: metricis link NAME", style="dim", soft_wrap=True
    )
