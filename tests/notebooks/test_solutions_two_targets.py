"""The solutions of *Two targets* run, and print what their sentences say."""

from __future__ import annotations

import pytest
from solutions import printed

from car_relapse.parameters import default


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("two-targets")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_half_of_the_losses_shared_leave_half_of_the_lines(found):
    assert float(found[2]) == pytest.approx(0.5, abs=0.01)


def test_a_weaker_second_product_must_come_about_three_months_after_the_first(found):
    assert float(found[3]) == pytest.approx(90, abs=15)


def test_the_growth_that_the_days_of_the_switch_rest_on_is_that_of_the_calibration():
    assert default("calibrated.growth_rate") == pytest.approx(0.0864, abs=0.0001)
