"""GillesPy2: exact simulation in C++ that it compiles for the model."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from typing import Any

from benchmarks.two_types import END, START, untreated


def exact(units: int) -> Callable[[int], dict[str, Any]]:
    """Simulate `units` untreated clones exactly."""
    # It builds with the SCons of the Python that made this environment, which has none.
    os.environ["PYTHONPATH"] = sysconfig.get_path("purelib")
    import gillespy2

    r = untreated()
    model = gillespy2.Model(name="two_types")
    targeted = gillespy2.Species(name="X0", initial_value=START, mode="discrete")
    escaped = gillespy2.Species(name="X1", initial_value=0, mode="discrete")
    model.add_species([targeted, escaped])
    schemes = [
        (r.birth_targeted, {targeted: 1}, {targeted: 2}),
        (r.death_targeted, {targeted: 1}, {}),
        (r.loss, {targeted: 1}, {targeted: 1, escaped: 1}),
        (r.birth_escaped, {escaped: 1}, {escaped: 2}),
        (r.death_escaped, {escaped: 1}, {}),
    ]
    for number, (rate, before, after) in enumerate(schemes):
        constant = gillespy2.Parameter(name=f"k{number}", expression=repr(rate))
        model.add_parameter(constant)
        model.add_reaction(
            gillespy2.Reaction(name=f"r{number}", reactants=before, products=after, rate=constant)
        )
    model.timespan(gillespy2.TimeSpan([0.0, END]))
    solver = gillespy2.SSACSolver(model=model)
    solver.run(number_of_trajectories=1, seed=1)  # compiles

    def work(seed: int) -> dict[str, Any]:
        runs = solver.run(number_of_trajectories=units, seed=seed)
        lost = sum(float(run["X1"][-1]) for run in runs)
        total = sum(float(run["X0"][-1]) for run in runs) + lost
        return {"total_mean": total / units, "escaped_mean": lost / units}

    return work
