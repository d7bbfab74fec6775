"""The figures of *Reading a trial* agree with the tables, with sums by hand and with limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from car_relapse.evidence import kinetics, trials
from car_relapse.figures.reading_a_trial import (
    coverage_when_tested,
    exact_tails,
    observed_share,
)


def test_the_denominators_are_those_of_the_tables(drawings):
    data = drawings["trial-denominators"].data
    flow = {key: kinetics()[f"flow_{key}"].value for key in ("amelia_enrolled", "amelia_harvested")}
    lost = [kinetics()[f"flow_amelia_{why}"].value for why in ("not_made", "died", "progressed")]
    amelia = trials()["auto3_amelia"]
    assert flow["amelia_harvested"] - sum(lost) == amelia.n_infused
    expected = [amelia.n_cr / n for n in (*flow.values(), amelia.n_infused)]
    np.testing.assert_allclose(data["share"][:3], expected)
    ends = binomtest(39, 71).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose([data["low_95"][6], data["high_95"][6]], [ends.low, ends.high])
    for trial in range(3):
        assert (np.diff(data["share"][data["trial"] == trial]) > 0).all()


def test_of_the_enrolled_of_eliana_those_without_a_product_and_those_not_given_it_are_missing():
    missing = sum(kinetics()[f"flow_eliana_{why}"].value for why in ("not_made", "not_given"))
    enrolled = kinetics()["flow_eliana_enrolled"].value
    assert enrolled - missing == trials()["eliana_primary"].n_infused


def test_the_tails_cross_the_line_at_the_ends_of_the_interval(drawings):
    drawing = drawings["exact-tails"]
    share, few, many = (drawing.data[k] for k in ("share", "as_few_1", "as_many_1"))
    ends = binomtest(5, 10).proportion_ci(0.95, method="exact")
    assert np.interp(ends.low, share, many) == pytest.approx(0.025, abs=1e-4)
    assert np.interp(ends.high, share, few) == pytest.approx(0.025, abs=1e-4)
    np.testing.assert_allclose(drawing.data["as_few_0"], (1 - share) ** 20, atol=1e-12)
    assert drawing.numbers["high_0"].value == pytest.approx(100 * (1 - 0.025 ** (1 / 20)))


def test_one_panel_and_a_full_count_can_be_drawn():
    assert exact_tails(((3, 3),)).numbers["high_0"].value == 100


def test_tested_alike_the_share_is_true_and_the_interval_keeps_its_promise():
    for share in (0.1, 0.41, 0.8):
        assert observed_share(share, 1.0) == pytest.approx(share)
        for relapses in (5, 43):
            assert 0.95 <= coverage_when_tested(share, 1.0, relapses) <= 1
    assert coverage_when_tested(0.4, 0.5, 0) == 1


@pytest.mark.parametrize("ratio", [0.4, 2.5])
def test_the_coverage_is_the_sum_over_all_counts(ratio):
    """Every pair of tested counts of a small series, with scipy's interval."""
    share, relapses, tested = 0.4, 6, 0.9
    lost = share * tested * min(ratio, 1)
    kept = (1 - share) * tested / max(ratio, 1)
    total = 0.0
    for a in range(relapses + 1):
        for b in range(relapses + 1 - a):
            rest = relapses - a - b
            ways = np.prod(np.arange(1, relapses + 1)) / np.prod(
                [np.prod(np.arange(1, n + 1)) for n in (a, b, rest)]
            )
            chance = ways * lost**a * kept**b * (1 - lost - kept) ** rest
            ends = binomtest(a, a + b).proportion_ci(0.95, method="exact") if a + b else (0, 1)
            total += chance * (ends[0] <= share <= ends[1])
    assert coverage_when_tested(share, ratio, relapses) == pytest.approx(total)


def test_the_curves_pass_through_the_truth_where_both_kinds_are_tested_alike(drawings):
    data, numbers = (getattr(drawings["untested-relapses"], k) for k in ("data", "numbers"))
    equal = int(np.argmin(np.abs(data["ratio"] - 1)))
    assert 100 * data["seen"][equal] == pytest.approx(numbers["true_percent"].value, rel=1e-6)
    assert (np.diff(data["seen"]) > 0).all()
    at_half = [numbers[f"half_covered_{place}"].value for place in range(3)]
    assert at_half[0] > at_half[1] > at_half[2]
