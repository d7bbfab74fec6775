"""The life of a line under therapy: against closed forms and finer rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from curves import Plateau, one_of
from slow_twins import kendall_integral

from car_relapse.exposure import stein_population
from car_relapse.history import line_history, line_panels
from car_relapse.killing import Killing, LinearKilling, default_killing
from car_relapse.patient import Leukaemia, typical_leukaemia

LEUKAEMIA = typical_leukaemia()
CURVES = stein_population().sample(400, np.random.default_rng(41))


@dataclass(frozen=True)
class Plain:
    birth_rate: float
    death_rate: float


def test_survival_is_that_of_kendalls_integral():
    few = stein_population().sample(2, np.random.default_rng(42))
    killing = Killing(maximal_rate=0.6, half_level=3000.0)
    history = line_history(LEUKAEMIA, 1e-6, killing, few, refine=1)
    birth = LEUKAEMIA.birth_rate * (1 - 1e-6)
    for i in range(2):
        curve = one_of(few, i)
        integral = kendall_integral(
            birth,
            lambda t, c=curve: LEUKAEMIA.death_rate + float(killing.rate(c.level(t))),
            float(history.rule.node[-1, -1, i]),
            curve.kinks,
        )
        assert float(np.exp(-history.log_r[i]) * (1 + integral)) == pytest.approx(1, rel=1e-4)


def test_constant_killing_has_its_closed_form():
    # On a plateau of T days: R = 1 + (d + k)(e^(cT) - 1)/c + d e^(cT)/net, with c = d + k - b.
    b, d, k, days = 0.3, 0.1, 0.9, 12.0
    curve = Plateau(days, 3)
    history = line_history(Plain(b, d), 0.0, LinearKilling(rate_per_level=k), curve)
    c = d + k - b
    # The plateau ends within k/60 of a day's worth of killing.
    end = c * days + k / 60
    wanted = 1 + (d + k) * np.expm1(c * days) / c + d * np.exp(end) / (b - d)
    assert np.exp(history.log_r) == pytest.approx(wanted, rel=2e-2)
    day = history.rule.node
    inside = day < days
    assert history.rho[inside] == pytest.approx((c * day)[inside], rel=1e-9)


@pytest.mark.parametrize("killing", [default_killing(), LinearKilling(rate_per_level=1e-3)])
def test_the_coarse_rule_of_cohorts_is_close_to_a_fine_one(killing):
    coarse, fine = (
        line_history(LEUKAEMIA, 1e-9, killing, CURVES, refine=parts) for parts in (1, 16)
    )
    error = np.abs(np.expm1(coarse.log_r - fine.log_r))[fine.log_r < 60]
    assert np.median(error) < 1e-6
    assert np.quantile(error, 0.95) < 5e-4
    founded = [(np.exp(h.log_cleared) * h.rule.weights()).sum(axis=(0, 1)) for h in (coarse, fine)]
    error = np.abs(founded[0] / founded[1] - 1)
    assert np.median(error) < 1e-6
    assert np.quantile(error, 0.95) < 5e-4


def test_cleared_lines_start_at_one_cell_and_end_extinct():
    history = line_history(LEUKAEMIA, 1e-12, default_killing(), CURVES)
    assert np.exp(history.log_cleared[0, 0]) == pytest.approx(np.ones(400), rel=0.05)
    assert np.all(history.log_cleared[-1, -1] < -20)
    assert np.all(history.log_r > 0)
    assert history.kill.shape == history.rho.shape == history.rule.node.shape


def test_in_the_end_a_line_survives_as_if_untreated():
    history = line_history(LEUKAEMIA, 0.0, default_killing(), CURVES)
    assert np.all((history.doomed >= 0) & (history.doomed <= 1))
    dead = LEUKAEMIA.death_rate / LEUKAEMIA.birth_rate
    gone = history.kill[-1, -1] < 1e-6
    assert gone.any()
    assert history.doomed[-1, -1][gone] == pytest.approx(dead, rel=1e-4)


@pytest.mark.parametrize("rate", [1e-3, 0.064, 0.066, 0.5, 50.0])
def test_panels_increase_and_follow_lines_until_they_have_regrown(rate):
    killing = Killing(maximal_rate=rate, half_level=50.0)
    edges = line_panels(LEUKAEMIA, killing, CURVES)
    assert np.all(np.diff(edges, axis=0) >= 0)
    assert np.all(edges[0] == 0)
    assert np.all((edges == CURVES.peak_day).any(axis=0))
    history = line_history(LEUKAEMIA, 0.0, killing, CURVES, refine=1)
    # The last node lies before the last edge, so some of the e^40 is not made up there yet.
    assert np.all(history.rho.max(axis=(0, 1)) - history.rho[-1, -1] > 30)


def test_less_engagement_is_less_killing():
    full = line_history(LEUKAEMIA, 0.0, default_killing(), CURVES)
    half = line_history(LEUKAEMIA, 0.0, default_killing().scaled(0.5), CURVES)
    dim = line_history(LEUKAEMIA, 0.0, default_killing(), CURVES, engagement=0.5, rule=half.rule)
    assert dim.log_r == pytest.approx(half.log_r, rel=1e-12)
    assert np.all(dim.log_r < full.log_r)


def test_a_leukaemia_that_never_dies_by_itself_is_followed_too():
    fast = Leukaemia(birth_rate=0.3, death_rate=0.0, burden=1e9)
    history = line_history(fast, 0.0, default_killing(), CURVES, refine=1)
    assert np.isfinite(history.log_r).all()
    assert np.isfinite(history.log_s).all()
