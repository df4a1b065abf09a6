"""The recipe of the demo."""

import signal
import sys
from contextlib import ExitStack
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from datamodel.kernel.errors import FaultError
from datamodel.migrations.run import upgrade
from metricis.demo import invite, people, trial
from metricis.demo.places import PROJECT, STUDY, Places, alone, settle
from metricis.demo.report import Outcome, print_addresses, print_outcome
from metricis.local import installation
from metricis.local.keys import check_start
from metricis.local.orchestrator import POOL, Orchestrator
from metricis.local.processes import Child, Processes
from metricis.opening import TOKEN_FILE

_PYTHON: Final = sys.executable
_DEPLOYMENTS: Final = (f"refresh/{STUDY}", "drain/sweep", "verify-ledger/nightly", "submission/nightly-package")


def run_demo(*, once: bool, subjects: int | None) -> int:
    """Run the demo; return the exit code. Without `once` it stays until Ctrl-C.

    `subjects` loads a slice of the trial instead of all 306 participants.
    """
    console = Console()
    _interrupt_on_sigterm()
    with ExitStack() as stack:
        stack.enter_context(alone(installation.home()))
        stack.callback(lambda: installation.cluster().release())
        try:
            return _run(console, stack, once=once, subjects=subjects)
        except KeyboardInterrupt:
            console.print("Stopping; ./go demo resumes.")
            return 0


def _run(console: Console, stack: ExitStack, *, once: bool, subjects: int | None) -> int:
    with _progress(console) as progress:
        with _Step(progress, "Starting the embedded PostgreSQL"):
            # Before the children's environment is this process's own: they are not told who changes the database's shape.
            migrator = installation.role_url("migrator")
            places = settle()
            upgrade(migrator)
            url = installation.database_url()
            check_start(url)
        processes = stack.enter_context(Processes(places.home / "logs"))
        outcome, who = _first_sync(progress, processes, places, url=url, subjects=subjects)
    print_outcome(console, outcome)
    print_addresses(console, places, who, outcome)
    return 0 if once else _stay(console, processes)


def _first_sync(
    progress: Progress, processes: Processes, places: Places, *, url: str, subjects: int | None
) -> tuple[Outcome, people.People]:
    """Start everything, load the trial, sync it, and derive what is derived."""
    redcap = _start_redcap(processes, places)
    mail = _start_mail(processes, places)
    web = processes.start(
        "web", [_PYTHON, "-m", "metricis", "web", "--port", str(places.web_port)], environment=places.environment
    )
    prefect = processes.start("prefect", [_PYTHON, "-m", "prefect", "server", "start"], environment=places.environment)
    people.make_study(url)
    people.keep_notebook_token(url, places.home / TOKEN_FILE)
    processes.wait_for(redcap, places.redcap, seconds=60)
    processes.wait_for(mail, places.mail, seconds=60)
    with _Step(progress, "Loading the trial into the REDCap simulator, through its API") as task:
        token = trial.load(places, subjects=subjects, told=lambda form, done, of: _tell(progress, task, form, done, of))
    trial.connect(url, places, token=token)
    invite.publish(url)
    with _Step(progress, "Waiting for Prefect and its deployments"):
        orchestrator = _orchestrate(processes, places, prefect)
    with _Step(progress, "Syncing REDCap, taking a snapshot, exporting SDTM") as task:
        outcome = trial.refresh(
            url,
            orchestrator,
            told=lambda words: progress.update(task, note=words),
            alive=lambda: _must_live(processes),
        )
    trial.name_critical(url)
    with _Step(progress, "Waiting for the web process"):
        processes.wait_for(web, f"{places.web}/api/health", seconds=120)
    return outcome, invite.invite(url)


def _start_redcap(processes: Processes, places: Places) -> Child:
    command = [_PYTHON, "-m", "metricis", "redcap-sim", "--port", str(places.redcap_port)]
    command += ["--public-url", places.redcap, "--data", str(places.home / "redcap-sim")]
    return processes.start(
        "redcap-sim", command, environment=places.environment | {"REDCAP_SIM_SUPER_TOKEN": places.super_token}
    )


def _start_mail(processes: Processes, places: Places) -> Child:
    command = [_PYTHON, "-m", "metricis", "mail-sink", "--smtp-port", str(places.smtp_port), "--port"]
    return processes.start("mail-sink", [*command, str(places.mail_port)], environment=places.environment)


def _orchestrate(processes: Processes, places: Places, prefect: Child) -> Orchestrator:
    """Wait for Prefect's server, make the deployments that are missing, start a worker and the dispatcher."""
    orchestrator = Orchestrator(f"{places.prefect}/api")
    processes.wait_for(prefect, f"{places.prefect}/api/health", seconds=180)
    orchestrator.bury()
    orchestrator.deploy(PROJECT, expected=_DEPLOYMENTS, home=places.home)
    worker = [_PYTHON, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", "demo"]
    processes.start("worker", worker, environment=places.environment)
    processes.start("dispatcher", [_PYTHON, "-m", "pipelines.dispatch.listen"], environment=places.environment)
    return orchestrator


def _stay(console: Console, processes: Processes) -> int:
    """Stay until Ctrl-C; a child that ends by itself ends the demo with its last words."""
    console.print("Running. Ctrl-C stops everything; ./go demo resumes.")
    ended = processes.watch()
    console.print(f"The {ended.name} ended by itself. The end of {ended.log}:\n{ended.last_words()}", markup=False)
    return 70


def _must_live(processes: Processes) -> None:
    for child in processes.children:
        if not child.is_running:
            raise FaultError(f"The {child.name} ended by itself. The end of {child.log}:\n{child.last_words()}")


def _interrupt_on_sigterm() -> None:
    """Let SIGTERM stop the demo as Ctrl-C does; a second one while it stops changes nothing."""

    def asked(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, asked)
    signal.signal(signal.SIGTERM, asked)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
    )


class _Step:
    """A line of the progress display, ticked when its block ends."""

    def __init__(self, progress: Progress, words: str) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task(words, total=None, note="")

    def __enter__(self) -> TaskID:
        return self._task

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._progress.update(self._task, total=1, completed=1, note="")
        if not self._progress.console.is_terminal:
            task = self._progress.tasks[self._task]
            print(f"{'done' if kind is None else 'failed'}: {task.description} ({task.elapsed or 0:.1f} s)", flush=True)


def _tell(progress: Progress, task: TaskID, form: str, done: int, of: int) -> None:
    progress.update(task, total=of + 1, completed=done, note=form)
