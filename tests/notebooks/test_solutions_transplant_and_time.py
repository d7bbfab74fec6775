"""The solutions of *Transplant and time* run, and print what their sentences say."""

from __future__ import annotations

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("transplant-and-time")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_a_late_landmark_has_fewer_patients_and_a_wider_interval(found):
    rows = [list(map(float, line.split())) for line in found[2].splitlines()]
    months, patients, changed, width = zip(*rows, strict=True)
    assert months == (3, 6, 12)
    assert list(patients) == sorted(patients, reverse=True)
    assert changed[0] < changed[1]
    assert width[2] > width[1]


def test_with_equal_transplants_ratios_agree_and_the_composite_is_dear(found):
    rows = {line.split()[0]: list(map(float, line.split()[1:])) for line in found[3].splitlines()}
    ratios = [rows[key][0] for key in ("without", "hypothetical", "policy", "competing")]
    assert max(ratios) - min(ratios) < 0.06
    assert rows["composite"][1] > 1.5 * rows["competing"][1]
