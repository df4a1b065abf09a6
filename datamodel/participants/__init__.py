"""Who is in, known by pseudonym.

1. A participant has one code in one study (in REDCap-managed studies: the record's name).
2. Status: screened, screen failed, enrolled, completed, withdrawn; every change is kept.
3. The arm is blinded data and stands apart from the rest.

Not here: names, addresses, birth dates (vault), what was entered (records), consent.
"""
