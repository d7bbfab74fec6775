"""Gauss rules and the order in which types are solved."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse.line_rates import LineRates, departures, gauss_rule, mixed, solving_order, switches


@pytest.mark.parametrize("order", [4, 8, 16])
def test_the_rule_integrates_polynomials_exactly_to_every_node(order):
    nodes, weights, running = gauss_rule(order)
    for power in range(order):
        assert running @ nodes**power == pytest.approx(
            nodes ** (power + 1) / (power + 1), abs=1e-14
        )
    for power in range(2 * order):
        assert weights @ nodes**power == pytest.approx(1 / (power + 1), rel=1e-12)


def rates(daughters, switching=None, block=None):
    n = len(daughters)
    return LineRates(
        width=np.ones((1, 1)), birth=np.ones((n, 1)), removal=np.ones((n, 1, 1, 1)),
        daughters=np.asarray(daughters, dtype=float)[:, :, None],
        switching=None if switching is None else np.asarray(switching)[:, :, None, None, None],
        block=np.arange(n) if block is None else np.asarray(block),
    )  # fmt: skip


def test_types_are_solved_after_all_that_they_lead_to():
    chain = np.eye(4) + np.diag([0.1] * 3, 1)
    assert solving_order(rates(chain)) == ((3,), (2,), (1,), (0,))
    lattice = np.eye(4) + 0.1 * np.array([[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4])
    assert solving_order(rates(lattice)) == ((3,), (1, 2), (0,))


def test_types_that_switch_into_each_other_are_solved_together():
    flow = np.zeros((3, 3))
    flow[0, 1] = flow[1, 0] = flow[1, 2] = 0.5
    both = rates(np.eye(3), flow, [0, 0, 1])
    assert solving_order(both) == ((2,), (0, 1))
    assert switches(both.switching, 3).tolist() == (flow > 0).tolist()
    y = np.arange(1.0, 4.0)[:, None, None, None] * np.ones((3, 1, 1, 2))
    leaving, brought = departures(both.switching, flow > 0, [0, 1], both.block, y)
    assert leaving.reshape(-1).tolist() == [0.0, 0.5]
    assert brought[:, 0, 0, 0].tolist() == [0.0, 1.5]
    assert departures(None, flow > 9, [0, 1], both.block, y) == (0.0, 0.0)


def test_mixing_is_a_matrix_product_for_each_problem():
    rng = np.random.default_rng(1)
    many = rng.random((3, 4, 2))
    values = rng.random((4, 5, 2, 6))
    wanted = np.stack([np.tensordot(many[..., b], values[:, :, b], 1) for b in range(2)], axis=2)
    assert mixed(many, values) == pytest.approx(wanted)
    one = many[..., :1]
    assert mixed(one, values) == pytest.approx(np.tensordot(one[..., 0], values, 1))
    assert mixed(np.zeros((3, 4, 1)), values).tolist() == np.zeros((3, 5, 2, 6)).tolist()
