"""Take-aways of the notebook *Two mechanisms race in one patient, and one hides the other*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from car_relapse import Losses, SteinExposure, relapse_probabilities, stein_population
from car_relapse.aplasia import b_cell_return
from car_relapse.calibration_law import expected_relapses
from car_relapse.calibration_model import calibrated_values
from car_relapse.calibration_points import Patients, points
from car_relapse.calibration_table import stored
from car_relapse.outcomes import default_detection
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

CURVE = ("stein.peak_day", "stein.contraction_rate", "stein.memory_fraction", "stein.memory_rate")
RATES = ("leukaemia.birth_rate", "killing.maximal_rate", "killing.half_level")
BURDEN = 1e10


@model_claim("claim-one-target-product", varies=(*RATES, *CURVE, "loss.cd19"), at_least=1.0)
def test_the_chance_of_cure_is_that_of_each_mechanism_alone_multiplied(
    ledger: Mapping[str, float],
) -> bool:
    """Alone: the same patient without loss, and one in whom every targeted line is cleared."""
    patient = patient_of(ledger, burden=BURDEN)
    both = relapse_probabilities(patient)
    without_loss = relapse_probabilities(
        replace(patient, losses=Losses(per_antigen=(1e-300,), common_mode=0.0))
    )
    product = without_loss.cure * (1.0 - both.antigen_negative)
    return math.isclose(both.cure, product, rel_tol=1e-6, abs_tol=1e-300)


@model_claim("claim-one-target-unmasks", varies=(*RATES, *CURVE, "loss.cd19"), at_least=0.9)
def test_more_t_cells_raise_the_negative_share_with_the_same_loss(
    ledger: Mapping[str, float],
) -> bool:
    """Half the half-maximal level is twice the CAR-T level; the lines lost before are as many."""
    stronger = {**ledger, "killing.half_level": 0.5 * ledger["killing.half_level"]}
    weak, strong = (
        relapse_probabilities(patient_of(values, burden=BURDEN)) for values in (ledger, stronger)
    )
    # Shares of lines that outlive therapy: the first of a Poisson pair is negative so often.
    before, after = (
        p.negative_lines / (p.positive_lines + p.negative_lines) for p in (weak, strong)
    )
    same = math.isclose(weak.preexisting_lines, strong.preexisting_lines, rel_tol=1e-9)
    return same and after > before


def _hazards(
    people: Patients, chosen: np.ndarray, ledger: Mapping[str, float]
) -> tuple[float, float]:
    """Return cumulative hazards of relapse from day 180 on, with and without the target."""
    model = calibrated_values()
    part = Patients(
        birth_rate=people.birth_rate[chosen],
        death_rate=people.death_rate[chosen],
        burden=people.burden[chosen],
        curve=SteinExposure(
            **{f.name: getattr(people.curve, f.name)[chosen] for f in fields(SteinExposure)}
        ),
    )
    days = np.concatenate([np.arange(30.0, 181.0, 30.0), np.arange(240.0, 1500.0, 60.0)])
    killing = replace(model.killing, half_level=ledger["calibrated.half_level"])
    loss = ledger["calibrated.loss"] + ledger["calibrated.common_mode"]
    seen = expected_relapses(part, loss, killing, default_detection(), days)
    start = int(np.searchsorted(days, 180.0))
    risk = seen.relapse_free[start]
    return tuple(
        -math.log1p(-(curve[-1] - curve[start]) / risk)
        for curve in (seen.antigen_positive, seen.escaped)
    )


@model_claim(
    "claim-one-target-aplasia",
    varies=(
        "calibrated.half_level",
        "calibrated.growth_rate",
        "calibrated.loss",
        "feedback.b_cells_back",
    ),
    at_least=0.9,
    draws=64,
)
def test_early_b_cells_foretell_relapse_with_the_target_alone(ledger: Mapping[str, float]) -> bool:
    """At least twice the hazard with the target, and at most a tenth more without it."""
    model = replace(calibrated_values(), growth_rate=ledger["calibrated.growth_rate"])
    people = model.patients(points(stein_population(), 256, seed=2))
    killing = replace(model.killing, half_level=ledger["calibrated.half_level"])
    back = b_cell_return(people.curve, killing, share=ledger["feedback.b_cells_back"])
    early = back <= 182.0
    positive, negative = zip(
        *(_hazards(people, which, ledger) for which in (early, ~early)), strict=True
    )
    return positive[0] > 2.0 * positive[1] and negative[0] < 1.1 * negative[1]


@data_claim("claim-one-target-predictions")
def test_intervals_meet_for_relapse_free_shares_and_part_for_a_kind_after_two_targets() -> None:
    """Among the shares that were not fitted; a prediction has the interval of its parameters."""
    rows = [row for row in stored("prediction") if row.fitted != "yes"]
    free = [row for row in rows if row.setting.startswith(("RFS", "LFS"))]
    assert len({row.item for row in free}) >= 5, "fewer cohorts than five"
    for row in free:
        error = 1.96 * math.hypot(row.numerical_se, row.parameter_se)
        assert row.observed_low - error <= row.value <= row.observed_high + error, row
    (pair,) = [row for row in rows if row.setting.startswith("CD19 lost, CD22 kept")]
    assert pair.value + 1.96 * pair.parameter_se < pair.observed_low
