"""The solutions of *A zero says little until you know of how many* run, and print what they say."""

from __future__ import annotations

import re

import pytest
from solutions import printed


def numbers(text: str) -> list[float]:
    """Return the numbers of a printed text, wrapped or not in numpy's names."""
    return [float(found) for found in re.findall(r"(?<![\w.])\d+\.?\d*", text)]


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("reading-a-trial")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3, 4]


def test_the_closed_form_gives_the_least_number_of_relapses_but_for_one(found):
    exact, approximate = numbers(found[2])
    assert exact <= approximate < exact + 2


def test_a_third_of_the_infused_and_the_printed_interval_is_wider(found):
    share, low, high, printed_low, printed_high = numbers(found[3])
    assert share == pytest.approx(1 / 3, abs=0.02)
    assert low < share < high
    assert printed_high - printed_low > 100 * (high - low)


def test_none_of_eight_reaches_beyond_a_third_and_would_be_rare_at_two_in_five(found):
    limit, chance = numbers(found[4])
    assert limit > 1 / 3
    assert chance < 0.02
