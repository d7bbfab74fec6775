r"""León-Triana et al. 2021: a solid tumour that inactivates CAR-T, and a second, healthy target.

With a *single* target, CAR-T cells :math:`C` expand on tumour cells :math:`T` and are
inactivated by them (equations 1 and 2):

.. math::

    C' = \rho_C \frac{C\,T}{g_T + T} - \alpha_1 \frac{C\,T}{g_C + C} - \frac{C}{\tau_C},
    \qquad T' = \rho_T T - \alpha_2 C\,T .

With a *dual* target, CAR-T cells :math:`\bar C` that are outside the tumour expand on healthy
B cells :math:`B` and enter the tumour at rate :math:`k` (equations 3 to 6):

.. math::

    \bar C' &= \bar\rho_C \frac{\bar C\,B}{g_B + B} - \frac{\bar C}{\tau_C} - k\bar C, \qquad
    B' = -\alpha_B B\,\bar C - \frac{B}{\tau_B}, \\
    C' &= k\bar C + \rho_C \frac{C\,T}{g_T + T} - \alpha_1 \frac{C\,T}{g_C + C}
          - \frac{C}{\tau_C}, \qquad T' = \rho_T T - \alpha_2 C\,T .

Explains why inactivation defeats a single target, and how a target outside the tumour pays for
the expansion that the tumour denies. It is not about loss of antigen: the second target is a
source of CAR-T, and every tumour cell keeps both.

Two statements of the paper do not follow from its equations and values: figure 4a is said to
show a reduction of more than four orders of magnitude, and the single-target equations give 2.7
(`nadir`); and figure 5b needs :math:`\alpha_1 = 0.183`, as the curators of BioModels note,
and not 0.2.

Cancers 13:703, doi:10.3390/cancers13040703; values of its Table 1 and of BIOMD0000001013 and
BIOMD0000001014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from car_relapse.errors import ParameterError, require_instance, require_positive
from car_relapse.published._integrate import check_days, first_turn, integrate, positive
from car_relapse.published._leontriana2021_model import (
    DualCourse,
    DualParameters,
    SingleCourse,
    SingleParameters,
    inside,
)

__all__ = [
    "DualCourse",
    "DualParameters",
    "SingleCourse",
    "SingleParameters",
    "controlled",
    "critical_car",
    "dose_threshold",
    "dual_nadir",
    "dual_peak",
    "nadir",
    "off_tumour_peak",
    "peak",
    "solve",
    "solve_dual",
]

# The dual model starts with no CAR-T in the tumour, whose logarithm does not exist: for these
# first days it is integrated on a linear scale, on which the influx alone shapes it.
_LINEAR_DAYS = 0.1


def _single_slope(p: SingleParameters, state: NDArray[np.float64]) -> tuple[float, float]:
    car, tumour = np.exp(state)
    return inside(p, float(car), float(tumour))


def _single_start(p: SingleParameters) -> NDArray[np.float64]:
    return np.log([p.car_start, p.tumour_start])


def solve(parameters: SingleParameters, days: ArrayLike) -> SingleCourse:
    """Return the course of the single-target model on `days`.

    Parameters
    ----------
    parameters : SingleParameters
    days : array_like, shape (n,)
        Increasing days after infusion, >= 0.

    Raises
    ------
    ParameterError
        When `days` is no increasing list.

    Examples
    --------
    >>> [f"{n:.3g}" for n in solve(SingleParameters(), [0.0, 38.0]).tumour]
    ['3.35e+10', '6.66e+07']
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    grid = check_days(days)
    state = integrate(lambda _, y: _single_slope(parameters, y), _single_start(parameters), grid)
    car, tumour = np.exp(state)
    return SingleCourse(day=grid, car=car, tumour=tumour)


def _single_turn(
    p: SingleParameters, species: int, direction: int, until: float, what: str
) -> tuple[float, float]:
    day, log_size = first_turn(
        lambda _, y: _single_slope(p, y),
        _single_start(p),
        species,
        direction=direction,
        until=until,
        what=what,
    )
    return day, float(np.exp(log_size))


def peak(parameters: SingleParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day of the CAR-T peak and its height in cells.

    Raises
    ------
    ParameterError
        When there is none before day `until`.

    Examples
    --------
    >>> round(peak(SingleParameters())[0], 2)
    13.27
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    return _single_turn(parameters, 0, -1, until, "a CAR-T peak")


def nadir(parameters: SingleParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day of the tumour's nadir and its size in cells.

    With the values of figure 4a it lies 2.7 orders of magnitude below the start; the paper's
    text says more than four.

    Raises
    ------
    ParameterError
        When there is none before day `until`.

    Examples
    --------
    >>> round(nadir(SingleParameters())[0], 2)
    38.43
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    return _single_turn(parameters, 1, 1, until, "a nadir")


def critical_car(parameters: SingleParameters) -> float:
    r"""Return :math:`\rho_T/\alpha_2`, the number of CAR-T cells above which the tumour shrinks.

    Examples
    --------
    >>> round(critical_car(SingleParameters()))
    80000000
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    return parameters.tumour_rate / parameters.killing_rate


def _log_reduction(p: SingleParameters, log_dose: float, day: float) -> float:
    """Return ln of the tumour on `day` over its maximum until then."""
    start = np.array([log_dose, np.log(p.tumour_start)])
    # The maximum is flat, so a grid finds its height to the square of its step.
    tumour = integrate(lambda _, y: _single_slope(p, y), start, np.linspace(0.0, day, 4001))[1]
    return float(tumour[-1] - tumour.max())


def controlled(parameters: SingleParameters, *, day: float = 180.0, remaining: float = 0.1) -> bool:
    """Return whether the tumour on `day` is below a fraction `remaining` of its maximum.

    Raises
    ------
    ParameterError
        When an argument is not finite and > 0.

    Examples
    --------
    >>> controlled(SingleParameters())
    True
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    limit = float(
        np.log(
            require_positive("remaining", remaining, "give a fraction of the maximum", scalar=True)
        )
    )
    last = positive("day", day, "give a day after infusion")
    return _log_reduction(parameters, float(np.log(parameters.car_start)), last) < limit


def dose_threshold(
    parameters: SingleParameters,
    *,
    day: float = 180.0,
    remaining: float = 0.1,
    lowest: float = 1e6,
    highest: float = 1e11,
) -> float:
    """Return the CAR-T dose above which the tumour is controlled, cells.

    Parameters
    ----------
    parameters : SingleParameters
        Its `car_start` is not used.
    day, remaining : float, optional
        Control means a tumour below this fraction of its maximum on this day.
    lowest, highest : float, optional
        Doses to search between, cells.

    Raises
    ------
    ParameterError
        When the lowest dose controls the tumour or the highest does not, or an argument is
        not finite and > 0.

    Examples
    --------
    >>> f"{dose_threshold(SingleParameters()):.3g}"
    '1.71e+08'
    """
    require_instance("parameters", parameters, SingleParameters, "give SingleParameters(...)")
    limit = float(
        np.log(
            require_positive("remaining", remaining, "give a fraction of the maximum", scalar=True)
        )
    )
    last = positive("day", day, "give a day after infusion")
    low = float(np.log(require_positive("lowest", lowest, "give a dose in cells", scalar=True)))
    high = float(np.log(require_positive("highest", highest, "give a dose in cells", scalar=True)))

    def excess(log_dose: float) -> float:
        return _log_reduction(parameters, log_dose, last) - limit

    if excess(low) <= 0 or excess(high) > 0:
        raise ParameterError(
            f"lowest is {lowest:g} and highest is {highest:g}; the first dose must fail and the "
            "second control the tumour; widen the search or lower inactivation_rate"
        )
    return float(np.exp(brentq(excess, low, high, xtol=1e-9)))


def _dual_rates(
    p: DualParameters, outside: float, b_cells: float, car: float, tumour: float
) -> tuple[float, float, float, float]:
    """Return growth per cell outside and of B cells, of CAR-T inside without influx, of tumour."""
    gain = p.outside_rate * b_cells / (p.outside_half + b_cells)
    car_rate, tumour_rate = inside(p.tumour, car, tumour)
    return (
        gain - 1.0 / p.tumour.car_lifetime - p.entry_rate,
        -p.b_cell_killing_rate * outside - 1.0 / p.b_cell_lifetime,
        car_rate,
        tumour_rate,
    )


def _dual_linear_slope(p: DualParameters, state: NDArray[np.float64]) -> NDArray[np.float64]:
    slope = np.array(_dual_rates(p, *map(float, state))) * state
    slope[2] += p.entry_rate * state[0]
    return slope


def _dual_slope(p: DualParameters, state: NDArray[np.float64]) -> NDArray[np.float64]:
    slope = np.array(_dual_rates(p, *map(float, np.exp(state))))
    slope[2] += p.entry_rate * np.exp(state[0] - state[2])
    return slope


def _dual_early(p: DualParameters, days: NDArray[np.float64]) -> NDArray[np.float64]:
    start = [p.dose, p.b_cell_start, 0.0, p.tumour.tumour_start]
    return integrate(lambda _, y: _dual_linear_slope(p, y), start, days)


def _logs(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.all(cells > 0):
        raise ParameterError(
            "a population falls below what a number can hold within the first day; bring the "
            "parameters closer to those of the paper"
        )
    return np.asarray(np.log(cells))


def solve_dual(parameters: DualParameters, days: ArrayLike) -> DualCourse:
    """Return the course of the dual-target model on `days`.

    Parameters
    ----------
    parameters : DualParameters
    days : array_like, shape (n,)
        Increasing days after infusion, >= 0.

    Raises
    ------
    ParameterError
        When `days` is no increasing list.

    Examples
    --------
    >>> [f"{n:.3g}" for n in solve_dual(DualParameters(), [10.0, 40.0]).car]
    ['4.46e+09', '5.6e+08']
    """
    require_instance("parameters", parameters, DualParameters, "give DualParameters(...)")
    grid = check_days(days)
    early = grid[grid <= _LINEAR_DAYS]
    switch = _dual_early(parameters, np.append(early[early < _LINEAR_DAYS], _LINEAR_DAYS))
    later = integrate(
        lambda _, y: _dual_slope(parameters, y),
        _logs(switch[:, -1]),
        np.append(_LINEAR_DAYS, grid[grid > _LINEAR_DAYS]),
        first=_LINEAR_DAYS,
    )
    state = np.hstack([switch[:, : early.size], np.exp(later[:, 1:])])
    outside, b_cells, car, tumour = state
    return DualCourse(day=grid, car=car, tumour=tumour, outside=outside, b_cells=b_cells)


def _dual_turn(
    p: DualParameters, species: int, direction: int, until: float, what: str
) -> tuple[float, float]:
    switch = _dual_early(p, np.array([_LINEAR_DAYS]))[:, -1]
    day, log_size = first_turn(
        lambda _, y: _dual_slope(p, y),
        _logs(switch),
        species,
        direction=direction,
        until=until,
        what=what,
    )
    return _LINEAR_DAYS + day, log_size


def off_tumour_peak(parameters: DualParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day on which CAR-T outside the tumour peak, and their number.

    Raises
    ------
    ParameterError
        When there is no peak before day `until`.

    Examples
    --------
    >>> f"{off_tumour_peak(DualParameters())[1]:.3g}"
    '3.88e+09'
    """
    require_instance("parameters", parameters, DualParameters, "give DualParameters(...)")
    day, log_size = _dual_turn(parameters, 0, -1, until, "a CAR-T peak outside the tumour")
    return day, float(np.exp(log_size))


def dual_peak(parameters: DualParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day on which CAR-T inside the tumour peak, and their number.

    Raises
    ------
    ParameterError
        When there is no peak before day `until`.

    Examples
    --------
    >>> dual_peak(DualParameters())[1] > off_tumour_peak(DualParameters())[1]
    True
    """
    require_instance("parameters", parameters, DualParameters, "give DualParameters(...)")
    day, log_size = _dual_turn(parameters, 2, -1, until, "a CAR-T peak in the tumour")
    return day, float(np.exp(log_size))


def dual_nadir(parameters: DualParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day of the tumour's nadir and the log10 of its cells; below 0 is below one cell.

    Raises
    ------
    ParameterError
        When there is no nadir before day `until`.

    Examples
    --------
    >>> round(dual_nadir(DualParameters())[1], 2)
    -1.04
    """
    require_instance("parameters", parameters, DualParameters, "give DualParameters(...)")
    day, log_size = _dual_turn(parameters, 3, 1, until, "a nadir")
    return day, log_size / float(np.log(10.0))
