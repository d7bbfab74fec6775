r"""Sahoo et al. 2020 (CARRGO): CAR-T against glioma cells in a dish.

Tumour cells :math:`X` and CAR-T cells :math:`Y`:

.. math:: X' = \rho X(1 - X/K) - \kappa_1 X Y, \qquad Y' = \kappa_2 X Y - \theta Y .

In units of the carrying capacity, :math:`x = X/K`, of the killing, :math:`y = \kappa_1 Y/\rho`,
and of the growth, :math:`\tau = \rho t`, two numbers remain, :math:`A = \theta/\rho` and
:math:`B = \kappa_2 K/\rho`:

.. math:: \dot x = x(1-x) - xy, \qquad \dot y = Bxy - Ay ,

with the equilibria (0, 0), (1, 0) and, if :math:`A < B`, coexistence :math:`(A/B,\; 1-A/B)`.

Explains when CAR-T persist with the tumour and when they die out, and damped waves on the way.
:math:`\kappa_2` is net of exhaustion and may be negative. The dish holds one kind of tumour cell:
it has no loss of antigen, and the tumour never reaches 0.

J. R. Soc. Interface 17:20190734, doi:10.1098/rsif.2019.0734.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_finite, require_instance, require_positive
from car_relapse.published._integrate import check_days, integrate, positive

__all__ = [
    "CarrgoCourse",
    "CarrgoParameters",
    "coexistence",
    "eigenvalues",
    "is_damped_oscillation",
    "scale",
    "solve",
    "trace_and_determinant",
]


@dataclass(frozen=True, kw_only=True)
class CarrgoParameters:
    """The two numbers that remain, by default those of figure 1c (doi:10.1098/rsif.2019.0734)."""

    death_ratio: float = 0.14
    r"""Death of CAR-T over growth of the tumour, :math:`A = \theta/\rho`, dimensionless, > 0.
    Figure 1c."""
    expansion_ratio: float = 1.6
    r"""Expansion of CAR-T over growth of the tumour, :math:`B = \kappa_2 K/\rho`, dimensionless;
    negative when CAR-T are exhausted faster than they divide. Figure 1c."""

    def __post_init__(self) -> None:
        where = "see figure 1 of doi:10.1098/rsif.2019.0734"
        require_positive("death_ratio", self.death_ratio, where, scalar=True)
        require_finite("expansion_ratio", self.expansion_ratio, where, scalar=True)


@dataclass(frozen=True, kw_only=True)
class CarrgoCourse:
    """Course in scaled units."""

    time: NDArray[np.float64]
    r"""Time :math:`\rho t`, dimensionless, shape (n,)."""
    tumour: NDArray[np.float64]
    """Tumour over its carrying capacity, :math:`x`, dimensionless, shape (n,)."""
    car: NDArray[np.float64]
    r"""CAR-T as killing over growth, :math:`y = \kappa_1 Y/\rho`, dimensionless, shape (n,)."""


def scale(
    growth_rate: float, *, capacity: float, expansion_rate: float, death_rate: float
) -> CarrgoParameters:
    r"""Return the scaled parameters of rates in real units.

    Parameters
    ----------
    growth_rate : float
        Growth rate of the tumour :math:`\rho`, 1/day, > 0.
    capacity : float
        Carrying capacity :math:`K`, cells, > 0.
    expansion_rate : float
        Net expansion of CAR-T :math:`\kappa_2`, 1/(day cell).
    death_rate : float
        Death rate of CAR-T :math:`\theta`, 1/day, > 0.

    Raises
    ------
    ParameterError
        When a value is out of range.

    Examples
    --------
    >>> scale(0.5, capacity=1e6, expansion_rate=8e-7, death_rate=0.07).death_ratio
    0.14
    """
    rate = positive("growth_rate", growth_rate, "give a rate in 1/day")
    room = positive("capacity", capacity, "give a number of cells")
    gain = float(
        require_finite("expansion_rate", expansion_rate, "give a rate in 1/(day cell)", scalar=True)
    )
    loss = positive("death_rate", death_rate, "give a rate in 1/day")
    return CarrgoParameters(death_ratio=loss / rate, expansion_ratio=gain * room / rate)


def coexistence(parameters: CarrgoParameters) -> tuple[float, float]:
    """Return tumour and CAR-T at coexistence, (A/B, 1 - A/B), in scaled units.

    Raises
    ------
    ParameterError
        When A >= B: CAR-T then die out and the tumour fills its room.

    Examples
    --------
    >>> [round(v, 4) for v in coexistence(CarrgoParameters())]
    [0.0875, 0.9125]
    """
    require_instance("parameters", parameters, CarrgoParameters, "give CarrgoParameters(...)")
    a, b = parameters.death_ratio, parameters.expansion_ratio
    if a >= b:
        raise ParameterError(
            f"expansion_ratio is {b:g}; CAR-T persist only where it is > death_ratio, {a:g}; "
            "raise it or lower the other"
        )
    return a / b, 1.0 - a / b


def trace_and_determinant(parameters: CarrgoParameters) -> tuple[float, float]:
    """Return trace, -x, and determinant, Bxy, of the linear system around coexistence.

    Raises
    ------
    ParameterError
        When there is no coexistence.

    Examples
    --------
    >>> [round(v, 4) for v in trace_and_determinant(CarrgoParameters())]
    [-0.0875, 0.1278]
    """
    require_instance("parameters", parameters, CarrgoParameters, "give CarrgoParameters(...)")
    x, y = coexistence(parameters)
    return -x, parameters.expansion_ratio * x * y


def eigenvalues(parameters: CarrgoParameters) -> tuple[complex, complex]:
    """Return the two eigenvalues around coexistence, in units of the tumour's growth rate.

    Raises
    ------
    ParameterError
        When there is no coexistence.

    Examples
    --------
    >>> round(eigenvalues(CarrgoParameters())[0].imag, 4)
    0.3547
    """
    require_instance("parameters", parameters, CarrgoParameters, "give CarrgoParameters(...)")
    trace, determinant = trace_and_determinant(parameters)
    root = complex(trace**2 / 4.0 - determinant) ** 0.5
    return trace / 2.0 + root, trace / 2.0 - root


def is_damped_oscillation(parameters: CarrgoParameters) -> bool:
    """Return whether tumour and CAR-T settle in waves: trace < 0 and trace² < 4 determinant.

    Raises
    ------
    ParameterError
        When there is no coexistence.

    Examples
    --------
    >>> is_damped_oscillation(CarrgoParameters())
    True
    """
    require_instance("parameters", parameters, CarrgoParameters, "give CarrgoParameters(...)")
    trace, determinant = trace_and_determinant(parameters)
    return trace < 0 and trace**2 < 4.0 * determinant


def solve(
    parameters: CarrgoParameters, times: ArrayLike, *, tumour: float = 0.5, car: float = 0.5
) -> CarrgoCourse:
    r"""Return the course at scaled times.

    Parameters
    ----------
    parameters : CarrgoParameters
    times : array_like, shape (n,)
        Increasing times :math:`\rho t`, dimensionless, >= 0.
    tumour, car : float, optional
        Both at time 0, in scaled units, > 0.

    Raises
    ------
    ParameterError
        When `times` is no increasing list or a start is not > 0.

    Examples
    --------
    >>> solve(CarrgoParameters(), [500.0]).car.round(4)
    array([0.9125])
    """
    require_instance("parameters", parameters, CarrgoParameters, "give CarrgoParameters(...)")
    grid = check_days(times)
    start = np.log(
        [
            positive("tumour", tumour, "give it over the carrying capacity"),
            positive("car", car, "give it as killing over growth"),
        ]
    )
    a, b = parameters.death_ratio, parameters.expansion_ratio

    def slope(_: float, state: NDArray[np.float64]) -> list[float]:
        x, y = np.exp(state)
        return [1.0 - x - y, b * x - a]

    x, y = np.exp(integrate(slope, start, grid))
    return CarrgoCourse(time=grid, tumour=x, car=y)
