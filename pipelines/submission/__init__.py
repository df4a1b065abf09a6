"""Building the submission package every night: `steps.py` does it, `flow.py` is what Prefect runs.

One package for each snapshot, in `<exports>/<study>/submission/<snapshot number>`; a package that is there and whole is left as
it is, since the same snapshot gives the same bytes. What Prefect keeps of it is a summary of counts, without a value or a
participant.
"""
