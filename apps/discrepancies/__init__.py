"""Data questions: the list, oldest first, and one thread beside it.

1. The count above the list equals the list's length, under every filter.
2. A question names the subject, visit, form and field by their labels, the value that came in, and the reason.
3. Answering, closing and sending back are offered to those who may, and refused with the reason to others.
"""
