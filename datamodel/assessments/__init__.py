"""Cognitive assessments as first-class data.

1. A battery is a versioned list of tasks with their parameters.
2. A session is one run of a battery by one participant: created, started, partial, complete, scored, void.
3. Every session names its battery version and the consent version in force when it was captured.
4. Trials are kept raw, one row each, by (session, trial index); the same trial twice is one trial.
5. Scores are computed from the trials by a named, versioned rule and stored beside them; they can be computed again.

Not here: showing a task (apps), what a result may look like (validators.sources).
"""
