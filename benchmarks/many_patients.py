"""batch: exact probabilities of many patients, at once and one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, contest
from benchmarks.results import Quantity, Result, times_slower
from benchmarks.survival_states import CELLS, COMMON_MODE, PER_ANTIGEN
from car_relapse.antigens import Losses
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.survival_batch import relapse_lines_batch

#: Burdens of the patients of a cohort, cells, spread evenly on the log scale.
COHORT_CELLS = (1e9, 1e11)


def cohort(units: int, who: str) -> Callable[[int], dict[str, Any]]:
    """Compute the exponents of `units` patients who differ in burden, at once or in turn."""
    antigens = int(who[0])
    losses = Losses(per_antigen=PER_ANTIGEN[:antigens], common_mode=COMMON_MODE)
    one = replace(typical_patient(CELLS), losses=losses)
    burdens = np.geomspace(*COHORT_CELLS, units)

    def at_once(_: int) -> dict[str, Any]:
        lines = relapse_lines_batch(one, burden=burdens).class_lines
        return {"mean lines": float(lines.sum(axis=0).mean())}

    def in_turn(_: int) -> dict[str, Any]:
        lines = [
            sum(
                relapse_probabilities(
                    replace(one, leukaemia=replace(one.leukaemia, burden=float(burden)))
                ).class_lines
            )
            for burden in burdens
        ]
        return {"mean lines": float(np.mean(lines))}

    work = at_once if who.endswith("at once") else in_turn
    work(0)
    return work


ANTIGENS = (1, 2, 3)
AT_ONCE, IN_TURN = "patients at once", "patients in turn"
CONTESTANTS = tuple(
    Contestant(
        name=f"k = {antigens}, {way}",
        target="benchmarks.many_patients:cohort",
        units=units,
        options={"who": f"{antigens}, {way}"},
        own=True,
        note="patients who differ in burden",
    )
    for antigens in ANTIGENS
    for way, units in ((AT_ONCE, 256), (IN_TURN, 16))
)


def run(rounds: int) -> Result:
    """Time both ways in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    return Result(
        title="Exact probabilities of many patients: at once beside one after the other",
        workload=f"typical patients with burdens from {COHORT_CELLS[0]:g} to {COHORT_CELLS[1]:g} "
        "cells and k antigens",
        entries=list(entries.values()),
        quantities=[
            *(
                Quantity(name=name, values=[1e3 * s for s in entry.seconds], unit="ms")
                for name, entry in entries.items()
            ),
            *(
                times_slower(
                    f"in turn / at once, k = {antigens}",
                    entries[f"k = {antigens}, {IN_TURN}"],
                    entries[f"k = {antigens}, {AT_ONCE}"],
                )
                for antigens in ANTIGENS
            ),
        ],
    )
