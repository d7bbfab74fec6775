"""The backward equations against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_relapse.branching import constant_rate_law
from car_relapse.line_rates import LineRates
from car_relapse.lines import settled, solve_lines

few = settings(max_examples=25, deadline=None, derandomize=True)


def one_type(birth, death, days, panels=12):
    return LineRates(
        width=np.full((panels, 1), days / panels), birth=np.full((1, 1), birth),
        removal=np.full((1, 1, 1, 1), death), daughters=np.ones((1, 1, 1)), switching=None,
        block=np.zeros(1, dtype=int),
    )  # fmt: skip


@few
@given(st.floats(0.05, 1.0), st.floats(0.0, 2.0), st.floats(0.1, 15.0), st.floats(1e-200, 1.0))
def test_one_type_at_constant_rates_is_kendalls_law(birth, death, days, start):
    law = constant_rate_law(birth, death, days)
    beta, alive = float(law.geometric_parameter), float(np.exp(law.log_alive))
    # At least one of the cells at the end, each with chance `start`, is counted.
    wanted = alive * start / (1 - beta * (1 - start))
    got = solve_lines(one_type(birth, death, days), np.full((1, 1, 1), start)).at_end
    assert got[0, 0, 0] == pytest.approx(wanted, rel=1e-9)


@few
@given(st.floats(0.2, 1.0), st.floats(0.0, 0.19), st.floats(0.0, 0.5))
def test_what_is_settled_stays_as_it_is(birth, death, loss):
    daughters = np.array([[1 - loss, loss], [0.0, 1.0]])[:, :, None]
    kinds, block = np.array([0, 2]), np.arange(2)
    b, d = np.full((2, 1), birth), np.full((2, 1), death)
    y = settled(b, d, daughters, None, kinds, block)
    assert y.sum(axis=0) == pytest.approx(np.full((2, 1), 1 - death / birth), rel=1e-9)
    rates = LineRates(
        width=np.full((5, 1), 0.7), birth=b, removal=d[:, None, :, None], daughters=daughters,
        switching=None, block=block,
    )  # fmt: skip
    solution = solve_lines(rates, y)
    assert solution.at_end == pytest.approx(y, rel=1e-9, abs=1e-15)
    assert solution.at_nodes == pytest.approx(
        np.broadcast_to(y[:, :, None, :, None], solution.at_nodes.shape), rel=1e-9, abs=1e-15
    )


@few
@given(st.floats(0.3, 1.0), st.floats(0.0, 0.2), st.floats(1e-6, 10.0), st.floats(1e-6, 10.0))
def test_types_alike_that_switch_are_one_type(birth, death, off, on):
    flow = np.array([[0.0, off], [on, 0.0]])
    block, kinds = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    b, d = np.full((2, 1), birth), np.full((2, 1), death)
    m = np.eye(2)[:, :, None]
    y = settled(b, d, m, flow[:, :, None], kinds, block)
    assert y == pytest.approx(np.full((1, 2, 1), 1 - death / birth), rel=1e-10)
    rates = LineRates(
        width=np.full((6, 1), 0.5), birth=b, removal=d[:, None, :, None] + 0.9, daughters=m,
        switching=flow[:, :, None, None, None], block=block,
    )  # fmt: skip
    single = solve_lines(one_type(birth, death + 0.9, 3.0), np.full((1, 1, 1), 0.3)).at_end
    both = solve_lines(rates, np.full((1, 2, 1), 0.3)).at_end
    assert both == pytest.approx(np.full((1, 2, 1), single[0, 0, 0]), rel=1e-8)


def test_a_line_that_cannot_persist_settles_at_nothing():
    b, d = np.full((2, 1), 0.1), np.full((2, 1), 0.2)
    flow = np.array([[0.0, 0.3], [0.1, 0.0]])[:, :, None]
    for switching, block in ((None, np.arange(2)), (flow, np.zeros(2, dtype=int))):
        kinds = block * 2
        y = settled(b, d, np.eye(2)[:, :, None], switching, kinds, block)
        assert np.all(y == 0)
