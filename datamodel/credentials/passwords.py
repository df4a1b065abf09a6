"""Which passwords are accepted: by length and by whether attackers try them first; no rules of composition.

NIST SP 800-63B-4 §3.1.1.2: compare with passwords of breaches, dictionary words and words of the context; ask for nothing else.
"""

import re
from collections.abc import Iterable
from typing import Final

from datamodel.access.passwords import LONGEST, SHORTEST, normal
from datamodel.kernel.errors import Allowed, Answer, Refused

#: Fewer guesses than this and somebody with the list of common passwords gets there; 10 wrong ones in 10 minutes are allowed.
_FEWEST_GUESSES: Final = 10**8
_CONTEXT: Final = ("metricis", "password", "clinical", "trial", "study")
#: So many characters must be left when names are taken out; names up to this long are not taken out.
_OWN: Final = 8
_SHORT: Final = 2
#: Longest part that the estimate looks at; the work grows with the square of it.
_LOOKED_AT: Final = 72


def check(password: str, *, about: Iterable[str] = ()) -> Answer:
    """Answer whether `password` may be used by somebody whose names are `about`; the sentence never repeats it."""
    written = normal(password)
    if not SHORTEST <= len(written) <= LONGEST:
        return Refused(
            "password-length",
            f"The password has {len(written)} characters; it needs {SHORTEST} to {LONGEST}.",
            "Choose another one: several words in a row are easy to remember. Nothing was changed.",
        )
    words = [*_CONTEXT, *(part for one in about for part in _parts(one))]
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # its word lists, only where a password is chosen

    guesses = zxcvbn(written[:_LOOKED_AT], user_inputs=words, max_length=_LOOKED_AT)["guesses"]
    if guesses < _FEWEST_GUESSES or _own_part(written, words) < _OWN:
        return Refused(
            "password-common",
            "This password is among those that are guessed first: common ones, names, dates, keys in a row.",
            "Choose another one: four words that have nothing to do with each other are enough. Nothing was changed.",
        )
    return Allowed()


def _parts(text: str) -> list[str]:
    """Return a name's words, and the whole of it."""
    return [text, *re.split(r"[^\w]+", text)]


def _own_part(password: str, words: Iterable[str]) -> int:
    """Return how many characters are left of a password without the names that everybody knows of its owner."""
    left = password.casefold()
    for word in sorted((one.casefold() for one in words if len(one) > _SHORT), key=len, reverse=True):
        left = left.replace(word, "")
    return len(left)
