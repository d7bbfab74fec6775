"""What a protocol must decide beyond the comparison of arms: dose, looks, gate, manufacture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.trial._checks import choice, strictly_between
from car_relapse.trial.dose import BOIN, ToxicityStopping
from car_relapse.trial.dose.decision_tables import TableDesign
from car_relapse.trial.sequential import lan_demets

__all__ = ["Choices"]

Spending = Literal["obrien-fleming", "pocock"]

_MOST_LEVELS, _MOST_COHORTS = 6, 12


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Decisions of a protocol that the comparison of two arms does not contain.

    All defaults are assumed, for teaching.

    Examples
    --------
    >>> Choices(looks=(0.6, 1.0)).looks
    (0.6, 1.0)
    """

    dose: TableDesign = field(default_factory=lambda: BOIN(target=0.25))
    """Design that finds the dose, one with a table of decisions."""
    toxicity: tuple[float, ...] = (0.05, 0.10, 0.25)
    """Assumed probability of dose-limiting toxicity at each level, in [0, 1], one to six."""
    cohorts: int = 6
    """Most cohorts of the dose-finding part, 1 to 12."""
    cohort_size: int = 3
    """Patients in a cohort, 1 to 6."""
    window_days: int = 28
    """Days in which toxicity counts as dose-limiting, > 0."""
    stopping: ToxicityStopping = field(default_factory=lambda: ToxicityStopping(limit=0.25))
    """Rule that stops an arm for toxicity."""
    stopping_looks: tuple[int, ...] = (10, 20, 30, 40, 60, 80, 100, 150, 200, 250)
    """Patients treated in an arm at which that rule looks, ascending; looks beyond the size of an
    arm are left out."""
    made: float = 0.8
    """Share of the randomised whom the calculation counts, from 0.1 to 1: infused, and in remission
    where the scenario is one of patients in remission."""
    made_sure: float = 0.9
    """Probability with which enough are to be counted, in (0, 1)."""
    looks: tuple[float, ...] = (0.6, 1.0)
    """Information fraction of each look at the primary endpoint, ascending to 1."""
    spending: Spending = "obrien-fleming"
    """How the level is spent over the looks."""
    margin: float = 1.5
    """Hazard ratio of antigen-positive relapse or death that the safety gate rules out, above 1."""

    def __post_init__(self) -> None:
        if not isinstance(self.dose, TableDesign):
            raise ParameterError(
                f"dose is {self.dose!r:.100}; it must be a design with a table of decisions, which "
                "a protocol prints; give BOIN(target=0.25), or MTPI, MTPI2 or I3Plus3"
            )
        require_instance(
            "stopping", self.stopping, ToxicityStopping, "give ToxicityStopping(limit=0.25)"
        )
        if not isinstance(self.toxicity, tuple) or not 1 <= len(self.toxicity) <= _MOST_LEVELS:
            raise ParameterError(
                f"toxicity is {self.toxicity!r:.100}; it must be a tuple of 1 to {_MOST_LEVELS} "
                "probabilities; give one per dose level"
            )
        require_fraction("toxicity", self.toxicity, "give one probability per dose level")
        remedy = "give a whole number"
        require_count("cohorts", self.cohorts, remedy, minimum=1, maximum=_MOST_COHORTS)
        require_count("cohort_size", self.cohort_size, remedy, minimum=1, maximum=6)
        require_count("window_days", self.window_days, remedy, minimum=1, maximum=3650)
        self.stopping.boundary(self.stopping_looks)
        remedy = "give the share of the randomised who are counted"
        made = require_fraction("made", self.made, remedy, scalar=True)
        if made < 0.1:
            raise ParameterError(
                f"made is {self.made:g}; below 0.1 nobody would begin a trial; give the share of "
                "the randomised who are counted"
            )
        strictly_between("made_sure", self.made_sure, "give 0.9 or so")
        choice("spending", self.spending, get_args(Spending))
        if not isinstance(self.looks, tuple) or not self.looks or self.looks[-1] != 1.0:
            raise ParameterError(
                f"looks is {self.looks!r:.100}; it must be a tuple of fractions whose last is 1; "
                "write (0.6, 1.0), or (1.0,) for no early look"
            )
        lan_demets(self.looks, spending=self.spending)
        margin = require_positive("margin", self.margin, "give 1.5 or so", scalar=True)
        if margin <= 1.0:
            raise ParameterError(
                f"margin is {self.margin:g}; a gate rules out a rise, so it must be above 1; give "
                "1.5 or so"
            )
