r"""León-Triana et al. 2020: CAR-T, leukaemia and healthy B cells as predator and prey.

Numbers of CAR-T cells :math:`C`, leukaemic cells :math:`L` and healthy B cells :math:`B`, all
with CD19 (equations 4a to 4c of the paper; with a source of B cells from CD19-negative
precursors, equations 3a to 3c):

.. math::

    C' &= \rho_C (L + B + \beta I)\, C - C/\tau_C, \qquad
    L' = \rho_L L - \alpha L C, \\
    B' &= -\alpha B C - B/\tau_B + I/\tau_I, \qquad I = \frac{I_0}{1 + C/C_{50}} .

Explains the rapid expansion, why the dose hardly matters, and CD19-positive relapse as the
return of prey after its predator has starved. Does not contain loss of antigen. The leukaemia
never falls below :math:`4\times10^5` cells at the printed values, so relapse is certain in it.

Killing turns targets into CAR-T at a fixed ratio, so without source
:math:`Q = C + (\rho_C/\alpha)(L+B)` changes only by growth and death,
:math:`Q' = (\rho_C/\alpha)(\rho_L L - B/\tau_B) - C/\tau_C`. It never rises in a leukaemia that
does not grow, and its first value is the paper's bound for the peak.

The SBML file BIOMD0000001012 of equations 3 writes the source term in :math:`C'` without the
factor :math:`C`, which is probably a slip of its curation; this module keeps the factor.

Communications in Nonlinear Science and Numerical Simulation,
doi:10.1016/j.cnsns.2020.105570; values as in BIOMD0000001011 and BIOMD0000001012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import require_instance
from car_relapse.published._integrate import check_days, first_turn, integrate
from car_relapse.published._leontriana2020_model import LeukaemiaParameters, log_slope

__all__ = [
    "LeukaemiaCourse",
    "LeukaemiaParameters",
    "leukaemia_maximum",
    "nadir",
    "peak",
    "peak_bound",
    "solve",
]


@dataclass(frozen=True, kw_only=True)
class LeukaemiaCourse:
    """Course of the three populations."""

    day: NDArray[np.float64]
    """Days after infusion, shape (n,)."""
    car: NDArray[np.float64]
    """CAR-T cells, shape (n,)."""
    leukaemia: NDArray[np.float64]
    """Leukaemic cells, shape (n,)."""
    b_cells: NDArray[np.float64]
    """Healthy B cells, shape (n,)."""


def _start(p: LeukaemiaParameters) -> NDArray[np.float64]:
    return np.log([p.car_start, p.leukaemia_start, p.b_cell_start])


def solve(parameters: LeukaemiaParameters, days: ArrayLike) -> LeukaemiaCourse:
    """Return the course on `days`.

    Parameters
    ----------
    parameters : LeukaemiaParameters
    days : array_like, shape (n,)
        Increasing days after infusion, >= 0.

    Returns
    -------
    LeukaemiaCourse

    Raises
    ------
    ParameterError
        When `days` is no increasing list.

    Examples
    --------
    >>> [f"{n:.3g}" for n in solve(LeukaemiaParameters(), [12.0, 60.0]).car]
    ['1.64e+10', '6e+08']
    """
    require_instance("parameters", parameters, LeukaemiaParameters, "give LeukaemiaParameters(...)")
    grid = check_days(days)
    state = integrate(lambda _, y: log_slope(parameters, y), _start(parameters), grid)
    car, leukaemia, b_cells = np.exp(state)
    return LeukaemiaCourse(day=grid, car=car, leukaemia=leukaemia, b_cells=b_cells)


def _turn(
    p: LeukaemiaParameters, species: int, direction: int, until: float, what: str
) -> tuple[float, float]:
    """Return the first day on which a population's growth passes 0, and its size."""
    day, log_size = first_turn(
        lambda _, y: log_slope(p, y),
        _start(p),
        species,
        direction=direction,
        until=until,
        what=what,
    )
    return day, float(np.exp(log_size))


def peak(parameters: LeukaemiaParameters, *, until: float = 1000.0) -> tuple[float, float]:
    """Return the day of the first CAR-T peak and its height in cells.

    Raises
    ------
    ParameterError
        When there is none before day `until`.

    Examples
    --------
    >>> round(peak(LeukaemiaParameters())[0], 2)
    12.19
    """
    require_instance("parameters", parameters, LeukaemiaParameters, "give LeukaemiaParameters(...)")
    return _turn(parameters, 0, -1, until, "a CAR-T peak")


def leukaemia_maximum(
    parameters: LeukaemiaParameters, *, until: float = 1000.0
) -> tuple[float, float]:
    r"""Return the day on which the leukaemia starts to shrink, and its size in cells.

    It does where CAR-T pass :math:`\rho_L/\alpha`.

    Raises
    ------
    ParameterError
        When there is none before day `until`.

    Examples
    --------
    >>> f"{leukaemia_maximum(LeukaemiaParameters())[1]:.3g}"
    '5.74e+10'
    """
    require_instance("parameters", parameters, LeukaemiaParameters, "give LeukaemiaParameters(...)")
    return _turn(parameters, 1, -1, until, "a maximum of the leukaemia")


def nadir(parameters: LeukaemiaParameters, *, until: float = 1000.0) -> tuple[float, float]:
    r"""Return the day of the leukaemia's nadir and its size in cells.

    It lies where CAR-T sink to :math:`\rho_L/\alpha`.

    Raises
    ------
    ParameterError
        When there is none before day `until`.

    Examples
    --------
    >>> round(nadir(LeukaemiaParameters())[0], 2)
    57.04
    """
    require_instance("parameters", parameters, LeukaemiaParameters, "give LeukaemiaParameters(...)")
    return _turn(parameters, 1, 1, until, "a nadir")


def peak_bound(parameters: LeukaemiaParameters) -> float:
    r"""Return :math:`C_0 + (\rho_C/\alpha)(L_0+B_0)`, the paper's bound for the CAR-T peak, cells.

    Exact without growth, death and source; growth of the leukaemia before it responds can
    take it a little higher.

    Examples
    --------
    >>> peak_bound(LeukaemiaParameters())
    18760000000.0
    """
    require_instance("parameters", parameters, LeukaemiaParameters, "give LeukaemiaParameters(...)")
    prey = parameters.leukaemia_start + parameters.b_cell_start
    return parameters.car_start + parameters.expansion_rate / parameters.killing_rate * prey
