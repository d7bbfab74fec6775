"""The equations of Barros et al. 2021; see `car_relapse.published.cartmath2021`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.published._integrate import check_non_negative_fields, check_positive_fields

__all__ = ["HDLM2", "RAJI", "CartmathParameters", "rates"]

_WHERE = "the values for HDLM-2 and RAJI in doi:10.3390/cancers13122941"


@dataclass(frozen=True, kw_only=True)
class CartmathParameters:
    """Values for HDLM-2 with CAR-T 123, Barros et al. 2021 (doi:10.3390/cancers13122941)."""

    proliferation_rate: float = 0.265
    r"""Division rate :math:`\varphi` of effectors, 1/day, > 0."""
    loss_rate: float = 0.350
    r"""Loss rate :math:`\rho` of effectors, 1/day, above the division rate."""
    memory_formation: float = 0.150
    r"""Rate :math:`\varepsilon` at which effectors make memory cells, 1/day, > 0."""
    memory_activation: float = 6e-6
    r"""Rate :math:`\theta` at which one tumour cell wakes one memory cell, 1/(day cell), > 0."""
    inhibition: float = 4.5e-8
    r"""Rate :math:`\alpha` at which one tumour cell disables one effector, 1/(day cell), > 0."""
    memory_death: float = 5e-3
    r"""Death rate :math:`\mu` of memory cells, 1/day, > 0."""
    tumour_rate: float = 0.05650026
    """Growth rate :math:`r` of the tumour, 1/day, > 0."""
    crowding: float = 1.404029e-12
    """Inverse carrying capacity :math:`b` of the tumour, 1/cell, >= 0; 0 is no limit."""
    killing_rate: float = 3.715843e-6
    r"""Rate :math:`\gamma` at which one effector kills one tumour cell, 1/(day cell), > 0."""
    tumour_start: float = 2e6
    """Tumour cells on day 0, > 0."""

    def __post_init__(self) -> None:
        names = tuple(
            name for name in CartmathParameters.__dataclass_fields__ if name != "crowding"
        )
        check_positive_fields(self, names, _WHERE)
        check_non_negative_fields(self, ("crowding",), _WHERE)
        if self.loss_rate <= self.proliferation_rate:
            raise ParameterError(
                f"loss_rate is {self.loss_rate:g}; effectors must decline without a tumour, so it "
                f"must be > proliferation_rate, {self.proliferation_rate:g}; see {_WHERE}"
            )
        if self.crowding * self.tumour_start >= 1:
            raise ParameterError(
                f"tumour_start is {self.tumour_start:g}; the tumour must start below its carrying "
                f"capacity, {1 / self.crowding:g} cells; start with fewer"
            )


HDLM2 = CartmathParameters()
"""Hodgkin lymphoma HDLM-2 in mice, with CAR-T against CD123."""

RAJI = CartmathParameters(
    proliferation_rate=0.83,
    loss_rate=0.8300536,
    memory_formation=1.59795,
    memory_activation=2.3e-4,
    inhibition=1.248506e-8,
    memory_death=6.89e-7,
    tumour_rate=0.5071721,
    crowding=0.0,
    killing_rate=3.365388e-8,
    tumour_start=3e6,
)
"""Burkitt lymphoma RAJI in mice, with CAR-T against CD19."""


def rates(p: CartmathParameters, tumour: float) -> NDArray[np.float64]:
    """Return the matrix of the CAR-T equations, which are linear for a given tumour."""
    wake, disable = p.memory_activation * tumour, p.inhibition * tumour
    return np.array(
        [
            [p.proliferation_rate - p.loss_rate - disable, wake],
            [p.memory_formation, -wake - p.memory_death],
        ]
    )
