"""Visits: planned days, windows, and one definition of visit state.

1. A visit's planned day is the participant's anchor plus the event's day; a design whose anchor event stands at day 1
   counts study days, so that day 1 is the anchor itself and there is no day 0.
2. Its window runs from `days_before` before to `days_after` after.
3. State: done, out_of_window, due, overdue, upcoming, missed, not_applicable; decided in `states.py` and nowhere else.
4. The week: who has a visit due between today and Sunday, and who is overdue (`reads.this_week`).

Not here: anchors' sources, moving visits (they come with schedule versions).
"""
