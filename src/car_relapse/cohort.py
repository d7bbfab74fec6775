"""Virtual patients: who relapses, when, and of which kind.

Each patient of a declared population (`car_relapse.population`) has a leukaemia and a CAR-T
curve of their own; what becomes of them is drawn by `car_relapse.engine`. Streams are keyed by
seed and block of 128 patients, so that results are bit-identical whatever the chunking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from car_relapse.engine import sample_fates
from car_relapse.errors import require_count, require_instance
from car_relapse.outcomes import Cohort, Detection, Outcome, default_detection
from car_relapse.population import Population, default_population

__all__ = [
    "BLOCK",
    "Cohort",
    "Detection",
    "Outcome",
    "Population",
    "default_detection",
    "default_population",
    "iter_cohorts",
    "simulate",
    "simulate_range",
    "stream",
]

BLOCK = 128
"""Patients per random stream; results never depend on anything smaller or larger."""

_CHUNK = 32 * BLOCK
_KEPT = 2**21


def stream(seed: int, block: int) -> np.random.Generator:
    """Return the random stream of one block of patients."""
    root = require_count("seed", seed, "give a whole number >= 0")
    number = require_count("block", block, "count from 0")
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=(number,)))


def _simulate_block(population: Population, seed: int, block: int) -> Cohort:
    require_instance("population", population, Population, "give a Population")
    rng = stream(seed, block)
    patients, subgroup = population.sample(BLOCK, rng)
    return sample_fates(patients, population.detection, rng, subgroup=subgroup)


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
    # Once a large array has been given back, the allocator of glibc keeps the pages of those of
    # a block, instead of asking the system for them again: a fifth of the time. None is touched.
    np.empty(_KEPT)
    blocks = range(first // BLOCK, (last - 1) // BLOCK + 1)
    whole = _join([_simulate_block(population, root, block) for block in blocks])
    offset = blocks[0] * BLOCK
    return _cut(whole, first - offset, last - offset)


def iter_cohorts(
    population: Population, n: int, *, seed: int, chunk: int = _CHUNK
) -> Iterator[Cohort]:
    """Yield a cohort of `n` virtual patients in parts, so that memory stays that of one part.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed of the whole cohort, >= 0.
    chunk : int, optional
        Patients of each part but the last, >= 1; whole blocks of 128 waste no work.

    Yields
    ------
    Cohort
        Together, in order, the cohort that `simulate` returns.

    Raises
    ------
    ParameterError
        When `n` or `chunk` is not a whole number >= 1, or the seed is not one >= 0.

    Examples
    --------
    >>> sum(part.size for part in iter_cohorts(default_population(), 300, seed=1, chunk=128))
    300
    """
    count = require_count("n", n, "give a number of patients", minimum=1)
    step = require_count("chunk", chunk, "give a number of patients", minimum=1)
    root = require_count("seed", seed, "give a whole number >= 0")
    require_instance("population", population, Population, "give a Population")
    return (
        simulate_range(population, first, min(first + step, count), seed=root)
        for first in range(0, count, step)
    )


def simulate(
    population: Population,
    n: int,
    seed: int,
    client: Any = None,
    *,
    chunk: int | None = None,
) -> Cohort:
    """Return a cohort of `n` virtual patients.

    `car_relapse.scaleout.simulate_on` also shows how far it is, stops and resumes.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed; the same seed gives the same patients, bit for bit.
    client : distributed.Client, optional
        Dask cluster to simulate on, with the same results.
    chunk : int, optional
        Patients simulated before their arrays are joined, >= 1; changes memory use, never
        results. By default 4096, and on a cluster tasks long enough for its scheduler.

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
    if client is not None:
        from car_relapse.scaleout import TASK, simulate_on

        return simulate_on(client, population, n, seed=seed, chunk=TASK if chunk is None else chunk)
    step = _CHUNK if chunk is None else chunk
    return _join(list(iter_cohorts(population, n, seed=seed, chunk=step)))
