"""The figures of *Transplant and time* show what closed forms and other simulations say."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse.figures.competing_risks import control_biology
from car_relapse.figures.transplant_and_time import (
    estimand_table,
    incidences_by_strategy,
    second_infusion_arm,
    transplant_trial,
)
from car_relapse.trial.sample_size import two_proportions

# By another program, from a million patients of each arm: single and dual.
ELSEWHERE = {
    "without": (0.250654, 0.100554),
    "censored": (0.250771, 0.100687),
    "policy": (0.215361, 0.094),
    "competing": (0.198705, 0.091457),
}


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_immortal_time_halves_a_ratio_that_is_one(drawings):
    # Of 300 trials by another program: 0.456, 0.980 and 0.978.
    assert value(drawings, "immortal-time", "ever") == pytest.approx(0.456, abs=0.03)
    for fair in ("landmark", "dependent"):
        assert value(drawings, "immortal-time", fair) == pytest.approx(0.98, abs=0.05)
        assert value(drawings, "immortal-time", f"{fair}_significant") < 8


def test_every_simulated_trial_that_tells_is_counted_once(drawings):
    data = drawings["immortal-time"].data
    trials = value(drawings, "immortal-time", "trials")
    for name in ("ever", "landmark", "dependent"):
        assert 0.97 * trials < data[name].sum() <= trials


def test_those_who_reached_it_are_free_by_the_conditional_probability(drawings):
    data = drawings["second-infusion-arm"].data
    control = control_biology()
    for i, month in enumerate((1.0, 2.0, 4.0), 1):
        wanted = np.where(
            data["month"] < month,
            1.0,
            control.event_free(data["month"]) / control.event_free(month),
        )
        assert data[f"reached_{i}"] == pytest.approx(wanted, abs=1e-9)
        # An infusion that does nothing moves nothing where all are counted.
        assert data[f"planned_{i}"] == pytest.approx(data["without"], abs=1e-9)


def test_an_infusion_that_stops_all_events_ends_the_fall_of_the_curve():
    data = second_infusion_arm(months=(3.0,), ratio=0.0).data
    late = data["month"] >= 3.0
    assert data["reached_1"] == pytest.approx(np.ones_like(data["month"]))
    free = float(control_biology().event_free(3.0))
    assert data["planned_1"][late] == pytest.approx(np.full(late.sum(), free))


def test_incidences_are_those_of_another_program(drawings):
    data = drawings["estimand-table"].data
    for i, (single, dual) in enumerate(ELSEWHERE.values()):
        assert data["single"][i] == pytest.approx(single, abs=0.003 + 4 * data["single_error"][i])
        assert data["dual"][i] == pytest.approx(dual, abs=0.003 + 4 * data["dual_error"][i])


def test_numbers_of_patients_are_those_of_the_formula(drawings):
    data = drawings["estimand-table"].data
    for single, dual, patients in zip(data["single"], data["dual"], data["patients"], strict=True):
        assert patients == pytest.approx(two_proportions(float(single), float(dual)).patients)
    # From the incidences without any noise: 199, 278 and 336.
    wanted = (199, 199, 278, 336)
    assert data["patients"][:4] == pytest.approx(wanted, rel=0.05)


def test_the_composite_is_relapse_or_transplant():
    found = incidences_by_strategy(transplant_trial(), trials=40)
    (single, _), _ = found["composite"]
    (competing, _), _ = found["competing"]
    # Transplants of the single arm by another program.
    assert single - competing == pytest.approx(0.2785, abs=0.01)


def test_without_transplants_all_strategies_agree():
    data = estimand_table(shares=(0.0, 0.0), trials=10).data
    for name in ("single", "dual"):
        assert np.ptp(data[name]) == pytest.approx(0.0, abs=1e-12)
