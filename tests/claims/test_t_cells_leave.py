"""Take-aways of *Mechanism one: the T cells leave*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache

import numpy as np

from car_relapse import SteinExposure, relapse_probabilities, stein_population
from car_relapse.engine import line_history
from car_relapse.evidence import kinetics, mechanisms
from car_relapse.survival import antigen_positive_probability
from tests.claims.models import killing_over, patient_of
from tests.claims.registry import data_claim, model_claim

DAYS = np.concatenate([np.arange(0.0, 200.0, 0.1), np.arange(200.0, 6001.0, 2.0)])
CURVE = ("stein.peak_day", "stein.contraction_rate", "stein.memory_fraction", "stein.memory_rate")
RATES = ("leukaemia.birth_rate", "killing.maximal_rate", "killing.half_level")
BURDEN = 1e8
PATIENTS = 300


@data_claim("claim-t-cells-leave-function")
def test_positive_relapse_came_with_lost_function_and_with_returning_b_cells() -> None:
    row = mechanisms()["cd19pos_loss_function_pillai"]
    assert row.relapse_type == "antigen-positive"
    assert "loss of CAR-T function" in row.evidence
    loss = kinetics()["hr_bca_loss_positive"].value
    assert loss is not None
    assert loss > 1


@model_claim("claim-t-cells-leave-nadir", varies=(*RATES, *CURVE), at_least=0.9)
def test_half_a_cell_at_the_nadir_leaves_more_than_one_chance_in_a_hundred(
    ledger: Mapping[str, float],
) -> bool:
    _, log_growth = killing_over(ledger, DAYS)
    burden = 0.5 / math.exp(log_growth.min())
    # One over the chance of a line, by the law that the chapter's exercise derives.
    inverse = ledger["leukaemia.birth_rate"] * float(np.trapezoid(np.exp(-log_growth), DAYS))
    return -math.expm1(-burden / inverse) > 0.01


@model_claim("claim-t-cells-leave-turnover", varies=(*RATES, *CURVE), at_least=1.0)
def test_twice_the_divisions_at_the_same_course_leave_half_the_lines(
    ledger: Mapping[str, float],
) -> bool:
    birth = ledger["leukaemia.birth_rate"]
    faster = {
        **ledger,
        "leukaemia.birth_rate": 2 * birth,
        "leukaemia.death_rate": ledger["leukaemia.death_rate"] + birth,
    }
    lines = [
        relapse_probabilities(patient_of(values, burden=BURDEN)).positive_lines
        for values in (ledger, faster)
    ]
    return math.isclose(lines[1], 0.5 * lines[0], rel_tol=0.02)


@cache
def _people() -> SteinExposure:
    return stein_population().sample(PATIENTS, np.random.default_rng(20260101))


@model_claim(
    "claim-t-cells-leave-population", varies=(*RATES, "leukaemia.burden"), at_least=0.7, draws=32
)
def test_fewer_cells_win_for_the_typical_patient_and_memory_over_patients(
    ledger: Mapping[str, float],
) -> bool:
    patient = patient_of(ledger)
    killing, loss = patient.products[0].killing, patient.losses.total
    typical = SteinExposure(
        **{field.name: np.array([ledger[f"stein.{field.name}"]]) for field in fields(SteinExposure)}
    )

    def hazards(curves: SteinExposure, longer: float) -> np.ndarray:
        slower = replace(curves, memory_rate=curves.memory_rate / longer)
        return line_history(patient.leukaemia, loss, killing, slower).log_r

    gain = float((hazards(typical, 10.0) - hazards(typical, 1.0))[0])
    burden = patient.leukaemia.burden
    fewer = np.mean(antigen_positive_probability(burden / 10, hazards(_people(), 1.0)))
    memory = np.mean(antigen_positive_probability(burden, hazards(_people(), 10.0)))
    return gain < math.log(10.0) and bool(memory < fewer)


@data_claim("claim-t-cells-leave-burden")
def test_low_burden_raised_one_hazard_and_high_burden_another() -> None:
    low, high = kinetics()["hr_low_burden_positive"], kinetics()["hr_high_burden"]
    assert low.value is not None
    assert low.value > 1
    assert high.low is not None
    assert high.low > 1
