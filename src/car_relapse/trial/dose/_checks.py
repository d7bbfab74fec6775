"""Checks that the designs share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_positive,
)

#: Largest parameter of a beta law, and the inverse of the smallest.
_LARGEST = 1e6


def require_counts(name: str, value: ArrayLike, remedy: str) -> NDArray[np.int64]:
    """Return `value` as whole numbers from 0 on, or raise."""
    numbers = require_finite(name, value, remedy)
    wrong = (numbers < 0) | (numbers != np.floor(numbers)) | (numbers > 2**53)
    if wrong.any():
        raise ParameterError(
            f"{name} is {float(numbers[wrong][0]):g}; it must be a whole number >= 0; {remedy}"
        )
    return numbers.astype(np.int64)


def require_numbers_of_patients(value: ArrayLike, most: int) -> list[int]:
    """Return one number of patients or a list of them as a list, or raise."""
    remedy = f"give numbers of patients from 1 to {most}"
    numbers = np.atleast_1d(require_counts("patients", value, remedy))
    if numbers.ndim != 1 or numbers.size == 0:
        raise ParameterError(
            f"patients has shape {numbers.shape}; it must be a number or a list; {remedy}"
        )
    return [require_count("patients", n, remedy, minimum=1, maximum=most) for n in numbers.tolist()]


def require_flags(name: str, value: object, remedy: str) -> NDArray[np.bool_]:
    """Return `value` as an array of truth values, or raise."""
    try:
        flags = np.asarray(value)
    except ValueError:
        flags = np.asarray(None)
    if flags.dtype.kind != "b" and flags.size:
        raise ParameterError(f"{name} must hold nothing but True and False; {remedy}")
    return flags.astype(bool)


def require_beta(name: str, value: tuple[float, float]) -> tuple[float, float]:
    """Return the two parameters of a beta law as numbers, or raise."""
    numbers = require_positive(name, value, "give two numbers such as (1, 1)")
    if numbers.shape != (2,) or np.any(numbers > _LARGEST) or np.any(numbers < 1.0 / _LARGEST):
        raise ParameterError(
            f"{name} is {value!r}; it must be two numbers from {1.0 / _LARGEST:g} to "
            f"{_LARGEST:g}; give two numbers such as (1, 1)"
        )
    return float(numbers[0]), float(numbers[1])
