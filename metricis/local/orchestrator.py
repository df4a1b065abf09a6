"""Prefect on this machine: its server's settings, and the few calls of its HTTP API that the launcher needs."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from datamodel.kernel.errors import FaultError

_DONE: Final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
POOL: Final = "local"


def server_environment(*, home: Path, database: str, port: int) -> dict[str, str]:
    """Return the environment of Prefect's server, its workers and its clients; nothing is sent to anybody."""
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        # Workers look for work every few seconds, so that "run now" is soon.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_PREFETCH_SECONDS": "5",
    }


@dataclass(frozen=True, slots=True)
class FlowRun:
    """A flow run as the server tells it."""

    id: str
    state: str
    message: str

    @property
    def is_done(self) -> bool:
        """Whether it ended, well or badly."""
        return self.state in _DONE


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """A Prefect server at `api` (`http://127.0.0.1:4200/api`)."""

    api: str

    def deploy(self, project: Path, *, expected: Sequence[str], home: Path) -> None:
        """Make the work pool and every deployment of `prefect.yaml`, unless the very same were made before.

        Raises
        ------
        FaultError
            When Prefect refuses them, or one of `expected` (`flow/name`) is missing afterwards.
        """
        made = home / "deployed.sha256"
        digest = hashlib.sha256((project / "prefect.yaml").read_bytes() + str(project).encode()).hexdigest()
        if made.exists() and made.read_text() == digest and all(map(self.has_deployment, expected)):
            return
        self._post("work_pools/", {"name": POOL, "type": "process"}, accept=(201, 409))
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=180)
        missing = [name for name in expected if not self.has_deployment(name)]
        if done.returncode != 0 or missing:
            raise FaultError(
                f"Prefect did not make the deployments {', '.join(missing) or 'of prefect.yaml'}:\n"
                f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
            )
        made.write_text(digest)

    def has_deployment(self, name: str) -> bool:
        """Whether the deployment `flow/name` is there."""
        return httpx.get(f"{self.api}/deployments/name/{name}", timeout=30).status_code == httpx.codes.OK

    def bury(self) -> int:
        """Close the runs that were under way, or due, while everything was stopped; return how many.

        Call it before a worker is started: whatever still counts as running then has no process any more, and what was
        due in the meantime would all begin at once.
        """
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        under_way = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
        missed = {"state": {"type": {"any_": ["SCHEDULED"]}}, "expected_start_time": {"before_": now}}
        return self._close(
            under_way, "CRASHED", "The installation was stopped while this ran; the next run goes on."
        ) + (self._close(missed, "CANCELLED", "The installation was stopped when this was due."))

    def _close(self, runs: dict[str, Any], state: str, message: str) -> int:
        found = self._post("flow_runs/filter", {"flow_runs": runs}, accept=(200,))
        for run in found:
            body = {"state": {"type": state, "message": message}, "force": True}
            self._post(f"flow_runs/{run['id']}/set_state", body, accept=(200, 201))
        return len(found)

    def start(self, deployment: str, *, parameters: dict[str, Any]) -> str:
        """Start a run of the deployment `flow/name` now and return the run's id."""
        found = httpx.get(f"{self.api}/deployments/name/{deployment}", timeout=30)
        found.raise_for_status()
        return str(
            self._post(f"deployments/{found.json()['id']}/create_flow_run", {"parameters": parameters}, accept=(201,))[
                "id"
            ]
        )

    def run(self, run_id: str) -> FlowRun:
        """Return a flow run as it is now."""
        answer = httpx.get(f"{self.api}/flow_runs/{run_id}", timeout=30)
        answer.raise_for_status()
        state = answer.json()["state"] or {}
        return FlowRun(id=run_id, state=state.get("type", "PENDING"), message=state.get("message") or "")

    def seconds_by_flow(self, *, since: float) -> dict[str, float]:
        """Return how long each flow's newest run took that started after `since` (Unix seconds)."""
        after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
        runs = self._post(
            "flow_runs/filter",
            {"flow_runs": {"start_time": {"after_": after}}, "sort": "START_TIME_ASC"},
            accept=(200,),
        )
        flows = {flow["id"]: flow["name"] for flow in self._post("flows/filter", {}, accept=(200,))}
        return {flows[run["flow_id"]]: float(run["total_run_time"]) for run in runs}

    def _post(self, path: str, body: dict[str, Any], *, accept: tuple[int, ...]) -> Any:
        answer = httpx.post(f"{self.api}/{path}", json=body, timeout=60)
        if answer.status_code not in accept:
            raise FaultError(
                f"Prefect's server answered {answer.status_code} to {path.split('/', maxsplit=1)[0]}: {answer.text[:300]}"
            )
        return answer.json()
