r"""What to make of a trial while it runs, and after it has stopped.

A trial that stopped early stopped because its estimate was high; the ordinary estimate is biased.
Order all results by the look at which they came, early crossings first, and by :math:`Z` within
a look. Then the probability of a result at least as good, as a function of the drift, gives a
p-value at 0, an estimate that is as often too high as too low where it is one half, and limits
where it is 2.5 % and 97.5 %. (Orderings: manual of SAS, procedure SEQTEST, after Jennison and
Turnbull's book of 2000.)

Futility bounds do not bind and are left out of this: the results are valid whether or not they
were kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_fraction,
    require_instance,
)
from car_relapse.trial.sequential import _recursion as recursion
from car_relapse.trial.sequential.boundaries import Boundaries

__all__ = ["AfterStop", "after_stop", "conditional_power"]

_FARTHEST_Z = 30.0


@dataclass(frozen=True, kw_only=True)
class AfterStop:
    """What a trial that has stopped says of the drift."""

    p_value: float
    """One-sided p-value."""
    drift: float
    """Estimate of the drift that is too high as often as too low."""
    low: float
    """Lower confidence limit of the drift."""
    high: float
    """Upper confidence limit of the drift."""


def _look(boundaries: Boundaries, look: int, z: float) -> tuple[int, float]:
    require_instance("boundaries", boundaries, Boundaries, "give Boundaries")
    number = require_count(
        "look", look, "count looks from 1", minimum=1, maximum=len(boundaries.information)
    )
    value = float(require_finite("z", z, "give the value of the test statistic", scalar=True))
    if abs(value) > _FARTHEST_Z:
        raise ParameterError(
            f"z is {value:g}; beyond {_FARTHEST_Z:g} a normal statistic is an error of unit; give "
            "the estimate divided by its standard error"
        )
    return number, value


def _at_least(boundaries: Boundaries, look: int, z: float, drift: float) -> float:
    """Return the probability of a result at least as good as Z at a look."""
    state, total, times = recursion.start(), 0.0, boundaries.information
    for k in range(look - 1):
        bound = float(boundaries.efficacy[k])
        total += recursion.above(state, times[k], drift, bound)
        state = recursion.carry(state, times[k], drift, -math.inf, bound, times[k + 1])
    return total + recursion.above(state, times[look - 1], drift, z)


def after_stop(boundaries: Boundaries, look: int, z: float, *, level: float = 0.95) -> AfterStop:
    r"""Return p-value, estimate and confidence limits of a trial that has stopped.

    Parameters
    ----------
    boundaries : Boundaries
        The looks and bounds that were kept.
    look : int
        Look at which the trial stopped, counted from 1.
    z : float
        Test statistic there, at most 30 in size.
    level : float, optional
        Coverage of the limits.

    Returns
    -------
    AfterStop
        On the scale of the drift, the mean of Z at full information: a log hazard ratio is
        :math:`-2/\sqrt{d}` times it with d events at full information and equal arms.

    Raises
    ------
    ParameterError
        When the look is not one of the trial's, or a number is out of range.

    Examples
    --------
    The ordinary estimate would be 2.9 / sqrt(0.5), which is 4.10.

    >>> from car_relapse.trial.sequential import obrien_fleming
    >>> found = after_stop(obrien_fleming(2), 1, 2.9)
    >>> round(found.p_value, 4), round(found.drift, 2), round(found.low, 2)
    (0.0019, 4.1, 1.33)
    """
    number, value = _look(boundaries, look, z)
    covered = float(require_fraction("level", level, "give 0.95 or so", scalar=True))
    if not 1e-6 <= covered <= 1.0 - 1e-9:
        raise ParameterError(
            f"level is {covered:g}; it must lie strictly between 0 and 1; give 0.95 or so"
        )
    root = math.sqrt(boundaries.information[number - 1])
    tail = (1.0 - covered) / 2.0

    def solve(probability: float) -> float:
        def excess(drift: float) -> float:
            return _at_least(boundaries, number, value, drift) - probability

        low, high = value / root - 12.0 / root, value / root + 12.0 / root
        while excess(low) > 0.0:
            low -= 12.0 / root
        return float(brentq(excess, low, high, xtol=1e-10))

    return AfterStop(
        p_value=_at_least(boundaries, number, value, 0.0),
        drift=solve(0.5),
        low=solve(tail),
        high=solve(1.0 - tail),
    )


def conditional_power(
    boundaries: Boundaries, look: int, z: float, *, drift: float | None = None
) -> float:
    """Return the probability that a trial which goes on after a look ends in success.

    Parameters
    ----------
    boundaries : Boundaries
        The looks and bounds.
    look : int
        Look that was just taken, counted from 1, not the last.
    z : float
        Test statistic there, at most 30 in size.
    drift : float, optional
        Mean of Z at full information from here on; by default the one that the data so far
        suggest, z divided by the root of the information.

    Returns
    -------
    float
        Probability in [0, 1]; futility bounds are left out.

    Raises
    ------
    ParameterError
        When the look is the last or not one of the trial's, or a number is out of range.

    Examples
    --------
    Half-way nothing is seen: little hope if that is the truth, some if the plan was right.

    >>> from car_relapse.trial.sequential import obrien_fleming
    >>> plan = obrien_fleming(2)
    >>> round(conditional_power(plan, 1, 0.0), 3)
    0.003
    >>> round(conditional_power(plan, 1, 0.0, drift=plan.drift(0.8)), 2)
    0.21
    """
    number, value = _look(boundaries, look, z)
    times = boundaries.information
    if number == len(times):
        raise ParameterError(
            f"look is {number}; after the last one nothing follows; give an earlier look"
        )
    root = math.sqrt(times[number - 1])
    if drift is None:
        mean = value / root
    else:
        mean = float(require_finite("drift", drift, "give the mean of Z", scalar=True))
        if abs(mean) > 1e4:
            raise ParameterError(
                f"drift is {mean:g}; it must be at most 10000 in size; give the mean of Z at full "
                "information"
            )
    state, total = recursion.start(times[number - 1], value * root), 0.0
    for k in range(number, len(times)):
        bound = float(boundaries.efficacy[k])
        total += recursion.above(state, times[k], mean, bound)
        if k < len(times) - 1:
            state = recursion.carry(state, times[k], mean, -math.inf, bound, times[k + 1])
    return min(total, 1.0)
