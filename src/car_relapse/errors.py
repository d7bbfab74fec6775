"""The errors that bad input raises: one small family, each naming value, rule and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CarRelapseError",
    "EvidenceError",
    "LedgerError",
    "ParameterError",
    "require_count",
    "require_finite",
    "require_fraction",
    "require_non_negative",
    "require_positive",
]


class CarRelapseError(Exception):
    """Root of every error that this package raises on purpose."""


class ParameterError(CarRelapseError, ValueError):
    """A number handed to a model breaks the rule of that model."""


class LedgerError(CarRelapseError, KeyError):
    """A parameter key is unknown, or a row of the parameter ledger is malformed."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; a sentence should print as one.
        return str(self.args[0]) if self.args else ""


class EvidenceError(CarRelapseError, ValueError):
    """An evidence table is empty, malformed, or does not hold what was asked of it."""


def _first_offender(values: NDArray[np.float64], good: NDArray[np.bool_]) -> str:
    flat = values.reshape(-1)
    index = int(np.flatnonzero(~good.reshape(-1))[0])
    place = "" if values.ndim == 0 else f" (element {index})"
    return f"{flat[index]:g}{place}"


def _holds_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "US"


def _require(name: str, value: ArrayLike, rule: str, remedy: str, test: Any) -> NDArray[np.float64]:
    try:
        # numpy would read the text "0.1" as a number, and the caller keep the text.
        values = np.asarray(value, dtype=float) if not _holds_text(value) else None
    except (TypeError, ValueError):
        values = None
    if values is None:
        raise ParameterError(f"{name} is {value!r}; it must be a number; {remedy}")
    good = np.asarray(test(values))
    if not good.all():
        raise ParameterError(f"{name} is {_first_offender(values, good)}; {rule}; {remedy}")
    return values


def require_finite(name: str, value: ArrayLike, remedy: str) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is NaN or infinite."""
    return _require(name, value, "it must be a finite number", remedy, np.isfinite)


def require_positive(name: str, value: ArrayLike, remedy: str) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is not finite and > 0."""
    return _require(
        name, value, "it must be finite and > 0", remedy, lambda v: np.isfinite(v) & (v > 0)
    )


def require_non_negative(name: str, value: ArrayLike, remedy: str) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is not finite and >= 0."""
    return _require(
        name, value, "it must be finite and >= 0", remedy, lambda v: np.isfinite(v) & (v >= 0)
    )


def require_fraction(name: str, value: ArrayLike, remedy: str) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is outside [0, 1]."""
    return _require(
        name, value, "it must lie in [0, 1]", remedy, lambda v: np.isfinite(v) & (v >= 0) & (v <= 1)
    )


def require_count(name: str, value: Any, remedy: str, *, minimum: int = 0) -> int:
    """Return `value` as an integer, or raise when it is not a whole number >= `minimum`."""
    try:
        # Whole numbers stay exact: a seed above 2^53 must not be rounded.
        number = value if isinstance(value, int | np.integer) else float(value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} is {value!r}; it must be a number; {remedy}") from None
    whole = isinstance(number, int | np.integer) or number.is_integer()
    if not whole or number < minimum:
        raise ParameterError(
            f"{name} is {value!r}; it must be a whole number >= {minimum}; {remedy}"
        )
    return int(number)
