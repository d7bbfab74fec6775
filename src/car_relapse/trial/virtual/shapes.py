r"""How a hazard is spread over time, apart from how large it is.

A shape is the cumulative hazard :math:`W(t)` up to a factor, with its inverse, so that an event
time is drawn by one inversion. Relapses after CAR-T crowd into the first year: the cumulative
hazard of a decaying shape has a limit, and whoever has outlived it stays well (a plateau).

Times are in months after infusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative, require_positive

__all__ = ["Constant", "Decay", "Piecewise", "Shape", "Weibull"]

Floats = NDArray[np.float64]

_MONTHS = "count months from infusion"


def _reached(values: ArrayLike) -> Floats:
    """Return cumulative hazards to be reached, which may be infinite, or raise."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and np.all(values >= 0):
        return values
    return require_non_negative("values", values, "give cumulative hazards")


class Shape(Protocol):
    """What a shape must offer; any object that does is one."""

    @property
    def known_until(self) -> float:
        """Month beyond which the shape says nothing; infinite for most."""

    def cumulative(self, times: ArrayLike) -> Floats:
        """Return :math:`W` at `times` (months): 0 at 0, never falling."""

    def inverse(self, values: ArrayLike) -> Floats:
        """Return the month at which :math:`W` reaches `values`; infinite where it never does."""


@dataclass(frozen=True)
class Constant:
    """A hazard that does not change.

    Examples
    --------
    >>> Constant().cumulative([0, 12]).tolist()
    [0.0, 12.0]
    """

    @property
    def known_until(self) -> float:
        """Month beyond which the shape says nothing: infinite, as it goes on for ever."""
        return np.inf

    def cumulative(self, times: ArrayLike) -> Floats:
        """Return the cumulative hazard at `times` (months, >= 0), up to a factor."""
        return require_non_negative("times", times, _MONTHS)

    def inverse(self, values: ArrayLike) -> Floats:
        """Return the month at which the cumulative hazard reaches `values`."""
        return _reached(values)


@dataclass(frozen=True)
class Decay:
    r"""A hazard that falls as :math:`e^{-t/\tau}`: events come early, then hardly any.

    Examples
    --------
    >>> Decay(8).cumulative([8]).round(3).tolist()
    [5.057]
    """

    months: float
    r"""Time :math:`\tau` in which the hazard falls to :math:`1/e`, months, > 0."""

    def __post_init__(self) -> None:
        require_positive("months", self.months, "give the months of decay", scalar=True)

    @property
    def known_until(self) -> float:
        """Month beyond which the shape says nothing: infinite, as it goes on for ever."""
        return np.inf

    def cumulative(self, times: ArrayLike) -> Floats:
        """Return the cumulative hazard at `times` (months, >= 0), up to a factor."""
        t = require_non_negative("times", times, _MONTHS)
        return np.asarray(-self.months * np.expm1(-t / self.months))

    def inverse(self, values: ArrayLike) -> Floats:
        """Return the month at which the cumulative hazard reaches `values`, or infinity."""
        share = _reached(values) / self.months
        reached = share < 1.0
        return np.asarray(
            np.where(reached, -self.months * np.log1p(-np.where(reached, share, 0.0)), np.inf)
        )


@dataclass(frozen=True)
class Weibull:
    r"""A cumulative hazard :math:`t^{k}`: rising hazard above :math:`k=1`, falling below.

    Examples
    --------
    >>> Weibull(2).cumulative([3]).tolist()
    [9.0]
    """

    power: float
    """The power k, dimensionless, in [0.05, 20]."""

    def __post_init__(self) -> None:
        power = require_positive("power", self.power, "give the shape parameter", scalar=True)
        if not 0.05 <= power <= 20:
            raise ParameterError(
                f"power is {float(power):g}; it must lie in [0.05, 20], or months overflow; give "
                "a milder shape, or Piecewise"
            )

    @property
    def known_until(self) -> float:
        """Month beyond which the shape says nothing: infinite, as it goes on for ever."""
        return np.inf

    def cumulative(self, times: ArrayLike) -> Floats:
        """Return the cumulative hazard at `times` (months, >= 0), up to a factor."""
        with np.errstate(over="ignore"):  # beyond any trial, and infinite is then right
            return np.asarray(require_non_negative("times", times, _MONTHS) ** self.power)

    def inverse(self, values: ArrayLike) -> Floats:
        """Return the month at which the cumulative hazard reaches `values`."""
        with np.errstate(over="ignore"):
            return np.asarray(_reached(values) ** (1.0 / self.power))


@dataclass(frozen=True)
class Piecewise:
    """A hazard that is constant between given months; nothing is known after the last of them.

    Examples
    --------
    >>> Piecewise(breaks=(0, 6, 24), rates=(2, 1)).cumulative([6, 24]).tolist()
    [12.0, 30.0]
    """

    breaks: tuple[float, ...]
    """Months at which the hazard changes: ascending, the first 0; the last may be infinite."""
    rates: tuple[float, ...]
    """Hazard between each two breaks, up to a factor, >= 0, one fewer than `breaks`."""

    def __post_init__(self) -> None:
        for name in ("breaks", "rates"):
            if not isinstance(getattr(self, name), tuple):
                raise ParameterError(
                    f"{name} is a {type(getattr(self, name)).__name__}; it must be a tuple of "
                    "numbers; write (0, 6, 24)"
                )
        rates = require_non_negative("rates", self.rates, "give a rate for each interval")
        open_end = bool(self.breaks) and self.breaks[-1] == np.inf
        ends = require_non_negative(
            "breaks", self.breaks[:-1] if open_end else self.breaks, _MONTHS
        )
        months = np.append(ends, np.inf) if open_end else ends
        if months.size < 2 or months[0] != 0.0 or not np.all(np.diff(months) > 0):
            raise ParameterError(
                f"breaks is {self.breaks!r}; it must begin at 0 and ascend; give the months at "
                "which the hazard changes"
            )
        if rates.size != months.size - 1 or not np.any(rates > 0):
            raise ParameterError(
                f"rates has {rates.size} numbers and breaks has {months.size}; each interval has "
                "one rate and one of them is above 0; give one fewer than breaks"
            )

    @property
    def known_until(self) -> float:
        """Month beyond which the shape says nothing; perhaps infinite."""
        return float(self.breaks[-1])

    @cached_property
    def _knots(self) -> tuple[Floats, Floats]:
        """Return months and cumulative hazards between which the latter is straight."""
        months = np.array(self.breaks)
        if np.isinf(months[-1]):
            months[-1] = months[-2] + 1.0  # the slope after the last finite break goes on
        return months, np.append(0.0, np.cumsum(np.diff(months) * self.rates))

    def cumulative(self, times: ArrayLike) -> Floats:
        """Return the cumulative hazard at `times` (months, >= 0), up to a factor."""
        t = require_non_negative("times", times, _MONTHS)
        if np.any(t > self.known_until):
            raise ParameterError(
                f"times is {float(t.max()):g}; the hazard is known until month "
                f"{self.known_until:g} only; ask for earlier times, or add an interval"
            )
        months, sums = self._knots
        beyond = np.maximum(t - months[-1], 0.0) * self.rates[-1]
        return np.asarray(np.interp(t, months, sums) + beyond)

    def inverse(self, values: ArrayLike) -> Floats:
        """Return the month at which the cumulative hazard reaches `values`, or infinity."""
        w = _reached(values)
        months, sums = self._knots
        # Where the sum stands still, numpy takes the last of the equal knots, as it should.
        found = np.interp(w, sums, months)
        later = np.inf
        if np.isinf(self.breaks[-1]) and self.rates[-1] > 0:
            later = months[-1] + (w - sums[-1]) / self.rates[-1]
        return np.asarray(np.where(w <= sums[-1], found, later))
