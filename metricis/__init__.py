"""The front: what a notebook imports.

>>> import metricis as mx
>>> study = mx.open_study("cdiscpilot")
>>> study.form("vital_signs", values="label")

Names are imported when they are first used, so that importing this package costs nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # what type checkers take for true; importing `typing` would cost more than all the rest

if TYPE_CHECKING:
    from metricis import figures
    from metricis.study import Study, open_study
    from metricis.tables import table_one

__all__ = ["Study", "figures", "open_study", "table_one"]

#: public name -> (module, name in it; empty for the module itself)
_PLACES = {
    "open_study": ("metricis.study", "open_study"),
    "Study": ("metricis.study", "Study"),
    "table_one": ("metricis.tables", "table_one"),
    "figures": ("metricis.figures", ""),
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"metricis has no “{name}”. It has: {', '.join(__all__)}.")
    module, member = _PLACES[name]
    found = import_module(module)
    return getattr(found, member) if member else found


def __dir__() -> list[str]:
    return __all__
