"""Parameters and equations of León-Triana et al. 2020.

They serve `car_relapse.published.leontriana2020`, which solves them, and
`car_relapse.feedback_types`, whose T cells meet a leukaemia that dies by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import require_non_negative
from car_relapse.published._integrate import check_positive_fields

__all__ = ["LeukaemiaParameters", "log_slope"]


@dataclass(frozen=True, kw_only=True)
class LeukaemiaParameters:
    """Values of León-Triana et al. 2020 (doi:10.1016/j.cnsns.2020.105570), as curated.

    Those of equations 4 are read from BIOMD0000001011, those of the source from BIOMD0000001012.
    """

    killing_rate: float = 4.5e-11
    r"""Killing rate :math:`\alpha` of one CAR-T cell on one target, 1/(day cell), > 0."""
    expansion_rate: float = 0.25 * 4.5e-11
    r"""Expansion :math:`\rho_C` of one CAR-T cell on one target, 1/(day cell), > 0; a quarter
    of the killing rate."""
    leukaemia_rate: float = 1 / 30
    r"""Growth rate :math:`\rho_L` of the leukaemia, 1/day, > 0."""
    car_lifetime: float = 14.0
    r"""Mean life :math:`\tau_C` of CAR-T cells, days, > 0."""
    b_cell_lifetime: float = 60.0
    r"""Mean life :math:`\tau_B` of B cells, days, > 0."""
    car_start: float = 1e7
    """CAR-T cells infused, cells, > 0."""
    leukaemia_start: float = 5e10
    """Leukaemic cells on the day of infusion, cells, > 0."""
    b_cell_start: float = 2.5e10
    """B cells on the day of infusion, cells, > 0."""
    source: float = 0.0
    """B-cell precursors :math:`I_0` without CAR-T, cells, >= 0. 0 gives equations 4; the paper
    uses 1e7 in equations 3."""
    source_lifetime: float = 6.0
    r"""Mean time :math:`\tau_I` for a precursor to mature, days, > 0."""
    source_visibility: float = 0.1
    r"""Expansion :math:`\beta` that a precursor causes over that of a B cell, dimensionless,
    >= 0."""
    source_half: float = 1e9
    """CAR-T number :math:`C_{50}` that halves the precursors, cells, > 0."""

    def __post_init__(self) -> None:
        where = "BIOMD0000001011 and doi:10.1016/j.cnsns.2020.105570"
        check_positive_fields(
            self,
            (
                "killing_rate", "expansion_rate", "leukaemia_rate", "car_lifetime",
                "b_cell_lifetime", "car_start", "leukaemia_start", "b_cell_start",
                "source_lifetime", "source_half",
            ),
            where,
        )  # fmt: skip
        for name in ("source", "source_visibility"):
            require_non_negative(name, getattr(self, name), f"see {where}", scalar=True)


def log_slope(p: LeukaemiaParameters, state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slopes of the logs of CAR-T, leukaemia and B cells, 1/day, as `state` has them.

    The entries of `state` are numbers, or arrays of as many courses as are followed.
    """
    car, leukaemia, b_cells = np.exp(state)
    source = p.source / (1.0 + car / p.source_half)
    prey = leukaemia + b_cells + p.source_visibility * source
    return np.array(
        [
            p.expansion_rate * prey - 1.0 / p.car_lifetime,
            p.leukaemia_rate - p.killing_rate * car,
            -p.killing_rate * car - 1.0 / p.b_cell_lifetime + source / p.source_lifetime / b_cells,
        ]
    )
