"""C: from nothing to the first 128 patients."""

from __future__ import annotations

from benchmarks.contest import Entry
from benchmarks.fresh import attempt
from benchmarks.results import Quantity, Result

OWN = "import and 128 patients"
#: What is timed; the others show how much of it Python and its libraries take.
PROGRAMS = {
    OWN: "from car_relapse.cohort import default_population, simulate\n"
    "simulate(default_population(), 128, seed=1)",
    "Python alone": "",
    "import numpy": "import numpy",
    "import scipy.special": "import scipy.special",
}
#: Imports that a reader may ask about; those that happened are stored with the result.
HEAVY = ("numba", "pandas", "matplotlib", "scipy.stats", "scipy.optimize", "distributed")


def run(rounds: int) -> Result:
    """Start fresh interpreters in turns."""
    entries = {
        name: Entry(name=name, own=name == OWN, unit="start", clock="wall", units=1)
        for name in PROGRAMS
    }
    memory: list[float] = []
    numba: list[float] = []
    for _ in range(rounds):
        for name, code in PROGRAMS.items():
            found = attempt(entries[name], code)
            if found is None:
                continue
            heavy = [module for module in HEAVY if module in found["modules"]]
            entries[name].answers.append({"mib": found["mib"], "heavy": heavy})
            if name == OWN:
                memory.append(found["mib"])
                numba.append(
                    float(sum(m.split(".")[0] in ("numba", "llvmlite") for m in found["modules"]))
                )
    return Result(
        title="Cold start: a fresh interpreter until it has 128 patients",
        workload="python -c 'import the library; simulate 128 patients'; elapsed time and the "
        "largest resident memory",
        entries=list(entries.values()),
        quantities=[
            Quantity(name=OWN, values=entries[OWN].seconds, unit="s"),
            Quantity(name=f"peak memory of {OWN}", values=memory, unit="MiB"),
            Quantity(name="numba modules imported", values=numba),
        ],
    )
