"""What the notebook *Write the protocol* prints and its solutions say is what they compute."""

from __future__ import annotations

import re

import pytest
from solutions import printed


@pytest.fixture(scope="module")
def solutions() -> dict[int, str]:
    return printed("write-the-protocol")


def rows(text: str) -> list[list[float]]:
    """Return the numbers of each line, without those of a tuple at its head."""
    lines = [line.partition(") ")[2] or line for line in text.strip().splitlines()]
    return [[float(x.replace(",", "")) for x in re.findall(r"\d[\d.,]*", line)] for line in lines]


def test_a_narrower_gate_stops_more_harmless_products(solutions):
    passed = [line[1] for line in rows(solutions[2])]
    assert passed == sorted(passed)
    assert passed[0] < 40 < 60 < passed[2]
    assert all(line[2] < 5 for line in rows(solutions[2]))


def test_looks_cost_few_patients_and_save_information(solutions):
    found = rows(solutions[3])
    sizes = [line[0] for line in found]
    used = [line[1] for line in found]
    assert sizes[0] <= sizes[1] <= 1.02 * sizes[0]
    assert used[0] == 100
    assert used[2] < used[1] < 90


def test_the_share_of_relapses_is_refused(solutions):
    assert "falls also when another kind" in solutions[4]
