"""Large cohorts on many processors: the same patients, bit for bit, however they are spread.

Each block of 128 patients has its own random stream, so a task is a range of whole blocks and
nothing else: it can run anywhere, twice, or again after its worker died. Here tasks are handed to
a Dask cluster, to the processors of this machine, or to this process, never more than two per
worker at a time, and each result leaves the worker as soon as it is there. A run shows how far it
is, can be stopped, and goes on from a checkpoint.

Equal bits need equal arithmetic: workers must have the versions of package and numpy that this
process has (checked), and processors with the same vector instructions (not checked; between
others the last digit of an exponential may differ).

Tasks shorter than a tenth of a second spend their time in the scheduler, which is why a task has
12,800 patients unless asked otherwise. `car_relapse.workers.local_cluster` starts a cluster that
suits the engine. On any other, give each worker one thread, and set ``MALLOC_MMAP_THRESHOLD_`` to
33554432 and ``MALLOC_TOP_PAD_`` to 16777216 in its environment before it starts: Dask's own
setting makes the C library give memory back and fetch it again for every block, at twice the time.
"""

from __future__ import annotations

import hashlib
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import fields
from functools import cache, partial
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from car_relapse.checkpoint import Checkpoint, describe
from car_relapse.cohort import BLOCK, Population, simulate_range
from car_relapse.errors import CarRelapseError, ParameterError, require_count, require_instance
from car_relapse.outcomes import Cohort
from car_relapse.progress import Meter, Progress
from car_relapse.summary import Summary, checked_days, summarise
from car_relapse.workers import Place, Span, place_of, processes, results

__all__ = [
    "TASK",
    "Progress",
    "cohort_hash",
    "reduce_on",
    "simulate_in_processes",
    "simulate_on",
    "stream_summary",
]

TASK = 100 * BLOCK
"""Patients per task unless asked otherwise; below 10,000 the scheduler takes the time."""

_Result = TypeVar("_Result")


@cache
def versions() -> dict[str, str]:
    """Return the versions of whatever decides the bits of a patient."""
    return {"car-relapse": version("car-relapse"), "numpy": np.__version__}


def require_versions(made_with: dict[str, str]) -> None:
    """Raise when this process has other versions than the one that began the run."""
    if made_with != versions():
        raise CarRelapseError(
            f"this worker has {versions()} and the run began with {made_with}; other versions "
            "make other patients; install the same everywhere"
        )


def _patients(
    population: Population, seed: int, made_with: dict[str, str], first: int, last: int
) -> Cohort:
    require_versions(made_with)
    return simulate_range(population, first, last, seed=seed)


def _reduced(
    reducer: Callable[[Cohort], _Result],
    population: Population,
    seed: int,
    made_with: dict[str, str],
    first: int,
    last: int,
) -> _Result:
    return reducer(_patients(population, seed, made_with, first, last))


def _spans(n: int, chunk: int) -> Iterator[Span]:
    for first in range(0, n, chunk):
        yield first, min(first + chunk, n)


def _checked(n: int, seed: int, chunk: int) -> tuple[int, int, int]:
    count = require_count("n", n, "give a number of patients", minimum=1)
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    step = require_count("chunk", chunk, "give a number of patients per task", minimum=1)
    # A block is simulated whole, so a task that ends within one would do work twice.
    return count, root, -(-step // BLOCK) * BLOCK


def _resumed(
    checkpoint: Checkpoint, spans: Iterable[Span], population: Population, seed: int
) -> Iterator[tuple[Span, Cohort]]:
    """Yield the chunks that are on disk, after a look at whether they would come out the same."""
    looked = False
    for first, last in spans:
        stored = checkpoint.load(first, last)
        if stored is None:
            continue
        if not looked:
            few = min(BLOCK, last - first)
            again = simulate_range(population, first, first + few, seed=seed)
            before = Cohort(**{f.name: getattr(stored, f.name)[:few] for f in fields(Cohort)})
            if cohort_hash(again) != cohort_hash(before):
                raise ParameterError(
                    f"checkpoint is {str(checkpoint.folder)!r}; its patients are not those that "
                    "this installation makes of the same population and seed: the code or the "
                    "processor is another; go back to what was, or give an empty folder"
                )
            looked = True
        yield (first, last), stored


def _simulated(
    place: Place,
    population: Population,
    n: int,
    seed: int,
    chunk: int,
    progress: bool | Callable[[Progress], None],
    checkpoint: Checkpoint | None,
) -> Cohort:
    columns: dict[str, Any] = {}
    meter = Meter(n, progress)

    def put(span: Span, part: Cohort) -> None:
        for f in fields(Cohort):
            values = getattr(part, f.name)
            if f.name not in columns:
                columns[f.name] = np.empty((n, *values.shape[1:]), values.dtype)
            columns[f.name][slice(*span)] = values

    missing = dict.fromkeys(_spans(n, chunk))
    with meter.watch(kept=checkpoint is not None):
        if checkpoint is not None:
            for span, part in _resumed(checkpoint, list(missing), population, seed):
                put(span, part)
                del missing[span]
                meter.add(span[1] - span[0], resumed=True)
        work = partial(_patients, population, seed, versions())
        with closing(results(place, work, missing)) as parts:
            for span, part in parts:
                if checkpoint is not None:
                    checkpoint.save(*span, part)
                put(span, part)
                meter.add(span[1] - span[0])
    return Cohort(**columns)


def _opened(
    folder: str | os.PathLike[str] | None, population: Population, seed: int, chunk: int
) -> Checkpoint | None:
    if folder is None:
        return None
    made_from = {**describe("population", population), **describe("seed", seed)}
    return Checkpoint(folder, {**made_from, "chunk": str(chunk), **versions()})


def simulate_on(
    client: Any,
    population: Population,
    n: int,
    *,
    seed: int,
    chunk: int = TASK,
    progress: bool | Callable[[Progress], None] = False,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Cohort:
    """Return a cohort of `n` virtual patients, simulated on a Dask cluster.

    The patients are those of `car_relapse.cohort.simulate`, bit for bit, for every number of
    workers and every `chunk`, also when workers die on the way.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster; None stays in this process.
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed of the cohort, >= 0.
    chunk : int, optional
        Patients per task, rounded up to whole blocks of 128; changes speed and memory, never
        results. A worker has two tasks at a time.
    progress : bool or callable, optional
        True writes a line to stderr; a function is called with a `Progress` after every task.
    checkpoint : path, optional
        Folder for finished tasks. The same call with the same folder goes on after a stop, also
        with another number of workers, or for more patients.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        When a number is out of range, `client` is not a client, or the folder holds patients of
        another population, seed, version or chunk (the message names what differs).
    CarRelapseError
        When distributed is not installed, the cluster is gone or stays without workers, or a
        worker has other versions than this process.

    Examples
    --------
    >>> from car_relapse.cohort import default_population
    >>> simulate_on(None, default_population(), 10, seed=1).size
    10
    """
    count, root, step = _checked(n, seed, chunk)
    kept = _opened(checkpoint, population, root, step)
    return _simulated(place_of(client), population, count, root, step, progress, kept)


def simulate_in_processes(
    population: Population,
    n: int,
    *,
    seed: int,
    workers: int | None = None,
    chunk: int = TASK,
    progress: bool | Callable[[Progress], None] = False,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Cohort:
    """Return a cohort of `n` virtual patients, simulated on the processors of this machine.

    As `simulate_on`, without Dask: for a laptop. On systems other than Linux, a script must keep
    the call under ``if __name__ == "__main__":``.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed of the cohort, >= 0.
    workers : int, optional
        Number of processes, >= 1; by default one per processor.
    chunk, progress, checkpoint
        As in `simulate_on`.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        As `simulate_on`.
    CarRelapseError
        When a worker process died.
    """
    count, root, step = _checked(n, seed, chunk)
    every = os.cpu_count() or 1
    asked = every if workers is None else workers
    size = require_count("workers", asked, "give a number of processes", minimum=1)
    kept = _opened(checkpoint, population, root, step)
    with processes(size) as place:
        return _simulated(place, population, count, root, step, progress, kept)


def reduce_on(
    client: Any,
    population: Population,
    n: int,
    *,
    seed: int,
    reducer: Callable[[Cohort], _Result],
    combine: Callable[[_Result, _Result], _Result] = operator.add,
    chunk: int = TASK,
    progress: bool | Callable[[Progress], None] = False,
) -> _Result:
    """Return what `reducer` makes of `n` patients, without ever holding them all.

    Each task reduces its own patients where they are; only the small results travel. They are
    combined in the order of the patients, so the outcome does not depend on who was first; where
    `combine` rounds (sums of floats), it depends on `chunk`.

    Parameters
    ----------
    client : distributed.Client or None
        The cluster; None stays in this process.
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed of the cohort, >= 0.
    reducer : callable
        Makes a small result of the `Cohort` of one task.
    combine : callable, optional
        Makes one result of two, the earlier first; by default their sum.
    chunk, progress
        As in `simulate_on`.

    Returns
    -------
    object
        The combined result.

    Raises
    ------
    ParameterError, CarRelapseError
        As `simulate_on`.

    Examples
    --------
    The largest burden of 300 patients, in cells:

    >>> from car_relapse.cohort import default_population
    >>> largest = reduce_on(
    ...     None, default_population(), 300, seed=1, reducer=lambda c: c.burden.max(), combine=max
    ... )
    >>> bool(largest > 1e11)
    True
    """
    count, root, step = _checked(n, seed, chunk)
    meter = Meter(count, progress)
    work = partial(_reduced, reducer, population, root, versions())
    total: list[_Result] = []
    spans = _spans(count, step)
    with (
        meter.watch(kept=False),
        closing(results(place_of(client), work, spans, in_order=True)) as parts,
    ):
        for span, part in parts:
            total = [combine(total[0], part)] if total else [part]
            meter.add(span[1] - span[0])
    return total[0]


def stream_summary(
    population: Population,
    n: int,
    *,
    seed: int,
    days: ArrayLike,
    client: Any = None,
    chunk: int = TASK,
    progress: bool | Callable[[Progress], None] = False,
) -> Summary:
    """Return counts of outcomes and of relapses by day, in memory that does not grow with `n`.

    Parameters
    ----------
    population : Population
        Who the patients are.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed of the cohort, >= 0.
    days : array_like
        Days after infusion at which relapses are counted, ascending, shape (days,).
    client : distributed.Client, optional
        A cluster; by default this process.
    chunk, progress
        As in `simulate_on`; here `chunk` decides the memory.

    Returns
    -------
    Summary
        Whole numbers: the same for every `chunk` and every cluster.

    Raises
    ------
    ParameterError, CarRelapseError
        As `simulate_on`, and when `days` is not an ascending list.

    Examples
    --------
    >>> from car_relapse.cohort import default_population
    >>> stream_summary(default_population(), 300, seed=1, days=[100, 365]).size
    300
    """
    reducer = partial(summarise, days=checked_days(days))
    return reduce_on(
        client, population, n, seed=seed, reducer=reducer, chunk=chunk, progress=progress
    )


def cohort_hash(cohort: Cohort) -> str:
    """Return the SHA-256 of every bit of a cohort, as 64 hexadecimal digits.

    Examples
    --------
    >>> from car_relapse.cohort import default_population, simulate
    >>> one, two = (simulate(default_population(), 9, seed=1, chunk=c) for c in (1, 9))
    >>> cohort_hash(one) == cohort_hash(two)
    True
    """
    require_instance("cohort", cohort, Cohort, "give a car_relapse.Cohort")
    digest = hashlib.sha256()
    for f in fields(cohort):
        values = np.asarray(getattr(cohort, f.name))
        digest.update(f"{f.name} {values.dtype.str} {values.shape} ".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
