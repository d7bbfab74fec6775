r"""Intervals of a linear birth–death process in three numbers, and the mean inside them.

An interval maps the generating function of a line's size by a Möbius function,
:math:`1 - f = G(1-z)/(1 + I(1-z))`, so that two intervals compose by a few products. Given what
a population is at both ends of an interval, the mean in between is linear in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

from car_relapse.errors import require_non_negative
from car_relapse.line_law import LineLaw

__all__ = ["Interval", "conditional_mean", "constant_interval"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    r"""What lines of one or more types do in an interval; arrays broadcast.

    A line is alive with probability :math:`G/(1+I)`, and then has :math:`1+I` cells on average.
    """

    growth: Floats
    r"""Mean size of a line, :math:`G = e^{\int (b-d)}`, dimensionless."""
    excess: Floats
    r"""Mean cells beyond the first of a living line, :math:`I = \int b\,e^{\int(b-d)}`."""
    removal: Floats
    r"""The same integral over deaths, :math:`D = 1 + I - G`, kept for its digits."""

    def then(self, later: Interval) -> Interval:
        """Return the interval of this one and a later one together."""
        return Interval(
            growth=self.growth * later.growth,
            excess=self.excess * later.growth + later.excess,
            removal=self.removal * later.growth + later.removal,
        )

    def of(self, index: Any) -> Interval:
        """Return the same interval for some of its types."""
        return Interval(
            growth=self.growth[index], excess=self.excess[index], removal=self.removal[index]
        )

    @property
    def alive(self) -> Floats:
        """Probability that a line is alive at the end."""
        return np.asarray(np.minimum(self.growth / (1.0 + self.excess), 1.0))

    @property
    def law(self) -> LineLaw:
        """Law of the size of one line at the end."""
        with np.errstate(divide="ignore"):
            log_growth = np.log(self.growth)
        return LineLaw(log_growth=log_growth, log_hazard=np.log1p(self.excess) - log_growth)


def conditional_mean(first: Interval, second: Interval) -> Floats:
    r"""Return A, B and C of the mean between two intervals, given both ends.

    From :math:`E[n(t) z^{n_1}] = f_1'(f_2(z)) f_2(z)`, in which :math:`f_1'` and :math:`f_2`
    of the two intervals are Möbius functions, so that every ratio of coefficients is linear
    in the numbers.

    Parameters
    ----------
    first, second : Interval
        From the start to the day of the mean, and from there to the end.

    Returns
    -------
    ndarray, shape (3, ...)
        Coefficients of the lines that have died by the end, of those that live, and of the
        cells beyond one per living line.

    Examples
    --------
    >>> day = constant_interval(0.3, 0.2, 1.0)
    >>> conditional_mean(day, day).round(4)
    array([0.415 , 1.0798, 0.415 ])
    """
    whole = first.then(second)
    i2, d2, g2 = second.excess, second.removal, second.growth
    # When nothing can die, or no cell can be born, a coefficient meets only zeros.
    dying = np.where(whole.removal > 0, whole.removal, 1.0)
    born = np.where(whole.excess > 0, whole.excess, 1.0)
    dead = first.growth * (1.0 + i2) * d2 / ((1.0 + whole.excess) * dying)
    late, all_ = i2 / (1.0 + i2), whole.excess / (1.0 + whole.excess)
    share = i2 * (1.0 + whole.excess) / (born * (1.0 + i2))
    scale = (1.0 + i2) / g2
    living = scale * (1.0 - d2 * (1.0 + late - 2.0 * all_))
    beyond = living + scale * (share * (i2 - g2) - all_ * d2)
    return np.array(np.broadcast_arrays(dead, living, beyond))


def constant_interval(birth_rate: ArrayLike, death_rate: ArrayLike, days: ArrayLike) -> Interval:
    """Return the interval of `days` at constant rates.

    Parameters
    ----------
    birth_rate, death_rate : array_like
        Rates per cell, 1/day, >= 0; they broadcast, also with `days`.
    days : array_like
        Length, days, >= 0; net rate times days below 700.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.
    """
    b = require_non_negative("birth_rate", birth_rate, "give a rate in 1/day per cell")
    d = require_non_negative("death_rate", death_rate, "give a rate in 1/day per cell")
    t = require_non_negative("days", days, "give a duration in days")
    b, d, t = np.broadcast_arrays(b, d, t)
    mean = t * exprel((b - d) * t)
    return Interval(growth=np.exp((b - d) * t), excess=b * mean, removal=d * mean)
