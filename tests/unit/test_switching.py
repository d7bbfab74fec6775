"""Reversible switching: the two closed forms against the matrix they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.errors import ParameterError
from car_relapse.switching import dominant_growth_rate, low_fraction

nets = st.floats(-2.0, 1.0)
switches = st.floats(0.0, 1.0)


def matrix(high, low, off, on):
    return np.array([[high - off, on], [off, low - on]])


@given(nets, nets, switches, switches)
def test_the_growth_rate_is_the_larger_eigenvalue(high, low, off, on):
    wanted = np.linalg.eigvals(matrix(high, low, off, on)).real.max()
    assert float(dominant_growth_rate(high, low, off, on)) == pytest.approx(wanted, abs=1e-7)


@given(nets, st.floats(1e-6, 1.0), st.floats(1e-6, 1.0))
def test_equal_states_grow_at_their_own_rate_in_the_equilibrium_mix(net, off, on):
    assert float(dominant_growth_rate(net, net, off, on)) == pytest.approx(net, abs=1e-12)
    low = float(low_fraction(off, on))
    mix = np.array([1 - low, low])
    assert matrix(net, net, off, on) @ mix == pytest.approx(net * mix, abs=1e-12)


def test_without_switching_the_faster_state_wins():
    assert dominant_growth_rate([-0.9, 0.3, 0.1], 0.1, 0.0, 0.0) == pytest.approx([0.1, 0.3, 0.1])


def test_a_tiny_gain_from_switching_is_not_lost():
    gain = float(dominant_growth_rate(0.0, -1.0, 1e-10, 1e-10)) + 1e-10
    assert gain == pytest.approx(1e-20, rel=1e-3, abs=1e-26)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: low_fraction(0.0, 0.0), r"both 0; without .*; give at least one"),
        (lambda: low_fraction(-1.0, 1.0), r"switch_off is -1; .*>= 0; give a rate"),
        (lambda: low_fraction(1.0, -1.0), r"switch_on is -1; .*>= 0; give a rate"),
        (lambda: dominant_growth_rate(np.nan, 0, 0, 0), r"high_rate is nan; .*; give a rate"),
        (lambda: dominant_growth_rate(0, np.inf, 0, 0), r"low_rate is inf; .*; give a rate"),
        (lambda: dominant_growth_rate(0, 0, -1, 0), r"switch_off is -1; .*>= 0; give"),
        (lambda: dominant_growth_rate(0, 0, 0, -1), r"switch_on is -1; .*>= 0; give"),
    ],
)
def test_bad_rates_are_refused(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
