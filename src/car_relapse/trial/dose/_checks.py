"""Checks that the designs share."""

from __future__ import annotations

from numpy.typing import ArrayLike

from car_relapse.errors import ParameterError, require_fraction


def require_open_fraction(name: str, value: ArrayLike, remedy: str) -> float:
    """Return `value` as a number strictly between 0 and 1, or raise."""
    number = float(require_fraction(name, value, remedy, scalar=True))
    if not 0.0 < number < 1.0:
        raise ParameterError(
            f"{name} is {number:g}; it must lie strictly between 0 and 1; {remedy}"
        )
    return number
