"""Single arms: exact characteristics, complete searches, monitoring, inference, and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta, betabinom, binom

from car_relapse.errors import ParameterError
from car_relapse.trial import single_arm
from car_relapse.trial.dose import ToxicityStopping
from car_relapse.trial.single_arm import (
    Looks,
    after_two_stages,
    ahern,
    exact_test,
    fleming_patients,
    historical_belief,
    posterior_looks,
    predictive_looks,
    predictive_probability,
    probability_better,
    simon,
    stage_wise_tail,
)

THREE = Looks(patients=(8, 15, 24), futile=(1, 4, 9), enough=(6, None, 10))
TWO = Looks(patients=(19, 54), futile=(4, 15), enough=(None, 16))


def _simulated(trial: Looks, rate: float, runs: int, seed: int) -> np.ndarray:
    """Return success, early futility, early success and patients of simulated trials."""
    rng = np.random.default_rng(seed)
    count = np.cumsum(rng.random((runs, trial.patients[-1])) < rate, axis=1)
    out = np.full((runs, 4), np.nan)
    last = trial.patients[-1]
    for n, low, high in zip(trial.patients, trial.futile, trial.enough, strict=True):
        x = count[:, n - 1]
        few = np.zeros(runs, bool) if low is None else x <= low
        many = np.zeros(runs, bool) if high is None else x >= high
        new = np.isnan(out[:, 0]) & (few | many)
        early = float(n < last)
        out[new] = np.stack([many, few * early, many * early, np.full(runs, n)], axis=1)[new]
    return out


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.7])
def test_exact_characteristics_are_those_of_simulated_trials(rate):
    exact = THREE.operating(rate)
    found = _simulated(THREE, rate, 4000, seed=11)
    wanted = (exact.success, exact.early_futility, exact.early_success, exact.expected_patients)
    chances = np.array(wanted[:3])
    spread = [*np.sqrt(chances * (1 - chances)), found[:, 3].std()]
    error = np.array(spread) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - wanted) <= 4 * error)


def test_success_and_failure_are_all_there_is():
    for rate in (0.0, 1e-9, 0.3, 1.0):
        exact = THREE.operating(rate)
        assert exact.early == pytest.approx(exact.early_futility + exact.early_success)
        assert exact.success >= exact.early_success
        assert 8 <= exact.expected_patients <= 24
    assert THREE.operating(0.0).success == 0.0
    assert THREE.operating(1.0).success == 1.0
    assert THREE.operating(1.0).expected_patients == 8.0


def test_success_rises_with_the_rate():
    for trial in (THREE, TWO, simon(0.1, 0.3).optimal):
        success = [trial.operating(p).success for p in np.linspace(0, 1, 41)]
        assert np.all(np.diff(success) >= -1e-15)


def test_one_look_is_a_binomial_tail_to_all_its_digits():
    trial = exact_test(200, 0.5, alpha=1e-9)
    needed = trial.enough[0]
    for rate in (0.01, 0.5, 0.99):
        want = binom.sf(needed - 1, 200, rate)
        assert trial.operating(rate).success == pytest.approx(want, rel=1e-11)


def test_an_average_over_a_belief_is_an_integral_over_rates():
    a, b = 3.0, 7.5
    for trial in (THREE, TWO):
        for name in ("success", "early_futility", "expected_patients"):
            want, _ = quad(
                lambda p, t=trial, k=name: getattr(t.operating(p), k) * beta.pdf(p, a, b), 0, 1
            )
            assert getattr(trial.averaged((a, b)), name) == pytest.approx(want, rel=1e-7)


def test_an_average_over_a_sure_belief_is_that_rate():
    sure = TWO.averaged((3e11, 7e11))
    assert sure.success == pytest.approx(TWO.operating(0.3).success, rel=1e-6)
    assert sure.rate == pytest.approx(0.3)


def test_an_uncertain_null_rate_makes_a_test_err_more_often():
    trial = exact_test(45, 0.75)
    at_null = trial.operating(0.75).success
    few, many = (trial.averaged((0.75 * n, 0.25 * n)).success for n in (20, 2000))
    assert at_null < many < few


# --- one stage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "null", "alpha"), [(45, 0.75, 0.05), (20, 0.1, 0.01), (7, 0.5, 0.2)])
def test_an_exact_test_keeps_alpha_and_wastes_no_response(n, null, alpha):
    needed = exact_test(n, null, alpha).enough[0]
    assert binom.sf(needed - 1, n, null) <= alpha < binom.sf(needed - 2, n, null)


def _does(n: int, null: float, alternative: float, alpha: float, beta_: float) -> bool:
    needed = next(k for k in range(n + 2) if binom.sf(k - 1, n, null) <= alpha)
    return bool(binom.sf(needed - 1, n, alternative) >= 1 - beta_)


@pytest.mark.parametrize(
    ("null", "alternative", "alpha", "beta_"), [(0.2, 0.4, 0.05, 0.2), (0.05, 0.3, 0.1, 0.1)]
)
def test_aherns_design_is_the_smallest_and_the_stable_one_lasts(null, alternative, alpha, beta_):
    errors = {"alpha": alpha, "beta": beta_}
    smallest = ahern(null, alternative, **errors).patients[0]
    stable = ahern(null, alternative, stable=True, **errors).patients[0]
    does = [_does(n, null, alternative, alpha, beta_) for n in range(1, 3 * stable)]
    assert does.index(True) + 1 == smallest <= stable
    assert all(does[stable - 1 :])
    assert not does[stable - 2]


def test_a_normal_law_comes_close_to_exact_numbers():
    for null, alternative in [(0.2, 0.4), (0.5, 0.6), (0.3, 0.45)]:
        exact = ahern(null, alternative).patients[0]
        assert fleming_patients(null, alternative) == pytest.approx(exact, rel=0.25)
    assert fleming_patients(0.2, 0.6, alpha=0.4, beta=0.5) >= 0.0


# --- two stages -----------------------------------------------------------------------------------


def _all_designs(null: float, alternative: float, alpha: float, beta_: float, most: int) -> list:
    """Return n, average patients, n1, r1 and r of every design of at most `most` patients."""
    k = np.arange(most + 1)
    mass = {p: [binom.pmf(k, n, p) for n in range(most + 1)] for p in (null, alternative)}
    found = []
    for n1, n in itertools.combinations(range(1, most + 1), 2):
        # Both stages' numbers of responses, every pair of them.
        joint = {p: np.outer(mass[p][n1][: n1 + 1], mass[p][n - n1][: n - n1 + 1]) for p in mass}
        total = np.add.outer(np.arange(n1 + 1), np.arange(n - n1 + 1))
        for r1, r in itertools.combinations(range(n), 2):
            if r1 < n1:
                error, power = (joint[p][r1 + 1 :][total[r1 + 1 :] > r].sum() for p in joint)
                if error <= alpha and power >= 1 - beta_:
                    going = mass[null][n1][r1 + 1 :].sum()
                    found.append((n, n1 + going * (n - n1), n1, r1, r))
    return found


@pytest.mark.parametrize(
    ("null", "alternative", "alpha", "beta_", "most"),
    [(0.1, 0.5, 0.05, 0.2, 20), (0.6, 0.9, 0.1, 0.2, 24)],
)
def test_simons_search_misses_nothing(null, alternative, alpha, beta_, most):
    designs = simon(null, alternative, alpha=alpha, beta=beta_)
    assert designs.optimal.patients[1] <= most / 2
    assert designs.optimal != designs.minimax
    every = _all_designs(null, alternative, alpha, beta_, most)
    n, expected, n1, r1, _ = min(every, key=lambda d: d[1])
    assert (designs.optimal.patients, designs.optimal.futile[0]) == ((n1, n), r1)
    assert designs.optimal.operating(null).expected_patients == pytest.approx(expected)
    n, _, n1, r1, _ = min(every, key=lambda d: d[:2])
    assert (designs.minimax.patients, designs.minimax.futile[0]) == ((n1, n), r1)


@pytest.mark.parametrize(
    ("null", "alternative", "alpha", "beta_"),
    [(0.1, 0.25, 0.05, 0.2), (0.5, 0.7, 0.05, 0.1), (0.75, 0.9, 0.05, 0.2), (0.3, 0.5, 0.01, 0.4)],
)
def test_simons_designs_keep_both_errors_and_are_in_order(null, alternative, alpha, beta_):
    designs = simon(null, alternative, alpha=alpha, beta=beta_)
    assert designs.admissible[0] == designs.minimax
    assert designs.admissible[-1] == designs.optimal
    points = []
    for design in designs.admissible:
        at_null, at_other = design.operating(null), design.operating(alternative)
        assert at_null.success <= alpha
        assert at_other.success >= 1 - beta_
        points.append((design.patients[1], at_null.expected_patients))
    most, average = np.array(points).T
    assert np.all(np.diff(most) > 0)
    assert np.all(np.diff(average) < 0)
    # Convex: each is best for some weight of the two aims.
    slopes = np.diff(average) / np.diff(most)
    assert np.all(np.diff(slopes) > 0)


def test_two_stages_cost_fewer_patients_when_the_null_rate_is_true():
    two = simon(0.2, 0.4).optimal
    one = ahern(0.2, 0.4)
    assert two.operating(0.2).expected_patients < one.patients[0] < two.patients[-1]


# --- monitoring -----------------------------------------------------------------------------------


def test_a_predictive_probability_is_a_sum_over_what_may_follow():
    x, n, most, null, sure, prior = 5, 12, 25, 0.3, 0.9, (0.7, 1.3)
    later = np.arange(most - n + 1)
    total = x + later
    wins = beta.sf(null, prior[0] + total, prior[1] + most - total) > sure
    want = betabinom.pmf(later, most - n, prior[0] + x, prior[1] + n - x)[wins].sum()
    got = predictive_probability(x, n, largest=most, null=null, success=sure, prior=prior)
    assert got == pytest.approx(want, rel=1e-10)


def test_a_predictive_probability_rises_with_responses_and_ends_at_nought_or_one():
    kind = {"largest": 30, "null": 0.4, "success": 0.9}
    for n in (0, 7, 29):
        values = [predictive_probability(x, n, **kind) for x in range(n + 1)]
        assert all(0.0 <= v <= 1.0 for v in values)
        assert np.all(np.diff(values) >= -1e-12)
    assert {predictive_probability(x, 30, **kind) for x in range(31)} == {0.0, 1.0}


def test_a_predictive_table_holds_the_counts_on_the_right_side():
    kind = {"null": 0.4, "success": 0.9}
    trial = predictive_looks(30, 0.4, success=0.9, futility=0.1, enough=0.99, first=6, every=4)
    assert trial.patients == (6, 10, 14, 18, 22, 26, 30)
    for n, low, high in zip(trial.patients[:-1], trial.futile, trial.enough, strict=False):
        values = [predictive_probability(x, n, largest=30, **kind) for x in range(n + 1)]
        assert [v < 0.1 for v in values] == [low is not None and x <= low for x in range(n + 1)]
        assert [v > 0.99 for v in values] == [high is not None and x >= high for x in range(n + 1)]


def test_looks_for_futility_alone_cost_power_and_lower_the_error():
    never = predictive_looks(40, 0.3, success=0.95, futility=0.0)
    often = predictive_looks(40, 0.3, success=0.95, futility=0.1)
    assert often.enough[-1] == never.enough[-1]
    assert never.operating(0.3).early == 0.0
    for rate in (0.3, 0.5):
        assert often.operating(rate).success < never.operating(rate).success
    assert often.operating(0.3).expected_patients < 0.75 * 40


@pytest.mark.parametrize(
    ("standard", "gain"), [((30.5, 10.5), 0.0), ((0.5, 0.5), 0.1), ((300.0, 100.0), 0.05)]
)
def test_a_comparison_with_an_uncertain_standard_is_an_integral(standard, gain):
    x, n, prior = 27, 35, (1.0, 1.0)

    def at(s: float) -> float:
        above = beta.sf(min(s + gain, 1.0), prior[0] + x, prior[1] + n - x)
        return float(beta.pdf(s, *standard) * above)

    want = sum(quad(at, *ends, limit=200)[0] for ends in ((0.0, 0.6), (0.6, 0.75), (0.75, 1.0)))
    got = probability_better(x, n, standard=standard, gain=gain, prior=prior)
    assert got == pytest.approx(want, rel=1e-7)


def test_equal_knowledge_of_both_is_an_even_bet():
    got = probability_better(6, 9, standard=(7.0, 4.0), prior=(1.0, 1.0))
    assert got == pytest.approx(0.5, abs=1e-12)


def test_a_posterior_table_holds_the_counts_on_the_right_side():
    kind = {"standard": (15.5, 5.5), "prior": (0.5, 0.5)}
    trial = posterior_looks(
        25,
        kind["standard"],
        success=0.9,
        futility=0.1,
        gain=0.1,
        prior=(0.5, 0.5),
        first=3,
        every=3,
    )
    for n, low, high in zip(trial.patients[:-1], trial.futile, trial.enough, strict=False):
        better = [probability_better(x, n, **kind) for x in range(n + 1)]
        by_gain = [probability_better(x, n, gain=0.1, **kind) for x in range(n + 1)]
        assert [v < 0.1 for v in by_gain] == [low is not None and x <= low for x in range(n + 1)]
        assert [v > 0.9 for v in better] == [high is not None and x >= high for x in range(n + 1)]
    # What the trial leaves open at its end is no success.
    last = [probability_better(x, 25, **kind) > 0.9 for x in range(26)]
    assert trial.enough[-1] == (last.index(True) if any(last) else None)


def test_a_rule_for_safety_ends_well_when_it_has_not_stopped():
    rule = posterior_looks(30, 0.75, success=None, futility=0.1, prior=(1.5, 0.5), first=5, every=5)
    assert rule.enough[:-1] == (None,) * 5
    assert rule.operating(1.0).success == 1.0
    assert rule.operating(0.95).success > 0.95
    assert rule.operating(0.4).success < 0.05
    # The same rule in terms of the harm, whose limit is the rest of the rate to beat.
    harm = ToxicityStopping(limit=0.25, cutoff=0.9, prior=(0.5, 1.5))
    assert harm.looks(rule.patients) == rule


def test_the_stops_at_each_look_are_those_of_the_totals():
    trial = Looks(patients=(10, 20, 30), futile=(2, 6, 12), enough=(9, None, 13))
    for rate in (0.0, 0.3, 0.6, 1.0):
        futile, success = trial.exits(rate)
        total = trial.operating(rate)
        assert futile.sum() + success.sum() == pytest.approx(1.0)
        assert success.sum() == pytest.approx(total.success)
        assert futile[0] == pytest.approx(binom.cdf(2, 10, rate))
        assert success[0] == pytest.approx(binom.sf(8, 10, rate))
        patients = (futile + success) @ np.array(trial.patients)
        assert total.expected_patients == pytest.approx(patients)


# --- earlier studies ------------------------------------------------------------------------------


def test_a_belief_finds_the_law_that_drew_the_studies():
    rng = np.random.default_rng(5)
    n = rng.integers(15, 80, size=4000)
    x = rng.binomial(n, rng.beta(6.0, 2.0, size=n.size))
    a, b = historical_belief(x.tolist(), n.tolist())
    assert (a, b) == pytest.approx((6.0, 2.0), rel=0.06)


def test_a_belief_is_the_most_likely_one():
    x, n = np.array([10, 27, 15, 35]), np.array([20, 30, 21, 50])

    def log_likelihood(a: float, b: float) -> float:
        return float(betabinom.logpmf(x, n, a, b).sum())

    a, b = historical_belief(x.tolist(), n.tolist())
    best = log_likelihood(a, b)
    for more in (0.97, 1.03):
        assert log_likelihood(a * more, b) < best
        assert log_likelihood(a, b * more) < best
        assert log_likelihood(a * more, b * more) < best
    # Failures are to responses as responses are to failures.
    assert historical_belief((n - x).tolist(), n.tolist()) == pytest.approx((b, a), rel=1e-4)


def test_studies_that_agree_are_as_one_and_no_more():
    a, b = historical_belief([15, 30, 45], [20, 40, 60])
    assert a + b == pytest.approx(120.0, rel=1e-6)
    assert a / (a + b) == pytest.approx(0.75, abs=0.01)
    for x, end in (([0, 0], 0.0), ([9, 30], 1.0)):
        a, b = historical_belief(x, [9, 30])
        assert a / (a + b) == pytest.approx(end, abs=0.02)


def test_studies_that_differ_make_a_test_err_more_often_than_studies_that_agree():
    trial = exact_test(45, 0.75)
    alike = trial.averaged(historical_belief([15, 30, 45], [20, 40, 60])).success
    apart = trial.averaged(historical_belief([11, 38, 41], [20, 40, 60])).success
    assert trial.operating(0.75).success < alike < apart


# --- after two stages -----------------------------------------------------------------------------


def _outcomes(trial: Looks) -> list[tuple[int, int]]:
    """Return responses and patients of every outcome, from the lowest rate to the highest."""
    n1, n = trial.patients
    stop = trial.futile[0]
    return [(x, n1) for x in range(stop + 1)] + [(x, n) for x in range(stop + 1, n + 1)]


SMALL = Looks(patients=(9, 17), futile=(1, 5), enough=(None, 6))


def _chances(trial: Looks, rate: float) -> np.ndarray:
    tails = [stage_wise_tail(trial, x, n, rate) for x, n in _outcomes(trial)]
    return -np.diff(tails, append=0.0)


def test_tails_add_up_to_the_law_of_the_outcomes():
    n1, n = SMALL.patients
    for rate in (0.1, 0.3, 0.8):
        chances = _chances(SMALL, rate)
        assert chances.sum() == pytest.approx(1.0)
        first = binom.pmf(np.arange(n1 + 1), n1, rate)
        for (x, total), chance in zip(_outcomes(SMALL), chances, strict=True):
            if total == n1:
                want = first[x]
            else:
                want = first[2:] @ binom.pmf(x - np.arange(2, n1 + 1), n - n1, rate)
            assert chance == pytest.approx(want, abs=1e-14)


def test_the_estimate_is_unbiased_and_the_share_is_not():
    results = [after_two_stages(SMALL, x, n, null=0.2) for x, n in _outcomes(SMALL)]
    for rate in (0.05, 0.2, 0.45, 0.8):
        chances = _chances(SMALL, rate)
        assert chances @ [r.unbiased for r in results] == pytest.approx(rate, abs=1e-12)
        assert chances @ [r.share for r in results] < rate


def test_the_p_value_is_small_as_seldom_as_it_says_and_its_interval_covers():
    results = [after_two_stages(SMALL, x, n, null=0.3, level=0.8) for x, n in _outcomes(SMALL)]
    chances = _chances(SMALL, 0.3)
    for p in (0.01, 0.05, 0.2):
        assert chances @ [r.p_value <= p for r in results] <= p + 1e-12
    for rate in (0.1, 0.25, 0.5, 0.9):
        chances = _chances(SMALL, rate)
        assert chances @ [r.low <= rate <= r.high for r in results] >= 0.8
        for side in ("low", "high"):
            wrong = [rate < r.low if side == "low" else rate > r.high for r in results]
            assert chances @ wrong <= 0.1 + 1e-9


def test_estimates_rise_with_the_outcome():
    results = [after_two_stages(SMALL, x, n, null=0.2) for x, n in _outcomes(SMALL)]
    for name in ("unbiased", "low", "high"):
        assert np.all(np.diff([getattr(r, name) for r in results]) >= 0)
    assert results[0].low == results[0].unbiased == 0.0
    assert results[-1].high == results[-1].unbiased == 1.0


@pytest.mark.parametrize(
    ("stage", "x", "n", "limit"), [((4, 19), 20, 54, 0.4791), ((3, 13), 12, 43, 0.4952)]
)
def test_the_other_upper_limit_is_where_this_outcome_or_a_higher_one_is_likely(stage, x, n, limit):
    r1, n1 = stage
    trial = Looks(patients=(n1, n), futile=(r1, r1 + 1), enough=(None, r1 + 2))
    other = brentq(lambda p: stage_wise_tail(trial, x, n, p) - 0.95, 0, 1)
    assert other < after_two_stages(trial, x, n, null=0.2).high
    # As clinfun prints it, cut off after four digits.
    assert limit <= other < limit + 1e-4


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda: Looks(patients=(), futile=(), enough=()), "at least one look"),
        (lambda: Looks(patients=(9, 9), futile=(1, 2), enough=(None, 3)), "must ascend"),
        (lambda: Looks(patients=(9,), futile=(1, 2), enough=(2,)), "one entry for each of the 1"),
        (lambda: Looks(patients=(9,), futile=(10,), enough=(None,)), "from 0 to 9"),
        (lambda: Looks(patients=(9, 20), futile=(3, 5), enough=(3, 6)), "cannot be both"),
        (lambda: Looks(patients=(9,), futile=(3,), enough=(5,)), "at the last look"),
        (lambda: Looks(patients=(9,), futile=(None,), enough=(None,)), "at the last look"),
        (lambda: Looks(patients=(3000,), futile=(3,), enough=(4,)), "from 1 to 2000"),
        (lambda: THREE.operating(1.5), r"must lie in \[0, 1\]"),
        (lambda: THREE.averaged((0.0, 1.0)), "finite and > 0"),
        (lambda: THREE.averaged((1.0, 1.0, 1.0)), "pair of numbers"),
        (lambda: exact_test(3, 0.9), "even 3 of 3 responses"),
        (lambda: exact_test(45, 1.0), "strictly between 0 and 1"),
        (lambda: ahern(0.4, 0.2), "must be larger"),
        (lambda: ahern(0.2, 0.4, alpha=0.5, beta=0.5), "sum must be below 1"),
        (lambda: ahern(0.5, 0.51), "more than 2000 patients"),
        (lambda: ahern(0.5, 0.51, stable=True), "more than 2000 patients"),
        (lambda: simon(0.2, 0.22), "at most 250 patients"),
        (lambda: fleming_patients(0.2, 0.4, alpha=0.0), "strictly between"),
        (lambda: predictive_probability(5, 4, largest=9, null=0.2), "from 0 to 4"),
        (lambda: predictive_looks(9, 0.2), "first is 10"),
        (lambda: predictive_looks(30, 0.2, futility=0.5, enough=0.5), "futility must be smaller"),
        (lambda: posterior_looks(30, 1.0), "strictly between"),
        (lambda: posterior_looks(30, 0.3, gain=-0.1), r"must lie in \[0, 1\]"),
        (lambda: historical_belief([3], [4]), "at least two studies"),
        (lambda: historical_belief([3, 5], [4, 4]), "responses is 5 of 4 patients"),
        (lambda: historical_belief(3, [4, 4]), "must be a list"),
        (lambda: historical_belief([0, 0], [4, 0]), "patients is 0"),
        (lambda: after_two_stages(THREE, 3, 8, null=0.2), "one early stop, for futility"),
        (lambda: after_two_stages("simon", 3, 8, null=0.2), "must be a Looks"),
        (lambda: after_two_stages(TWO, 3, 20, null=0.2), "stages of this design end at 19 and 54"),
        (lambda: after_two_stages(TWO, 4, 54, null=0.2), "would have stopped after 19"),
        (lambda: after_two_stages(TWO, 5, 19, null=0.2), "goes on to 54"),
        (lambda: stage_wise_tail(TWO, 55, 54, 0.2), "from 0 to 54"),
    ],
)
def test_bad_input_is_refused_with_its_rule(build, rule):
    with pytest.raises(ParameterError, match=rule):
        build()


def test_everything_public_is_named():
    assert all(hasattr(single_arm, name) for name in single_arm.__all__)
