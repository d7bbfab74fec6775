"""From an exposure curve to the killing rate of a cell: one product, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_finite,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure import Exposure
from car_relapse.gates import Gate, OrGate
from car_relapse.killing import Killing, LinearKilling

__all__ = ["Therapy", "bicistronic", "cocktail", "products", "sequential", "tandem"]


@dataclass(frozen=True, kw_only=True)
class Therapy:
    """One product: an exposure curve, what it does to target cells, and which those are."""

    exposure: Exposure
    """Transgene curve, copies/µg DNA against days after this product was given."""
    killing: Killing | LinearKilling
    """Response of killing to the transgene level, for a cell that is fully engaged."""
    gate: Gate = field(default_factory=OrGate)
    """How the engagement of the cell's antigens becomes a fraction of that killing rate. By
    default any antigen will do."""
    first_day: float = 0.0
    """Day on which the product is given, days after the first infusion, >= 0; its own curve
    starts then, and before there is none of it."""

    def __post_init__(self) -> None:
        require_non_negative("first_day", self.first_day, "count days from infusion", scalar=True)
        if not callable(getattr(self.gate, "fraction", None)):
            raise ParameterError(
                f"gate is {self.gate!r}; it must be one of car_relapse.gates; write gate=OrGate()"
            )
        if not callable(getattr(self.exposure, "last_day_above", None)):
            raise ParameterError(
                f"exposure is {self.exposure!r}; it must be a curve of a product's level; give one "
                "of car_relapse.exposure, such as stein_typical()"
            )
        if not callable(getattr(self.killing, "level_for", None)):
            raise ParameterError(
                f"killing is {self.killing!r}; it must be a law of killing; give a Killing or a "
                "LinearKilling"
            )
        curves = np.asarray(self.exposure.level(0.0))
        if curves.ndim:
            raise ParameterError(
                f"exposure holds {curves.size} curves; a therapy is one patient's; give a curve "
                "with single numbers, or simulate a cohort"
            )
        laws = np.asarray(self.killing.rate(0.0))
        if laws.ndim:
            raise ParameterError(
                f"killing holds {laws.size} laws; a therapy is one patient's; give a law with "
                "single numbers, or simulate a cohort"
            )

    @property
    def kinks(self) -> tuple[float, ...]:
        """Days after the first infusion on which killing is not smooth."""
        return (self.first_day, *(self.first_day + day for day in self.exposure.kinks))

    def killing_rate(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the killing rate per fully engaged cell on `day` after infusion, 1/day."""
        if self.first_day == 0:
            return self.killing.rate(self.exposure.level(day))
        since = require_finite("day", day, "count days from infusion") - self.first_day
        rate = self.killing.rate(self.exposure.level(np.maximum(since, 0.0)))
        return np.asarray(np.where(since >= 0, rate, 0.0))

    def last_day_above(self, rate: float) -> float:
        """Return the last day on which killing is at least `rate` (1/day), or 0 if never."""
        asked = require_positive("rate", rate, "give a rate per day", scalar=True)
        level = self.killing.level_for(asked)
        if not np.isfinite(level):
            return 0.0
        day = float(self.exposure.last_day_above(level))
        return self.first_day + day if day > 0 else 0.0


def products(therapy: Therapy | tuple[Therapy, ...]) -> tuple[Therapy, ...]:
    """Return the products of a therapy, also when there is only one.

    Raises
    ------
    ParameterError
        When `therapy` is neither a product nor a tuple of at least one.
    """
    several = therapy if isinstance(therapy, tuple) else (therapy,)
    if not several:
        raise ParameterError("therapy is (); it must hold at least one product; give a Therapy")
    for product in several:
        require_instance("therapy", product, Therapy, "give a Therapy, or a tuple of them")
    return several


def tandem(
    exposure: Exposure, killing: Killing | LinearKilling, *, synergy: float = 1.0
) -> Therapy:
    """Return a product that any antigen engages, and all together perhaps more.

    Parameters
    ----------
    exposure, killing
        As in `Therapy`.
    synergy : float
        Effect of full engagement of all antigens over that of one, >= 1.
    """
    return Therapy(exposure=exposure, killing=killing, gate=OrGate(synergy=synergy))


def bicistronic(
    exposure: Exposure, killing: Killing | LinearKilling, *, arms: tuple[float, ...]
) -> Therapy:
    """Return a product with one receptor for each antigen, of unequal strength.

    Parameters
    ----------
    exposure, killing
        As in `Therapy`.
    arms : tuple of float
        Fraction of the maximal killing rate that each receptor reaches alone, in [0, 1].
    """
    return Therapy(exposure=exposure, killing=killing, gate=OrGate(arms=arms))


def cocktail(*given: Therapy) -> tuple[Therapy, ...]:
    """Return products given together: their killing rates add.

    Products compete for room and cytokines; that enters by the lower curve of each.

    Parameters
    ----------
    *given : Therapy
        Each with a gate of its own, mostly a `car_relapse.gates.SingleGate`.
    """
    return products(given)


def sequential(given: Sequence[Therapy], first_days: Sequence[float]) -> tuple[Therapy, ...]:
    """Return products given one after the other.

    Parameters
    ----------
    given : sequence of Therapy
        Each with its own curve, counted from its own infusion.
    first_days : sequence of float
        Day of each infusion, days after the first, >= 0.

    Raises
    ------
    ParameterError
        When there are not as many days as products, or a day is negative.
    """
    if not all(is_list(each) for each in (given, first_days)):
        raise ParameterError(
            f"given is {given!r} and first_days is {first_days!r}; both must be lists; give "
            "products, and the day of each"
        )
    if len(given) != len(first_days):
        raise ParameterError(
            f"first_days has {len(first_days)} entries and there are {len(given)} products; each "
            "product is given on one day; give as many"
        )
    pairs = zip(given, first_days, strict=True)
    return products(
        tuple(
            replace(require_instance("given", product, Therapy, "give a Therapy"), first_day=day)
            for product, day in pairs
        )
    )
