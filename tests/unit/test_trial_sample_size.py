"""Sample sizes: the formulas agree with each other, with limits, with counting, and with trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import fisher_exact

from car_relapse.errors import ParameterError
from car_relapse.followup import Cause
from car_relapse.trial import sample_size as size
from car_relapse.trial.virtual import Biology, Constant, Decay, Piecewise

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH

shares = st.floats(0.01, 0.99)
ratios = st.floats(0.05, 20.0).filter(lambda x: abs(math.log(x)) > 0.01)


def test_every_offered_name_is_there():
    assert all(hasattr(size, name) for name in size.__all__)


# --- events --------------------------------------------------------------------------------------


@given(ratios, shares)
def test_which_arm_is_called_experimental_does_not_matter(ratio, share):
    for formula in (size.schoenfeld_events, size.freedman_events):
        assert formula(ratio, share=share) == pytest.approx(formula(1 / ratio, share=1 - share))


@given(ratios)
def test_freedman_asks_for_more_events_and_both_agree_for_small_effects(ratio):
    assert size.freedman_events(ratio) > size.schoenfeld_events(ratio)
    near = math.exp(0.001)
    assert size.freedman_events(near) == pytest.approx(size.schoenfeld_events(near), rel=1e-5)


@given(ratios, st.floats(0.001, 0.2), st.floats(0.3, 0.99), shares)
def test_the_events_of_a_power_have_that_power(ratio, alpha, power, share):
    events = size.schoenfeld_events(ratio, alpha=alpha, power=power, share=share)
    assert size.logrank_power(events, ratio, alpha=alpha, share=share) == pytest.approx(power)


def test_equal_hazards_are_never_told_apart():
    assert size.schoenfeld_events(1.0) == size.freedman_events(1) == math.inf
    assert size.logrank_power(10**6, 1.0) == pytest.approx(0.025)
    trial = size.Calendar(accrual=12, follow_up=12)
    assert size.logrank_size(0.05, 1.0, trial).patients == math.inf


# --- calendar ------------------------------------------------------------------------------------


@given(
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.2),
    st.floats(0.0, 60.0),
    st.floats(0.1, 60.0),
)
def test_the_probability_to_see_an_event_is_the_integral_over_the_trial(
    rate, other, loss, accrual, follow_up
):
    trial = size.Calendar(accrual=accrual, follow_up=follow_up, loss=loss)

    def flow(t):
        return rate * math.exp(-(rate + other) * t) * float(trial.watched(t))

    first, _ = quad(flow, 0.0, follow_up)
    second, _ = quad(flow, follow_up, follow_up + accrual)
    seen = size.event_probability(rate, trial, other_rate=other)
    assert seen == pytest.approx(first + second, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("rate", [1e-12, 1e-9, 1e-6])
def test_rare_events_lose_no_digits(rate):
    trial = size.Calendar(accrual=24, follow_up=12)
    assert size.event_probability(rate, trial) == pytest.approx(rate * 24.0, rel=3e-5)


def test_the_events_of_all_causes_are_those_of_any():
    trial = size.Calendar(accrual=18, follow_up=24, loss=0.01)
    parts = size.event_probability(0.02, trial, other_rate=0.03)
    parts += size.event_probability(0.03, trial, other_rate=0.02)
    assert parts == pytest.approx(size.event_probability(0.05, trial))


def test_a_constant_rate_takes_its_share():
    rate = size.constant_rate(0.35, 24)
    assert -math.expm1(-24 * rate) == pytest.approx(0.35)
    assert size.constant_rate(0, 12) == 0.0


def test_other_causes_and_losses_ask_for_more_patients():
    plain = size.Calendar(accrual=24, follow_up=24)
    leaky = size.Calendar(accrual=24, follow_up=24, loss=0.01)
    few = size.logrank_size(0.03, 0.5, plain).patients
    assert size.logrank_size(0.03, 0.5, leaky).patients > few
    assert size.logrank_size(0.03, 0.5, plain, other_rate=(0.0, 0.02)).patients > few
    assert size.logrank_size(0.03, 0.5, plain, method="freedman").patients > few


# --- proportions ---------------------------------------------------------------------------------


@given(shares, shares, shares, st.floats(0.3, 0.95))
def test_the_patients_of_a_power_have_that_power(control, experimental, share, power):
    need = size.two_proportions(control, experimental, power=power, share=share).patients
    if 500 < need < 1e9:
        got = size.proportions_power(control, experimental, math.ceil(need), share=share)
        assert got == pytest.approx(power, abs=0.002)


def test_fishers_test_rejects_what_its_p_value_says():
    """The power is that of counting through all tables with scipy's p-values."""
    n0, n1, p0, p1, alpha = 9, 13, 0.7, 0.2, 0.1
    total = 0.0
    for x0 in range(n0 + 1):
        for x1 in range(n1 + 1):
            p = fisher_exact([[x0, n0 - x0], [x1, n1 - x1]]).pvalue
            if p <= alpha and x0 / n0 > x1 / n1:
                total += (
                    math.comb(n0, x0) * p0**x0 * (1 - p0) ** (n0 - x0)
                    * math.comb(n1, x1) * p1**x1 * (1 - p1) ** (n1 - x1)
                )  # fmt: skip
    assert size.fisher_power(p0, p1, (n0, n1), alpha=alpha) == pytest.approx(total, rel=1e-12)


@given(shares)
def test_fishers_test_keeps_its_level(share):
    assert size.fisher_power(share, share, (40, 25)) <= 0.05 + 1e-12


def test_fishers_test_keeps_the_power_from_its_size_on():
    n = size.fisher_size(0.5, 0.1)
    powers = [size.fisher_power(0.5, 0.1, (m, m)) for m in range(n - 1, n + 12)]
    assert powers[0] < 0.8 <= min(powers[1:])


# --- one shape, many biologies -------------------------------------------------------------------

CONTROL = (0.25, 0.20, 0.05)


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=3))
def test_hazards_and_incidences_of_one_shape_determine_each_other(incidences):
    hazards = size.cumulative_hazards(incidences)
    assert size.cumulative_incidences(hazards) == pytest.approx(np.array(incidences))


@pytest.mark.parametrize("decay", [2.0, 8.0, 100.0])
def test_the_closed_form_is_that_of_any_shape(decay):
    arm = Biology.from_hazards(
        dict(zip((NEGATIVE, POSITIVE, DEATH), size.cumulative_hazards(CONTROL), strict=True)),
        shape=Decay(decay),
        horizon=24,
    )
    assert arm.incidence(24) == pytest.approx(np.array(CONTROL), abs=1e-10)


def test_mixed_statements_hold_both():
    control = size.cumulative_hazards(CONTROL)
    dual = size.mixed_hazards([None, control[1], None], [0.10, None, 0.12])
    incidences = size.cumulative_incidences(dual)
    assert incidences[[0, 2]] == pytest.approx([0.10, 0.12])
    assert dual[1] == control[1]
    assert size.mixed_hazards([0.2, 0.1], [None, None]).tolist() == [0.2, 0.1]
    assert size.mixed_hazards([None], [0.0]).tolist() == [0.0]


def test_the_number_for_grays_test_does_not_depend_on_the_other_causes():
    for others in ((0.35, 0.05), (0.12, 0.05), (0.42, 0.05)):
        found = size.compare_arms(CONTROL, (0.10, *others))
        assert found.patients_gray == pytest.approx(177.8104998)
        assert found.patients_incidence == pytest.approx(199.0803184)


def test_the_cause_is_counted_from_one():
    turned = size.compare_arms((0.05, 0.25, 0.20), (0.05, 0.10, 0.35), cause=2)
    plain = size.compare_arms(CONTROL, (0.10, 0.35, 0.05))
    assert turned.patients_cause == pytest.approx(plain.patients_cause)
    assert turned.event_free_ratio == plain.event_free_ratio == 1.0


ONE = Biology.from_incidences(
    dict(zip((NEGATIVE, POSITIVE, DEATH), CONTROL, strict=True)), shape=Decay(8), horizon=24
)


def test_the_stories_say_what_their_names_say():
    stories = {s.key: s.experimental for s in size.dual_biologies(ONE)}
    hazards = {key: dict(zip(b.causes, b.scales, strict=True)) for key, b in stories.items()}
    shares = {key: dict(zip(b.causes, b.incidence(24), strict=True)) for key, b in stories.items()}
    assert stories["S0"] is ONE
    for key in ("S1", "S2", "S3", "S4", "S5", "S6"):
        assert shares[key][NEGATIVE] == pytest.approx(0.10)
    for key in ("S1", "S6"):
        assert hazards[key][POSITIVE] == pytest.approx(hazards["S0"][POSITIVE])
    assert hazards["S1"][DEATH] == pytest.approx(hazards["S0"][DEATH])
    assert hazards["S7"][NEGATIVE] == hazards["S0"][NEGATIVE]
    assert hazards["S7"][POSITIVE] == pytest.approx(2.5 * hazards["S0"][POSITIVE])
    free = {key: float(b.event_free(24)) for key, b in stories.items()}
    assert free["S2"] == pytest.approx(free["S0"])
    assert free["S3"] == pytest.approx(free["S0"] + 0.075)
    assert free["S7"] < free["S5"] < free["S0"] < free["S6"] < free["S4"]


def test_the_stories_hold_for_other_incidences_and_shapes():
    other = Biology.from_incidences(
        {NEGATIVE: 0.3, POSITIVE: 0.15, DEATH: 0.02},
        shape={NEGATIVE: Decay(12), POSITIVE: Decay(3), DEATH: Decay(6)},
        horizon=24,
    )
    stories = size.dual_biologies(other, escape=0.2)
    assert stories[2].experimental.incidence(24) == pytest.approx([0.2, 0.25, 0.02])
    assert stories[4].experimental.incidence(24) == pytest.approx([0.2, 0.09, 0.02])


def test_a_story_that_changes_nothing_needs_infinitely_many():
    trial = size.Calendar(accrual=0, follow_up=24)
    for number, alike in ((0, True), (2, True), (3, False)):
        dual = size.dual_biologies(ONE)[number].experimental
        found = size.compare_arms(ONE.incidence(24), dual.incidence(24))
        assert (found.patients_event_free == math.inf) == alike
        mean = size.difference_at(ONE, dual, trial, 24, measure="restricted mean")
        assert (mean.patients() == math.inf) == alike


def test_stories_need_three_causes_and_a_drop():
    less = Biology.from_incidences({NEGATIVE: 0.25, DEATH: 0.05}, shape=Decay(8), horizon=24)
    with pytest.raises(ParameterError, match="no ANTIGEN_POSITIVE"):
        size.dual_biologies(less)
    with pytest.raises(ParameterError, match="escape is"):
        size.dual_biologies(ONE, escape=0.25)


def test_a_cause_that_an_arm_does_not_have_has_no_size():
    gone = size.compare_arms((0.2, 0.1), (0.0, 0.1))
    assert (gone.patients_cause, gone.patients_gray) == (None, None)
    assert gone.patients_incidence > 0
    new = size.compare_arms((0.0, 0.1), (0.2, 0.1))
    assert new.hazard_ratios[0] == new.subdistribution_ratios[0] == math.inf
    assert new.patients_gray is None
    nothing = size.compare_arms([0.0], [0.0])
    assert (nothing.event_free_ratio, nothing.patients_event_free) == (1.0, math.inf)


# --- any hazards ---------------------------------------------------------------------------------


def arm(negative, positive=0.20, death=0.05, shape=None):
    return Biology.from_incidences(
        {NEGATIVE: negative, POSITIVE: positive, DEATH: death}, shape=shape or Decay(8), horizon=24
    )


def constant(rate):
    return Biology.from_hazards({DEATH: 48 * rate}, shape=Constant(), horizon=48)


TRIAL = size.Calendar(accrual=0, follow_up=24, loss=size.constant_rate(0.03, 12))


def test_small_effects_need_what_schoenfeld_says():
    trial = size.Calendar(accrual=12, follow_up=24)
    for share in (0.5, 0.3):
        test = size.rank_test(constant(0.05), constant(0.05 * 0.97), trial, share=share)
        need = size.logrank_size(0.05, 0.97, trial, share=share)
        assert test.patients() == pytest.approx(need.patients, rel=0.01)
        assert test.events() == pytest.approx(need.events, rel=0.01)
        assert test.hazard_ratio == pytest.approx(0.97, rel=1e-6)


def test_events_of_constant_hazards_are_those_of_the_closed_form():
    trial = size.Calendar(accrual=12, follow_up=24, loss=0.01)
    test = size.rank_test(constant(0.05), constant(0.05), trial)
    assert test.seen == pytest.approx(size.event_probability(0.05, trial), rel=1e-6)
    assert test.mean == 0.0
    assert test.patients() == math.inf
    assert test.power(200) == pytest.approx(0.025, rel=1e-3)


def test_without_other_causes_gray_and_log_rank_are_one():
    one, two = constant(0.05), constant(0.02)
    trial = size.Calendar(accrual=12, follow_up=24)
    cause = size.rank_test(one, two, trial, cause=DEATH)
    gray = size.rank_test(one, two, trial, cause=DEATH, scale="subdistribution")
    every = size.rank_test(one, two, trial)
    assert cause.patients() == pytest.approx(every.patients(), rel=1e-12)
    assert gray.patients() == pytest.approx(every.patients(), rel=1e-5)


#: Total N for a power of 80 % that 10,000 simulated trials gave, by biology of the dual arm and
#: test (tests/verification/trials.csv has the rows).
SIMULATED = {
    (0.35, 0.05): (239, 197, None),
    (0.275, 0.05): (208, 196, 1372),
    (0.12, 0.05): (167, 196, 137),
    (0.42, 0.05): (280, 198, 1542),
}


@pytest.mark.parametrize("others", SIMULATED)
def test_sizes_are_those_of_simulated_trials(others):
    """Within 4 %, where Schoenfeld's formula is a tenth too small."""
    control, dual = arm(0.25), arm(0.10, *others)
    found = (
        size.rank_test(control, dual, TRIAL, cause=NEGATIVE).patients(),
        size.rank_test(control, dual, TRIAL, cause=NEGATIVE, scale="subdistribution").patients(),
        size.rank_test(control, dual, TRIAL).patients(),
    )
    for need, simulated in zip(found, SIMULATED[others], strict=True):
        if simulated is None:
            assert need == math.inf
        else:
            assert need == pytest.approx(simulated, rel=0.04)


def crossing(early, late):
    return tuple(
        Biology.from_hazards({DEATH: total}, shape=shape, horizon=24)
        for total, shape in (
            (early, Piecewise(breaks=(0, 4, float("inf")), rates=(3, 1))),
            (late, Piecewise(breaks=(0, 8, float("inf")), rates=(1, 2))),
        )
    )


@pytest.mark.parametrize(
    ("arms", "variances_differ"),
    [(crossing(1.0, 0.8), False), ((constant(0.1), constant(0.02)), True)],
)
def test_the_score_has_the_mean_and_the_variances_that_are_said(arms, variances_differ):
    """Three thousand trials, scored one by one."""
    early, late = arms
    trial, n, repeats = size.Calendar(accrual=12, follow_up=12, loss=0.02), 200, 3000
    test = size.rank_test(early, late, trial)
    rng = np.random.default_rng(6)
    hazard = rng.exponential(size=(repeats, n))
    group = np.tile([0, 1], n // 2)
    times = np.empty((repeats, n))
    for code, law in enumerate((early, late)):
        piece = law.hazards[0]
        times[:, group == code] = piece.shape.inverse(hazard[:, group == code] / law.scales[0])
    left = np.minimum(rng.uniform(12, 24, (repeats, n)), rng.exponential(50, (repeats, n)))
    event, seen = times <= left, np.minimum(times, left)
    order = np.argsort(seen, axis=1)
    event = np.take_along_axis(event, order, axis=1)
    second = group[order]
    risk = n - np.arange(n)
    risk_second = second[:, ::-1].cumsum(axis=1)[:, ::-1]
    part = risk_second / risk
    score = np.sum(event * (second - part), axis=1) / n
    variance = np.sum(event * part * (1 - part), axis=1) / n
    error = score.std() / math.sqrt(repeats)
    assert score.mean() == pytest.approx(test.mean, abs=4 * error + 0.002 * abs(test.mean))
    assert variance.mean() == pytest.approx(test.variance, rel=0.02)
    assert n * score.var() == pytest.approx(test.true_variance, rel=0.11)  # 4 standard errors
    assert event.mean() == pytest.approx(test.seen, abs=0.003)
    assert (abs(test.true_variance / test.variance - 1) > 0.2) == variances_differ


def test_late_effects_are_found_by_late_weights():
    early = Piecewise(breaks=(0, 9, float("inf")), rates=(1, 1))
    late = Piecewise(breaks=(0, 9, float("inf")), rates=(1, 0.3))
    one, two = (
        Biology.from_hazards({DEATH: 0.04 * float(s.cumulative(30))}, shape=s, horizon=30)
        for s in (early, late)
    )
    trial = size.Calendar(accrual=6, follow_up=24)
    plain = size.rank_test(one, two, trial).patients()
    assert size.rank_test(one, two, trial, weights=(0, 1)).patients() < 0.8 * plain
    assert size.rank_test(one, two, trial, weights=(1, 0)).patients() > plain


def test_a_hazard_ratio_needs_events_in_both_arms():
    nobody = Biology.from_hazards({DEATH: 0.0}, shape=Constant(), horizon=24)
    test = size.rank_test(constant(0.05), nobody, size.Calendar(accrual=0, follow_up=24))
    assert test.hazard_ratio == 0.0
    back = size.rank_test(nobody, constant(0.05), size.Calendar(accrual=0, follow_up=24))
    assert back.hazard_ratio == math.inf
    assert 0 < test.patients() < 30
    none = size.rank_test(nobody, nobody, size.Calendar(accrual=0, follow_up=24))
    assert (none.power(100), none.patients(), none.seen) == (0.0, math.inf, 0.0)
    assert none.hazard_ratio == 1.0


def test_information_comes_at_the_pace_of_each_cause():
    slow, fast = Decay(24), Decay(3)
    one, two = (
        Biology.from_incidences(
            {NEGATIVE: f, POSITIVE: 0.2}, shape={NEGATIVE: slow, POSITIVE: fast}, horizon=24
        )
        for f in (0.25, 0.10)
    )
    trial = size.Calendar(accrual=24, follow_up=12)
    months = [12.0, 24.0, 36.0]
    parts = [size.expected_events(one, two, trial, months, cause=c) for c in (NEGATIVE, POSITIVE)]
    assert np.sum(parts, axis=0) == pytest.approx(size.expected_events(one, two, trial, months))
    assert parts[0][0] / parts[0][-1] < parts[1][0] / parts[1][-1]
    whole = size.rank_test(one, two, trial).seen
    assert size.expected_events(one, two, trial, 36.0) == pytest.approx(whole)


# --- differences at a month ----------------------------------------------------------------------


def test_with_everybody_followed_an_incidence_is_a_proportion():
    trial = size.Calendar(accrual=0, follow_up=24)
    for cause, p0, p1 in ((NEGATIVE, 0.25, 0.10), (None, 0.5, 0.35)):
        found = size.difference_at(arm(0.25), arm(0.10), trial, 24, cause=cause)
        assert (found.control, found.experimental) == pytest.approx((p0, p1), abs=1e-9)
        binomial = 2 * (p0 * (1 - p0) + p1 * (1 - p1))
        assert found.variance == pytest.approx(binomial, rel=1e-5)


def test_with_everybody_followed_a_restricted_mean_is_a_mean():
    trial, rate, end = size.Calendar(accrual=0, follow_up=24), 0.05, 24.0
    found = size.difference_at(
        constant(rate), constant(0.02), trial, end, measure="restricted mean"
    )
    mean = -math.expm1(-rate * end) / rate
    assert found.control == pytest.approx(mean, rel=1e-6)
    same = size.difference_at(constant(rate), constant(rate), trial, end, measure="restricted mean")
    second = 2 * (1 - math.exp(-rate * end) * (1 + rate * end)) / rate**2
    assert same.variance == pytest.approx(4 * (second - mean**2), rel=1e-5)
    assert same.patients() == math.inf
    assert same.power(100) == pytest.approx(0.025)


@pytest.mark.parametrize(("positive", "power"), [(0.35, 0.809), (0.12, 0.810)])
def test_powers_are_those_of_simulated_trials(positive, power):
    found = size.difference_at(arm(0.25), arm(0.10, positive), TRIAL, 24, cause=NEGATIVE)
    assert found.power(200) == pytest.approx(power, abs=0.016)


def test_losses_widen_a_difference():
    plain = size.difference_at(arm(0.25), arm(0.10), size.Calendar(accrual=0, follow_up=24), 24)
    lossy = size.difference_at(arm(0.25), arm(0.10), TRIAL, 24)
    assert lossy.patients() > plain.patients()


# --- errors --------------------------------------------------------------------------------------

BAD = {
    "hazard_ratio is 0;": lambda: size.schoenfeld_events(0),
    "alpha is 1;": lambda: size.schoenfeld_events(0.5, alpha=1),
    "power is 0.01;": lambda: size.freedman_events(0.5, power=0.01),
    "share is 0;": lambda: size.logrank_power(100, 0.5, share=0),
    "accrual and follow_up are both 0;": lambda: size.Calendar(accrual=0, follow_up=0),
    "share is 1; no constant rate": lambda: size.constant_rate(1, 12),
    "method is 'cox';": lambda: size.logrank_size(0.1, 0.5, TRIAL, method="cox"),
    "other_rate has shape": lambda: size.logrank_size(0.1, 0.5, TRIAL, other_rate=(1, 2, 3)),
    "table is [1, 2, 3];": lambda: size.fisher_test([1, 2, 3]),
    "table is 1.5;": lambda: size.fisher_test([[1.5, 2], [3, 4]]),
    "patients is 3;": lambda: size.fisher_power(0.5, 0.1, 3),
    "largest is 50;": lambda: size.fisher_size(0.25, 0.24, largest=50),
    "incidences sum to 1;": lambda: size.cumulative_hazards([0.5, 0.5]),
    "each cause must stand in exactly one": lambda: size.mixed_hazards([1, 2], [0.1, None]),
    "they must be lists of one": lambda: size.mixed_hazards([1], [0.1, None]),
    "no finite hazard leads there": lambda: size.mixed_hazards([2.0, None], [None, 0.999]),
    "hazards sum to 800;": lambda: size.mixed_hazards([800, None], [None, 0.1]),
    "control has 2 causes": lambda: size.compare_arms([0.1, 0.1], [0.1]),
    "cause is 4;": lambda: size.compare_arms(CONTROL, CONTROL, cause=4),
    "control is 7;": lambda: size.rank_test(7, constant(0.1), TRIAL),
    "scale is 'all';": lambda: size.rank_test(constant(1), constant(1), TRIAL, scale="all"),
    "cause is TRANSPLANT;": lambda: size.rank_test(
        constant(0.1), constant(0.1), TRIAL, cause=Cause.TRANSPLANT
    ),
    "weights is": lambda: size.rank_test(constant(1), constant(1), TRIAL, weights=(1, 2, 3)),
    "months is": lambda: size.expected_events(constant(0.1), constant(0.1), TRIAL, [0, 12]),
    "month is 30;": lambda: size.difference_at(constant(0.1), constant(0.1), TRIAL, 30),
    "measure is 'median';": lambda: size.difference_at(
        constant(0.1), constant(0.1), TRIAL, 24, measure="median"
    ),
    "a restricted mean counts any event": lambda: size.difference_at(
        constant(0.1), constant(0.1), TRIAL, 24, measure="restricted mean", cause=DEATH
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_in_words(words):
    with pytest.raises(ParameterError) as caught:
        BAD[words]()
    assert words in str(caught.value)


def test_what_is_certain_needs_no_chance():
    assert size.proportions_power(1.0, 0.0, 100) == 1.0
    assert size.proportions_power(1.0, 0.0, 2) == 0.0
    nobody = Biology.from_hazards({DEATH: 0.0}, shape=Constant(), horizon=24)
    trial = size.Calendar(accrual=0, follow_up=24)
    assert size.difference_at(nobody, nobody, trial, 12).power(100) == 0.0
    with pytest.raises(ParameterError, match="incidences has shape"):
        size.cumulative_hazards(0.5)
