"""Boundaries keep their level, whatever the looks; power, futility and inference follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from car_relapse.errors import ParameterError
from car_relapse.trial import sequential as gs


@st.composite
def looks(draw, largest=5):
    steps = draw(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=largest))
    times = np.cumsum(steps) / np.sum(steps)
    return (*times[:-1].tolist(), 1.0)


def stay_below(bounds, times, drift):
    """Return the probability that no Z passes its bound, from the joint normal law of all looks."""
    t = np.asarray(times)
    corr = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    law = multivariate_normal(drift * np.sqrt(t), corr)
    return float(law.cdf(bounds))


def test_every_offered_name_is_there():
    assert all(hasattr(gs, name) for name in gs.__all__)


@settings(max_examples=15)
@given(looks(), st.floats(0.001, 0.2), st.floats(0.0, 0.5))
def test_boundaries_spend_their_level(times, alpha, delta):
    for design in (gs.wang_tsiatis(times, delta, alpha=alpha), gs.lan_demets(times, alpha=alpha)):
        assert design.alpha == pytest.approx(alpha, rel=1e-8)


@settings(max_examples=10)
@given(looks(3), st.floats(-1.0, 4.0))
def test_stops_are_those_of_the_joint_law(times, drift):
    """The integral from look to look is that over all looks at once."""
    design = gs.pocock(times)
    expected = 1.0 - stay_below(design.efficacy, times, drift)
    assert design.stops(drift).power == pytest.approx(expected, abs=2e-5)


@settings(max_examples=15)
@given(looks(), st.floats(-3.0, 6.0))
def test_every_trial_ends_somewhere(times, drift):
    design = gs.with_futility(gs.obrien_fleming(times), [-0.5] * (len(times) - 1))
    found = design.stops(drift)
    assert found.efficacy.sum() + found.futility.sum() == pytest.approx(1.0, abs=1e-12)
    assert 0.0 < found.expected_information <= 1.0 + 1e-12


def test_one_look_is_a_fixed_trial():
    for design in (gs.pocock(1), gs.obrien_fleming([1.0]), gs.lan_demets(1)):
        assert design.efficacy[0] == pytest.approx(-ndtri(0.025))
        assert design.drift(0.8) == pytest.approx(ndtri(0.975) + ndtri(0.8))
        assert design.inflation(0.9) == pytest.approx(1.0)
        assert gs.with_beta_spending(design).futility.size == 0


def test_the_families_have_their_forms():
    times = np.array([0.2, 0.5, 1.0])
    obf, flat = gs.obrien_fleming(times), gs.pocock(times)
    assert obf.efficacy * np.sqrt(times) == pytest.approx(obf.efficacy[-1])
    assert flat.efficacy == pytest.approx(flat.efficacy[0])
    assert obf.efficacy[0] > flat.efficacy[0]
    assert obf.efficacy[-1] < flat.efficacy[-1]
    # Stopping early more often asks for a larger trial at most, and a smaller one on average.
    drift = flat.drift(0.9)
    assert flat.inflation(0.9) > obf.inflation(0.9) > 1.0
    assert flat.stops(drift).expected_information < 0.75


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_a_spending_function_does_not_need_the_later_looks(spending):
    early = gs.lan_demets((0.3, 0.7), spending=spending)
    whole = gs.lan_demets((0.3, 0.7, 0.9, 1.0), spending=spending)
    assert early.efficacy == pytest.approx(whole.efficacy[:2], rel=1e-12)
    assert [row["alpha_spent"] for row in whole.records()][-1] == pytest.approx(0.025)


def test_many_looks_and_close_ones_are_no_trouble():
    """The more looks, the nearer the last bound to that of looking all the time, 2 P(B > c)."""
    last = [float(gs.obrien_fleming(k).efficacy[-1]) for k in (2, 10, 25)]
    assert last == sorted(last)
    assert 2.1 < last[-1] < -float(ndtri(0.025 / 2))
    steep = gs.lan_demets((0.001, 0.002, 0.5, 1.0))
    assert steep.alpha == pytest.approx(0.025, rel=1e-8)
    assert math.isinf(steep.efficacy[0])


def test_the_level_is_kept_by_walks():
    """200,000 random walks without an effect."""
    rng = np.random.default_rng(8)
    times = np.array([0.25, 0.6, 1.0])
    steps = rng.normal(size=(200_000, 3)) * np.sqrt(np.diff(times, prepend=0.0))
    z = steps.cumsum(axis=1) / np.sqrt(times)
    design = gs.lan_demets(times, spending="pocock")
    first = np.argmax(z >= design.efficacy, axis=1)
    crossed = (z >= design.efficacy).any(axis=1)
    found = np.bincount(first[crossed], minlength=3) / len(z)
    expected = design.stops(0.0).efficacy
    assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected / len(z)))


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_futility_bounds_spend_the_type_two_error(spending, power):
    plain = gs.lan_demets((0.3, 0.6, 1.0))
    design = gs.with_beta_spending(plain, power=power, spending=spending)
    drift = design.drift(power)
    lost = design.stops(drift).futility.cumsum()
    shares = (
        2 * ndtr(ndtri((1 - power) / 2) / np.sqrt(plain.information))
        if spending == "obrien-fleming"
        else (1 - power) * np.log1p((math.e - 1) * np.asarray(plain.information))
    )
    assert lost == pytest.approx(shares, rel=1e-7)
    assert design.alpha == pytest.approx(0.025)  # the futility bounds do not bind
    assert design.stops(0.0).power < 0.025
    assert design.inflation(power) > plain.inflation(power)
    assert design.stops(0.0).expected_information < plain.stops(0.0).expected_information


def test_an_estimate_after_an_early_stop_is_drawn_back():
    design = gs.pocock(3)
    late = gs.after_stop(design, 3, 2.5)
    assert late.drift < 2.5  # the trial might have stopped earlier
    first = gs.after_stop(design, 1, 3.0)
    assert first.p_value == pytest.approx(1 - ndtr(3.0))
    assert first.drift == pytest.approx(3.0 / math.sqrt(1 / 3), rel=1e-6)
    for found in (late, first):
        assert found.low < found.drift < found.high


def test_what_is_on_a_bound_has_the_level_spent_so_far():
    design = gs.obrien_fleming((0.4, 0.7, 1.0))
    spent = [row["alpha_spent"] for row in design.records()]
    for look in (1, 2, 3):
        found = gs.after_stop(design, look, float(design.efficacy[look - 1]))
        assert found.p_value == pytest.approx(spent[look - 1], rel=1e-7)
    # At the last look, a limit that excludes no effect is a success.
    assert gs.after_stop(design, 3, float(design.efficacy[2])).low == pytest.approx(0.0, abs=1e-6)


def test_intervals_cover_and_estimates_are_in_the_middle():
    rng = np.random.default_rng(2)
    design, drift, trials = gs.pocock(2), 2.5, 250
    times = np.array(design.information)
    high = covered = 0
    for _ in range(trials):
        steps = rng.normal(size=2) * np.sqrt(np.diff(times, prepend=0.0))
        z = (steps + drift * np.diff(times, prepend=0.0)).cumsum() / np.sqrt(times)
        look = 1 if z[0] >= design.efficacy[0] else 2
        found = gs.after_stop(design, look, float(z[look - 1]), level=0.8)
        high += found.drift > drift
        covered += found.low <= drift <= found.high
    assert abs(high / trials - 0.5) < 4 * math.sqrt(0.25 / trials)
    assert abs(covered / trials - 0.8) < 4 * math.sqrt(0.16 / trials)


def test_conditional_power_averages_to_power():
    """Over what may be seen at the first look, the chance of success is that of the trial."""
    design = gs.obrien_fleming((0.5, 0.8, 1.0))
    drift, t = design.drift(0.8), 0.5
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = nodes + drift * math.sqrt(t)
    success = [
        1.0 if x >= design.efficacy[0] else gs.conditional_power(design, 1, float(x), drift=drift)
        for x in z
    ]
    # The jump at the bound costs the rule some digits.
    assert np.average(success, weights=weights) == pytest.approx(0.8, abs=0.01)


def test_conditional_power_of_one_more_look_is_a_formula():
    design, z = gs.obrien_fleming(2), 1.2
    trend = z / math.sqrt(0.5)
    need = (design.efficacy[1] - z * math.sqrt(0.5) - 0.5 * trend) / math.sqrt(0.5)
    assert gs.conditional_power(design, 1, z) == pytest.approx(1 - ndtr(need))


BAD = {
    "looks is 0;": lambda: gs.pocock(0),
    "looks has shape": lambda: gs.pocock([[0.5, 1.0]]),
    "looks ends at 0.9;": lambda: gs.obrien_fleming((0.5, 0.9)),
    "looks is [0.5, 0.5, 1.0];": lambda: gs.lan_demets((0.5, 0.5, 1.0)),
    "delta is 0.7;": lambda: gs.wang_tsiatis(3, 0.7),
    "alpha is 0.9;": lambda: gs.pocock(3, alpha=0.9),
    "spending is 'linear';": lambda: gs.lan_demets(3, spending="linear"),
    "information is 3;": lambda: gs.spent_boundaries(3, [0.01, 0.02, 0.025]),
    "spent is [0.02, 0.01];": lambda: gs.spent_boundaries((0.5, 1), [0.02, 0.01]),
    "drift is 1e+06;": lambda: gs.pocock(2).stops(1e6),
    "power is 0.01;": lambda: gs.pocock(2).drift(0.01),
    "bounds has shape": lambda: gs.with_futility(gs.pocock(3), [0.0]),
    "bounds is [2.5];": lambda: gs.with_futility(gs.pocock(2), [2.5]),
    "boundaries end at the fraction 0.5;": lambda: gs.with_beta_spending(gs.lan_demets([0.5])),
    "boundaries is 7;": lambda: gs.after_stop(7, 1, 2.0),
    "look is 3;": lambda: gs.after_stop(gs.pocock(2), 3, 2.0),
    "z is 50;": lambda: gs.after_stop(gs.pocock(2), 1, 50.0),
    "level is 1;": lambda: gs.after_stop(gs.pocock(2), 1, 2.0, level=1),
    "look is 2; after the last": lambda: gs.conditional_power(gs.pocock(2), 2, 1.0),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_in_words(words):
    with pytest.raises(ParameterError) as caught:
        BAD[words]()
    assert words in str(caught.value)


def test_a_look_too_early_for_a_drift_asks_for_a_larger_one():
    """A first look that stops most trials leaves power to a very large drift only."""
    strict = gs.with_futility(gs.pocock((0.002, 1.0)), [2.0])
    drift = strict.drift(0.99)
    assert drift > 8
    assert strict.stops(drift).power == pytest.approx(0.99)


def test_a_poor_result_late_has_a_low_estimate():
    found = gs.after_stop(gs.pocock((0.01, 1.0)), 2, -25.0)
    assert found.drift == pytest.approx(-25.0, abs=0.5)
    assert found.p_value > 0.99
    with pytest.raises(ParameterError, match="drift is 1e"):
        gs.conditional_power(gs.pocock(2), 1, 1.0, drift=1e9)
