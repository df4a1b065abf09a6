"""What checking the study's SDTM found: by rule, by dataset, by cause; what did not run; and the way back to the form.

1. The page reads the report of the newest submission package; it checks nothing itself and counts are never cut.
2. Values of records are shown only to who may see all of them: not to who is blinded, nor to who works at one site.
3. A finding leads to the form that caused it, and becomes a data question once, by the action that opens questions.
"""
