"""The figures of *Two targets* show what closed forms, limits and the evidence tables say."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import beta

from car_relapse.antigens import Losses
from car_relapse.calibration_model import calibrated_patient
from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.two_targets import antigen_ceiling, removed_share, second_infusion
from car_relapse.parameters import default
from car_relapse.resistance import full_loss_lines

KEPT, FIRST, SECOND, FIRST_SECOND, SECOND_FIRST, SWITCH = range(6)


@pytest.fixture
def paths(drawings):
    """Give the expected lines by way out, for each design."""
    return drawings["loss-paths"].data


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_a_second_arm_leaves_what_kept_everything_and_what_lost_all_at_one_stroke(paths):
    for way in (KEPT, SWITCH):
        assert paths["equal"][way] == pytest.approx(paths["one"][way], rel=1e-6)
        assert paths["weak"][way] == pytest.approx(paths["one"][way], rel=1e-6)


def test_lines_by_lineage_switch_before_infusion_are_the_chance_times_the_cells(paths):
    patient = calibrated_patient()
    founded = patient.losses.common_mode * patient.leukaemia.burden
    assert founded < paths["one"][SWITCH] < 2 * founded


def test_a_weak_arm_leaves_less_than_no_arm_and_far_more_than_an_equal_one(paths):
    assert 1e6 * paths["equal"][FIRST] < paths["weak"][FIRST] < paths["one"][FIRST]
    # The first arm is as strong in both designs, so what lost only CD22 fares alike.
    assert paths["weak"][SECOND] == pytest.approx(paths["equal"][SECOND], rel=1e-6)


def test_equal_antigens_are_lost_in_either_order_alike_and_hardly_ever_both(paths):
    equal = paths["equal"]
    assert equal[FIRST_SECOND] == pytest.approx(equal[SECOND_FIRST], rel=1e-6)
    assert equal[FIRST_SECOND] < 1e-8 * equal[SWITCH]


def test_one_target_has_no_second_step(paths):
    assert (paths["one"][[SECOND, FIRST_SECOND, SECOND_FIRST]] == 0).all()


def test_two_steps_agree_with_the_solved_branching_equations(drawings):
    patient = calibrated_patient()
    disease = patient.leukaemia
    data = drawings["u-squared"].data
    for i in (0, 35, 60):
        loss = float(data["loss"][i])
        solved = full_loss_lines(
            disease.burden,
            birth_rate=disease.birth_rate,
            death_rate=disease.death_rate,
            losses=Losses(per_antigen=(loss, loss)),
            lasting="for ever",
        )
        assert data["two_steps"][i] == pytest.approx(solved, rel=2e-3)


def test_the_guess_is_too_low_by_the_divisions_that_a_line_goes_through(drawings):
    patient = calibrated_patient()
    u, s = patient.losses.per_antigen[0], patient.leukaemia.survival
    divisions = 2 * (math.log(patient.leukaemia.burden * s) - 1) / s
    # Before a line grows so old that it holds both losses: a little fewer.
    assert 0.8 * divisions < value(drawings, "u-squared", "ratio") < divisions
    assert value(drawings, "u-squared", "guess") == pytest.approx(u**2 * patient.leukaemia.burden)


def test_two_steps_weigh_as_much_as_one_stroke_where_the_curves_cross(drawings):
    data = drawings["u-squared"].data
    even = value(drawings, "u-squared", "even")
    at = np.exp(np.interp(np.log(even), np.log(data["loss"]), np.log(data["two_steps"])))
    assert at == pytest.approx(data["one_stroke"][0], rel=1e-6)
    # A single target would then be escaped thousands of times in each patient.
    assert value(drawings, "u-squared", "one_lost_at_even") > 1000


def test_a_later_second_product_leaves_more_lines(drawings):
    data = drawings["second-infusion"].data
    for name in ("one_lost_1", "one_lost_2", "both_lost"):
        assert (np.diff(data[name]) > -1e-9).all(), name
    alone = value(drawings, "second-infusion", "alone")
    assert data["one_lost_1"][-1] < 0.1 * alone
    assert data["one_lost_2"][-1] == pytest.approx(alone, rel=0.01)
    assert (data["one_lost_2"] >= data["one_lost_1"]).all()


def test_delay_costs_what_growth_brings(drawings):
    """An uncleared line is larger by e to the growth, and so is what a killing day must clear."""
    data = drawings["second-infusion"].data
    some = (data["day"] >= 120) & (data["day"] <= 240)
    slope = np.polyfit(data["day"][some], np.log(data["both_lost"][some]), 1)[0]
    assert slope == pytest.approx(default("calibrated.growth_rate"), rel=0.15)


def test_lines_reach_the_limits_of_detection_on_the_days_marked(drawings):
    disease = calibrated_patient().leukaemia
    for name, key in (("mrd", "remission_cells"), ("relapse", "relapse_cells")):
        day = value(drawings, "second-infusion", f"{name}_day")
        size = math.exp(disease.net_rate * day) / disease.survival
        assert size == pytest.approx(default(f"detection.{key}"))


def test_more_cells_and_weaker_products_clear_fewer_patients(drawings):
    data = drawings["second-infusion"].data
    for name in ("cleared_1", "cleared_2"):
        assert (np.diff(data[name]) <= 0).all()
    assert (data["cleared_2"] < data["cleared_1"]).all()


def test_an_antigen_that_is_lost_more_often_is_lost_in_turn_more_often():
    few = second_infusion(strengths=(1.0,), patients=64).data["both_lost"]
    many = second_infusion(strengths=(1.0,), second_loss=10.0, patients=64).data["both_lost"]
    # A little less than in proportion: among many losses some fall into one line.
    assert 8.0 < many[3] / few[3] < 10.0


def test_a_perfect_second_antigen_removes_what_is_lost_when_relapse_is_rare():
    assert removed_share(1e-9, 0.3) == pytest.approx(0.3, rel=1e-6)
    assert removed_share(0.5, 0.0) == pytest.approx(0.0, abs=1e-15)
    assert removed_share(0.5, 1.0) == pytest.approx(1.0)
    # Exponents add: with half of them gone, 0.75 relapsing becomes 0.5.
    assert removed_share(0.75, 0.5) == pytest.approx(1 / 3)


def test_it_removes_fewer_relapses_where_more_relapse(drawings):
    data = drawings["antigen-ceiling"].data
    inner = slice(1, -1)
    curves = [data[f"removed_{i}"][inner] for i in (1, 2, 3, 4)]
    assert (curves[0] < data["lost"][inner]).all()
    for fewer, more in pairwise(curves):
        assert (more < fewer).all()


def test_measured_shares_have_exact_intervals(drawings):
    for key in ("lamble2023_phenotype", "pillai2019_cd19dim"):
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        low = beta.ppf(0.025, split.antigen_negative, known - split.antigen_negative + 1)
        assert value(drawings, "antigen-ceiling", f"{key}_low") == pytest.approx(100 * low)
        assert value(drawings, "antigen-ceiling", f"{key}_lost") == pytest.approx(
            100 * split.antigen_negative / known
        )


def test_the_counts_of_patients_are_those_of_the_table(drawings):
    for key in ("lamble2023_phenotype", "pillai2019_cd19dim"):
        trial = trials()[key]
        assert value(drawings, "antigen-ceiling", f"{key}_relapse") == pytest.approx(
            100 * trial.n_relapse / trial.n_infused
        )


def test_the_ceiling_draws_the_relapse_it_is_asked_for():
    assert set(antigen_ceiling((0.5,)).data) == {"lost", "removed_1"}
