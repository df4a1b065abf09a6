"""Queries and data questions, from opened to closed.

1. A discrepancy names record, event, form, instance, field, the value that was received, the rule and the reason.
2. States: open, answered, closed, reopened, cancelled; every step is kept with who, when and why.
3. The same rule on the same value of the same place is one discrepancy; when the value is corrected at its source it
   closes by itself, saying so.

Not here: the rules (validators).
"""
