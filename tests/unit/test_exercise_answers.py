"""The numbers in solutions of exercises on Markdown pages are the right ones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from scipy.stats import binomtest

from car_relapse.evidence import relapse_split, trials
from car_relapse.parameters import default

ROOT = Path(__file__).resolve().parents[2]


def solution(page: str, label: str) -> str:
    text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"```{{solution}} {label}\n")
    return rest.partition("\n```")[0]


def printed(figure: str, key: str) -> str:
    sidecar = json.loads((ROOT / "figures" / f"{figure}.json").read_text(encoding="utf-8"))
    return sidecar["numbers"][key]["text"]


def test_two_shares_and_an_interval():
    text = solution("two-ways", "ex-two-ways-2")
    trial = trials()["lamble2023_phenotype"]
    split = relapse_split(trial)
    lost, relapsed, treated = split.antigen_negative, split.total, trial.n_infused
    assert rf"${lost}/{relapsed} = {100 * lost / relapsed:.0f}\,\%$" in text
    assert rf"${lost}/{treated} = {100 * lost / treated:.0f}\,\%$" in text
    rest = relapsed - split.antigen_positive - lost - split.lineage_switch
    assert (
        f"{relapsed} - {split.antigen_positive} - {lost} - {split.lineage_switch} = {rest}$" in text
    )
    high = 1 - 0.025**0.1
    assert binomtest(0, 10).proportion_ci(0.95, method="exact").high == pytest.approx(high)
    assert printed("relapse-split", "none_of_ten_high_percent") == f"{100 * high:.0f}"
    assert 0.28 < high < 1 / 3, "the solution says almost a third"


def test_from_one_cell_to_a_relapse():
    text = solution("two-ways", "ex-two-ways-4")
    birth, death = default("leukaemia.birth_rate"), default("leukaemia.death_rate")
    assert default("detection.relapse_cells") == 1e10
    days = math.log(1e10) / (birth - death)
    assert rf"$\ln 10^{{10}}/({birth}-{death:.2f}) = {days:.0f}$ days" in text
    months = float(printed("cohort-outcome", "one_cell_month"))
    assert months == pytest.approx(days / 30.44, abs=0.5)
    # "a little later than the median"
    median = float(printed("cohort-outcome", "negative_median_month"))
    assert median < months < median + 3


def test_from_a_cohort_to_a_probability():
    nu = -math.log(1 - 68 / 420)
    assert printed("pre-existence", "nu_all_before") == f"{nu:.2f}"
    assert printed("pre-existence", "u_all_before_11") == f"{nu * 10:.1f} × 10⁻¹²"
    assert printed("pre-existence", "u_all_before_9") == f"{nu * 10:.1f} × 10⁻¹⁰"
    assert default("loss.cd19") < nu / 1e11


def test_per_division_per_day():
    assert pytest.approx(3) == (1 / 0.2) / (1 / 0.6), "three times larger"


def test_alive_or_surviving():
    living = 1 - math.exp(0.5 * math.log(0.5) / 0.5)
    assert printed("pre-existence", "exercise_living") == f"{living:.2f}"
    assert printed("pre-existence", "exercise_surviving") == f"{1 - math.exp(-0.5):.2f}"
    assert printed("pre-existence", "exercise_fixed_time") == f"{1 - 1 / 1.5:.2f}"


def test_two_hits():
    s, size = 1 - default("leukaemia.death_rate") / default("leukaemia.birth_rate"), 1e11

    def lines(v: float, n: float = size) -> float:
        return 2 * v**2 * n / s * (math.log(s / v) - 1)

    v = 1.6e-7
    assert printed("pre-existence", "two_hits_each") == "1.6 × 10⁻⁷"
    assert lines(v) == pytest.approx(float(printed("pre-existence", "two_hit_lines")), rel=0.1)
    assert 3.5 < lines(2 * v) / lines(v) < 4, "a little less than four"
    assert lines(v, 2 * size) == pytest.approx(2 * lines(v))
