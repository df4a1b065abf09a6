"""The web process."""

import uvicorn

from metricis.local.installation import enter
from metricis.local.keys import check_start


def serve(*, host: str, port: int) -> None:
    """Serve all doors in one process until it is told to stop."""
    from datamodel.kernel.settings import settings

    enter()
    check_start(settings().database_url.get_secret_value())
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
