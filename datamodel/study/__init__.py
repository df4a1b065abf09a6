"""The protocol as data.

1. A study has a code people say (`CDISCPILOT01`), a time zone, and says whether REDCap or Metricis is its source.
2. Its design (arms, events, forms, fields, code lists) is one versioned document; publishing a changed design makes a
   new version and the old ones stay readable.
3. One version is published at a time.

Not here: what was entered (records), who is in (participants), how REDCap is reached (connections).
"""
