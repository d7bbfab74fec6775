"""Composite Gauss–Legendre panels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.quadrature import panels

EDGES = np.array([[0.0, 1.0], [0.5, 1.0], [2.0, 4.0], [3.5, 4.5]])  # two patients, axis 1


@given(st.integers(0, 15))
def test_polynomials_up_to_degree_fifteen_are_integrated_exactly(degree):
    rule = panels(EDGES)
    got = rule.integral_to_edges(rule.node**degree)
    wanted = np.diff(EDGES ** (degree + 1), axis=0) / (degree + 1)
    assert got == pytest.approx(wanted, rel=1e-12)
    assert (rule.weights() * rule.node**degree).sum(axis=(0, 1)) == pytest.approx(
        wanted.sum(axis=0), rel=1e-12
    )


@given(st.integers(0, 7))
def test_running_integrals_of_polynomials_are_exact_at_every_node(degree):
    rule = panels(EDGES)
    values = rule.node**degree
    power = degree + 1
    assert rule.running(values) == pytest.approx(
        (rule.node**power - EDGES[0] ** power) / power, rel=1e-11, abs=1e-12
    )
    assert rule.remaining(values) == pytest.approx(
        (EDGES[-1] ** power - rule.node**power) / power, rel=1e-11
    )


def test_what_is_done_and_what_remains_add_up_to_the_whole():
    rule = panels(EDGES)
    values = np.exp(-rule.node) * np.sin(rule.node)
    whole = rule.integral_to_edges(values).sum(axis=0)
    assert rule.running(values) + rule.remaining(values) == pytest.approx(
        np.broadcast_to(whole, rule.node.shape), rel=1e-12
    )


def test_the_remainder_keeps_its_digits_where_almost_nothing_remains():
    rule = panels(np.linspace(0.0, 60.0, 61))
    left = rule.remaining(np.exp(-rule.node))
    wanted = np.exp(-rule.node) * -np.expm1(-(60.0 - rule.node))
    assert left == pytest.approx(wanted, rel=1e-8, abs=0)


def test_an_empty_panel_carries_no_weight():
    rule = panels(EDGES)
    assert np.all(rule.weights()[0, :, 1] == 0)
    assert rule.integral_to_edges(np.ones_like(rule.node))[0, 1] == 0
