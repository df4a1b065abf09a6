"""The web process."""

import uvicorn

from metricis.local import files
from metricis.local.installation import enter
from metricis.local.keys import check_start


def serve(*, host: str, port: int) -> None:
    """Serve all doors in one process until it is told to stop."""
    from datamodel.kernel.settings import settings

    enter()
    url = settings().database_url.get_secret_value()
    check_start(url)
    files.check_start(url)
    uvicorn.run(
        "apps.web:create_app",
        factory=True,
        host=host,
        port=port,
        # Addresses hold no identifying value, but who looked at what when is not for a plain file.
        access_log=False,
        log_level="info",
        timeout_graceful_shutdown=3,
    )
