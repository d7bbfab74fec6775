"""Killing laws of one patient and of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.errors import ParameterError
from car_relapse.killing import Killing, LinearKilling

LAWS = st.one_of(
    st.builds(Killing, maximal_rate=st.floats(0.01, 10.0), half_level=st.floats(1.0, 1e6)),
    st.builds(LinearKilling, rate_per_level=st.floats(1e-6, 10.0)),
)


@given(LAWS, st.floats(1e-3, 1e3))
def test_the_level_for_a_rate_inverts_the_rate_of_a_level(law, level):
    assert float(law.level_for(law.rate(level))) == pytest.approx(level, rel=1e-6)


@given(LAWS, st.floats(1e-2, 1e3))
def test_elasticity_is_the_slope_of_the_log_rate_in_the_log_level(law, level):
    step = 1e-4
    slope = np.log(law.rate(level * np.exp(step)) / law.rate(level * np.exp(-step))) / (2 * step)
    assert float(law.elasticity(law.rate(level))) == pytest.approx(float(slope), rel=1e-5)


@given(LAWS, st.floats(0.1, 10.0))
def test_a_scaled_law_kills_in_proportion_at_every_level(law, factor):
    levels = np.geomspace(0.1, 1e6, 7)
    assert law.scaled(factor).rate(levels) == pytest.approx(factor * law.rate(levels))


def test_array_fields_give_the_laws_of_their_elements():
    rates, halves, level = np.array([0.5, 2.0]), np.array([10.0, 20.0]), np.array([[5.0], [50.0]])
    many = Killing(maximal_rate=rates, half_level=halves)
    linear = LinearKilling(rate_per_level=rates)
    for i in range(2):
        one = Killing(maximal_rate=float(rates[i]), half_level=float(halves[i]))
        assert many.rate(level)[:, i].tolist() == one.rate(level[:, 0]).tolist()
        assert many.level_for(1.0)[i] == one.level_for(1.0)
        assert linear.rate(level)[:, i].tolist() == (level[:, 0] * rates[i]).tolist()
    assert many.level_for(1.0)[0] == np.inf
    assert np.isfinite(many.level_for(1.0)[1])


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: LinearKilling(rate_per_level=0), "rate_per_level is 0", "give a rate"),
        (lambda: LinearKilling(rate_per_level=[1, -1]), "is -1 .element 1", "give a rate"),
        (lambda: LinearKilling(rate_per_level=1).rate(-1), "level is -1", "give a level"),
        (lambda: LinearKilling(rate_per_level=1).level_for(-1), "rate is -1", "killing rate"),
        (lambda: LinearKilling(rate_per_level=1).scaled(0), "factor is 0", "give a factor"),
        (lambda: Killing(maximal_rate=[1, 0], half_level=1), "rate is 0 .element 1", "ledger"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
