"""Write the list of the database's guards that belongs to this release: `python -m metricis.guards`, after a migration changed."""

import json
import tempfile
from pathlib import Path

from sqlalchemy.orm import Session

from datamodel.kernel.database import engine_for
from datamodel.migrations import guarded, run
from datamodel.migrations.roles import Roles
from metricis.local.postgres import Cluster


def main() -> None:
    """Migrate an empty database and list what guards it."""
    with tempfile.TemporaryDirectory(prefix="metricis-guards-") as folder:
        Path(folder).chmod(0o711)
        server = Cluster(Path(folder) / "home", durable=False).ensure_running()
        try:
            url = server.url("postgres")
            run.upgrade(url)
            engine = engine_for(url)
            with Session(engine) as session:
                found = guarded.found(session, sealer=Roles().sealer)
            engine.dispose()
        finally:
            server.destroy()
    guarded.EXPECTED.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"{len(found)} guards written to {guarded.EXPECTED.name}.")


if __name__ == "__main__":
    main()
