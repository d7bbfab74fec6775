"""survival: probabilities of every relapse with six antigens, without Monte Carlo."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.contest import Contestant, contest
from benchmarks.r1_model import (
    BIRTH,
    CONTRACTION,
    DEATH_RATIO,
    KILLING,
    MEMORY_FRACTION,
    PEAK_DAY,
    RISE,
)
from benchmarks.results import Quantity, Result
from car_relapse.antigens import Losses
from car_relapse.exposure import SteinExposure
from car_relapse.killing import LinearKilling
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

#: Days for which killing outpaces growth; cells; losses of each antigen and of all at once.
DAYS, CELLS = 2000.0, 1e11
PER_ANTIGEN, COMMON_MODE = (1e-4, 1e-5, 1e-5, 1e-6, 1e-6, 1e-7), 1e-12
NAME = "64 states over 2000 days"


def patient() -> Patient:
    """Return R1's median patient, with six antigens and CAR-T cells that last."""
    net = (1.0 - DEATH_RATIO) * BIRTH[0]
    return Patient(
        leukaemia=Leukaemia(birth_rate=BIRTH[0], death_rate=DEATH_RATIO * BIRTH[0], burden=CELLS),
        losses=Losses(per_antigen=PER_ANTIGEN, common_mode=COMMON_MODE),
        therapy=Therapy(
            exposure=SteinExposure(
                fold=math.exp(RISE * PEAK_DAY[0]),
                peak_day=PEAK_DAY[0],
                peak_level=1.0,
                contraction_rate=CONTRACTION[0],
                memory_fraction=MEMORY_FRACTION,
                memory_rate=math.log(KILLING[0] * MEMORY_FRACTION / net) / (DAYS - PEAK_DAY[0]),
            ),
            killing=LinearKilling(rate_per_level=KILLING[0]),
        ),
    )


def typical() -> Patient:
    """Return the typical patient of the library with the same losses."""
    losses = Losses(per_antigen=PER_ANTIGEN, common_mode=COMMON_MODE)
    return replace(typical_patient(CELLS), losses=losses)


def six_antigens(units: int, who: str) -> Callable[[int], dict[str, Any]]:
    """Compute the probabilities of a patient, `units` times."""
    someone = {"lasting": patient, "typical": typical}[who]()

    def work(_: int) -> dict[str, Any]:
        for _ in range(units):
            found = relapse_probabilities(someone)
        return {"cure": found.cure, "antigen_negative": found.antigen_negative}

    work(0)  # rules of quadrature are made once
    return work


TARGET = "benchmarks.survival_states:six_antigens"
CONTESTANTS = (
    Contestant(name=NAME, target=TARGET, units=5, options={"who": "lasting"}, own=True),
    Contestant(
        name="64 states, typical patient",
        target=TARGET,
        units=5,
        options={"who": "typical"},
        own=True,
        note="killing outpaces growth for less than two months",
    ),
)


def run(rounds: int) -> Result:
    """Time one call for each patient in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    return Result(
        title="Probabilities of every relapse: six antigens, no Monte Carlo",
        workload=f"one patient, 2^{len(PER_ANTIGEN)} antigen states, killing above net growth for "
        f"{DAYS:g} days and followed until no fate can change",
        entries=list(entries.values()),
        quantities=[
            Quantity(name=name, values=[1e3 * s for s in entry.seconds], unit="ms")
            for name, entry in entries.items()
        ],
    )
