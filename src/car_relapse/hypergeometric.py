"""The hypergeometric function where libraries lose its digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import hyp2f1

__all__ = ["hypergeometric"]

Complex = NDArray[np.complex128]

# Up to this argument the power series is summed, in some 45,000 terms.
_SERIES_REACH = 0.999


def hypergeometric(a: float, next_a: float, b: float, c: float, x: Complex) -> Complex:
    """Return 2F1(a, b; c; x), also where a, b and c are next to whole numbers.

    There library functions divide what they have rounded; the power series, term by term,
    does not. Pfaff's transformation brings negative arguments within its reach.
    """
    turned = x / (x - 1.0)
    outside = np.abs(x) > np.abs(turned)
    inside = np.where(outside, turned, x)
    if np.max(np.abs(inside), initial=0.0) > _SERIES_REACH:
        return np.asarray(hyp2f1(a, b, c, x))
    result = np.where(
        outside,
        (1.0 - x) ** -b * _series(c - a, c - a + 1.0, b, c, np.where(outside, inside, 0.0)),
        _series(a, next_a, b, c, np.where(outside, 0.0, inside)),
    )
    return np.asarray(result)


def _series(a: float, next_a: float, b: float, c: float, x: Complex) -> Complex:
    far = float(np.max(np.abs(x), initial=0.0))
    n = np.arange(20 if far == 0 else int(45.0 / -np.log(far)) + 20)
    top = np.where(n > 0, next_a + (n - 1.0), a)
    total, power = np.ones_like(x), np.ones_like(x)
    for factor in top * (b + n) / ((c + n) * (n + 1.0)):
        power = power * factor * x
        total = total + power
    return total
