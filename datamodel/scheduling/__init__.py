"""Visits: planned days, windows, and one definition of visit state.

1. A visit's planned day is the participant's anchor plus the event's day (clinical day 1 is the anchor; no day 0 in the
   printed day, but offsets here are plain days).
2. Its window runs from `days_before` before to `days_after` after.
3. State: done, out_of_window, due, overdue, upcoming, missed, not_applicable; decided in `states.py` and nowhere else.

Not here: anchors' sources, moving visits (they come with schedule versions).
"""
