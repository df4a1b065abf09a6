"""SDTM from study data, by a mapping specification that a statistician can read.

1. What a variable is made of stands in YAML (`specs/<study>/`), not in code: a constant, a field, a code list, or a named
   derivation with its arguments.
2. A specification is checked as a whole when it is loaded: every fault is told at once, with its place.
3. A derivation is one function with a test; `derive_*.py` hold the library, and a study may register its own.
   Whoever is blinded gets nothing that tells the treatment (`unblinding.py`).
4. Nothing is guessed: a code that its code list does not know stops the build and is named.
5. How far the result agrees with a known answer is measured cell by cell (`agreement.py`).

Not here: whether the result conforms to the standard (`validators.sdtm`), and how it is written (`exports.packages`).
"""
