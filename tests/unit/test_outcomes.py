"""What cohorts report."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse.errors import ParameterError
from car_relapse.outcomes import Cohort, Detection, Outcome, default_detection
from car_relapse.parameters import default

SMALL = Cohort(
    outcome=np.array([0, 1, 2, 3, 1, 1, 2, 0], dtype=np.int8),
    relapse_day=np.array([np.inf, 50.0, 80.0, 0.0, 100.0, 50.0, 200.0, np.inf]),
    burden=np.full(8, 1e11),
    positive_lines=np.linspace(0.0, 0.7, 8),
    preexisting_lines=np.full(8, 0.1),
    acquired_lines=np.full(8, 0.2),
    subgroup=np.zeros(8, dtype=np.int8),
)


def test_shares_are_counted_with_their_standard_error():
    assert SMALL.size == 8
    share, error = SMALL.share(Outcome.ANTIGEN_POSITIVE)
    assert share == 3 / 8
    assert error == pytest.approx(np.sqrt(3 / 8 * 5 / 8 / 8))
    assert sum(SMALL.share(outcome)[0] for outcome in Outcome) == 1


def test_cumulative_incidence_counts_relapses_up_to_and_on_each_day():
    days = [0.0, 49.9, 50.0, 99.0, 100.0, 1e6]
    assert SMALL.cumulative_incidence(Outcome.ANTIGEN_POSITIVE, days).tolist() == [
        0, 0, 2 / 8, 2 / 8, 3 / 8, 3 / 8,
    ]  # fmt: skip
    assert SMALL.cumulative_incidence(Outcome.CURED, days).tolist() == [0] * 6


def test_relapse_free_survival_counts_only_patients_who_reached_remission():
    assert SMALL.relapse_free([0.0, 50.0, 80.0, 1e6]) == pytest.approx([1, 5 / 7, 4 / 7, 2 / 7])


def test_cure_needs_all_three_routes_closed():
    assert SMALL.cure_probability == pytest.approx(np.exp(-np.linspace(0.0, 0.7, 8) - 0.3))


def test_the_default_limits_are_the_ledger():
    limits = default_detection()
    assert limits.remission_cells == default("detection.remission_cells")
    assert limits.relapse_cells == default("detection.relapse_cells")


def nobody_in_remission() -> Cohort:
    return Cohort(
        outcome=np.full(3, Outcome.NO_REMISSION, dtype=np.int8),
        relapse_day=np.zeros(3),
        burden=np.ones(3),
        positive_lines=np.ones(3),
        preexisting_lines=np.ones(3),
        acquired_lines=np.ones(3),
        subgroup=np.zeros(3, dtype=np.int8),
    )


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (
            lambda: Detection(remission_cells=0, relapse_cells=1),
            "remission_cells is 0",
            "give a number",
        ),
        (
            lambda: Detection(remission_cells=1, relapse_cells=float("nan")),
            "relapse_cells is nan",
            "give a number",
        ),
        (
            lambda: Detection(remission_cells=1e9, relapse_cells=1e9),
            r"relapse_cells is 1e\+09 and remission_cells is 1e\+09",
            "raise relapse_cells",
        ),
        (
            lambda: SMALL.cumulative_incidence(Outcome.CURED, -1),
            "days is -1",
            "count days",
        ),
        (lambda: SMALL.relapse_free([1.0, float("inf")]), "days is inf", "count days"),
        (lambda: nobody_in_remission().relapse_free(3), "no patient", "change the population"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


@pytest.mark.parametrize("wrong", ["cured", "ANTIGEN_POSITIVE", 99, None])
def test_an_unknown_outcome_is_refused_instead_of_counted_as_nobody(wrong):
    with pytest.raises(ParameterError, match=r"Outcome\.CURED.*choose"):
        SMALL.share(wrong)
    with pytest.raises(ParameterError, match=r"Outcome\.CURED.*choose"):
        SMALL.cumulative_incidence(wrong, [1.0])
