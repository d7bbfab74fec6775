"""From an exposure curve to the killing rate of a cell that shows its target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError
from car_relapse.exposure import Exposure
from car_relapse.killing import Killing

__all__ = ["Therapy"]


@dataclass(frozen=True, kw_only=True)
class Therapy:
    """One infusion: an exposure curve and what it does to target cells."""

    exposure: Exposure
    """Transgene curve, copies/µg DNA against days after infusion."""
    killing: Killing
    """Response of killing to the transgene level."""

    def __post_init__(self) -> None:
        curves = np.asarray(self.exposure.level(0.0))
        if curves.ndim:
            raise ParameterError(
                f"exposure holds {curves.size} curves; a therapy is one patient's; give a curve "
                "with single numbers, or simulate a cohort"
            )

    def killing_rate(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the killing rate per target cell on `day` after infusion, 1/day."""
        return self.killing.rate(self.exposure.level(day))

    def last_day_above(self, rate: float) -> float:
        """Return the last day on which killing is at least `rate` (1/day), or 0 if never."""
        level = self.killing.level_for(rate)
        if not np.isfinite(level):
            return 0.0
        return float(self.exposure.last_day_above(level))
