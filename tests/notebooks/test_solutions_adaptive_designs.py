"""The solutions of *Adaptive designs* run, and print what their sentences say."""

from __future__ import annotations

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("adaptive-designs")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_a_larger_control_saves_a_few_per_cent(found):
    assert 3.0 < float(found[2]) < 8.0


def test_history_worth_half_of_the_controls_keeps_the_error(found):
    assert int(found[3]) == 20
