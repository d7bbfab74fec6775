"""R2: the outcome of growth from one cell, by leaps and by exact simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, Entry, contest, rates
from benchmarks.results import Quantity, Result, times_slower
from benchmarks.two_types import BIRTH, DEATH, END, LOSS, START, means, untreated
from car_relapse.type_leaps import leap_types, step_laws

LEAP, COARSE = "leap", "leap, 23 steps"
#: Steps of the leap, about one a day.
STEPS = 92
#: Clones that leap side by side; more leave the cache.
BATCH = 8192


def leap(units: int, steps: int = STEPS) -> tuple[Callable[[int], Any], Callable[..., Any]]:
    """Draw the outcomes of `units` clones with this library."""
    rates = untreated()
    laws = step_laws(
        np.linspace(0.0, END, steps + 1),
        np.array([rates.birth_targeted, rates.birth_escaped]),
        lambda day: np.broadcast_to(
            np.array([rates.death_targeted, rates.death_escaped]), (*np.shape(day), 2)
        ),
        np.array([[0.0, rates.loss], [0.0, 0.0]]),
    )

    def work(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        parts = []
        for first in range(0, units, BATCH):
            cells = np.zeros((2, min(BATCH, units - first)), dtype=np.int64)
            cells[0] = START
            for step in range(steps):
                cells = leap_types(laws, step, cells, rng)
            parts.append(cells)
        return np.concatenate(parts, axis=1)

    def summary(cells: Any) -> dict[str, Any]:
        return {
            "total_mean": float(cells.sum(axis=0).mean()),
            "escaped_mean": float(cells[1].mean()),
            "extinct": float((cells.sum(axis=0) == 0).mean()),
        }

    return work, summary


_EXACT = "every division and death; time scaled to the mean number of events; start-up excluded"
CONTESTANTS = (
    Contestant(
        name=LEAP, target="benchmarks.r2:leap", units=100_000, own=True,
        note=f"{STEPS} steps; exact in every step but for when in a step cells escape",
    ),
    Contestant(
        name=COARSE,
        target="benchmarks.r2:leap",
        units=100_000,
        options={"steps": 23},
        own=True,
        note="the same in 23 steps",
    ),
    Contestant(name="rebop", target="benchmarks.peers.rebop:exact", units=400, note=_EXACT),
    Contestant(
        name="GillesPy2 C++", target="benchmarks.peers.gillespy:exact", units=300,
        note=f"{_EXACT}, compiling excluded",
    ),
    Contestant(
        name="COPASI direct method", target="benchmarks.peers.copasi:direct", units=250,
        note=_EXACT,
    ),
    Contestant(
        name="libRoadRunner", target="benchmarks.peers.roadrunner:exact", units=60, note=_EXACT
    ),
)  # fmt: skip


def at_mean_events(entry: Entry) -> Entry:
    """Scale the time of an exact simulation to the mean number of events.

    The cells at the end of a few hundred clones scatter widely, and so does the number of events;
    their expectation is proportional to the growth.
    """
    mean, _ = means()
    entry.seconds = [
        seconds * (mean - START) / (answer["total_mean"] - START)
        for seconds, answer in zip(entry.seconds, entry.answers, strict=True)
    ]
    return entry


def run(rounds: int) -> Result:
    """Draw outcomes all ways in turns."""
    entries = contest(CONTESTANTS, rounds, "outcome")
    for entry in entries.values():
        if not entry.own:
            at_mean_events(entry)
    own, (total, escaped) = entries[LEAP], means()
    return Result(
        title="Outcomes of growth from one cell: targeted and escaped cells at the end",
        workload=f"births {BIRTH}, deaths {DEATH} per day, loss {LOSS:g} per division, from one "
        f"cell, {END:.1f} days; means in theory {total:,.0f} cells, {escaped:.1f} of them escaped",
        entries=list(entries.values()),
        quantities=[
            Quantity(name="outcomes per second", values=rates(own)),
            *(
                times_slower(f"{name} / {leaping.name}", entry, leaping)
                for leaping in (own, entries[COARSE])
                for name, entry in entries.items()
                if not entry.own
            ),
            Quantity(
                name="mean of the leap over theory, all cells",
                values=[answer["total_mean"] / total for answer in own.answers],
            ),
            Quantity(
                name="mean of the leap over theory, escaped",
                values=[answer["escaped_mean"] / escaped for answer in own.answers],
            ),
        ],
    )
