"""S: a cohort in one process, in two processes, and on two Dask workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.contest import Contestant, contest, ratios
from benchmarks.results import Quantity, Result

PATIENTS, TASKS, WORKERS = 204_800, 16, 2
SERIAL, PROCESSES, DASK = "one process", "2 processes", "2 Dask workers"
# Every round simulates the same patients, so that their hashes can be compared.
_SEED = 7

Work = tuple[Callable[[int], Any], Callable[[Any], dict[str, Any]]]


def _hashed(simulate: Callable[[int], Any]) -> Work:
    from car_relapse.scaleout import cohort_hash

    return simulate, lambda cohort: {"sha256": cohort_hash(cohort)}


def serial(units: int) -> Work:
    """Simulate in this process, task by task."""
    from car_relapse.cohort import default_population
    from car_relapse.scaleout import simulate_on

    population = default_population()
    return _hashed(lambda _: simulate_on(None, population, units, seed=_SEED, chunk=units // TASKS))


def pool(units: int) -> Work:
    """Simulate in two processes; starting them is part of the time."""
    from car_relapse.cohort import default_population
    from car_relapse.scaleout import simulate_in_processes

    population = default_population()
    return _hashed(
        lambda _: simulate_in_processes(
            population, units, seed=_SEED, workers=WORKERS, chunk=units // TASKS
        )
    )


def dask(units: int) -> Work:
    """Simulate on a local Dask cluster; starting it is not part of the time."""
    from distributed import Client, LocalCluster

    from car_relapse.cohort import default_population
    from car_relapse.scaleout import simulate_on

    population = default_population()
    cluster = LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=tempfile.mkdtemp(prefix="bench-dask-"),
    )
    client = Client(cluster)
    simulate_on(client, population, 256 * WORKERS, seed=1, chunk=128)  # imports on the workers
    return _hashed(
        lambda _: simulate_on(client, population, units, seed=_SEED, chunk=units // TASKS)
    )


CONTESTANTS = tuple(
    Contestant(
        name=name,
        target=f"benchmarks.scale:{function}",
        units=PATIENTS,
        own=True,
        clock="wall",
        note=note,
    )
    for name, function, note in (
        (SERIAL, "serial", ""),
        (PROCESSES, "pool", "elapsed time, starting the processes included"),
        (DASK, "dask", "elapsed time, starting the cluster excluded"),
    )
)


def run(rounds: int) -> Result:
    """Simulate the same patients three ways in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    hashes = [answer["sha256"] for entry in entries.values() for answer in entry.answers]
    complete = all(entry.answers for entry in entries.values())

    def efficiency(name: str) -> list[float]:
        return [ratio / WORKERS for ratio in ratios(entries[SERIAL], entries[name])]

    return Result(
        title="Scale: the same cohort on more processors",
        workload=f"{PATIENTS:,} patients of the default population in {TASKS} tasks; "
        "elapsed time; efficiency is the speed-up over the number of workers",
        entries=list(entries.values()),
        quantities=[
            Quantity(name="different answers", values=[len(set(hashes)) - 1.0] if complete else []),
            Quantity(name="efficiency of 2 processes", values=efficiency(PROCESSES)),
            Quantity(name="efficiency of 2 Dask workers", values=efficiency(DASK)),
        ],
    )
