"""The solutions of *Long tails* run, and print what their sentences say."""

from __future__ import annotations

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("long-tails")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_the_events_come_with_a_quarter_more_patients(found):
    assert 1.2 < float(found[2]) / 219 < 1.3


def test_a_slower_fading_needs_longer_follow_up(found):
    gains = [float(line.split()[1]) for line in found[3].splitlines()]
    assert gains[0] < 2.0 < gains[2]
