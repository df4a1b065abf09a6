"""ODM: a study's design, its data and their audit records as XML, out (1.3.2 and 2.0) and in (1.3.2 and REDCap's dialect).

1. What is written holds pseudonyms only: fields that identify somebody, and names of accounts, never leave.
2. A blinded reader's file has no blinded field, neither in the metadata nor in the data.
3. Writing and reading go through a file once, row by row; neither holds the data in memory.
4. What a file has and we do not bring in is told as a departure. Nothing is dropped in silence.
5. A document type, entities, and XML that is too deep or too large are refused before anything is made of them.
"""
