"""The solutions of *A single arm tests its history as much as its product* run and print it."""

from __future__ import annotations

import ast

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("single-arm")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3, 4]


def test_the_design_stops_in_seven_trials_of_ten(found):
    assert float(found[2].split()[-1]) == pytest.approx(0.7, abs=0.02)


def test_where_the_error_first_falls_below_a_twentieth_the_power_is_below_nine_in_ten(found):
    rows = [[float(number) for number in line.split()] for line in found[3].splitlines()]
    errors = [error for _, error, _ in rows]
    assert errors == sorted(errors, reverse=True)
    assert len(set(errors)) < len(errors)  # it jumps
    _, error, power = next(row for row in rows if row[1] <= 0.05)
    assert error < 0.05
    assert power < 0.9


def test_the_two_responses_have_intervals_that_do_not_meet(found):
    tandem, single = (ast.literal_eval(line) for line in found[4].splitlines())
    assert tandem[0] >= single[1]
