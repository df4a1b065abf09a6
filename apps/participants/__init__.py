"""Participants: the status grid of a study, and the record of one participant.

1. The grid has one row for each participant in the reader's scope and one cell for each form at each event.
2. A cell says subject, event, form and state in words; Enter or a click opens the form.
3. Filters live in the address, so that a view can be kept and sent to a colleague.
4. The arm is not here: whoever is blinded must not learn it from a page.
"""
