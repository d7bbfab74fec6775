"""Parameters and courses of León-Triana et al. 2021; see `car_relapse.published.leontriana2021`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import require_instance
from car_relapse.published._integrate import check_positive_fields

__all__ = ["DualCourse", "DualParameters", "SingleCourse", "SingleParameters", "inside"]

_WHERE = "Table 1 of doi:10.3390/cancers13040703"


@dataclass(frozen=True, kw_only=True)
class SingleParameters:
    """Values of León-Triana et al. 2021, Table 1 (doi:10.3390/cancers13040703)."""

    expansion_rate: float = 0.9
    r"""Largest expansion rate :math:`\rho_C` of CAR-T cells, 1/day, > 0. Table 1: 0.2 to 0.9."""
    expansion_half: float = 1e10
    """Tumour :math:`g_T` that gives half of it, cells, > 0. Table 1: 1e10 to 2e10."""
    inactivation_rate: float = 0.04
    r"""Inactivation :math:`\alpha_1` of CAR-T cells by the tumour, 1/day, > 0. Table 1: 0.01 to
    0.99; the paper's figures vary it from 0.02 to 0.1."""
    inactivation_half: float = 2e9
    """CAR-T number :math:`g_C` that halves inactivation, cells, > 0. Table 1."""
    car_lifetime: float = 7.0
    r"""Mean life :math:`\tau_C` of CAR-T cells, days, > 0. Table 1."""
    tumour_rate: float = 0.02
    r"""Growth rate :math:`\rho_T` of the tumour, 1/day, > 0. Table 1: 0.001 to 0.2."""
    killing_rate: float = 2.5e-10
    r"""Killing rate :math:`\alpha_2` of one CAR-T cell on one tumour cell, 1/(day cell), > 0.
    Table 1."""
    car_start: float = 4e8
    """CAR-T cells in the tumour on day 0, cells, > 0. BIOMD0000001013."""
    tumour_start: float = 3.35e10
    """Tumour cells on day 0, cells, > 0. BIOMD0000001013."""

    def __post_init__(self) -> None:
        check_positive_fields(self, tuple(SingleParameters.__dataclass_fields__), _WHERE)


@dataclass(frozen=True, kw_only=True)
class DualParameters:
    """Values of the dual-target model of León-Triana et al. 2021 (doi:10.3390/cancers13040703)."""

    tumour: SingleParameters = SingleParameters(inactivation_rate=0.02)
    r"""What happens inside the tumour, with :math:`\alpha_1 = 0.02`/day unless told; its
    `car_start` is not used, as no CAR-T is in the tumour on day 0."""
    outside_rate: float = 0.9
    r"""Largest expansion rate :math:`\bar\rho_C` on B cells, 1/day, > 0. Table 1."""
    outside_half: float = 1e10
    """B cells :math:`g_B` that give half of it, cells, > 0. Table 1."""
    entry_rate: float = 0.2
    """Rate :math:`k` at which CAR-T enter the tumour, 1/day, > 0. Table 1."""
    b_cell_killing_rate: float = 4.5e-11
    r"""Killing rate :math:`\alpha_B` on B cells, 1/(day cell), > 0. Table 1."""
    b_cell_lifetime: float = 60.0
    r"""Mean life :math:`\tau_B` of B cells, days, > 0. Table 1."""
    dose: float = 2e8
    r"""CAR-T cells :math:`\bar C_0` infused, cells, > 0. BIOMD0000001014."""
    b_cell_start: float = 2.5e10
    """B cells on day 0, cells, > 0. Table 1."""

    def __post_init__(self) -> None:
        names = tuple(name for name in DualParameters.__dataclass_fields__ if name != "tumour")
        check_positive_fields(self, names, _WHERE)
        require_instance("tumour", self.tumour, SingleParameters, "give SingleParameters(...)")


@dataclass(frozen=True, kw_only=True)
class SingleCourse:
    """Course of the single-target model."""

    day: NDArray[np.float64]
    """Days after infusion, shape (n,)."""
    car: NDArray[np.float64]
    """CAR-T cells in the tumour, shape (n,)."""
    tumour: NDArray[np.float64]
    """Tumour cells, shape (n,)."""


@dataclass(frozen=True, kw_only=True)
class DualCourse:
    """Course of the dual-target model."""

    day: NDArray[np.float64]
    """Days after infusion, shape (n,)."""
    car: NDArray[np.float64]
    """CAR-T cells in the tumour, shape (n,)."""
    tumour: NDArray[np.float64]
    """Tumour cells, shape (n,)."""
    outside: NDArray[np.float64]
    """CAR-T cells outside the tumour, shape (n,)."""
    b_cells: NDArray[np.float64]
    """B cells, shape (n,)."""


def inside(p: SingleParameters, car: float, tumour: float) -> tuple[float, float]:
    """Return the growth rates per cell of CAR-T in the tumour and of the tumour, 1/day."""
    gain = p.expansion_rate * tumour / (p.expansion_half + tumour)
    loss = p.inactivation_rate * tumour / (p.inactivation_half + car)
    return gain - loss - 1.0 / p.car_lifetime, p.tumour_rate - p.killing_rate * car
