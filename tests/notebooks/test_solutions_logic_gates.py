"""The solutions of *Logic gates* run, and print what their sentences say."""

from __future__ import annotations

import ast

import pytest
from solutions import printed

from car_relapse.calibration_model import calibrated_patient
from car_relapse.figures.logic_gates import _CELLS


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("logic-gates")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_a_gate_of_three_antigens_misses_four_kinds_and_harms_none():
    killed = [cell for cell in _CELLS if cell.engagement == (1.0, 1.0) and not cell.veto]
    assert [cell.healthy for cell in killed] == [False]
    assert sum(not cell.healthy for cell in _CELLS) - len(killed) == 4


def test_the_factor_is_that_of_the_equation_and_above_nine_and_a_half(found):
    losses = calibrated_patient().losses
    u, common = losses.per_antigen[0], losses.common_mode
    assert float(found[2]) == pytest.approx((11 * u + common) / (u + common), rel=0.01)
    assert 9.4 < float(found[2]) < 9.8


def test_the_engagement_that_is_borne_is_half_a_per_cent_and_a_fifth_of_one(found):
    month, year = ast.literal_eval(found[3])
    assert month == pytest.approx(0.005, abs=0.0005)
    assert year == pytest.approx(0.002, abs=0.0005)
