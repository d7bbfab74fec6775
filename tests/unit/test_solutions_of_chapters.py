"""The numbers that solutions of exercises print are those that the exercise leads to."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from car_relapse.branching import survival_probability
from car_relapse.evidence import kinetics, trials
from car_relapse.exposure import stein_typical
from car_relapse.survival import antigen_positive_probability

BOOK = Path(__file__).resolve().parents[2] / "book"


def solution(label: str) -> str:
    """Return the text of one solution, with LaTeX spaces and signs taken out."""
    page = BOOK / f"{label.removeprefix('ex-').rpartition('-')[0]}.md"
    found = re.search(rf"```{{solution}} {label}\n(.*?)\n```", page.read_text("utf-8"), re.DOTALL)
    assert found, label
    return found.group(1).replace(r"\,", "").replace(r"\%", "%").replace("$", "")


def test_two_denominators_of_zuma3():
    zuma3, text = trials()["zuma3_p2"], solution("ex-living-drug-2")
    enrolled = kinetics()["flow_zuma3_enrolled"].value
    assert f"{zuma3.n_cr}/{zuma3.n_infused} = {100 * zuma3.n_cr / zuma3.n_infused:.1f}%" in text
    assert f"{zuma3.n_cr}/{enrolled:.0f} = {100 * zuma3.n_cr / enrolled:.1f}%" in text


def test_half_lives_and_the_fall_to_day_365():
    curve, text = stein_typical(), solution("ex-living-drug-3")
    assert rf"\ln 2/0.16 \approx {math.log(2) / curve.contraction_rate:.1f} days" in text
    assert rf"\ln 2/0.0032 \approx {math.log(2) / curve.memory_rate:.0f} days" in text
    left = float(curve.level(365.0)) / float(curve.peak_level)
    assert rf"\approx {left:.2g}" in text
    assert "1/0.0025 = 400" in text
    assert round(1 / left, -2) == 400


def test_what_the_strict_definition_adds():
    rows, text = kinetics(), solution("ex-living-drug-5")
    points = rows["flow_uk_efs24"].value - rows["flow_uk_sefs24"].value
    assert f"= {points:.1f} points" in text
    patients = points / 100 * rows["flow_uk_eligible"].value
    assert rf"\approx {patients:.0f} patients" in text


@pytest.mark.parametrize(("burden", "printed"), [(1e9, "0.095"), (1e10, "0.63")])
def test_lines_that_are_too_many(burden, printed):
    chance = float(antigen_positive_probability(burden, -math.log(1e-10)))
    assert f"= {printed}" in solution("ex-t-cells-leave-2")
    assert float(f"{chance:.2g}") == float(printed)
    assert float(antigen_positive_probability(1e11, -math.log(1e-10))) > 0.9999


@pytest.mark.parametrize(("birth", "death", "printed"), [(0.10, 0.03, 0.70), (0.20, 0.13, 0.35)])
def test_same_growth_and_different_fate(birth, death, printed):
    assert survival_probability(birth, death) == pytest.approx(printed)
    assert f"1 - {death:.2f}/{birth:.2f} = {printed:.2f}" in solution("ex-t-cells-leave-3")


def test_five_patients_and_their_mean():
    lines, text = np.array([1e-6, 1e-3, 1.0, 1e3, 1e6]), solution("ex-t-cells-leave-6")
    before, after = -np.expm1(-lines), -np.expm1(-lines / 10)
    assert f"mean {before.mean():.3f}" in text
    assert f"mean {after.mean():.3f}" in text
    assert f"from {before[2]:.2f} to {after[2]:.2f}" in text
    assert f"by {before.mean() - after.mean():.2f}" in text
