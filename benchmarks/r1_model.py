"""The virtual patients of benchmarks R1, R1n and R1r.

Every patient has rates, losses, killing and a curve of their own. The numbers are round ones,
chosen to be hard: a cohort that mixes cure with every kind of relapse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.cohort import simulate
from car_relapse.exposure import SteinExposure
from car_relapse.killing import LinearKilling
from car_relapse.outcomes import Detection, Outcome
from car_relapse.patient import Leukaemia
from car_relapse.population import Population, Spread

SEED = 11
#: Median and standard deviation of the log, for each log-normal quantity (1/day, days, none).
BIRTH = (0.20, 0.10)
KILLING = (1.0, 0.35)
LOSS_SPREAD = 0.5
PEAK_DAY = (10.0, 0.15)
CONTRACTION = (0.10, 0.25)
MEMORY = (0.007, 0.7)
#: Death rate over birth rate; growth of CAR-T before the peak, 1/day; part that lasts.
DEATH_RATIO, RISE, MEMORY_FRACTION = 0.5, 0.7, 0.40
#: Log10 of the burden lies evenly between these, cells; days; cells; part of them.
BURDEN, HORIZON, DETECTION, REMISSION = (9.0, 11.0), 730.0, 1e9, 0.2


@dataclass(frozen=True, kw_only=True)
class Case:
    """One population."""

    antigens: int
    """Number of targeted antigens."""
    per_antigen: float
    """Median probability per division that one daughter loses a given antigen."""
    common_mode: float = 0.0
    """Median probability per division that one daughter loses all of them at once."""


CASES = {
    "A": Case(antigens=1, per_antigen=1e-6),
    "B": Case(antigens=1, per_antigen=1e-10),
    "C": Case(antigens=2, per_antigen=1e-6, common_mode=1e-8),
    "D": Case(antigens=2, per_antigen=1e-6, common_mode=1e-11),
    "E": Case(antigens=3, per_antigen=1e-5, common_mode=1e-12),
}


def draw_patients(case: str, n: int, rng: np.random.Generator) -> Iterator[tuple[float, ...]]:
    """Draw the numbers of patients one by one, for programs that simulate them one by one.

    Yields
    ------
    tuple of float
        Birth rate, death rate, loss, killing, peak day, contraction rate, memory fraction,
        memory rate.
    """

    def draw(law: tuple[float, float]) -> float:
        return law[0] * float(np.exp(law[1] * rng.standard_normal()))

    for _ in range(n):
        birth = draw(BIRTH)
        loss = draw((CASES[case].per_antigen, LOSS_SPREAD))
        yield (birth, DEATH_RATIO * birth, loss, draw(KILLING), draw(PEAK_DAY),
               draw(CONTRACTION), MEMORY_FRACTION, draw(MEMORY))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Draws curves that all rise at the same rate, however late they peak."""

    def sample(self, n: int, rng: np.random.Generator) -> SteinExposure:
        """Draw the curves of `n` patients, 1 at their peak."""
        z = rng.standard_normal((3, n))
        peak = PEAK_DAY[0] * np.exp(PEAK_DAY[1] * z[0])
        return SteinExposure(
            fold=np.exp(RISE * peak),
            peak_day=peak,
            peak_level=1.0,
            contraction_rate=CONTRACTION[0] * np.exp(CONTRACTION[1] * z[1]),
            memory_fraction=MEMORY_FRACTION,
            memory_rate=MEMORY[0] * np.exp(MEMORY[1] * z[2]),
        )


def population(case: str, burden: float | None = None) -> Population:
    """Return the population of a case.

    Parameters
    ----------
    case : str
        Key of `CASES`.
    burden : float, optional
        Burden of all patients, cells; they relapse at half of it. By default burdens differ.
    """
    kind = CASES[case]
    relapse = DETECTION if burden is None else 0.5 * burden
    # One factor for the losses of all antigens of a patient: some genomes are less stable.
    pairs = [(i, j) for j in range(2, kind.antigens + 1) for i in range(1, j)]
    middle = 10.0 ** (0.5 * sum(BURDEN))
    return Population(
        leukaemia=Leukaemia(
            birth_rate=BIRTH[0], death_rate=DEATH_RATIO * BIRTH[0], burden=burden or middle
        ),
        burden_log10_sd=0.0,
        burden_log10_range=BURDEN if burden is None else None,
        losses=Losses(
            per_antigen=(kind.per_antigen,) * kind.antigens, common_mode=kind.common_mode
        ),
        exposures=Curves(),
        killing=LinearKilling(rate_per_level=KILLING[0]),
        detection=Detection(relapse_cells=relapse, remission_cells=REMISSION * relapse),
        spread=Spread(
            birth_rate=BIRTH[1],
            death_rate=BIRTH[1],
            loss=LOSS_SPREAD,
            common_mode=LOSS_SPREAD if kind.common_mode else 0.0,
            killing=KILLING[1],
            correlation=(
                ("birth_rate", "death_rate", 1.0),
                *((f"loss {i}", f"loss {j}", 1.0) for i, j in pairs),
            ),
        ),
    )


def cohort(units: int, case: str, burden: float | None = None) -> Callable[[int], dict[str, Any]]:
    """Simulate `units` patients of a case with this library."""
    patients = population(case, burden)

    def work(seed: int) -> Any:
        return simulate(patients, units, seed=seed)

    def shares(found: Any) -> dict[str, Any]:
        return {kind.name.lower(): float(np.mean(found.outcome == kind)) for kind in Outcome}

    work(0)  # what is computed once for a population, and warm caches
    return work, shares
