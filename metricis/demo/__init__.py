"""The demo: one command that takes the CDISC pilot trial the whole way on this machine.

`run.py` is the recipe; `places.py` says where everything listens and lies, `trial.py` brings the trial into the REDCap
simulator, `people.py` makes the study and its people, `report.py` prints what happened.
"""
