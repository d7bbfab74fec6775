"""The computed exercises of *What would stop it* print what their data and the ledger give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from car_relapse.evidence import relapse_split, trials
from car_relapse.parameters import default, parameter

PAGE = Path(__file__).parents[2] / "book" / "what-would-stop-it.md"


def solution(number: int) -> str:
    """Return the text of one solution."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"```\{{solution\}} ex-what-would-stop-it-{number}\n(.*?)```", text, re.S)
    assert found is not None
    return found[1]


@pytest.fixture
def lamble():
    trial = trials()["lamble2023_phenotype"]
    return trial.n_infused, relapse_split(trial)


def test_a_perfect_second_target_leaves_98_of_420(lamble):
    infused, split = lamble
    left = split.total - split.antigen_negative
    assert left == split.antigen_positive + split.lineage_switch + split.unknown
    words = f"{left} of {infused}, or {100 * left / infused:.0f} %"
    assert words in solution(2)
    assert f"{split.total} of {infused}, or {100 * split.total / infused:.0f} %" in solution(2)


def test_the_common_mode_leaves_a_little_more_than_was_counted(lamble):
    infused, split = lamble
    escaped = split.antigen_negative + split.lineage_switch
    left = 1 - (1 - escaped / infused) ** (split.lineage_switch / escaped)
    assert escaped == 80
    assert left > split.lineage_switch / infused
    assert rf"\approx {left:.3f}" in solution(3)
    assert rf"\approx {split.lineage_switch / infused:.3f}" in solution(3)


def test_the_least_arm_is_growth_over_the_largest_killing_rate():
    rate = default("killing.maximal_rate")
    growth = parameter("leukaemia.net_rate")
    for net in (growth.value, growth.high):
        assert f"${net:.3f}/{rate:g} = {net / rate:.2f}$" in solution(4)


def test_five_of_five_is_unlikely_when_nothing_changed(lamble):
    _, split = lamble
    known = split.total - split.unknown
    escaped = split.antigen_negative + split.lineage_switch
    returns = relapse_split(trials()["ghorashian2024_carpall"])
    assert (returns.total, returns.antigen_positive) == (5, 5)
    chance = (1 - escaped / known) ** returns.total
    assert rf"(1-{escaped}/{known})^{returns.total} \approx {chance:.3f}" in solution(5)
