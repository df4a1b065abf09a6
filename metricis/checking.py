"""`metricis rules run`: rules over a folder of datasets, ours or not."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

#: Exit codes beside those of errors: the run ended; with --strict, something of the severities Reject or Error was found.
FOUND = 1


def run(
    folder: Annotated[Path, typer.Argument(help="Folder of datasets (XPT, Dataset-JSON, Parquet, CSV), or one file.")],
    out: Annotated[Path, typer.Option(help="The workbook to write (.xlsx); .html and .json are written as such.")],
    standard: Annotated[str, typer.Option(help="Standard that the datasets follow.")] = "sdtmig",
    version: Annotated[str, typer.Option(help="Its version.")] = "3.4",
    rules: Annotated[
        Path | None, typer.Option(help="Folder of rules in the open CORE format, instead of the built-in ones.")
    ] = None,
    ct: Annotated[Path | None, typer.Option(help="File of controlled terminology.")] = None,
    define: Annotated[Path | None, typer.Option(help="The Define-XML of the datasets.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Run this rule only; again for more.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Report this domain only; again for more.")] = None,
    details: Annotated[
        int,
        typer.Option(help="List at most so many findings of a rule in a dataset; 0 lists all. Counts are never cut."),
    ] = 5_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a Reject or an Error was found.")] = False,
) -> None:
    """Check datasets against the rules of a standard and write a report.

    A file that cannot be read is named in the report and never ends the run. Exit 0: the run ended, whatever it found;
    2: it could not begin, since something named here is wrong.
    """
    from datamodel.kernel.clock import system_clock
    from exports.reports.check import Asked, check
    from exports.reports.document import to_json
    from exports.reports.standards import standards

    say = _Said()
    known = standards(standard, version, rules=rules, ct=ct, define=define)
    say(f"{len(known.catalogue.rules)} rules of {known.catalogue.name}")
    datasets, unread = _read(folder, out)
    say(f"{len(datasets)} datasets with {sum(one.frame.height for one in datasets):,} records read")
    if unread:
        say(f"{len(unread)} files could not be read, see the report: {', '.join(one.file for one in unread)}")
    asked = Asked(
        standard=standard,
        version=version,
        generated=system_clock(),
        rules=frozenset(rule or ()),
        domains=frozenset(domain or ()),
        listed=details or None,
        define=define.name if define else "",
        terminology=known.terminology,
    )
    report = check(
        datasets, known.catalogue, asked, library=known.library, define=known.define, unread=[*unread, *known.unread]
    )
    say(f"{report.found:,} findings; {report.did_not_run} rules did not run")
    _writer(out)(report, out)
    say(f"report in {out.name}")
    if as_json:
        typer.echo(to_json(report).decode().rstrip("\n"))
    if strict and (report.by_severity["Reject"] or report.by_severity["Error"]):
        raise typer.Exit(FOUND)


class _Said:
    """Tells on the error stream what was done, each with its seconds: standard output is for the report."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self, words: str) -> None:
        now = time.perf_counter()
        typer.echo(f"{words} ({now - self._last:.1f} s)", err=True)
        self._last = now


def _read(folder: Path, out: Path):  # type: ignore[no-untyped-def] # noqa: ANN202
    from datamodel.kernel.errors import BadInputError, NotFoundError
    from exports.reports.reading import read_all

    if not folder.exists():
        raise NotFoundError(f"There is no folder {folder}; nothing was checked.")
    if not out.absolute().parent.is_dir():
        raise BadInputError(f"The folder of {out} is not there; nothing was checked. Make it, or name another file.")
    datasets, unread = read_all(folder)
    if not datasets and not unread:
        raise NotFoundError(
            f"There is no dataset in {folder}; nothing was checked. XPT, Dataset-JSON, Parquet and CSV files are read."
        )
    return datasets, unread


def _writer(out: Path) -> Callable[..., None]:
    from datamodel.kernel.errors import BadInputError
    from exports.reports.document import to_json
    from exports.reports.page import to_html
    from exports.reports.workbook import write_workbook

    writers: dict[str, Callable[..., None]] = {
        ".xlsx": write_workbook,
        ".html": lambda report, path: path.write_text(to_html(report), encoding="utf-8"),
        ".json": lambda report, path: path.write_bytes(to_json(report)),
    }
    if out.suffix.lower() not in writers:
        raise BadInputError(f"Received the file {out.name}; a report is written as {', '.join(writers)}.")
    return writers[out.suffix.lower()]
