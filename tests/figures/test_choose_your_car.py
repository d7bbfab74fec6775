"""The figures of *Choose your own CAR* agree with closed forms, limits and each other."""

from __future__ import annotations

import numpy as np
import pytest

import car_relapse as cr
from car_relapse.figures.choose_your_car import choices, compose, scenario_outcome


def test_what_is_composed_differs_from_the_ledger_in_what_was_chosen_alone():
    assert compose("single").population() == cr.Scenario().population()
    burden, memory = cr.default("leukaemia.burden"), cr.default("stein.memory_fraction")
    chosen = compose("and", second="CD20", burden=0.1, burden_log10_sd=0.0, memory=2.0)
    assert chosen.antigens == ("CD19", "CD20")
    assert chosen.leukaemia.burden == pytest.approx(0.1 * burden)
    assert chosen.exposures.typical.memory_fraction == pytest.approx(2 * memory)
    assert chosen.burden_log10_sd == 0.0
    assert compose("bicistronic").arms == (1.0, 0.1)


def test_the_curves_are_those_of_the_cohort_and_their_errors_binomial(drawings):
    data = drawings["scenario-outcome"].data
    cohort = cr.simulate(compose().population(), 2560, seed=20260131)
    for month in (12, 36):
        row = int(np.flatnonzero(data["month"] == month)[0])
        within = cohort.relapse_day <= month * 365.25 / 12
        kept = within & (cohort.outcome == cr.Outcome.ANTIGEN_POSITIVE)
        lost = within & np.isin(cohort.outcome, [2, 4, 5])
        assert data["positive"][row] == pytest.approx(kept.mean())
        assert data["lost"][row] == pytest.approx(lost.mean())
        assert data["lost_standard_error"][row] == pytest.approx(lost.std() / np.sqrt(2560))
    assert (np.diff(data["positive"]) >= 0).all()


def test_without_loss_there_is_no_relapse_with_a_target_lost():
    kept = cr.Scenario(losses=cr.Losses(per_antigen=(0.0,)))
    numbers = scenario_outcome(kept, patients=640).numbers
    assert numbers["lost_percent"].value == 0
    cohort = cr.simulate(kept.population(), 640, seed=20260131)
    # The closed form of each patient, over the patients: four standard errors.
    expected = 100 * cohort.cure_probability.mean()
    assert abs(numbers["cured_percent"].value - expected) < 4 * numbers["cured_error"].value


def test_a_larger_cohort_has_a_smaller_error_by_the_root_of_its_size():
    errors = [scenario_outcome(patients=n).numbers["cured_error"].value for n in (640, 2560)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_the_choices_stand_in_the_order_that_the_text_tells(drawings):
    data = drawings["scenario-choices"].data
    kept = dict(zip(choices(), data["positive"], strict=True))
    lost = dict(zip(choices(), data["lost"], strict=True))
    assert lost["and"] > lost["single"] > lost["weak"] > lost["tandem"] > lost["burden"]
    assert kept["tandem"] > kept["single"]
    assert kept["burden"] > kept["tandem"]
    assert kept["memory"] < 0.5 * kept["tandem"]
    assert kept["memory"] + lost["memory"] < kept["tandem"]
    assert (data["positive_standard_error"] < 0.011).all()


def test_the_words_quote_the_shares(drawings):
    drawing = drawings["scenario-choices"]
    for i, name in enumerate(choices()):
        for kind in ("positive", "lost"):
            quoted = drawing.numbers[f"{name}_{kind}"]
            assert quoted.value == pytest.approx(100 * drawing.data[kind][i])
            assert quoted.text in drawing.alt
