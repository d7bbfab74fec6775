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
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from car_relapse.branching import LineLaw, time_dependent_law
from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_non_negative,
    require_positive,
)
from car_relapse.published._integrate import (
    check_days,
    check_positive_fields,
    first_day,
    integrate,
)

__all__ = [
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

CELLS_PER_ML = 1e9
"""Tumour cells in one millilitre, the usual count."""

# A line's fate is settled once the tumour would have grown by e^40.
_SETTLED = 40.0
# Days, far beyond any life: CAR-T that last longer never leave.
_LONGEST = 1e5


@dataclass(frozen=True, kw_only=True)
class KimmelParameters:
    """Rates and starting values of Kimmel et al. 2021, Table 1 (doi:10.1098/rspb.2021.0229)."""

    normal_rate: float = 0.17
    """Rate :math:`r_N` at which normal T cells refill, 1/day, > 0. Table 1."""
    normal_capacity: float = 500.0
    """Carrying capacity :math:`K_N` of normal T cells, cells/µl, > 0. Table 1."""
    car_capacity: float = 139.0
    """Carrying capacity :math:`K_C` of CAR-T cells, cells/µl, > 0. Table 1."""
    car_rate: float = 0.0251
    r"""Lowest growth rate :math:`\rho_C` of CAR-T cells, 1/day, > 0. Table 1."""
    car_boost: float = 0.525
    """Growth rate :math:`b` that empty space adds at most, 1/day, >= 0. Table 1."""
    car_boost_shape: float = 0.423
    """How fast the boost fades as space fills, :math:`a`, dimensionless, > 0. Table 1."""
    tumour_rate: float = 0.105
    """Net growth rate :math:`r_B` of the tumour, 1/day, > 0. Table 1 leaves it between 0.01 and
    0.5; the paper's survival curves use 0.105, 0.19 and 0.265, of which this is the slowest."""
    tumour_death_rate: float = 0.0
    """Death rate of tumour cells without CAR-T, 1/day, >= 0; they divide at :math:`r_B` plus
    this rate. It changes the chance of cure and not the mean course. 0 in the paper."""
    killing_rate: float = 1.15
    r"""Largest killing rate :math:`\gamma_B`, 1/day, > 0. Table 1."""
    half_killing: float = 4.05
    """CAR-T level :math:`k_B` of half that rate, cells/µl, > 0. Table 1."""
    normal_start: float = 6.0
    """Normal T cells on the day of infusion, cells/µl, > 0. Table 1."""
    car_start: float = 0.36
    """CAR-T cells on the day of infusion, cells/µl, > 0. Table 1."""
    tumour_start: float = 94.86
    """Tumour on the day of infusion, ml, > 0. Table 1."""

    def __post_init__(self) -> None:
        where = "Table 1 of doi:10.1098/rspb.2021.0229"
        check_positive_fields(
            self,
            (
                "normal_rate", "normal_capacity", "car_capacity", "car_rate", "car_boost_shape",
                "tumour_rate", "killing_rate", "half_killing", "normal_start", "car_start",
                "tumour_start",
            ),
            where,
        )  # fmt: skip
        for name in ("car_boost", "tumour_death_rate"):
            require_non_negative(name, getattr(self, name), f"see {where}")
        if self.car_capacity >= self.normal_capacity:
            raise ParameterError(
                f"car_capacity is {self.car_capacity:g}; normal T cells must win in the end, so "
                f"it must be < normal_capacity, {self.normal_capacity:g}; see {where}"
            )


@dataclass(frozen=True, kw_only=True)
class KimmelCourse:
    """Mean course of the three populations."""

    day: NDArray[np.float64]
    """Days after infusion, shape (n,)."""
    normal: NDArray[np.float64]
    """Normal T cells, cells/µl, shape (n,)."""
    car: NDArray[np.float64]
    """CAR-T cells, cells/µl, shape (n,)."""
    log_tumour: NDArray[np.float64]
    """Natural log of the tumour in ml, shape (n,)."""

    @property
    def tumour_cells(self) -> NDArray[np.float64]:
        """Mean number of tumour cells, which may be below one."""
        return np.asarray(CELLS_PER_ML * np.exp(self.log_tumour))


def _slope(p: KimmelParameters, state: NDArray[np.float64]) -> list[float]:
    log_n, log_c = float(state[0]), float(state[1])
    total = np.exp(log_n) + np.exp(log_c)
    log_total = np.logaddexp(log_n, log_c)
    empty = (total - p.normal_capacity) ** 2
    car_rate = p.car_rate + p.car_boost * empty / (p.car_boost_shape * total**2 + empty)
    return [
        -p.normal_rate * (log_total - np.log(p.normal_capacity)),
        -car_rate * (log_total - np.log(p.car_capacity)),
        p.tumour_rate - _killing(p, log_c),
    ]


def _killing(p: KimmelParameters, log_car: float) -> float:
    car = float(np.exp(log_car))
    return p.killing_rate * car / (p.half_killing + car)


def _start(p: KimmelParameters) -> NDArray[np.float64]:
    return np.log([p.normal_start, p.car_start, p.tumour_start])


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
    grid = check_days(days)
    log_n, log_c, log_b = integrate(lambda _, y: _slope(parameters, y), _start(parameters), grid)
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
    room = np.log(parameters.car_capacity)
    day, state = first_day(
        lambda _, y: _slope(parameters, y),
        _start(parameters),
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
    day, state = first_day(
        lambda _, y: _slope(parameters, y),
        _start(parameters),
        lambda _, y: parameters.tumour_rate - _killing(parameters, y[1]),
        direction=1,
        until=until,
        what="a nadir",
    )
    return day, float((state[2] + np.log(CELLS_PER_ML)) / np.log(10.0))


def _tumour_passes(
    p: KimmelParameters, log_level: float, direction: int, until: float, what: str
) -> float:
    day, _ = first_day(
        lambda _, y: _slope(p, y),
        _start(p),
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
    fold = float(require_positive("growth", growth, "the paper uses 1.2"))
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
        log_car = integrate(lambda _, y: _slope(p, y), _start(p), np.array([_LONGEST]))[1, -1]
        if _killing(p, log_car) >= p.tumour_rate:
            raise ParameterError(
                f"tumour_rate is {p.tumour_rate:g}; CAR-T still outpace it after {_LONGEST:g} "
                "days; every tumour is cured; choose a faster tumour or a smaller car_capacity"
            ) from None
    return turn + 4.0 * _SETTLED / p.tumour_rate


def _law_until(p: KimmelParameters, horizon: float) -> Callable[[float], LineLaw]:
    """Return a function from a day (up to `horizon`) to the law of one tumour cell's line."""
    car = solve_ivp(
        lambda _, y: _slope(p, y),
        (0.0, horizon),
        _start(p),
        "DOP853",
        rtol=1e-11,
        atol=1e-12,
        dense_output=True,
    ).sol

    def death(day: float) -> float:
        return p.tumour_death_rate + _killing(p, float(car(day)[1]))

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
    settled = _settled_day(parameters)
    day = settled
    if by_day is not None:
        day = min(
            float(require_non_negative("by_day", by_day, "count days from infusion")), settled
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
    level = float(require_fraction("probability", probability, "give a level between 0 and 1"))
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
