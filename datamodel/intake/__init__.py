"""What arrived from outside, unopened, once each.

1. An envelope is stored before anything is done with it, and answered with a receipt number.
2. The same idempotency key in the same study and of the same kind is the same envelope: the first receipt is given again.
3. The body is sealed (it may hold a name or a signature); only the flow that drains it opens it.
4. States: pending, processed, refused (with the reason), failed (kept as a dead letter, tried again).

Not here: what the body means (consent, assessments, connections).
"""
