"""scipy's odeint: one patient at a time, with slopes in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.r3_model import CELLS, TOLERANCE, cohort, errors

Work = tuple[Callable[[int], Any], Callable[[Any], dict[str, Any]]]


def log_slopes(y: Any, _: float, p: Any) -> list[float]:
    """Return the slopes of the log-populations of one patient."""
    (rho, half, loss, forms, wakes, dies, grows, capacity, lose, kills, half_kill, influx,
     life) = p  # fmt: skip
    effector, memory, positive, negative, b_cells = y
    killers, seen, normal = math.exp(effector), math.exp(positive), math.exp(b_cells)
    share = (seen + normal) / (half + seen + normal)
    ratio = math.exp(memory - effector)
    kill = kills * killers / (half_kill + killers)
    room = grows * (1.0 - (seen + math.exp(negative)) / capacity)
    return [
        rho * share - loss + wakes * share * ratio,
        forms / ratio - wakes * share - dies,
        room - kill - lose,
        room + lose * math.exp(positive - negative),
        influx / normal - 1.0 / life - kill,
    ]


def slopes(y: Any, _: float, p: Any) -> list[float]:
    """Return the slopes of the populations of one patient, as they are printed."""
    (rho, half, loss, forms, wakes, dies, grows, capacity, lose, kills, half_kill, influx,
     life) = p  # fmt: skip
    effector, memory, positive, negative, b_cells = y
    share = (positive + b_cells) / (half + positive + b_cells)
    kill = kills * effector / (half_kill + effector)
    room = grows * (1.0 - (positive + negative) / capacity)
    return [
        (rho * share - loss) * effector + wakes * share * memory,
        forms * effector - (wakes * share + dies) * memory,
        (room - kill - lose) * positive,
        room * negative + lose * positive,
        influx - (1.0 / life + kill) * b_cells,
    ]


def logarithmic(units: int) -> Work:
    """Solve `units` patients in log-populations."""
    from scipy.integrate import odeint

    rates, start, days = cohort(units)
    patients = [tuple(float(x) for x in column) for column in rates.T]

    def work(_: int) -> Any:
        return [
            odeint(log_slopes, start, days, args=(p,), rtol=0.0, atol=TOLERANCE) for p in patients
        ]

    return work, lambda found: errors(np.array(found).transpose(2, 1, 0))


def linear(units: int) -> Work:
    """Solve `units` patients on a linear scale."""
    from scipy.integrate import odeint

    rates, log_start, days = cohort(units)
    start = np.exp(log_start)
    patients = [tuple(float(x) for x in column) for column in rates.T]

    def work(_: int) -> Any:
        return [
            odeint(slopes, start, days, args=(p,), rtol=TOLERANCE, atol=CELLS) for p in patients
        ]

    def summary(found: Any) -> dict[str, Any]:
        with np.errstate(all="ignore"):  # clones that it lost are at or below zero
            return errors(np.log(np.array(found).transpose(2, 1, 0)))

    return work, summary
