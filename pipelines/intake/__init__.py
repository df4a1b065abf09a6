"""The inbox to where things belong: consent events to consent, results to assessments, triggers to a sync.

Each envelope is opened and filed in a unit of work of its own, so that one bad envelope holds up nothing. What is refused
is kept with its reason; what failed is kept and tried again.
"""
