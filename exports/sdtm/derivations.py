"""The library of derivations. Each is one function and has a test; a specification calls it by its name.

1. To add one, write a function in a module of this room whose name begins with `derive_`: mark it with `@derivation` and give every
   argument a type (`exports.sdtm.registry`). All such modules are read when this one is.
2. Dates are ISO 8601 texts, whole or partial, as SDTM holds them.
3. All derivations are expressions: they never see single rows.
4. `-> Text` and `-> Number` say what is given, so that a variable of the other type is refused on load.
"""

import importlib
import pkgutil
from pathlib import Path

for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name.startswith("derive_"):
        importlib.import_module(f"{__package__}.{_module.name}")
