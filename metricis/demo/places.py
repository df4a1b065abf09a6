"""Where everything of the demo listens and lies, the same at every start."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodel.kernel.errors import FaultError
from datamodel.kernel.settings import settings
from metricis.local import installation
from metricis.local.orchestrator import server_environment
from metricis.local.processes import free_port

STUDY = "cdiscpilot"
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses, folders and the environment of every child process."""

    home: Path
    web: str
    web_port: int
    redcap: str
    redcap_port: int
    prefect: str
    environment: dict[str, str]
    super_token: str
    mail: str
    mail_port: int
    smtp_port: int

    @property
    def redcap_api(self) -> str:
        """Address of the simulator's API."""
        return f"{self.redcap}/api/"


def settle() -> Places:
    """Start the embedded database, choose ports (the same as last time where they are free) and set the environment."""
    home = installation.home()
    kept = _kept(home / "demo.json")
    ports = {name: free_port(kept["ports"].get(name, preferred)) for name, preferred in _PREFERRED.items()}
    _keep(home / "demo.json", kept | {"ports": ports})
    prefect = f"http://127.0.0.1:{ports['prefect']}"
    web = f"http://127.0.0.1:{ports['web']}"
    environment = server_environment(home=home, database=installation.prefect_database_url(), port=ports["prefect"]) | {
        "METRICIS_HOME": str(home),
        "METRICIS_DATABASE_URL": installation.role_url("app"),
        "METRICIS_SEALER_URL": installation.role_url("sealer"),
        "METRICIS_BASE_URL": web,
        "METRICIS_PREFECT_URL": prefect,
        "METRICIS_PROJECT": str(PROJECT),
        "METRICIS_SMTP_HOST": "127.0.0.1",
        "METRICIS_SMTP_PORT": str(ports["smtp"]),
        "METRICIS_SMTP_TLS": "none",
        "METRICIS_MAIL_FROM": "metricis@demo.example",
    }
    os.environ.update(environment)
    settings.cache_clear()
    return Places(
        home=home,
        web=web,
        web_port=ports["web"],
        redcap=f"http://127.0.0.1:{ports['redcap']}",
        redcap_port=ports["redcap"],
        prefect=prefect,
        environment=environment,
        super_token=kept["super_token"],
        mail=f"http://127.0.0.1:{ports['mail']}",
        mail_port=ports["mail"],
        smtp_port=ports["smtp"],
    )


_PREFERRED = {"web": 8600, "redcap": 8601, "prefect": 8602, "mail": 8603, "smtp": 8604}


def project_token(home: Path) -> str | None:
    """Return the token of the demo's REDCap project, when it was created already."""
    token: str | None = _kept(home / "demo.json").get("project_token")
    return token


def keep_project_token(home: Path, token: str) -> None:
    """Remember the token of the demo's REDCap project (a simulator's; file mode 0600)."""
    _keep(home / "demo.json", _kept(home / "demo.json") | {"project_token": token})


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the home folder for one demo at a time.

    Raises
    ------
    FaultError
        When another demo runs in the same folder.
    """
    with (home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FaultError(
                f"A demo runs in {home} already; nothing was started. Stop it with Ctrl-C, or name another folder in METRICIS_HOME."
            ) from error
        yield


def _kept(path: Path) -> dict[str, Any]:
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    return {"ports": {}, "super_token": secrets.token_hex(32).upper()}


def _keep(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    fresh.replace(path)
