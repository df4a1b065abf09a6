"""The participant's one queue: what is due and why.

1. Everything a participant is asked to do is one task in one list: consent first, then what was assigned.
2. State in words: upcoming, available, in_progress, submitted, received, expired, cancelled; and blocked, with the
   reason, while the consent gate is closed.

Not here: doing the task (apps), the gate (consent).
"""
