"""The solutions of *How large?* run, and print what their sentences say."""

from __future__ import annotations

import ast

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("how-large")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_a_rarer_escape_costs_nearly_twice_as_many_and_event_free_survival_more(found):
    sizes = ast.literal_eval(found[2])
    assert sizes["escape hazard"] / 198 == pytest.approx(1.85, abs=0.1)
    assert sizes["EFS"] / 496 > 2


def test_a_guard_against_harm_is_five_times_as_large_as_the_test_of_escape(found):
    escape, guard = (int(word) for word in found[3].split())
    assert guard / escape == pytest.approx(5, abs=0.5)
