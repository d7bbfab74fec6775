"""What is true of the patients and the product of a trial, and how its calendar runs.

A design never sees these: they are what a simulation assumes. Every number belongs to a trial,
so few have a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_finite,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = ["Calendar", "DoseScenario"]

Floats = NDArray[np.float64]


def _per_level(name: str, value: Sequence[float], remedy: str) -> tuple[float, ...]:
    if not is_list(value):
        raise ParameterError(f"{name} is {value!r}; it must be a list; {remedy}")
    numbers = require_fraction(name, list(value), remedy)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ParameterError(
            f"{name} has shape {numbers.shape}; it must be a list of numbers; {remedy}"
        )
    return tuple(numbers.tolist())


@dataclass(frozen=True, kw_only=True)
class DoseScenario:
    """What would happen to patients at each dose level.

    Examples
    --------
    Response that rises no further after the second level, beside toxicity that does:

    >>> DoseScenario(toxicity=(0.05, 0.1, 0.3), response=(0.3, 0.6, 0.6)).levels
    3
    """

    toxicity: Sequence[float]
    """Probability of a dose-limiting toxicity within the window at each level, in [0, 1]."""
    response: Sequence[float] | None = None
    """Probability of response at each level, in [0, 1]; None where no design asks for it."""
    correlation: float = 0.0
    """Correlation of the two normal variables behind toxicity and response, in [-1, 1]; above 0
    those with toxicity respond more often."""
    feasible: Sequence[float] | None = None
    """Probability that a patient's product has enough cells for each level, in [0, 1], not rising;
    one minus the first is the probability that nothing can be given. None: always enough."""

    def __post_init__(self) -> None:
        remedy = "give one probability per dose level"
        toxicity = _per_level("toxicity", self.toxicity, remedy)
        object.__setattr__(self, "toxicity", toxicity)
        for name in ("response", "feasible"):
            if getattr(self, name) is None:
                continue
            values = _per_level(name, getattr(self, name), remedy)
            if len(values) != len(toxicity):
                raise ParameterError(
                    f"{name} has {len(values)} levels and toxicity {len(toxicity)}; they must be "
                    f"as many; {remedy}"
                )
            object.__setattr__(self, name, values)
        rho = float(
            require_finite("correlation", self.correlation, "0 for independence", scalar=True)
        )
        if abs(rho) > 1.0:
            raise ParameterError(
                f"correlation is {rho:g}; it must lie in [-1, 1]; 0 for independence"
            )
        if self.feasible is not None and np.any(np.diff(self.feasible) > 0):
            raise ParameterError(
                f"feasible is {list(self.feasible)}; it must not rise: a product that is enough "
                "for a level is enough for those below; sort it"
            )
        if self.feasible is not None and self.feasible[0] == 0.0:
            raise ParameterError(
                "feasible begins with 0; nobody could be treated; give a probability above 0"
            )

    @property
    def levels(self) -> int:
        """Number of dose levels."""
        return len(self.toxicity)

    def _enough_for(self, u: Floats) -> NDArray[np.int64]:
        """Return the highest level for which each product is enough, from uniform numbers."""
        if self.feasible is None:
            return np.full(u.shape, self.levels)
        return np.asarray((u[..., None] < np.asarray(self.feasible)).sum(axis=-1))

    def _outcomes(
        self, level: NDArray[np.int64], toxic: Floats, response: Floats
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return who has toxicity and who responds, from two uniform numbers per patient.

        Parameters
        ----------
        level : ndarray of int
            Level received, from 1.
        toxic, response : ndarray
            Uniform numbers; a patient has toxicity at every level whose probability is above the
            patient's own number.
        """
        at = level - 1
        has = toxic < np.asarray(self.toxicity)[at]
        if self.response is None:
            return has, np.zeros(level.shape, dtype=bool)
        if self.correlation:
            rest = np.sqrt(1.0 - self.correlation**2)
            response = ndtr(self.correlation * ndtri(toxic) + rest * ndtri(response))
        return has, response < np.asarray(self.response)[at]


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How long things take in a trial, in months.

    Patients come at random while the trial is open. Those who come while nobody may be treated
    go elsewhere.
    """

    accrual: float
    """Patients who come for apheresis per month while the trial is open, > 0."""
    window: float
    """Months from infusion for which toxicity is watched, and at whose end response is known, >
    0."""
    manufacturing: float = 0.0
    """Months from apheresis to infusion, or to the news that manufacturing failed, >= 0."""
    late: float = 0.5
    """Share of the toxicities that come in the second half of the window, in [0, 1); 0.5 spreads
    them evenly, 0 has them all at once."""
    after_first: float = 0.0
    """Months that the first patient at a level is watched before the next is infused, >= 0."""
    between: float = 0.0
    """Months between any two infusions, at least, >= 0."""

    def __post_init__(self) -> None:
        require_positive("accrual", self.accrual, "give patients per month", scalar=True)
        require_positive("window", self.window, "give months", scalar=True)
        for name in ("manufacturing", "after_first", "between"):
            require_non_negative(name, getattr(self, name), "give months", scalar=True)
        late = float(
            require_fraction("late", self.late, "0.5 spreads toxicities evenly", scalar=True)
        )
        if late == 1.0:
            raise ParameterError("late is 1; it must be below 1; 0.5 spreads toxicities evenly")

    def _gap(self, u: Floats) -> Floats:
        """Return the months until the next patient comes, from uniform numbers."""
        return np.asarray(-np.log1p(-u) / self.accrual)

    def _toxicity_month(self, u: Floats) -> Floats:
        """Return the months from infusion to toxicity, of those who have it, from uniform numbers.

        A power of the share of the window, so that the share `late` is past its middle.
        """
        power = -log2(1.0 - self.late)
        return np.asarray(self.window * (u ** (1.0 / power) if power > 0 else 0.0 * u))
