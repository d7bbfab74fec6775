"""The solutions of *How much antigen is enough* run, and print what their sentences say."""

from __future__ import annotations

import re

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("antigen-density")


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]\d+)?", text)]


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_a_doubled_median_leaves_more_than_ten_times_fewer_thin_cells(found):
    (factor,) = numbers(found[2])
    assert 10 < factor < 20


def test_correlation_takes_back_most_of_what_a_second_antigen_buys(found):
    _, apart, _, together = numbers(found[3])
    one = 46_899
    assert apart < one / 1000
    assert together > 100 * apart
    assert together < one
