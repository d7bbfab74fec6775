"""M: the memory of a cohort that is summed up as it is made."""

from __future__ import annotations

from benchmarks.contest import Entry
from benchmarks.fresh import attempt
from benchmarks.results import Quantity, Result

SIZES = (100_000, 1_000_000)
CODE = """
from car_relapse.cohort import default_population
from car_relapse.scaleout import stream_summary
assert stream_summary(default_population(), {n}, seed=1, days=[90, 180, 365]).size == {n}
"""


def run(rounds: int) -> Result:
    """Stream a small and a large cohort in turns, each in a fresh interpreter."""
    entries = {
        n: Entry(name=f"{n:,} patients", own=True, unit="patient", clock="wall", units=n)
        for n in SIZES
    }
    for _ in range(rounds):
        for n, entry in entries.items():
            found = attempt(entry, CODE.format(n=n), limit=600.0)
            if found is not None:
                entry.answers.append({"mib": found["mib"]})
    small, large = ([a["mib"] for a in entries[n].answers] for n in SIZES)
    difference = [b - a for a, b in zip(small, large, strict=False)]
    return Result(
        title="Memory: ten times the patients, the same memory",
        workload="outcomes and relapses by day of 1e5 and of 1e6 patients, counted as they are "
        "made; largest resident memory of the whole process",
        entries=list(entries.values()),
        quantities=[
            Quantity(name="peak memory of 1e5 patients", values=small, unit="MiB"),
            Quantity(name="peak memory of 1e6 patients", values=large, unit="MiB"),
            Quantity(
                name="peak memory of 1e6 less that of 1e5 patients", values=difference, unit="MiB"
            ),
        ],
    )
