"""R1r: a virtual patient beside the bare random draws that it cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, contest, ratios
from benchmarks.r1_model import CASES, SEED, population
from benchmarks.results import Quantity, Result

#: The methods of a generator that a cohort may call.
DRAWS = (
    "binomial",
    "exponential",
    "gamma",
    "geometric",
    "integers",
    "multinomial",
    "multivariate_normal",
    "negative_binomial",
    "normal",
    "poisson",
    "random",
    "standard_exponential",
    "standard_gamma",
    "standard_normal",
    "uniform",
)
Call = tuple[str, tuple[Any, ...], dict[str, Any]]


class Recorder(np.random.Generator):
    """A generator that writes down every draw that it is asked for."""

    def __init__(self, source: np.random.Generator) -> None:
        super().__init__(source.bit_generator)
        self.calls: list[Call] = []


def _recording(name: str) -> Callable[..., Any]:
    plain = getattr(np.random.Generator, name)

    def draw(self: Recorder, *arguments: Any, **options: Any) -> Any:
        # A copy: the caller may change its array later.
        kept = tuple(np.array(a) if isinstance(a, np.ndarray) else a for a in arguments)
        self.calls.append((name, kept, dict(options)))
        return plain(self, *arguments, **options)

    return draw


for _name in DRAWS:
    setattr(Recorder, _name, _recording(_name))


def record(case: str, units: int, seed: int = SEED) -> list[Recorder]:
    """Simulate a cohort and return its generators, one for each block, with their draws."""
    from car_relapse import cohort

    recorders: list[Recorder] = []
    stream = cohort.stream

    def recorded(root: int, block: int) -> Recorder:
        recorders.append(Recorder(stream(root, block)))
        return recorders[-1]

    cohort.stream = recorded  # type: ignore[assignment]
    try:
        cohort.simulate(population(case), units, seed=seed)
    finally:
        cohort.stream = stream
    return recorders


def draws(units: int, case: str) -> Callable[[int], dict[str, Any]]:
    """Make the draws of a cohort again, without anything else."""
    blocks = [recorder.calls for recorder in record(case, units)]
    counts: dict[str, int] = {}
    for calls in blocks:
        for name, arguments, options in calls:
            counts[name] = counts.get(name, 0) + np.size(
                getattr(np.random.default_rng(0), name)(*arguments, **options)
            )
    per_patient = {f"{name} per patient": n / units for name, n in counts.items()}

    def work(seed: int) -> dict[str, Any]:
        for block, calls in enumerate(blocks):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))
            for name, arguments, options in calls:
                getattr(rng, name)(*arguments, **options)
        return per_patient

    return work


TARGETS = {"cohort": "benchmarks.r1_model:cohort", "draws": "benchmarks.r1r:draws"}
CONTESTANTS = tuple(
    Contestant(
        name=f"{what}, case {case}",
        target=target,
        units=8192,
        options={"case": case},
        own=True,
        at_least=0.3,
    )
    for case in CASES
    for what, target in TARGETS.items()
)


def run(rounds: int) -> Result:
    """Simulate and draw in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    return Result(
        title="Virtual cohorts beside their own bare random draws",
        workload="8192 patients; every draw of the cohort is written down once and then made "
        "again with nothing around it, from streams made in the same way",
        entries=list(entries.values()),
        quantities=[
            Quantity(
                name=f"cohort / its bare draws, case {case}",
                values=ratios(entries[f"cohort, case {case}"], entries[f"draws, case {case}"]),
            )
            for case in CASES
        ],
    )
