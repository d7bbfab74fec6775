"""Take-aways of the notebook *A zero says little until you know of how many*."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom, binomtest

from car_relapse.evidence import kinetics, relapse_split, seed_trials, trials
from car_relapse.proportions import exact_interval
from tests.claims.registry import data_claim


@data_claim("claim-reading-a-trial-zero")
def test_the_limit_of_a_zero_is_about_four_over_the_number_looked_at() -> None:
    limits = {n: exact_interval(0, n)[1] for n in (10, 20, 50, 200, 1000)}
    for n, limit in limits.items():
        # At the limit a zero has a chance of one in forty; the approximation errs upwards.
        assert np.isclose(binom.pmf(0, n, limit), 0.025)
        assert 0.8 * 3.7 / n < limit < 3.7 / n
    assert limits[20] > 1 / 6


@data_claim("claim-reading-a-trial-denominator")
def test_the_published_response_has_the_smallest_denominator() -> None:
    for name, key in (
        ("amelia", "auto3_amelia"),
        ("eliana", "eliana_primary"),
        ("zuma3", "zuma3_p2"),
    ):
        trial = trials()[key]
        enrolled = kinetics()[f"flow_{name}_enrolled"].value
        assert trial.n_evaluable == trial.n_infused < enrolled
        assert (1 - trial.n_infused / enrolled) > 0.15, "few enrolled patients were lost"


@data_claim("claim-reading-a-trial-escape")
def test_one_of_the_six_trials_splits_its_relapses_and_found_partial_loss() -> None:
    split = {
        number
        for number, cohorts in seed_trials().items()
        for cohort in cohorts
        if cohort.n_relapse is not None and cohort.n_relapse_ag_pos is not None
    }
    assert split == {"NCT03233854"}
    for cohort in seed_trials()["NCT03233854"]:
        assert relapse_split(cohort).partial > relapse_split(cohort).antigen_negative == 0


@data_claim("claim-reading-a-trial-untested")
def test_more_relapses_make_a_biased_interval_surer_of_the_wrong_share() -> None:
    """Drawn relapse by relapse, apart from the sums of the package."""
    generator = np.random.default_rng(20260601)
    true, held = 68 / 166, []
    for relapses in (10, 43, 166):
        right = []
        for _ in range(300):
            lost = generator.random(relapses) < true
            tested = generator.random(relapses) < np.where(lost, 0.45, 0.9)
            low, high = exact_interval(int((lost & tested).sum()), int(tested.sum()))
            right.append(low <= true <= high)
        held.append(np.mean(right))
    assert held[0] > held[1] + 0.1 > held[2] + 0.3
    assert held[2] < 0.2


@data_claim("claim-reading-a-trial-interval")
def test_a_printed_interval_gives_away_that_not_all_infused_are_counted() -> None:
    """The interval printed for 51 infused patients fits one count alone, of fewer."""
    row = trials()["wangn2020_cocktail_all"]
    assert "96.0% (86.3-99.5)" in row.cr_definition
    fits = []
    for n in range(1, row.n_infused + 1):
        x = round(0.96 * n)
        ends = binomtest(x, n).proportion_ci(0.95, method="exact")
        if [f"{100 * v:.1f}" for v in (x / n, *ends)] == ["96.0", "86.3", "99.5"]:
            fits.append((x, n))
    assert fits == [(48, 50)]
    assert fits[0][1] < row.n_infused
