"""Patients of the benchmark R1: every rate differs, and the curve falls biexponentially."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.exposure import SteinExposure
from car_relapse.killing import LinearKilling
from car_relapse.outcomes import Detection
from car_relapse.patient import Leukaemia
from car_relapse.population import Population, Spread

# Antigens, loss of each per division, loss of all at once per division.
CASES = {
    "A": (1, 1e-6, 0.0),
    "B": (1, 1e-10, 0.0),
    "C": (2, 1e-6, 1e-8),
    "D": (2, 1e-6, 1e-11),
    "E": (3, 1e-5, 1e-12),
}


@dataclass(frozen=True)
class R1Curves:
    """Rise at 0.7 per day to a peak of 1 about day 10, then two exponential declines."""

    def sample(self, n: int, rng: np.random.Generator) -> SteinExposure:
        peak, fast, slow = (
            median * np.exp(sd * rng.standard_normal(n))
            for median, sd in ((10.0, 0.15), (0.10, 0.25), (0.007, 0.7))
        )
        return SteinExposure(
            fold=np.exp(0.7 * peak), peak_day=peak, peak_level=np.ones(n), contraction_rate=fast,
            memory_fraction=np.full(n, 0.40), memory_rate=slow,
        )  # fmt: skip


def r1_population(antigens: int, loss: float, joint: float) -> Population:
    """Return the patients of one case; one z for both rates, and one for the antigen losses."""
    same = [("birth_rate", "death_rate", 1.0)]
    same += [(f"loss {i + 1}", f"loss {j + 1}", 1.0) for i in range(antigens) for j in range(i)]
    return Population(
        leukaemia=Leukaemia(birth_rate=0.20, death_rate=0.10, burden=1e10),
        burden_log10_sd=0.0,
        burden_log10_range=(9.0, 11.0),
        losses=Losses(per_antigen=(loss,) * antigens, shared_defect=joint),
        exposures=R1Curves(),
        killing=LinearKilling(rate_per_level=1.0),
        detection=Detection(remission_cells=2e8, relapse_cells=1e9),
        spread=Spread(
            birth_rate=0.10, death_rate=0.10, loss=0.5,
            shared_defect=0.5 if joint else 0.0, killing=0.35, correlation=tuple(same),
        ),
    )  # fmt: skip


def r1_case(case: str) -> Population:
    """Return the patients of case A to E."""
    return r1_population(*CASES[case])
