"""The library of derivations. Each is one function and has a test; a specification calls it by its name.

1. To add one, write a function in a module of this folder: mark it with `@derivation` and give every argument a type
   (`exports.sdtm.registry`). Every module here is read when this package is.
2. Dates are ISO 8601 texts, whole or partial, as SDTM holds them.
3. All derivations are expressions: they never see single rows.
4. `-> Text` and `-> Number` say what is given, so that a variable of the other type is refused on load.

Not here: how arguments are checked and passed (`registry`), and what a specification is (`spec_types`).
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
