"""The errors that bad input raises, and the checks that raise them.

Each message reads "name is value; rule; remedy". A number is a real number: None, text, a truth
value or any other object is refused, although numpy would read some of them as numbers. Arrays
are checked element by element; ``scalar=True`` refuses them where one number is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CarRelapseError",
    "EvidenceError",
    "LedgerError",
    "ParameterError",
    "ScenarioError",
    "require_broadcast",
    "require_count",
    "require_finite",
    "require_fraction",
    "require_instance",
    "require_non_negative",
    "require_positive",
]

_Kind = TypeVar("_Kind")

#: Above this, floats have gaps, and a float no longer says which whole number it means.
_EXACT_FLOATS = 2.0**53

_LONGEST_SHOWN = 100


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


class ScenarioError(CarRelapseError, ValueError):
    """A scenario file cannot be read or written, or what it holds is no scenario."""


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python prints no whole number of more than some thousand digits.
        return f"a {type(value).__name__} too long to print"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _first_offender(values: NDArray[np.float64], good: NDArray[np.bool_]) -> str:
    flat = values.reshape(-1)
    index = int(np.flatnonzero(~good.reshape(-1))[0])
    place = "" if values.ndim == 0 else f" (element {index})"
    return f"{flat[index]:g}{place}"


def _holds_truth_value(value: Any) -> bool:
    # In a list, numpy turns True beside a number into 1.0 before its type can be looked at.
    if not isinstance(value, list | tuple):
        return False
    return any(isinstance(item, bool | np.bool_) for item in np.asarray(value, dtype=object).flat)


def _floats(value: Any) -> NDArray[np.float64] | None:
    """Return `value` as floats; None when it is not made of real numbers alone."""
    try:
        # A whole number beyond 64 bits is an object to numpy, although it is a number.
        plain = isinstance(value, int) and not isinstance(value, bool)
        array = np.asarray(float(value) if plain else value)
        if array.dtype.kind not in "iuf" or _holds_truth_value(value):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    # What overflows on the way to float64 becomes infinite, and the rule speaks about that.
    with np.errstate(over="ignore"):
        return array.astype(np.float64, copy=False)


def _numbers(name: str, value: Any, remedy: str, *, scalar: bool) -> NDArray[np.float64]:
    values = _floats(value)
    if values is None:
        raise ParameterError(f"{name} is {_shown(value)}; it must be a number; {remedy}")
    if scalar and values.ndim:
        raise ParameterError(
            f"{name} is {_shown(value)}; it must be a single number, not an array; {remedy}"
        )
    return values


def _require(
    name: str, value: Any, rule: str, remedy: str, test: Any, *, scalar: bool
) -> NDArray[np.float64]:
    values = _numbers(name, value, remedy, scalar=scalar)
    good = np.asarray(test(values))
    if not good.all():
        raise ParameterError(f"{name} is {_first_offender(values, good)}; {rule}; {remedy}")
    return values


def require_finite(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is NaN or infinite.

    Parameters
    ----------
    name : str
        What the caller calls the value.
    value : array_like
        Number or numbers.
    remedy : str
        What to do instead, for the message.
    scalar : bool
        Whether to refuse arrays and lists.

    Raises
    ------
    ParameterError
        Also when `value` is not made of real numbers: None, text, truth values, objects.

    Examples
    --------
    >>> require_finite("day", [0, 7], "count days from infusion")
    array([0., 7.])
    >>> require_finite("day", None, "count days from infusion")
    Traceback (most recent call last):
    ...
    car_relapse.errors.ParameterError: day is None; it must be a number; count days from infusion
    """
    return _require(name, value, "it must be a finite number", remedy, np.isfinite, scalar=scalar)


def require_positive(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is not finite and > 0.

    Otherwise as `require_finite`.
    """
    return _require(
        name,
        value,
        "it must be finite and > 0",
        remedy,
        lambda v: np.isfinite(v) & (v > 0),
        scalar=scalar,
    )


def require_non_negative(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is not finite and >= 0.

    Otherwise as `require_finite`.
    """
    return _require(
        name,
        value,
        "it must be finite and >= 0",
        remedy,
        lambda v: np.isfinite(v) & (v >= 0),
        scalar=scalar,
    )


def require_fraction(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is outside [0, 1].

    Otherwise as `require_finite`.
    """
    return _require(
        name, value, "it must lie in [0, 1]", remedy, lambda v: (v >= 0) & (v <= 1), scalar=scalar
    )


def require_count(
    name: str, value: Any, remedy: str, *, minimum: int = 0, maximum: int | None = None
) -> int:
    """Return `value` as an integer, or raise when it is not a whole number within its bounds.

    A whole number of any size is returned exactly, so that a seed of 128 bits stays itself. A
    float stands for a whole number up to 2^53 only.

    Parameters
    ----------
    name : str
        What the caller calls the value.
    value : int or float
        Whole number.
    remedy : str
        What to do instead, for the message.
    minimum : int
        Smallest value allowed.
    maximum : int, optional
        Largest value allowed; without it there is none.

    Raises
    ------
    ParameterError
        Also when `value` is not one real number: None, text, a truth value, an array.
    """
    number: int | None
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
    else:
        real = float(_numbers(name, value, remedy, scalar=True))
        number = int(real) if real.is_integer() and abs(real) <= _EXACT_FLOATS else None
    if number is None or number < minimum or (maximum is not None and number > maximum):
        bounds = f">= {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ParameterError(
            f"{name} is {_shown(value)}; it must be a whole number {bounds}; {remedy}"
        )
    return number


def require_instance(name: str, value: Any, kind: type[_Kind], remedy: str) -> _Kind:
    """Return `value`, or raise when it is not an instance of `kind`.

    Examples
    --------
    >>> require_instance("rng", 7, np.random.Generator, "give numpy.random.default_rng(seed)")
    Traceback (most recent call last):
    ...
    car_relapse.errors.ParameterError: rng is 7; it must be a Generator; give \
numpy.random.default_rng(seed)
    """
    if not isinstance(value, kind):
        raise ParameterError(f"{name} is {_shown(value)}; it must be a {kind.__name__}; {remedy}")
    return value


def is_list(value: object) -> bool:
    """Return whether `value` has entries in an order: an array of no dimension has none."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def require_broadcast(remedy: str, **values: ArrayLike) -> tuple[int, ...]:
    """Return the shape to which the named values broadcast, or raise when they do not.

    Examples
    --------
    >>> require_broadcast("give one loss or one per size", size=[1e9, 1e10], loss=1e-9)
    (2,)
    """
    shapes = {name: np.shape(value) for name, value in values.items()}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        shown = " and ".join(f"{name} has shape {shape}" for name, shape in shapes.items())
        raise ParameterError(f"{shown}; they must have one shape, or be single; {remedy}") from None
