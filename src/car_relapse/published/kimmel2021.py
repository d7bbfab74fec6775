r"""Kimmel, Locke and Altrock 2021: room for CAR-T after lymphodepletion, and cure by chance.

Normal T cells :math:`N` and CAR-T cells :math:`C` (cells/µl) refill the same space, and CAR-T
kill a tumour :math:`B` (ml) that does not act on them:

.. math::

    N' &= -r_N N \ln\frac{N+C}{K_N}, \qquad
    C' = -r_C(T)\, C \ln\frac{N+C}{K_C}, \qquad T = N + C, \\
    r_C(T) &= \rho_C + \frac{b\,(T-K_N)^2}{a\,T^2 + (T-K_N)^2}, \qquad
    B' = r_B B - \gamma_B \frac{B\,C}{k_B + C} .

Explains how lymphodepletion and competition set the expansion, why CAR-T peak on the day when
:math:`N+C=K_C` whatever the tumour does, and why a cure is a chance event: the curve
:math:`B(t)` always grows back. Does not contain an antigen: every relapse here is
antigen-positive and comes from the loss of CAR-T.

The paper simulates the last 100 cells. As :math:`C` does not depend on :math:`B`, each tumour
cell founds a line whose death rate is known in advance, and the chance of cure by any day
follows exactly from the law of such lines (`car_relapse.branching`).

Proc. R. Soc. B 288:20210229, doi:10.1098/rspb.2021.0229.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from car_relapse.branching import LineLaw, time_dependent_law
from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
)
from car_relapse.published._integrate import (
    check_days,
    first_day,
    followed,
    integrate,
    positive,
)
from car_relapse.published._kimmel_model import (
    CELLS_PER_LEVEL,
    CELLS_PER_ML,
    KimmelCourse,
    KimmelParameters,
    killing,
    slope,
    start,
)

__all__ = [
    "CELLS_PER_LEVEL",
    "CELLS_PER_ML",
    "KimmelCourse",
    "KimmelParameters",
    "cure_day_quantile",
    "cure_probability",
    "nadir",
    "peak",
    "progression_day",
    "single_cell_day",
    "solve",
]

# A line's fate is settled once the tumour would have grown by e^40.
_SETTLED = 40.0
# Days, far beyond any life: CAR-T that last longer never leave.
_LONGEST = 1e5


def solve(parameters: KimmelParameters, days: ArrayLike) -> KimmelCourse:
    """Return the mean course on `days`.

    Parameters
    ----------
    parameters : KimmelParameters
    days : array_like, shape (n,)
        Increasing days after infusion, >= 0.

    Returns
    -------
    KimmelCourse

    Raises
    ------
    ParameterError
        When `days` is no increasing list.

    Examples
    --------
    >>> solve(KimmelParameters(), [14.0, 28.0]).car.round(2)
    array([8.97, 2.49])
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    grid = check_days(days)
    log_n, log_c, log_b = integrate(lambda _, y: slope(parameters, y), start(parameters), grid)
    return KimmelCourse(day=grid, normal=np.exp(log_n), car=np.exp(log_c), log_tumour=log_b)


def peak(parameters: KimmelParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day of the CAR-T peak and its height in cells/µl.

    The peak falls where N + C passes the carrying capacity of CAR-T, whatever the tumour does.

    Raises
    ------
    ParameterError
        When there is none before day `until`, as when CAR-T decline from the start.

    Examples
    --------
    >>> [round(x, 2) for x in peak(KimmelParameters())]
    [7.01, 30.11]
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    room = np.log(parameters.car_capacity)
    day, state = first_day(
        lambda _, y: slope(parameters, y),
        start(parameters),
        lambda _, y: float(room - np.logaddexp(y[0], y[1])),
        direction=-1,
        until=until,
        what="a CAR-T peak",
    )
    return day, float(np.exp(state[1]))


def nadir(parameters: KimmelParameters, *, until: float = 10_000.0) -> tuple[float, float]:
    r"""Return the day of the mean tumour's nadir and the log10 of its cells on that day.

    It falls on the day when the killing rate :math:`\gamma_B C/(k_B+C)` sinks to :math:`r_B`.

    Raises
    ------
    ParameterError
        When there is none before day `until`: CAR-T never outpace the tumour.

    Examples
    --------
    >>> [round(x, 2) for x in nadir(KimmelParameters())]
    [84.19, 0.37]
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    day, state = first_day(
        lambda _, y: slope(parameters, y),
        start(parameters),
        lambda _, y: parameters.tumour_rate - killing(parameters, y[1]),
        direction=1,
        until=until,
        what="a nadir",
    )
    return day, float((state[2] + np.log(CELLS_PER_ML)) / np.log(10.0))


def _tumour_passes(
    p: KimmelParameters, log_level: float, direction: int, until: float, what: str
) -> float:
    day, _ = first_day(
        lambda _, y: slope(p, y),
        start(p),
        lambda _, y: float(y[2] - log_level),
        direction=direction,
        until=until,
        what=what,
    )
    return day


def single_cell_day(parameters: KimmelParameters, *, until: float = 10_000.0) -> float:
    """Return the first day on which the mean tumour falls below one cell.

    Raises
    ------
    ParameterError
        When it does not before day `until`.

    Examples
    --------
    >>> round(single_cell_day(KimmelParameters(tumour_rate=0.01)), 2)
    44.59
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    return _tumour_passes(
        parameters, -float(np.log(CELLS_PER_ML)), -1, until, "a day with less than one cell"
    )


def progression_day(
    parameters: KimmelParameters, *, growth: float = 1.2, until: float = 100_000.0
) -> float:
    """Return the first day on which the mean tumour exceeds `growth` times its start.

    Parameters
    ----------
    parameters : KimmelParameters
    growth : float, optional
        Tumour over its start that counts as progression, > 1; 1.2 in the paper.
    until : float, optional
        Last day to look at.

    Raises
    ------
    ParameterError
        When `growth` is not above 1, or there is no progression before day `until`.

    Examples
    --------
    >>> round(progression_day(KimmelParameters(tumour_rate=0.19)), 1)
    193.5
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    fold = positive("growth", growth, "the paper uses 1.2")
    if fold <= 1:
        raise ParameterError(
            f"growth is {fold:g}; progression means a larger tumour than at infusion, so it must "
            "be > 1; the paper uses 1.2"
        )
    level = float(np.log(parameters.tumour_start * fold))
    return _tumour_passes(parameters, level, 1, until, "a day of progression")


def _settled_day(p: KimmelParameters) -> float:
    """Return a day after which the fate of no line changes."""
    # Killing rises to one maximum and falls, so it sinks below the tumour's growth once at most.
    try:
        turn, _ = nadir(p, until=_LONGEST)
    except ParameterError:
        turn = 0.0
        log_car = integrate(lambda _, y: slope(p, y), start(p), np.array([_LONGEST]))[1, -1]
        if killing(p, log_car) >= p.tumour_rate:
            raise ParameterError(
                f"tumour_rate is {p.tumour_rate:g}; CAR-T still outpace it after {_LONGEST:g} "
                "days; every tumour is cured; choose a faster tumour or a smaller car_capacity"
            ) from None
    return turn + 4.0 * _SETTLED / p.tumour_rate


def _law_until(p: KimmelParameters, horizon: float) -> Callable[[float], LineLaw]:
    """Return a function from a day (up to `horizon`) to the law of one tumour cell's line."""
    car = followed(lambda _, y: slope(p, y), start(p), horizon).sol

    def death(day: float) -> float:
        return p.tumour_death_rate + killing(p, float(car(day)[1]))

    birth = p.tumour_rate + p.tumour_death_rate
    return lambda day: time_dependent_law(lambda _: birth, death, 0.0, day, rtol=1e-10)


def _log_cured(p: KimmelParameters, law: LineLaw) -> float:
    """Return the log probability that no line is alive."""
    cells = p.tumour_start * CELLS_PER_ML
    with np.errstate(divide="ignore"):  # on day 0 every line is alive
        return float(cells * np.log1p(-np.exp(law.log_alive)))


def cure_probability(parameters: KimmelParameters, *, by_day: float | None = None) -> float:
    r"""Return the probability that the tumour is extinct by a day, or ever.

    With :math:`I` of the line law along the CAR-T curve and :math:`n` tumour cells at infusion,
    it is :math:`(1 - 1/(1+I))^n \approx e^{-n/(1+I)}`.

    Parameters
    ----------
    parameters : KimmelParameters
    by_day : float, optional
        Day after infusion, >= 0; ever, when left out.

    Raises
    ------
    ParameterError
        When `by_day` is negative or not finite.

    Examples
    --------
    >>> round(cure_probability(KimmelParameters()), 4)
    0.6188
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    settled = _settled_day(parameters)
    day = settled
    if by_day is not None:
        day = min(
            float(require_non_negative("by_day", by_day, "count days from infusion", scalar=True)),
            settled,
        )
    return float(np.exp(_log_cured(parameters, _law_until(parameters, max(day, 1.0))(day))))


def cure_day_quantile(parameters: KimmelParameters, probability: float) -> float:
    """Return a quantile of the day of extinction, given that the tumour goes extinct.

    Parameters
    ----------
    parameters : KimmelParameters
    probability : float
        Level of the quantile, in (0, 1).

    Raises
    ------
    ParameterError
        When `probability` is not in (0, 1), or a cure is so unlikely that its day means
        nothing (below 1e-300).

    Examples
    --------
    >>> round(cure_day_quantile(KimmelParameters(), 0.05), 1)
    61.3
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters(...)")
    level = float(
        require_fraction("probability", probability, "give a level between 0 and 1", scalar=True)
    )
    if level in (0.0, 1.0):
        raise ParameterError(
            f"probability is {level:g}; no day is surely before or after every cure; give a "
            "level between 0 and 1"
        )
    settled = _settled_day(parameters)
    law = _law_until(parameters, settled)
    log_ever = _log_cured(parameters, law(settled))
    if log_ever < np.log(1e-300):
        raise ParameterError(
            f"the log probability of cure is {log_ever:g}; a cure must be possible for its day "
            "to mean something; choose a slower tumour"
        )
    target = log_ever + np.log(level)

    def excess(day: float) -> float:
        return float(max(_log_cured(parameters, law(day)), -1e300) - target)

    return float(brentq(excess, 0.0, settled, xtol=1e-7))
