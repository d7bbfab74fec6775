"""The figures of *One target* agree with closed forms, with a cohort, and with the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from car_relapse import Outcome, Patient, Therapy, relapse_probabilities, simulate, stein_typical
from car_relapse.aplasia import b_cell_return
from car_relapse.calibration_model import calibrated_population, calibrated_values
from car_relapse.calibration_table import stored
from car_relapse.evidence import kinetics, relapse_split, trials
from car_relapse.figures.one_target import relapse_race
from car_relapse.followup import DAYS_PER_MONTH


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def patient(half_life: float, loss: float) -> Patient:
    people = calibrated_population()
    curve = replace(stein_typical(), memory_rate=np.log(2) / half_life)
    return Patient(
        leukaemia=people.leukaemia,
        losses=replace(people.losses, per_antigen=(loss,), common_mode=1e-30),
        therapy=Therapy(exposure=curve, killing=people.killing),
    )


@pytest.mark.parametrize("place", [5, 30, 55])
def test_the_lines_of_the_phase_diagram_are_those_of_single_patients(drawings, place):
    data = drawings["phase-diagram"].data
    exact = relapse_probabilities(patient(data["half_life_days"][place], 1e-12))
    assert data["positive_lines"][place] == pytest.approx(exact.positive_lines, rel=1e-4)
    per_loss = data["negative_lines_per_loss"][place]
    assert 1e-12 * per_loss == pytest.approx(exact.negative_lines, rel=1e-4)


def test_the_walls_of_cure_are_where_no_line_survives_in_one_half(drawings):
    left = value(drawings, "phase-diagram", "even_days")
    assert relapse_probabilities(patient(left, 1e-30)).cure == pytest.approx(0.5, abs=1e-3)
    top = value(drawings, "phase-diagram", "even_loss")
    assert relapse_probabilities(patient(2000.0, top)).cure == pytest.approx(0.5, abs=0.01)


def test_persistence_moves_the_lines_with_the_target_and_hardly_the_others(drawings):
    data = drawings["phase-diagram"].data
    assert data["positive_lines"][0] > 1e3 * data["positive_lines"][-1]
    others = data["negative_lines_per_loss"]
    assert others.max() < 1.2 * others.min()


def test_the_first_panel_of_the_race_is_the_sampled_cohort(drawings):
    cohort = simulate(calibrated_population(), 6400, seed=77)
    month = drawings["relapse-race"].data["month"]
    for name, kinds in (
        ("positive", (Outcome.ANTIGEN_POSITIVE,)),
        ("negative", (Outcome.ANTIGEN_NEGATIVE, Outcome.LINEAGE_SWITCH)),
    ):
        drawn = drawings["relapse-race"].data[f"{name}_a"]
        for at in (6.0, 12.0, 24.0, 48.0):
            seen = sum(cohort.cumulative_incidence(k, at * DAYS_PER_MONTH) for k in kinds)
            # Sampling has a standard error of half a point; the law finds the larger kind first.
            assert drawn[month == at][0] == pytest.approx(float(seen), abs=0.025)


def test_each_mechanism_takes_patients_from_the_other(drawings):
    numbers = {k: v.value for k, v in drawings["relapse-race"].numbers.items()}
    assert numbers["positive_b"] < 0.5 * numbers["positive_a"]
    assert numbers["negative_b"] > numbers["negative_a"]
    assert numbers["positive_c"] < numbers["positive_a"]
    assert numbers["negative_c"] > 2 * numbers["negative_a"]


def test_one_setting_makes_one_panel():
    drawing = relapse_race([(2.0, 0.5)])
    assert len(drawing.figure.axes) == 1
    assert set(drawing.numbers) == {"positive_a", "negative_a", "free_a"}


def test_early_b_cells_part_the_patients_by_killing_alone(drawings):
    data, numbers = (getattr(drawings["aplasia-predictor"], part) for part in ("data", "numbers"))
    early = numbers["early_percent"].value / 100
    whole = drawings["relapse-race"].data
    # The two groups together are the whole population of the race.
    for kind in ("positive", "negative"):
        both = early * data[f"{kind}_early"] + (1 - early) * data[f"{kind}_late"]
        np.testing.assert_allclose(both, whole[f"{kind}_a"], atol=1e-9)


def test_the_ratio_for_any_relapse_lies_in_the_published_interval(drawings):
    row = kinetics()["hr_bcell_recovery"]
    assert row.low < value(drawings, "aplasia-predictor", "any_ratio") < row.high
    # The story says that the model misses the other two.
    positive = value(drawings, "aplasia-predictor", "positive_ratio")
    assert 3 < kinetics()["hr_bca_loss_positive"].value / positive < 5
    split = relapse_split(trials()["pulsipher2022_mrd"])
    low = beta.ppf(0.025, split.antigen_negative, split.total - split.antigen_negative + 1)
    assert value(drawings, "aplasia-predictor", "away_negative_percent") < 100 * low


def test_the_typical_patient_has_b_cells_back_about_a_year_after_infusion():
    day = float(b_cell_return(stein_typical(), calibrated_values().killing))
    assert day == pytest.approx(362, abs=1)


def test_every_share_that_was_not_fitted_is_drawn_with_its_intervals(drawings):
    data = drawings["unfitted-cohorts"].data
    rows = [
        row for row in stored("prediction")
        if row.fitted != "yes" and "months" not in row.setting.split(", ")
    ]  # fmt: skip
    assert data["seen"].tolist() == [row.observed for row in rows]
    for i, row in enumerate(rows):
        error = 1.96 * np.hypot(row.numerical_se, row.parameter_se)
        assert data["predicted_low"][i] == pytest.approx(max(row.value - error, 0.0))
        assert data["predicted_high"][i] == pytest.approx(min(row.value + error, 1.0))
    assert value(drawings, "unfitted-cohorts", "overlap") == len(rows) - 1
