"""rebop: exact simulation in Rust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.two_types import END, START, untreated


def exact(units: int) -> Callable[[int], dict[str, Any]]:
    """Simulate `units` untreated clones exactly."""
    import rebop

    rates = untreated()
    system = rebop.Gillespie()
    system.add_reaction(rates.birth_targeted, ["X0"], ["X0", "X0"])
    system.add_reaction(rates.death_targeted, ["X0"], [])
    system.add_reaction(rates.loss, ["X0"], ["X0", "X1"])
    system.add_reaction(rates.birth_escaped, ["X1"], ["X1", "X1"])
    system.add_reaction(rates.death_escaped, ["X1"], [])

    system.run({"X0": START}, tmax=1e-3, nb_steps=1)  # loads what it returns its results in

    def work(seed: int) -> dict[str, Any]:
        total = escaped = 0
        for clone in range(units):
            run = system.run({"X0": START}, tmax=END, nb_steps=1, rng=seed * 10_000 + clone)
            targeted, lost = int(run.X0.values[-1]), int(run.X1.values[-1])
            total, escaped = total + targeted + lost, escaped + lost
        return {"total_mean": total / units, "escaped_mean": escaped / units}

    return work
