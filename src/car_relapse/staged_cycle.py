r"""Cells that divide by a clock: lines whose division times are not exponential.

The laws of `car_relapse.branching` let a newborn cell divide at once. A real cell passes through
its cycle first, and its cycle times vary less than an exponential law allows (Yates et al. 2017,
doi:10.1007/s11538-017-0356-4). Here a cycle has :math:`k` stages, left one after the other at
the rate :math:`r`, so that a cycle without death is a gamma variable with :math:`k` stages; one
stage is the exponential law, and many are a clock. Cells may die in any stage.

Two cycles are compared at the same growth: the population of a cycle grows at the rate
:math:`b - d`, whatever :math:`d`, when

.. math:: 2\Bigl(\frac{r}{r+b}\Bigr)^k = 1, \qquad r = \frac{b}{2^{1/k} - 1} .
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are first used
from numpy.typing import NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_instance,
    require_non_negative,
    require_positive,
)

__all__ = ["StagedCycle", "matched_cycle", "sample_lines", "staged_survival"]

Floats = NDArray[np.float64]
Rate = Callable[[float], float]

_MOST_STAGES = 200
_RTOL = 1e-8
_MOST_LOOKS = 50_000
# Divisions and deaths of one line up to which they are drawn one by one.
_MOST_EVENTS = 20_000


@dataclass(frozen=True, kw_only=True)
class StagedCycle:
    """A cell cycle of equal stages."""

    stages: int
    """Number of stages :math:`k`, 1 to 200; 1 is the exponential law."""
    stage_rate: float
    """Rate :math:`r` at which a cell leaves a stage, 1/day, > 0."""

    def __post_init__(self) -> None:
        require_count("stages", self.stages, "give 1 or more", minimum=1, maximum=_MOST_STAGES)
        require_positive("stage_rate", self.stage_rate, "give a rate in 1/day", scalar=True)

    @property
    def mean_days(self) -> float:
        """Mean length of a cycle that no death ends, days; infinite at tiny rates."""
        return self.stages / self.stage_rate

    @property
    def variation(self) -> float:
        r"""Coefficient of variation of the length, :math:`1/\sqrt{k}`; dimensionless."""
        return float(self.stages**-0.5)

    @property
    def shares(self) -> Floats:
        """Share of the cells in each stage when the population grows, shape (stages,)."""
        weight = 2.0 ** (-np.arange(self.stages) / self.stages)
        return np.asarray(weight / weight.sum())


def matched_cycle(birth_rate: float, stages: int) -> StagedCycle:
    """Return the cycle of `stages` stages whose population grows as with `birth_rate`.

    Raises
    ------
    ParameterError
        When the rate is not positive or the number of stages not 1 to 200.

    Examples
    --------
    >>> matched_cycle(0.105, 1).stage_rate
    0.105
    >>> round(matched_cycle(0.105, 16).mean_days, 2)
    6.75
    """
    b = float(require_positive("birth_rate", birth_rate, "give a rate in 1/day", scalar=True))
    k = require_count("stages", stages, "give 1 or more", minimum=1, maximum=_MOST_STAGES)
    return StagedCycle(stages=k, stage_rate=float(b / np.expm1(np.log(2.0) / k)))


def staged_survival(
    cycle: StagedCycle, death_rate: Rate, until: float, *, kinks: Sequence[float] = ()
) -> float:
    r"""Return the chance that the line of one cell never dies out.

    The cell is one of a growing population, so that it may be in any stage. With :math:`u_i` the
    chance from stage :math:`i`,

    .. math::

        -u_i' = r(u_{i+1} - u_i) - d(t)u_i, \qquad -u_k' = r(2u_1 - u_1^2 - u_k) - d(t)u_k ,

    backwards from the day `until`, after which the death rate stays as it is then.

    Parameters
    ----------
    cycle : StagedCycle
    death_rate : callable
        Maps a day to a death rate, killing included, 1/day, >= 0.
    until : float
        Day from which on the death rate is constant, >= 0.
    kinks : sequence of float, optional
        Days on which the death rate is not smooth.

    Raises
    ------
    ParameterError
        When a rate is negative or not finite, when it changes too fast to be followed, or when
        cells do not grow after `until`.

    Examples
    --------
    >>> round(staged_survival(matched_cycle(0.2, 1), lambda day: 0.1, 0.0), 9)
    0.5
    """
    require_instance("cycle", cycle, StagedCycle, "give matched_cycle(birth_rate, stages)")
    stop = float(require_non_negative("until", until, "count days from the start", scalar=True))
    corners = require_finite("kinks", kinks, "give a list of days")
    if corners.ndim != 1:
        raise ParameterError(f"kinks is {kinks!r}; it must be a list of days; give [] for none")
    looks = 0

    def death(day: float) -> float:
        nonlocal looks
        looks += 1
        if looks > _MOST_LOOKS:
            raise ParameterError(
                f"death_rate changes too fast or too often up to day {stop:g} to be followed "
                f"({_MOST_LOOKS} evaluations); smooth it, name its kinks, or lower until"
            )
        rate = require_non_negative("death_rate", death_rate(day), "mend the function", scalar=True)
        return float(rate)

    def slope(back: float, u: Floats) -> Floats:
        # Time runs backwards from `until`.
        ahead = np.append(u[1:], (2.0 - u[0]) * u[0])
        return np.asarray(cycle.stage_rate * (ahead - u) - death(stop - back) * u)

    onward = cycle.stage_rate * (np.eye(cycle.stages, k=1) - np.eye(cycle.stages))

    def jacobian(back: float, u: Floats) -> Floats:
        matrix = onward - death(stop - back) * np.eye(cycle.stages)
        matrix[-1, 0] += 2.0 * cycle.stage_rate * (1.0 - u[0])
        return np.asarray(matrix)

    chances = _constant(cycle, death(stop))
    turns = [float(stop - day) for day in np.sort(corners)[::-1] if 0 < day < stop]
    first = 0.0
    for last in [*turns, stop]:
        if last > first:
            # Chances as small as 1e-20 keep their digits: only the relative error counts.
            run = scipy.integrate.solve_ivp(
                slope, (first, last), chances, "LSODA", jac=jacobian, rtol=_RTOL, atol=1e-300
            )
            if not run.success:
                raise ParameterError(
                    f"the equations could not be integrated up to day {stop:g}; name the kinks of "
                    "death_rate, or lower until"
                )
            chances, first = run.y[:, -1], last
    return float(cycle.shares @ np.clip(chances, 0.0, 1.0))


def _constant(cycle: StagedCycle, death: float) -> Floats:
    """Return the chance from each stage when the death rate never changes."""
    # Chance to reach the division from each stage; from the first, q: u_1 = q (2 u_1 - u_1^2).
    reach = (cycle.stage_rate / (cycle.stage_rate + death)) ** np.arange(cycle.stages, 0, -1)
    if reach[0] <= 0.5:
        raise ParameterError(
            f"death_rate is {death:g} in the end, when cells must grow; with it only "
            f"{reach[0]:.3g} of the newborn cells divide; lower it, or wait longer"
        )
    one = 2.0 - 1.0 / reach[0]
    return np.asarray(reach * (2.0 - one) * one)


def sample_lines(
    cycle: StagedCycle, death_rate: float, days: float, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the sizes of `n` lines after `days`, one division, stage and death at a time.

    It knows no formula of the law and is slow: it is there to check them. Each line starts from
    one cell of a growing population.

    Parameters
    ----------
    cycle : StagedCycle
    death_rate : float
        Death rate, 1/day, >= 0.
    days : float
        Length of the interval, days, >= 0.
    n : int
        Number of lines, >= 1.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or a line has more than 20 000 events.

    Examples
    --------
    >>> sample_lines(matched_cycle(0.2, 4), 0.1, 0.0, 3, np.random.default_rng(1))
    array([1, 1, 1])
    """
    require_instance("cycle", cycle, StagedCycle, "give matched_cycle(birth_rate, stages)")
    death = float(require_non_negative("death_rate", death_rate, "give 1/day", scalar=True))
    length = float(require_non_negative("days", days, "give a duration in days", scalar=True))
    count = require_count("n", n, "give a number of lines", minimum=1)
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    cells = rng.multinomial(1, cycle.shares, size=count)
    clock = np.zeros(count)
    running = np.arange(count)
    leave = cycle.stage_rate / (cycle.stage_rate + death)
    for _ in range(_MOST_EVENTS):
        size = cells[running].sum(axis=1)
        wait = rng.standard_exponential(running.size) / (cycle.stage_rate + death)
        clock[running] += wait / np.maximum(size, 1)
        running = running[(size > 0) & (clock[running] < length)]
        if not running.size:
            return np.asarray(cells.sum(axis=1), dtype=np.int64)
        held = np.cumsum(cells[running], axis=1)
        chosen = rng.random(running.size) * held[:, -1]
        stage = np.argmax(held > chosen[:, None], axis=1)
        onward = rng.random(running.size) < leave
        cells[running, stage] -= 1
        divides = onward & (stage == cycle.stages - 1)
        moves = onward & ~divides
        cells[running[moves], stage[moves] + 1] += 1
        cells[running[divides], 0] += 2
    raise ParameterError(
        f"days is {length:g}; a line has more than {_MOST_EVENTS} divisions, stages and deaths; "
        "shorten it, or leap with car_relapse.leaps"
    )
