"""Leaps of many types: against every event drawn, matrices of means, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm

from car_relapse.branching import constant_rate_law, time_dependent_law
from car_relapse.errors import ParameterError
from car_relapse.type_leaps import (
    Conversion,
    founding_rates,
    leap_types,
    step_days,
    step_laws,
)

BIRTH = np.array([0.5, 0.4, 0.6])
DEATH = np.array([0.3, 0.1, 0.4])
DAUGHTERS = np.array([[0.9, 0.06, 0.04], [0.0, 0.95, 0.05], [0.0, 0.0, 1.0]])


def constant(edges, death=DEATH):
    founding, clean = founding_rates(BIRTH, DAUGHTERS)
    return step_laws(
        np.asarray(edges, dtype=float),
        clean,
        lambda t: np.broadcast_to(death, (*t.shape, 3)),
        founding,
    )


def every_event(start, days, rng, runs):
    """Draw every division and death of every cell of all three types."""
    out = np.empty((runs, 3), dtype=int)
    rate = np.concatenate([BIRTH, DEATH])
    for run in range(runs):
        cells, left = np.array(start), days
        while cells.any():
            hazard = np.concatenate([cells, cells]) * rate
            left -= rng.standard_exponential() / hazard.sum()
            if left < 0:
                break
            event = rng.choice(6, p=hazard / hazard.sum())
            if event < 3:
                cells[rng.choice(3, p=DAUGHTERS[event])] += 1
            else:
                cells[event - 3] -= 1
        out[run] = cells
    return out


def test_leaps_of_three_types_agree_with_every_event_drawn():
    rng = np.random.default_rng(31)
    wanted = every_event([5, 1, 0], 4.0, rng, 3000)
    laws = constant([0.0, 2.0, 4.0])
    cells = np.repeat([[5], [1], [0]], 20_000, axis=1)
    for step in range(2):
        cells = leap_types(laws, step, cells, rng)
    for kind in range(3):
        assert stats.ks_2samp(wanted[:, kind], cells[kind]).pvalue > 1e-3
    assert stats.ks_2samp(wanted.sum(axis=1), cells.sum(axis=0)).pvalue > 1e-3
    joint = [((x[0] > 2) & (x[2] > 0)).mean() for x in (wanted.T, cells)]
    assert abs(joint[0] - joint[1]) < 4 * np.sqrt(0.25 / 3000)


def test_the_means_of_all_types_are_those_of_the_matrix_of_rates_in_one_long_step():
    founding, clean = founding_rates(BIRTH, DAUGHTERS)
    start, days, runs = np.array([10_000, 0, 0]), 3.0, 400
    wanted = start @ expm((founding + np.diag(clean - DEATH)) * days)
    cells = leap_types(constant([0.0, days]), 0, np.repeat(start[:, None], runs, axis=1),
                       np.random.default_rng(32))  # fmt: skip
    error = cells.std(axis=1) / np.sqrt(runs)
    assert np.all(np.abs(cells.mean(axis=1) - wanted) < 4 * error)
    assert np.all(error < 0.02 * wanted)


def test_the_laws_of_a_step_are_those_of_its_rates():
    def death(t):
        return np.stack([0.1 + np.exp(-t), 0.2 + 0 * t, 0.1 * t], axis=-1)

    laws = step_laws(np.array([0.0, 0.7, 1.5]), BIRTH, death, np.zeros((3, 3)))
    for step, (left, right) in enumerate([(0.0, 0.7), (0.7, 1.5)]):
        for kind in range(3):
            for node, first in enumerate([left, *laws.node[step]]):
                law = time_dependent_law(
                    lambda _, k=kind: BIRTH[k],
                    lambda t, k=kind: float(death(np.asarray(t))[k]),
                    first,
                    right,
                )
                here = laws.whole if node == 0 else laws.late
                got = here.of((step, kind) if node == 0 else (step, node - 1, kind)).law
                assert float(got.log_growth) == pytest.approx(float(law.log_growth), abs=1e-10)
                assert float(got.log_hazard) == pytest.approx(float(law.log_hazard), abs=1e-10)


def test_types_that_found_nothing_leap_like_single_lines():
    laws = step_laws(
        np.array([0.0, 3.0]),
        BIRTH,
        lambda t: np.broadcast_to(DEATH, (*t.shape, 3)),
        np.zeros((3, 3)),
    )
    cells = leap_types(laws, 0, np.full((3, 20_000), 2), np.random.default_rng(33))
    for kind in range(3):
        dead = float(constant_rate_law(BIRTH[kind], DEATH[kind], 3.0).extinct) ** 2
        seen = (cells[kind] == 0).mean()
        assert abs(seen - dead) < 4 * np.sqrt(dead * (1 - dead) / 20_000)


def test_founders_from_outside_arrive_as_often_as_expected():
    laws = constant([0.0, 1.0])
    source = np.full((3, 3, 4000), 0.2)
    cells = leap_types(laws, 0, np.zeros((3, 4000), dtype=np.int64), np.random.default_rng(34),
                       source=source)  # fmt: skip
    growth = np.exp((BIRTH * np.diag(DAUGHTERS) - DEATH)[0] * (1.0 - laws.node[0])).sum()
    error = cells[0].std() / np.sqrt(4000)
    assert abs(cells[0].mean() - 0.2 * growth) < 4 * error


def test_no_cells_stay_none():
    laws = constant([0.0, 1.0])
    none = np.zeros((3, 5), dtype=np.int64)
    assert not leap_types(laws, 0, none, np.random.default_rng(1)).any()


def test_conversion_keeps_the_cells_and_follows_the_matrix_of_rates():
    hazard = np.array([[0.0, 0.5, 0.0], [0.2, 0.0, 0.3], [0.0, 0.0, 0.0]])
    change = Conversion.of(hazard)
    cells = np.repeat([[1000], [500], [7]], 2000, axis=1)
    after = change(cells, np.random.default_rng(35))
    assert np.all(after.sum(axis=0) == 1507)
    wanted = np.array([1000, 500, 7]) @ expm(hazard - np.diag(hazard.sum(axis=1)))
    assert after.mean(axis=1) == pytest.approx(wanted, rel=5e-3)
    none = np.zeros((3, 2), dtype=np.int64)
    assert not change(none, np.random.default_rng(1)).any()


def test_steps_end_on_days_and_kinks_and_are_short_where_rates_are_high():
    edges, where = step_days(
        np.array([0.0, 10.0, 12.0]), (5.0, 99.0), lambda t: np.where(t < 5, 2.0, 0.1), 1.0
    )
    assert edges[where].tolist() == [0.0, 10.0, 12.0]
    assert 5.0 in edges
    assert np.diff(edges[edges <= 5.0]).max() == pytest.approx(0.5)
    assert np.diff(edges[edges >= 5.0]).tolist() == [5.0, 2.0]


def test_more_steps_than_can_be_waited_for_are_refused():
    with pytest.raises(ParameterError, match=r"1000 per day; 3.65e\+07 steps.*lower the rates"):
        step_days(np.array([0.0, 36500.0]), (), lambda t: np.full(t.shape, 1e3), 1.0)


def test_a_population_that_overflows_is_refused():
    laws = constant([0.0, 60.0], death=np.zeros(3))
    with pytest.raises(ParameterError, match=r"counts above 1e\+18 overflow"):
        leap_types(laws, 0, np.full((3, 1), 10**15), np.random.default_rng(1))
