"""What the API answers: one file per subject, and the table in ``dispatch``."""
