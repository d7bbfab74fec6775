r"""From a transgene level to the killing rate of a cell that is fully engaged.

.. math:: \kappa(C) = \kappa_{max}\,\frac{C}{K_C + C}

Kimmel et al. 2021 (doi:10.1098/rspb.2021.0229) fit this saturating law to lymphoma;
putting their half-saturation on the transgene scale of Stein et al. is an assumption of
this book (ledger: ``killing.half_level``). Where the level stays far below half-saturation,
killing is proportional to it, :math:`\kappa = k\,C`.

A law holds for one patient or, with array fields of shape (patients,), for many; levels and
rates broadcast against the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import require_non_negative, require_positive
from car_relapse.parameters import default

__all__ = ["Killing", "LinearKilling", "default_killing"]

_LEVEL = "give a level in copies/µg DNA"
_RATE = "give a killing rate in 1/day"


@dataclass(frozen=True, kw_only=True)
class Killing:
    """How a transgene level kills the cells that show the target: a law that saturates.

    Examples
    --------
    >>> float(Killing(maximal_rate=2.0, half_level=3000).rate(9000))
    1.5
    """

    maximal_rate: float | NDArray[np.float64]
    r"""Killing rate :math:`\kappa_{max}` per target cell at saturation, 1/day, > 0.
    Ledger: ``killing.maximal_rate``."""
    half_level: float | NDArray[np.float64]
    """Transgene level :math:`K_C` of half-maximal killing, copies/µg DNA, > 0.
    Ledger: ``killing.half_level``."""

    def __post_init__(self) -> None:
        require_positive("maximal_rate", self.maximal_rate, "see ledger row killing.maximal_rate")
        require_positive("half_level", self.half_level, "see ledger row killing.half_level")

    def rate(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the killing rate at a transgene `level`, 1/day."""
        c = require_non_negative("level", level, _LEVEL)
        return np.asarray(self.maximal_rate * (c / (self.half_level + c)))

    def level_for(self, rate: ArrayLike) -> NDArray[np.float64]:
        """Return the level at which killing equals `rate`; infinite when it never does."""
        wanted = require_non_negative("rate", rate, _RATE)
        room = np.asarray(self.maximal_rate - wanted)
        numerator = self.half_level * np.where(room > 0, wanted, 0.0)
        # Without room above the wanted rate no level is high enough.
        return np.asarray(
            np.divide(numerator, room, out=np.full(room.shape, np.inf), where=room > 0)
        )

    def elasticity(self, rate: ArrayLike) -> NDArray[np.float64]:
        r"""Return :math:`d\ln\kappa / d\ln C` where killing is `rate`: 1 far from saturation.

        Examples
        --------
        >>> float(Killing(maximal_rate=2.0, half_level=3000).elasticity(0.5))
        0.75
        """
        return np.asarray(1.0 - require_non_negative("rate", rate, _RATE) / self.maximal_rate)

    def scaled(self, factor: ArrayLike) -> Killing:
        """Return the law with `factor` times the killing rate at every level."""
        return Killing(
            maximal_rate=self.maximal_rate * require_positive("factor", factor, "give a factor"),
            half_level=self.half_level,
        )


@dataclass(frozen=True, kw_only=True)
class LinearKilling:
    """Killing in proportion to the transgene level.

    Examples
    --------
    >>> float(LinearKilling(rate_per_level=0.5).level_for(2.0))
    4.0
    """

    rate_per_level: float | NDArray[np.float64]
    """Killing rate k per unit of level, 1/day per copy/µg DNA, > 0."""

    def __post_init__(self) -> None:
        require_positive("rate_per_level", self.rate_per_level, "give a rate per unit of level")

    def rate(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the killing rate at a transgene `level`, 1/day."""
        return np.asarray(self.rate_per_level * require_non_negative("level", level, _LEVEL))

    def level_for(self, rate: ArrayLike) -> NDArray[np.float64]:
        """Return the level at which killing equals `rate`."""
        return np.asarray(require_non_negative("rate", rate, _RATE) / self.rate_per_level)

    def elasticity(self, rate: ArrayLike) -> NDArray[np.float64]:
        r"""Return :math:`d\ln\kappa / d\ln C`, which is 1 everywhere."""
        return np.ones_like(require_non_negative("rate", rate, _RATE))

    def scaled(self, factor: ArrayLike) -> LinearKilling:
        """Return the law with `factor` times the killing rate at every level."""
        return LinearKilling(
            rate_per_level=self.rate_per_level * require_positive("factor", factor, "give a factor")
        )


def default_killing() -> Killing:
    """Return the killing law of the ledger."""
    return Killing(
        maximal_rate=default("killing.maximal_rate"), half_level=default("killing.half_level")
    )
