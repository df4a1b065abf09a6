"""What every room stands on.

Decided here: how things are identified (time-ordered UUIDs made by the application), what time it is (one
injectable clock), how an answer that is "no" is written (a refusal is a value with its reason), which errors
exist and what exit code and HTTP status each maps to, where settings come from, and the unit of work: one
transaction that carries actor, instant and reason.

Not here: anything about studies, people or rights.
"""
