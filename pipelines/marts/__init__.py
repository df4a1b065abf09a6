"""Taking snapshots: `steps.py` takes one as the sync's machine account; `flow.py` is what Prefect runs."""
