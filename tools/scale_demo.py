"""Show that a cohort is the same wherever it is simulated: `python tools/scale_demo.py`.

On this machine, with worker processes of its own and nothing from the network:

1. the cohort in one process, in a pool of processes, and on a Dask cluster, in turn, with the time
   each takes;
2. on the cluster again, with one worker killed in mid-run;
3. on the cluster again, stopped half way and resumed from its checkpoint.

Every run prints the SHA-256 of all bits of its patients. The last line says whether they are all
equal; the exit code is 1 when they are not.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from car_relapse.cohort import BLOCK, Cohort, default_population
from car_relapse.progress import Line, Progress
from car_relapse.scaleout import TASK, cohort_hash, simulate_in_processes, simulate_on
from car_relapse.workers import local_cluster

LINE = "{:34} {:>9} {:>9}   {}"


@dataclass(frozen=True)
class Run:
    """One simulated cohort: its hash, and what it took."""

    hash: str
    seconds: float
    cpu_seconds: float


class Show:
    """A progress line, and something that happens once when so large a share is there."""

    def __init__(self, at: float = 0.0, event: Callable[[], None] | None = None) -> None:
        self.line = Line()
        self.at = at
        self.event = event

    def __call__(self, progress: Progress) -> None:
        self.line(progress)
        if self.event is not None and progress.share >= self.at:
            event, self.event = self.event, None
            self.line.end()
            event()
        elif progress.share == 1:
            self.line.end()


def own_cpu() -> float:
    """Return the CPU time of this process and of those of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measured(simulate: Callable[[], Cohort], cpu: Callable[[], float] | None) -> Run:
    """Simulate once, with a clock and, if there is one, a CPU clock around it."""
    begin, begin_cpu = time.perf_counter(), cpu() if cpu else math.nan
    cohort = simulate()
    seconds, cpu_seconds = time.perf_counter() - begin, (cpu() if cpu else math.nan) - begin_cpu
    return Run(cohort_hash(cohort), seconds, cpu_seconds)


def in_turn(
    rounds: int, ways: tuple[Callable[[], Cohort], ...], cpu: Callable[[], float]
) -> list[list[Run]]:
    """Measure each way once per round, so that all of them meet the same company."""
    turns = [[measured(simulate, cpu) for simulate in ways] for _ in range(rounds)]
    return [list(runs) for runs in zip(*turns, strict=True)]


def report(name: str, runs: list[Run]) -> None:
    """Print one line of the table: medians over the rounds, and the hash or hashes."""
    seconds = statistics.median(run.seconds for run in runs)
    cpu = statistics.median(run.cpu_seconds for run in runs)
    # The CPU clocks of workers that die or are stopped are gone with them.
    shown = "" if math.isnan(cpu) else f"{cpu:.2f}"
    hashes = " ".join(sorted({run.hash for run in runs}))
    print(LINE.format(name, f"{seconds:.2f}", shown, hashes), flush=True)


def efficiency(serial: list[Run], parallel: list[Run], workers: int) -> tuple[float, float]:
    """Return medians over the rounds of serial to parallel: by the clock per worker, by CPU."""
    pairs = list(zip(serial, parallel, strict=True))
    return (
        statistics.median(one.seconds / (workers * many.seconds) for one, many in pairs),
        statistics.median(one.cpu_seconds / many.cpu_seconds for one, many in pairs),
    )


def killed(client: Any, cohort: Callable[..., Cohort]) -> Cohort:
    """Simulate while one worker is killed after a quarter of the patients."""

    def kill() -> None:
        victim = next(iter(client.run(os.getpid).values()))
        print(f"killing worker process {victim}", flush=True)
        os.kill(victim, signal.SIGKILL)

    return cohort(progress=Show(0.25, kill))


def resumed(cohort: Callable[..., Cohort], folder: str) -> Cohort:
    """Simulate, stop half way as Ctrl-C would, and go on."""
    try:
        cohort(checkpoint=folder, progress=Show(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)))
    except KeyboardInterrupt:
        print("stopped; resuming from the checkpoint", flush=True)
    return cohort(checkpoint=folder, progress=Show())


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--patients", type=int, default=204_800)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="of the timed runs, in turn")
    parser.add_argument("--chunk", type=int, default=TASK, help="patients per task")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Run the demonstration; return the exit code."""
    asked = arguments(words)
    # A shell that starts programs in the background lets them ignore what Ctrl-C sends.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    size: dict[str, Any] = {"n": asked.patients, "seed": asked.seed, "chunk": asked.chunk}
    population = default_population()
    load = os.getloadavg()[0]
    print(
        f"{asked.patients:,} patients, {asked.workers} workers, {asked.chunk:,} patients per task, "
        f"median of {asked.rounds} rounds; {os.cpu_count()} processors, load {load:.1f} before"
    )

    def here() -> Cohort:
        return simulate_on(None, population, **size, progress=Show())

    def in_pool() -> Cohort:
        return simulate_in_processes(population, **size, workers=asked.workers, progress=Show())

    runs: dict[str, list[Run]] = {}
    # The pool has its turn before there is a cluster: a process with a scheduler in it is not the
    # one that a reader of a laptop has.
    runs["one process"], runs["pool of processes"] = in_turn(asked.rounds, (here, in_pool), own_cpu)
    pool = efficiency(runs["one process"], runs["pool of processes"], asked.workers)

    with local_cluster(asked.workers) as client:

        def on_cluster(**options: Any) -> Cohort:
            return simulate_on(client, population, **size, **{"progress": Show(), **options})

        def cpu() -> float:
            return time.process_time() + sum(client.run(time.process_time).values())

        # Workers import the package with their first task, which is not what is measured.
        simulate_on(client, population, 16 * BLOCK * asked.workers, seed=0, chunk=BLOCK)
        again, runs["Dask cluster"] = in_turn(asked.rounds, (here, on_cluster), cpu)
        runs["one process, again"] = again
        cluster = efficiency(again, runs["Dask cluster"], asked.workers)

        runs["Dask cluster, one worker killed"] = [
            measured(lambda: killed(client, on_cluster), None)
        ]
        client.wait_for_workers(asked.workers, timeout=60)
        with tempfile.TemporaryDirectory() as folder:
            runs["Dask cluster, stopped, resumed"] = [
                measured(lambda: resumed(on_cluster, folder), None)
            ]

    print(LINE.format("", "seconds", "CPU s", "SHA-256 of the cohort"))
    for name, done in runs.items():
        report(name, done)
    for name, (clock, used) in (("pool of processes", pool), ("Dask cluster", cluster)):
        print(
            f"efficiency at {asked.workers} workers, {name}: {clock:.2f} by the clock, "
            f"{used:.2f} by CPU time"
        )
    hashes = {run.hash for done in runs.values() for run in done}
    equal = len(hashes) == 1
    print("all hashes are equal" if equal else f"HASHES DIFFER: {len(hashes)} kinds of cohort")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
