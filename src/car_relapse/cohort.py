"""Virtual patients: who relapses, when, and of which kind.

Each patient of a declared population (`car_relapse.population`) has a leukaemia and a CAR-T
curve of their own; what becomes of them is drawn by `car_relapse.engine`. Streams are keyed by
seed and block of 128 patients, so that results are bit-identical whatever the chunking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from car_relapse.engine import sample_fates
from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.outcomes import Cohort, Detection, Outcome, default_detection
from car_relapse.population import Population, default_population

if TYPE_CHECKING:
    from car_relapse.progress import Progress

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
# A cohort that is kept in memory has at most this many patients.
_MOST_KEPT = 10**8
_KEPT = 2**21


def stream(seed: int, block: int) -> np.random.Generator:
    """Return the random stream of one block of patients."""
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
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
        When the range is empty, negative or above 1e8 patients, or the seed is not a whole
        number >= 0.
    """
    first = require_count("start", start, "give a patient number", maximum=None)
    last = require_count(
        "stop", stop, "give a patient number above start", minimum=first + 1, maximum=None
    )
    if last - first > _MOST_KEPT:
        raise ParameterError(
            f"stop is {last if last < 10**18 else 'above 1e18'}; it must be at most {_MOST_KEPT} "
            "above start, or the patients do not fit into memory; take fewer at a time, as "
            "iter_cohorts does with a smaller chunk"
        )
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
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
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
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
    workers: int | None = None,
    progress: bool | Callable[[Progress], None] = False,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Cohort:
    """Return a cohort of `n` virtual patients.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, from 1 to 1e8.
    seed : int
        Seed; the same seed gives the same patients, bit for bit.
    client : distributed.Client, optional
        Dask cluster to simulate on, with the same results.
    chunk : int, optional
        Patients simulated before their arrays are joined, >= 1; changes memory use, never
        results. By default 4096, and tasks of 12,800 where something is spread, shown or kept.
    workers : int, optional
        Processes of this machine to simulate on, with the same results; not with a `client`.
    progress : bool or callable, optional
        True writes a line to stderr; a function is called with a
        `car_relapse.progress.Progress` after every task.
    checkpoint : path, optional
        Folder for finished tasks. A run that was stopped, such as by Ctrl+C, goes on where it
        was when it is called again with the same folder.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        When `n` or `chunk` is not a whole number >= 1, or the seed is not one >= 0; when there
        are both `client` and `workers`; or when `checkpoint` holds another run's patients.

    Examples
    --------
    >>> simulate(default_population(), 10, seed=1).size
    10
    """
    require_count(
        "n", n, "give a number of patients; iter_cohorts takes more", minimum=1, maximum=_MOST_KEPT
    )
    if client is not None and workers is not None:
        raise ParameterError(
            f"workers is {workers!r} and there is a client; a run is spread over processes of this "
            "machine or over a cluster, not both; leave one out"
        )
    if (client, workers, checkpoint) == (None, None, None) and progress is False:
        step = _CHUNK if chunk is None else chunk
        return _join(list(iter_cohorts(population, n, seed=seed, chunk=step)))
    # Loaded only where it is used: a cold start must be quick.
    from car_relapse.scaleout import TASK, simulate_in_processes, simulate_on

    require_instance("population", population, Population, "give a Population")
    step = TASK if chunk is None else chunk
    if workers is not None:
        return simulate_in_processes(
            population, n, seed=seed, workers=workers, chunk=step, progress=progress,
            checkpoint=checkpoint,
        )  # fmt: skip
    return simulate_on(
        client, population, n, seed=seed, chunk=step, progress=progress, checkpoint=checkpoint
    )
