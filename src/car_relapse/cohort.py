"""Virtual patients: who relapses, when, and of which kind.

Each patient of a declared population has a burden and a CAR-T curve of their own; what
becomes of them is drawn by `car_relapse.engine`. Streams are keyed by seed and block of 128
patients, so that results are bit-identical whatever the chunking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.engine import sample_fates
from car_relapse.errors import ParameterError, require_count, require_non_negative
from car_relapse.exposure import SteinPopulation, stein_population
from car_relapse.killing import Killing, default_killing
from car_relapse.outcomes import Cohort, Detection, Outcome, default_detection
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, typical_leukaemia, typical_patient

__all__ = [
    "BLOCK",
    "Cohort",
    "Detection",
    "Outcome",
    "Population",
    "default_detection",
    "default_population",
    "simulate",
    "simulate_range",
    "stream",
]

BLOCK = 128
"""Patients per random stream; results never depend on anything smaller or larger."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """A declared population of patients with one targeted antigen."""

    leukaemia: Leukaemia
    """Growth rates, equal in all patients, and the median burden (cells)."""
    burden_log10_sd: float
    """Standard deviation of log10 burden between patients, dimensionless, >= 0. Ledger:
    ``leukaemia.burden_log10_sd``."""
    losses: Losses
    """Antigen loss per division; one targeted antigen."""
    exposures: SteinPopulation
    """CAR-T curves."""
    killing: Killing
    """Response of killing to the transgene level."""
    detection: Detection
    """Limits of remission and relapse."""

    def __post_init__(self) -> None:
        require_non_negative("burden_log10_sd", self.burden_log10_sd, "0 means one burden for all")
        if self.losses.antigens != 1:
            raise ParameterError(
                f"losses has {self.losses.antigens} antigens; virtual cohorts are for one targeted "
                "antigen; use survival.relapse_probabilities for several"
            )
        if self.losses.total >= 0.5:
            raise ParameterError(
                "the loss probabilities add up to "
                f"{self.losses.total:g} per division; virtual "
                "cohorts treat loss as rare, so it must be below 0.5; lower it"
            )


def stream(seed: int, block: int) -> np.random.Generator:
    """Return the random stream of one block of patients."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))


def default_population(burden: float | None = None) -> Population:
    """Return the population whose every parameter is the default of the ledger.

    Parameters
    ----------
    burden : float, optional
        Median burden, cells.
    """
    return Population(
        leukaemia=typical_leukaemia(burden),
        burden_log10_sd=default("leukaemia.burden_log10_sd"),
        losses=typical_patient().losses,
        exposures=stein_population(),
        killing=default_killing(),
        detection=default_detection(),
    )


def _simulate_block(population: Population, seed: int, block: int) -> Cohort:
    rng = stream(seed, block)
    curve = population.exposures.sample(BLOCK, rng)
    spread = population.burden_log10_sd * rng.standard_normal(BLOCK)
    return sample_fates(
        population.leukaemia,
        population.losses.total,
        population.killing,
        population.detection,
        curve,
        population.leukaemia.burden * 10.0**spread,
        rng,
    )


def _join(parts: list[Cohort]) -> Cohort:
    return Cohort(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Cohort)}
    )


def _cut(cohort: Cohort, first: int, last: int) -> Cohort:
    return Cohort(**{f.name: getattr(cohort, f.name)[first:last] for f in fields(Cohort)})


def simulate_range(population: Population, start: int, stop: int, *, seed: int) -> Cohort:
    """Return the virtual patients `start` to `stop` - 1 of an endless, seeded cohort.

    Whole blocks are simulated and then cut, so patient 1000 is the same person however the
    range is chosen.

    Parameters
    ----------
    population : Population
        Who the patients are.
    start, stop : int
        Range of patient numbers, 0 <= start < stop.
    seed : int
        Seed of the whole cohort, >= 0.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        When the range is empty or negative, or the seed is not a whole number >= 0.
    """
    first = require_count("start", start, "give a patient number")
    last = require_count("stop", stop, "give a patient number above start", minimum=first + 1)
    root = require_count("seed", seed, "give a whole number >= 0")
    blocks = range(first // BLOCK, (last - 1) // BLOCK + 1)
    whole = _join([_simulate_block(population, root, block) for block in blocks])
    offset = blocks[0] * BLOCK
    return _cut(whole, first - offset, last - offset)


def _chunks(n: int, chunk: int) -> Iterator[tuple[int, int]]:
    for first in range(0, n, chunk):
        yield first, min(first + chunk, n)


def simulate(population: Population, n: int, *, seed: int, chunk: int = 32 * BLOCK) -> Cohort:
    """Return a cohort of `n` virtual patients.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed; the same seed gives the same patients, bit for bit.
    chunk : int, optional
        Patients simulated before their arrays are joined, >= 1; changes memory use, never
        results.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        When `n` or `chunk` is not a whole number >= 1, or the seed is not one >= 0.

    Examples
    --------
    >>> simulate(default_population(), 10, seed=1).size
    10
    """
    count = require_count("n", n, "give a number of patients", minimum=1)
    step = require_count("chunk", chunk, "give a number of patients", minimum=1)
    return _join([simulate_range(population, a, b, seed=seed) for a, b in _chunks(count, step)])
