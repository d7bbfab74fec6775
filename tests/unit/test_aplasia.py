"""B cells are back on the last day on which killing holds them below a share of their number."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse.aplasia import b_cell_return, killing_at_return
from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_population, stein_typical
from car_relapse.killing import Killing, default_killing
from car_relapse.parameters import default


@pytest.mark.parametrize("share", [0.05, 0.25, 0.9])
def test_at_the_killing_of_return_the_steady_number_is_the_share(share):
    killing, life = killing_at_return(share), default("feedback.b_cell_lifetime")
    assert 1.0 / (1.0 + killing * life) == pytest.approx(share)


def test_b_cells_follow_killing_and_are_back_when_it_has_fallen():
    """A slow day-by-day course of B cells crosses the share within their relaxation time."""
    curve, killing = stein_typical(), default_killing()
    life, share = default("feedback.b_cell_lifetime"), default("feedback.b_cells_back")
    day = float(b_cell_return(curve, killing))
    step, cells, crossed = 0.05, 1.0, 0.0
    for now in np.arange(0.0, 1000.0, step):
        before = cells
        cells += step * ((1.0 - cells) / life - float(killing.rate(curve.level(now))) * cells)
        if before < share <= cells:
            crossed = now
    assert day < crossed < day + life


def test_many_curves_have_a_day_each_and_a_larger_share_comes_later():
    curves = stein_population().sample(20, np.random.default_rng(1))
    quarter, half = (b_cell_return(curves, default_killing(), share=s) for s in (0.25, 0.5))
    assert quarter.shape == (20,)
    assert (half >= quarter).all()


def test_the_ledger_gives_the_share():
    assert killing_at_return() == killing_at_return(default("feedback.b_cells_back"))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0])
def test_shares_at_which_b_cells_are_never_or_always_back_are_refused(share):
    with pytest.raises(ParameterError, match="share"):
        killing_at_return(share)


def test_killing_too_weak_for_aplasia_is_refused():
    weak = Killing(maximal_rate=0.01, half_level=1000.0)
    with pytest.raises(ParameterError, match="too little"):
        b_cell_return(stein_typical(), weak)
