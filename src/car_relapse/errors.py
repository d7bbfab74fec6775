"""The errors that bad input raises, and the checks that raise them.

Each message reads "name is value; rule; remedy". A number is a real number: None, text, a truth
value or any other object is refused, although numpy would read some of them as numbers. Arrays
are checked element by element; ``scalar=True`` refuses them where one number is meant. Nothing
in a body, a trial or a laboratory is counted beyond 1e100, and products of numbers below it do not
overflow; so larger ones are refused, too, as are positive ones below 1e-300.
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
_EXACT_FLOATS = 2**53
#: Most patients, courses or populations that one call draws and holds in memory.
MOST_DRAWN = 10**7

#: Largest size of a number; a product of three of it is a float still.
_LARGEST = 1e100
#: Smallest number above 0 where 0 is refused: others below it have lost digits, or their inverse
#: overflows.
_SMALLEST = 1e-300
#: Numpy holds no larger whole number.
_LARGEST_INTEGER = 2**63

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
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" or _holds_truth_value(value):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    # What overflows on the way to float64 becomes infinite, and the rule speaks about that.
    with np.errstate(over="ignore"):
        return array.astype(np.float64, copy=False)


def _numbers(name: str, value: Any, remedy: str, *, scalar: bool) -> NDArray[np.float64]:
    if type(value) is int and abs(value) > _LARGEST_INTEGER:
        raise ParameterError(
            f"{name} is {_shown(value)}; it must be a number that a float or 64 bits hold; write "
            f"large numbers as 1e30; {remedy}"
        )
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
        offender = values[~good].flat[0]
        if _LARGEST < abs(offender) < np.inf and np.all(test(np.sign(offender))):
            rule = f"it must be at most {_LARGEST:g} in size, so that products of it stay numbers"
        if 0 < offender < _SMALLEST:
            rule = f"it must be at least {_SMALLEST:g}, so that its inverse is a number"
        raise ParameterError(f"{name} is {_first_offender(values, good)}; {rule}; {remedy}")
    return values


def require_finite(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is NaN, infinite or above 1e100.

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
    return _require(
        name,
        value,
        "it must be a finite number",
        remedy,
        lambda v: np.abs(v) <= _LARGEST,
        scalar=scalar,
    )


def require_positive(
    name: str, value: ArrayLike, remedy: str, *, scalar: bool = False
) -> NDArray[np.float64]:
    """Return `value` as floats, or raise when any of it is not finite and > 0, or below 1e-300.

    Otherwise as `require_finite`.
    """
    return _require(
        name,
        value,
        "it must be finite and > 0",
        remedy,
        lambda v: (v >= _SMALLEST) & (v <= _LARGEST),
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
        lambda v: (v >= 0) & (v <= _LARGEST),
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
    name: str, value: Any, remedy: str, *, minimum: int = 0, maximum: int | None = _EXACT_FLOATS
) -> int:
    """Return `value` as an integer, or raise when it is not a whole number within its bounds.

    A float stands for a whole number up to 2^53 only, and more than that are never counted here.
    Without a largest value a whole number of any size is returned exactly, so that a seed of 128
    bits stays itself.

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
        Largest value allowed, 2^53 unless another is given; None for no largest.

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
        bounds = f"from {minimum} to {maximum}"
        if maximum is None or maximum == _EXACT_FLOATS:
            beyond = maximum is not None and number is not None and number > maximum
            bounds = f">= {minimum}" + (" and at most 2^53" if beyond else "")
        raise ParameterError(
            f"{name} is {_shown(value)}; it must be a whole number {bounds}; {remedy}"
        )
    return number


def require_draws(n: Any, what: str) -> int:
    """Return `n` as an integer, or raise when one call cannot draw and hold as many.

    Examples
    --------
    >>> require_draws(10**30, "courses")
    Traceback (most recent call last):
    ...
    car_relapse.errors.ParameterError: n is 1000000000000000000000000000000; it must be a whole \
number from 1 to 10000000; give a number of courses, or draw them in parts
    """
    remedy = f"give a number of {what}, or draw them in parts"
    return require_count("n", n, remedy, minimum=1, maximum=MOST_DRAWN)


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
