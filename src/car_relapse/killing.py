r"""From a transgene level to the killing rate of a cell that is fully engaged.

.. math:: \kappa(C) = \kappa_{max}\,\frac{C}{K_C + C}

Kimmel et al. 2021 (doi:10.1098/rspb.2021.0229) fit this saturating law to lymphoma;
putting their half-saturation on the transgene scale of Stein et al. is an assumption of
this book (ledger: ``killing.half_level``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import require_non_negative, require_positive
from car_relapse.parameters import default

__all__ = ["Killing", "default_killing"]


@dataclass(frozen=True, kw_only=True)
class Killing:
    """How a transgene level kills the cells that show the target."""

    maximal_rate: float
    r"""Killing rate :math:`\kappa_{max}` per target cell at saturation, 1/day, > 0.
    Ledger: ``killing.maximal_rate``."""
    half_level: float
    """Transgene level :math:`K_C` of half-maximal killing, copies/µg DNA, > 0.
    Ledger: ``killing.half_level``."""

    def __post_init__(self) -> None:
        require_positive("maximal_rate", self.maximal_rate, "see ledger row killing.maximal_rate")
        require_positive("half_level", self.half_level, "see ledger row killing.half_level")

    def rate(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the killing rate at a transgene `level`, 1/day."""
        c = require_non_negative("level", level, "give a level in copies/µg DNA")
        return np.asarray(self.maximal_rate * c / (self.half_level + c))

    def level_for(self, rate: float) -> float:
        """Return the level at which killing equals `rate`; infinite when it never does."""
        wanted = float(require_non_negative("rate", rate, "give a killing rate in 1/day"))
        if wanted >= self.maximal_rate:
            return float("inf")
        return self.half_level * wanted / (self.maximal_rate - wanted)


def default_killing() -> Killing:
    """Return the killing law of the ledger."""
    return Killing(
        maximal_rate=default("killing.maximal_rate"), half_level=default("killing.half_level")
    )
