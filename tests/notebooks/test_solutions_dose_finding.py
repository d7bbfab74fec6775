"""The solutions of *Dose* run, and print what their sentences say."""

from __future__ import annotations

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("dose-finding")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3, 4]


def test_the_safer_design_recommends_a_toxic_level_in_a_fifth_and_costs_a_tenth(found):
    rows = [line.split() for line in found[2].splitlines()]
    none, second = (
        [float(value) for name, value in rows if name == kind] for kind in ("none", "second")
    )
    assert none == pytest.approx([0.47, 0.2], abs=0.02)
    assert second == pytest.approx([0.99, 0.91], abs=0.01)


def test_watching_the_first_patient_takes_less_than_a_month_and_changes_no_recommendation(found):
    times, same = found[3].strip().splitlines()
    mean, error = map(float, times.split())
    assert 3 * error < mean < 1.0
    assert same == "True"


def test_three_patients_exclude_little(found):
    assert float(found[4]) == pytest.approx(0.71)
