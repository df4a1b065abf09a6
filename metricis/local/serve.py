"""The web process."""

import uvicorn

from metricis.local.installation import database_url
from metricis.local.keys import check_start


def serve(*, host: str, port: int) -> None:
    """Serve all doors in one process until it is told to stop."""
    from datamodel.kernel.settings import settings

    if not settings().database_url.get_secret_value():
        _use(database_url())
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


def _use(url: str) -> None:
    import os

    from datamodel.kernel.settings import settings

    os.environ["METRICIS_DATABASE_URL"] = url
    settings.cache_clear()
