"""COPASI, through basico: its hybrid and tau-leaping methods, and its direct method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.two_types import END, START, TwoTypes, treated, untreated

Work = Callable[[int], dict[str, Any]]


def load(rates: TwoTypes, cells: float) -> None:
    """Build the model: targeted cells X0 divide, die and found escaped cells X1."""
    import basico

    basico.new_model(name="two types", volume_unit="l", quantity_unit="1")
    reactions = {
        "birth0": ("X0 -> 2 X0", rates.birth_targeted),
        "death0": ("X0 -> ", rates.death_targeted),
        "loss": ("X0 -> X0 + X1", rates.loss),
        "birth1": ("X1 -> 2 X1", rates.birth_escaped),
        "death1": ("X1 -> ", rates.death_escaped),
    }
    for name, (scheme, rate) in reactions.items():
        basico.add_reaction(name, scheme)
        basico.set_reaction_parameters(f"({name}).k1", value=rate)
    basico.set_species("X0", initial_particle_number=cells)
    basico.set_species("X1", initial_particle_number=0)


def treatment(units: int, method: str, loss: float, days: float, intervals: int) -> Work:
    """Follow `units` patients under constant killing by `method`."""
    import basico

    rates, cells = treated(loss)
    load(rates, cells)
    basico.run_time_course(duration=1e-3, intervals=1, method=method)  # compiles the model
    # Only the methods that take steps know this setting.
    steps = {"max_steps": 1_000_000} if method == "tauleap" else {}

    def work(seed: int) -> dict[str, Any]:
        escaped, last = [], []
        for patient in range(units):
            course = basico.run_time_course(
                duration=days,
                intervals=intervals,
                method=method,
                use_numbers=True,
                use_seed=True,
                seed=seed * 10_000 + patient + 1,
                **steps,
            )
            escaped.append(float(course["X1"].iloc[-1]))
            last.append(float(course.index[-1]))
        return {
            "escaped_mean": float(np.mean(escaped)),
            "patients_with_escaped_cells": float(np.mean(np.array(escaped) > 0)),
            "last_day": min(last),
        }

    return work


def direct(units: int) -> Work:
    """Simulate `units` untreated clones exactly."""
    import basico

    load(untreated(), START)
    basico.run_time_course(duration=1e-3, intervals=1, method="directMethod")  # compiles the model

    def work(seed: int) -> dict[str, Any]:
        total = escaped = 0.0
        for clone in range(units):
            course = basico.run_time_course(
                duration=END,
                intervals=1,
                method="directMethod",
                use_numbers=True,
                use_seed=True,
                seed=seed * 10_000 + clone + 1,
            )
            total += float(course["X0"].iloc[-1] + course["X1"].iloc[-1])
            escaped += float(course["X1"].iloc[-1])
        return {"total_mean": total / units, "escaped_mean": escaped / units}

    return work
