"""Cumulative incidence by cause: against R, statsmodels, counting, and analytic laws."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from car_relapse.errors import ParameterError
from car_relapse.incidence import Incidence, aalen_johansen, kaplan_meier

DATA = Path(__file__).with_name("data")
MONTHS = [3.0, 6.0, 12.0, 24.0]


def patients(name: str, arm: int) -> tuple[np.ndarray, np.ndarray]:
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["arm"]) == arm]
    return (
        np.array([float(row["time"]) for row in rows]),
        np.array([int(row["cause"]) for row in rows]),
    )


def printed_by_r() -> list[dict[str, str]]:
    with (DATA / "incidence_values.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def estimate(quantity: str, cause: str, time: np.ndarray, code: np.ndarray) -> np.ndarray:
    if quantity == "one_cause_with_others_censored":
        return 1 - kaplan_meier(time, code == int(cause)).event_free_at(MONTHS)
    curves = aalen_johansen(time, code, causes=(1, 2, 3))
    lower, upper = curves.event_free_interval(MONTHS)
    return {
        "share": lambda: curves.at(MONTHS, int(cause)),
        "std_error": lambda: curves.std_error_at(MONTHS, int(cause)),
        "event_free": lambda: curves.event_free_at(MONTHS),
        "event_free_std_error": lambda: curves.event_free_std_error_at(MONTHS),
        "event_free_lower": lambda: lower,
        "event_free_upper": lambda: upper,
    }[quantity]()


@pytest.mark.parametrize(
    "row", printed_by_r(), ids=lambda r: "-".join([r["data"], r["arm"], r["quantity"], r["cause"]])
)
def test_estimates_are_those_of_r(row):
    time, code = patients(row["data"], int(row["arm"]))
    printed = [float(row[f"at_{month:g}"]) for month in MONTHS]
    assert estimate(row["quantity"], row["cause"], time, code) == pytest.approx(printed, abs=1e-9)


def tied_data(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.ceil(rng.exponential(10.0, n)), rng.integers(0, 4, n)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_and_errors_are_those_of_statsmodels_with_heavy_ties(seed):
    time, code = tied_data(seed, 300)
    # The longest follow-up ends censored: after a last event the peer divides by zero.
    time, code = np.append(time, 1e3), np.append(code, 0)
    peer = CumIncidenceRight(time, code)
    ours = aalen_johansen(time, code)
    for cause in (1, 2, 3):
        assert ours.at(peer.times, cause) == pytest.approx(peer.cinc[cause - 1], abs=1e-12)
        errors = ours.std_error_at(peer.times, cause)
        assert errors == pytest.approx(peer.cinc_se[cause - 1], rel=1e-7, abs=1e-12)


def test_the_event_free_curve_is_the_kaplan_meier_curve_of_statsmodels():
    time, code = tied_data(4, 250)
    # The longest follow-up ends censored, where the peer's error is defined.
    time, code = np.append(time, 1e3), np.append(code, 0)
    peer = SurvfuncRight(time, code > 0)
    for curve in (aalen_johansen(time, code), kaplan_meier(time, code > 0)):
        assert curve.event_free_at(peer.surv_times) == pytest.approx(peer.surv_prob, abs=1e-12)
        errors = curve.event_free_std_error_at(peer.surv_times)
        assert errors == pytest.approx(peer.surv_prob_se, rel=1e-7)


def slow_twin(time: np.ndarray, code: np.ndarray, cause: int, at: float) -> float:
    """Redistribute the mass of each censored patient to those still followed, one by one."""
    # Events before censorings of the same time.
    order = sorted(range(len(time)), key=lambda i: (time[i], code[i] == 0))
    mass = dict.fromkeys(order, 1 / len(order))
    total = 0.0
    for place, i in enumerate(order):
        if time[i] > at:
            break
        later = order[place + 1 :]
        if code[i] == 0 and later:
            for j in later:
                mass[j] += mass[i] / len(later)
        elif code[i] == cause:
            total += mass[i]
    return total


data_sets = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=25).map(
    lambda rows: (np.array([r[0] for r in rows], float), np.array([r[1] for r in rows]))
)


@given(data_sets)
def test_shares_are_those_of_redistribution_to_the_right(data):
    time, code = data
    curves = aalen_johansen(time, code, causes=(1, 2, 3))
    for cause in (1, 2, 3):
        for at in np.unique(time):
            expected = slow_twin(time, code, cause, at)
            assert float(curves.at(at, cause)) == pytest.approx(expected, abs=1e-12)


@given(data_sets)
def test_shares_rise_and_add_up_to_one_with_the_event_free(data):
    curves = aalen_johansen(*data, causes=(1, 2, 3))
    assert curves.share.sum(axis=1) + curves.event_free == pytest.approx(np.ones(curves.time.size))
    assert np.all(np.diff(curves.share, axis=0, prepend=0.0) >= 0)
    assert np.all((curves.share >= 0) & (curves.share <= 1))
    assert np.all(np.isfinite(curves.std_error) & (curves.std_error >= 0))


@given(data_sets, st.floats(0.5, 0.999))
def test_limits_lie_around_the_estimate_and_inside_zero_and_one(data, level):
    curves = aalen_johansen(*data, causes=(1, 2, 3))
    at = np.unique(data[0])
    pairs = [(curves.at(at, c), curves.interval(at, c, level)) for c in (1, 2, 3)]
    pairs.append((curves.event_free_at(at), curves.event_free_interval(at, level)))
    for estimated, (lower, upper) in pairs:
        assert np.all((lower >= 0) & (upper <= 1))
        assert np.all((lower <= estimated + 1e-12) & (estimated <= upper + 1e-12))
        assert np.all(lower < upper)


def test_without_censoring_shares_are_counts_and_errors_are_binomial():
    rng = np.random.default_rng(5)
    time, code = rng.exponential(1.0, 400), rng.integers(1, 3, 400)
    curves = aalen_johansen(time, code)
    at = np.quantile(time, [0.1, 0.5, 0.9])
    share = np.array([np.mean((time <= t) & (code == 2)) for t in at])
    assert curves.at(at, 2) == pytest.approx(share, rel=1e-12)
    assert curves.std_error_at(at, 2) == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=1e-9)


def test_with_one_cause_everything_is_kaplan_meier():
    time, code = tied_data(6, 60)
    curve = aalen_johansen(time, np.minimum(code, 1))
    at = np.unique(time[code > 0])[:-1]
    assert curve.at(at, 1) == pytest.approx(1 - curve.event_free_at(at), abs=1e-12)
    assert curve.std_error_at(at, 1) == pytest.approx(curve.event_free_std_error_at(at), rel=1e-9)
    free = curve.event_free_interval(at)
    had = curve.interval(at, 1)
    assert had[0] == pytest.approx(1 - free[1], abs=1e-12)
    assert had[1] == pytest.approx(1 - free[0], abs=1e-12)


def test_competing_exponential_hazards_give_the_analytic_shares_with_honest_limits():
    rng = np.random.default_rng(7)
    rates, at, n = np.array([0.03, 0.01]), np.array([10.0, 30.0, 60.0]), 400
    covered = []
    pulls = []
    for _ in range(300):
        event = rng.exponential(1 / rates.sum(), n)
        cause = 1 + (rng.random(n) < rates[1] / rates.sum())
        censoring = rng.uniform(40, 90, n)
        curves = aalen_johansen(
            np.minimum(event, censoring), np.where(event <= censoring, cause, 0), causes=(1, 2)
        )
        exact = rates[1] / rates.sum() * -np.expm1(-rates.sum() * at)
        lower, upper = curves.interval(at, 2)
        covered.append((lower <= exact) & (exact <= upper))
        pulls.append((curves.at(at, 2) - exact) / curves.std_error_at(at, 2))
    # Each is a mean over 300 data sets: four standard errors.
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 4 / np.sqrt(300))
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 4 / np.sqrt(600))
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 300))


def test_censoring_the_other_causes_overstates_each_of_them():
    time, code = patients("incidence_200", 1)
    curves = aalen_johansen(time, code)
    for cause in (1, 2, 3):
        naive = 1 - kaplan_meier(time, code == cause).event_free_at(24.0)
        assert naive > curves.at(24.0, cause) + 0.005


def test_events_come_before_censorings_of_the_same_time():
    tied = kaplan_meier([5.0, 5.0, 9.0], [1, 0, 0])
    assert tied.at_risk.tolist() == [3]
    assert float(tied.event_free_at(5.0)) == pytest.approx(2 / 3)


def test_none_and_all_have_the_exact_binomial_limits():
    curves = aalen_johansen([1, 2, 3, 4, 5, 6], [0, 1, 1, 1, 1, 0], causes=(1, 2))
    # At time 5 one patient has been censored; none of the other five has had an event of cause 2.
    exact = binomtest(0, 5).proportion_ci(0.9, method="exact")
    assert [float(x) for x in curves.interval(5, 2, 0.9)] == pytest.approx([0, exact.high])
    exact = binomtest(0, 6).proportion_ci(0.95, method="exact")
    assert [float(x) for x in curves.event_free_interval(0.5)] == pytest.approx([1 - exact.high, 1])
    all_ = kaplan_meier([1, 2, 2, 7], [1, 1, 1, 1])
    exact = binomtest(4, 4).proportion_ci(0.95, method="exact")
    assert [float(x) for x in all_.interval(7, 1)] == pytest.approx([exact.low, 1])
    assert [float(x) for x in all_.event_free_interval(7)] == pytest.approx([0, 1 - exact.low])


def test_limits_are_symmetric_on_the_complementary_log_log_scale():
    time, code = patients("incidence_200", 0)
    curves = aalen_johansen(time, code)
    share, error = curves.at(12.0, 1), curves.std_error_at(12.0, 1)
    scale = [float(np.log(-np.log1p(-x))) for x in (*curves.interval(12.0, 1, 0.9), share)]
    width = norm.ppf(0.95) * error / ((1 - share) * -np.log1p(-share))
    assert scale[1] - scale[2] == pytest.approx(float(width))
    assert scale[2] - scale[0] == pytest.approx(float(width))


def test_causes_may_be_named_in_any_order_and_need_not_happen():
    time, code = tied_data(8, 50)
    plain = aalen_johansen(time, code)
    named = aalen_johansen(time, code, causes=(3, 9, 1, 2))
    assert named.causes == (3, 9, 1, 2)
    for cause in (1, 2, 3):
        assert named.at(20.0, cause) == plain.at(20.0, cause)
    assert named.at([5.0, 20.0], 9).tolist() == [0, 0]
    assert named.std_error_at([5.0, 20.0], 9).tolist() == [0, 0]


def test_data_without_any_event_stay_event_free():
    curves = aalen_johansen([3.0, 4.0], [0, 0], causes=(1,))
    assert curves.time.size == 0
    assert curves.event_free_at([0.0, 4.0]).tolist() == [1, 1]
    assert curves.at([0.0, 4.0], 1).tolist() == [0, 0]
    assert aalen_johansen([3.0], [0]).causes == ()


def test_curves_go_on_when_everybody_has_had_an_event():
    everyone = aalen_johansen([1.0, 2.0], [1, 2])
    assert everyone.at([2.0, 1e6], 2).tolist() == [0.5, 0.5]
    assert everyone.event_free_at(1e6) == 0


def test_rounding_of_a_million_patients_stays_small():
    n = 10**6
    time = np.random.default_rng(9).permutation(n).astype(float)
    curves = aalen_johansen(time, np.ones(n, dtype=int))
    at = np.array([1.0, 999.0, n / 2 - 1, n - 2])
    share = (at + 1) / n
    assert curves.at(at, 1) == pytest.approx(share, rel=1e-9)
    assert curves.std_error_at(at, 1) == pytest.approx(np.sqrt(share * (1 - share) / n), rel=1e-4)


def curves() -> Incidence:
    return aalen_johansen([1.0, 2.0, 3.0], [1, 2, 0])


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: aalen_johansen([], []), r"shape \(0,\)", "at least one time"),
        (lambda: aalen_johansen(3.0, 1), r"shape \(\)", "one list"),
        (lambda: aalen_johansen([[1.0]], [[1]]), r"shape \(1, 1\)", "one list"),
        (lambda: aalen_johansen([-1.0], [1]), "time is -1", "start of follow-up"),
        (lambda: aalen_johansen([np.nan], [1]), "time is nan", "start of follow-up"),
        (lambda: aalen_johansen([np.inf], [1]), "time is inf", "start of follow-up"),
        (lambda: aalen_johansen([1.0, 2.0], [1]), r"shape \(1,\)", "one cause per patient"),
        (lambda: aalen_johansen([1.0], [1.5]), "cause is 1.5", "whole number"),
        (lambda: aalen_johansen([1.0], [-1]), "cause is -1", "censored"),
        (lambda: aalen_johansen([1.0], ["relapse"]), "relapse", "whole number"),
        (lambda: aalen_johansen([1.0], [2], causes=(1,)), "cause is 2", "recode it as censored"),
        (lambda: aalen_johansen([1.0], [2], causes=()), "names only none", "add it there"),
        (lambda: aalen_johansen([1.0], [1], causes=(1, 1)), r"\(1, 1\)", "remove the double"),
        (lambda: aalen_johansen([1.0], [1], causes=(0, 1)), "causes is 0", "whole number >= 1"),
        (lambda: kaplan_meier([1.0], [True, False]), r"shape \(2,\)", "one entry per patient"),
        (lambda: curves().at(1.0, 3), "cause is 3", "1, 2"),
        (lambda: curves().std_error_at(1.0, 0), "cause is 0", "choose one"),
        (lambda: curves().at(3.1, 1), "times is 3.1", "ask for earlier"),
        (lambda: curves().event_free_at([1.0, -2.0]), "times is -2", "start of follow-up"),
        (lambda: curves().interval(1.0, 1, 1.0), "level is 1", "strictly between"),
        (lambda: curves().event_free_interval(1.0, 0.0), "level is 0", "strictly between"),
        (lambda: curves().interval(9.0, 1), "times is 9", "ask for earlier"),
    ],
)
def test_bad_input_is_named_with_its_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=shown) as caught:
        call()
    assert remedy in str(caught.value)
