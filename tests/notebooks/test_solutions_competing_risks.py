"""The solutions of *Competing risks* run, and print what their sentences say."""

from __future__ import annotations

from fractions import Fraction

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("competing-risks")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_by_hand_the_incidence_of_the_experimental_arm(found):
    right, naive = map(float, found[2].split())
    free, share = Fraction(1), Fraction(0)
    for n, own, others in [(12, 1, 0), (11, 1, 0), (10, 1, 0), (9, 0, 1), (8, 1, 0), (6, 0, 1),
                           (4, 1, 0)]:  # fmt: skip
        share += free * Fraction(own, n)
        free *= 1 - Fraction(own + others, n)
    assert right == pytest.approx(float(share), abs=6e-5)
    assert naive == pytest.approx(0.5078, abs=6e-5)


def test_a_toxic_product_must_multiply_deaths_several_times_and_costs_patients(found):
    ratio, free = found[3].split(", event-free ")
    assert float(ratio) > 5
    assert float(free) < 0.35
