"""The equations of Kimmel, Locke and Altrock 2021; see `car_relapse.published.kimmel2021`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError
from car_relapse.published._integrate import check_non_negative_fields, check_positive_fields

__all__ = [
    "CELLS_PER_LEVEL",
    "CELLS_PER_ML",
    "KimmelCourse",
    "KimmelParameters",
    "car_growth",
    "killing",
    "refill_rate",
    "slope",
    "start",
]

Floats = NDArray[np.float64]

CELLS_PER_ML = 1e9
# The log of a volume whose cells are still a number.
_LARGEST_LOG = 680.0
"""Tumour cells in one millilitre, the usual count."""

CELLS_PER_LEVEL = 5e8
"""T cells in the body for one cell/µl: the paper's 500 cells/µl are its 2.5e11 cells."""


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
        check_non_negative_fields(self, ("car_boost", "tumour_death_rate"), where)
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
        """Mean number of tumour cells, which may be below one.

        Raises
        ------
        ParameterError
            When it passes what a number can hold; `log_tumour` does not.
        """
        top = float(self.log_tumour.max())
        if top > _LARGEST_LOG:
            raise ParameterError(
                f"log_tumour reaches {top:g}; so many cells are no number any more; shorten the "
                "course, or read log_tumour"
            )
        return np.asarray(CELLS_PER_ML * np.exp(self.log_tumour))


def refill_rate(gap: ArrayLike, rate: ArrayLike, boost: ArrayLike, shape: ArrayLike) -> Floats:
    """Return the rate r_C(T) at which CAR-T cells refill, from ln(T/K_N), 1/day."""
    above = np.asarray(gap, dtype=float)
    # T and K_N over the larger of the two, so that no trial of a solver overflows.
    total, empty = np.exp(np.minimum(above, 0.0)), np.expm1(-np.abs(above)) ** 2
    return np.asarray(rate + boost * empty / (shape * total**2 + empty))


def car_growth(p: KimmelParameters, log_total: float, capacity: float) -> float:
    """Return the growth rate of CAR-T cells with a carrying capacity, 1/day."""
    gap = float(log_total - np.log(p.normal_capacity))
    rate = float(refill_rate(gap, p.car_rate, p.car_boost, p.car_boost_shape))
    return -rate * float(log_total - np.log(capacity))


def slope(p: KimmelParameters, state: NDArray[np.float64]) -> list[float]:
    """Return the slopes of ln N, ln C and ln B, 1/day."""
    log_n, log_c = float(state[0]), float(state[1])
    log_total = float(np.logaddexp(log_n, log_c))
    return [
        -p.normal_rate * (log_total - float(np.log(p.normal_capacity))),
        car_growth(p, log_total, p.car_capacity),
        p.tumour_rate - killing(p, log_c),
    ]


def killing(p: KimmelParameters, log_car: float) -> float:
    """Return the killing rate at a CAR-T level, 1/day."""
    car = float(np.exp(log_car))
    return p.killing_rate * car / (p.half_killing + car)


def start(p: KimmelParameters) -> NDArray[np.float64]:
    """Return ln N, ln C and ln B on the day of infusion."""
    return np.log([p.normal_start, p.car_start, p.tumour_start])
