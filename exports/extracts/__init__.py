"""What somebody takes away: tables of one snapshot, of one population, in one format, as one archive.

1. An archive holds the data, a codebook and a manifest: study, snapshot, ledger position, population, a hash for each file.
2. The same choice of the same snapshot gives the same bytes. Nothing is altered: a workbook has text cells, which no
   spreadsheet program takes for formulas; CSV is as the data are, and the archive says how to open it.
3. What a reader may not see is not in the snapshot that they opened: their site, no arm, no blinded values. In their SDTM what
   tells the treatment is empty, and datasets that tell it are not made.
4. It writes nothing to disk and records nothing: whoever hands the archive out tells the ledger.
"""
