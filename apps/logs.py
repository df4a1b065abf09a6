"""What libraries of the web process may write into a log: what kind of fault it was and where, never what somebody typed.

Bokeh logs a message that it could not handle with its whole content, Panel at level DEBUG every value that arrives, and an
exception's own words may repeat a value; so what these loggers say is told again in words of ours.
"""

import logging
import traceback
import warnings
from typing import Final

import param
from bokeh.util.warnings import BokehUserWarning

log = logging.getLogger("metricis.apps")

#: Libraries whose whole family of loggers is told again, from WARNING on.
RETOLD: Final = ("bokeh", "panel", "param", "tornado")
#: Loggers whose records stay, with an exception's place and kind instead of its words.
WITHOUT_WORDS: Final = ("uvicorn.error", "asyncio")
#: A browser's first message after a part of its page is new carries the whole widget, which Bokeh 3.10 warns of and then
#: handles by the widget that it has.
KNOWN: Final = "reference already known"
_DEEPEST: Final = 6


def places(error: BaseException) -> str:
    """Return where a fault was, innermost last, without its words."""
    return "".join(traceback.format_tb(error.__traceback__)[-_DEEPEST:])


def _fault(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return f"{type(error).__name__}\n{places(error)}" if error is not None else "no exception"


class Retold(logging.Handler):
    """Tells again where a library complained, and of what kind of fault."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line in place of `record`."""
        log.log(record.levelno, "%s, %s line %d: %s", record.name, record.filename, record.lineno, _fault(record))


class WithoutWords(logging.Filter):
    """Takes the words of an exception out of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Alter `record` when it carries an exception, and keep it."""
        if record.exc_info:
            where = f"{record.name}, {record.filename} line {record.lineno}: {_fault(record)}"
            record.msg, record.args, record.exc_info, record.exc_text = where, (), None, None
        return True


def quiet() -> None:
    """Have every logger of the libraries say no more than that; doing it again changes nothing."""
    param.parameterized.get_logger()  # it makes its handler when it is first asked for
    for name in RETOLD:
        one = logging.getLogger(name)
        for handler in list(one.handlers):
            one.removeHandler(handler)
        retold = Retold(logging.WARNING)
        one.addHandler(retold)
        one.propagate = False
        one.setLevel(logging.WARNING)
    for name in WITHOUT_WORDS:
        one = logging.getLogger(name)
        if not any(isinstance(each, WithoutWords) for each in one.filters):
            one.addFilter(WithoutWords())
    warnings.filterwarnings("ignore", KNOWN, BokehUserWarning)
