"""Numbers as IBM System/360 wrote them, which is how a SAS transport file holds them.

An IBM double has a sign, a 7-bit exponent of 16 (biased by 64) and a 56-bit fraction. An IEEE double has 53
significant bits, so that even after the fraction is aligned to a hexadecimal digit (up to three leading zero bits) every
bit fits: within the range of the format the conversion is exact, never rounded.

Source: IBM System/360 Principles of Operation, floating-point arithmetic; SAS Technical Support note TS-140.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

# The smallest and the largest power of two an IBM double reaches: 16^-65 and just under 16^63.
LOWEST_EXPONENT: Final = -260
HIGHEST_EXPONENT: Final = 251
SMALLEST: Final = 2.0**LOWEST_EXPONENT
LARGEST: Final = 2.0**HIGHEST_EXPONENT * (2 - 2.0**-52)
# A full stop in the first byte and zeros after it: the ordinary SAS missing value.
MISSING: Final = np.uint64(0x2E) << np.uint64(56)

_EXPONENT_BIAS = 1023
_FRACTION_BITS = np.uint64(52)
_FRACTION_MASK = (np.uint64(1) << _FRACTION_BITS) - np.uint64(1)
_SIGN = np.uint64(1) << np.uint64(63)


def representable(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say for each number whether an IBM double holds it: finite, and zero or between 5.4e-79 and 7.2e75 in size."""
    size = np.abs(values)
    return np.asarray((values == 0) | ((size >= SMALLEST) & (size <= LARGEST)), dtype=np.bool_)


def to_ibm(values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Turn IEEE doubles into IBM doubles, as 64-bit words still in the machine's byte order.

    `missing` marks the places that become the SAS missing value, whatever number stands there. Every other number must
    be `representable`; the caller has checked, because only the caller can name column and row. Minus zero becomes
    zero.
    """
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    exponent = ((bits >> _FRACTION_BITS) & np.uint64(0x7FF)).astype(np.int64) - _EXPONENT_BIAS
    fraction = (bits & _FRACTION_MASK) | (np.uint64(1) << _FRACTION_BITS)
    # value = fraction * 2^(exponent - 52) = (fraction << exponent mod 4) * 16^(exponent div 4 + 1 - 14)
    aligned = fraction << (exponent & 3).astype(np.uint64)
    characteristic = ((exponent >> 2) + 65).astype(np.uint64) << np.uint64(56)
    words: npt.NDArray[np.uint64] = (bits & _SIGN) | characteristic | aligned
    words[np.asarray(values) == 0] = 0
    words[missing] = MISSING
    return words
