"""The leukaemia on the day of infusion: exact laws, means, and closed forms of what follows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from slow_twins import surviving_mass

from car_relapse.exposure import stein_typical
from car_relapse.killing import default_killing
from car_relapse.presentation import Block, expected_lines, sample_presentation


def block(losses, n=4000, *, burden=1e8, switch=0.0, defect=0.0, engagement=None) -> Block:
    states = 2 ** len(losses)
    return Block(
        birth_rate=np.full(n, 0.2),
        death_rate=np.full(n, 0.1),
        burden=np.full(n, burden),
        per_antigen=np.array(losses)[:, None] * np.ones(n),
        common_mode=np.full(n, switch),
        shared_defect=np.full(n, defect),
        killing=default_killing(),
        curve=stein_typical(),
        engagement=engagement or (1.0,) * (states - 1) + (0.0,),
    )


@pytest.mark.parametrize("lines", [0.5, 5.0, 300.0])
def test_escaped_mass_has_the_exact_law(lines):
    cells = sample_presentation(block([lines / 1e8]), np.random.default_rng(31))
    exact = surviving_mass(lines, 0.5, 4000, np.random.default_rng(32))
    assert stats.ks_2samp(cells[1], exact).pvalue > 1e-3


def test_no_loss_leaves_nobody_changed():
    cells = sample_presentation(block([0.0, 0.0]), np.random.default_rng(33))
    assert all(not cells[state].any() for state in cells if state)
    assert np.all(cells[0] == 1e8)


def test_every_state_is_reached_by_its_own_losses():
    cells = sample_presentation(
        block([1e-4, 2e-4, 0.0], switch=3e-5, defect=1e-5), np.random.default_rng(34)
    )
    # States by bit mask: antigen 3 is never lost alone.
    assert all(not cells[state].any() for state in (4, 5, 6))
    assert all(cells[state].all() for state in (1, 2, 3, 7, 8))
    # Jackpots carry means, so ratios of medians: proportional to the losses.
    assert np.median(cells[2]) / np.median(cells[1]) == pytest.approx(2, rel=0.2)
    assert np.median(cells[8]) / np.median(cells[7]) == pytest.approx(3, rel=0.4)


def test_second_losses_have_the_mean_of_the_mean_path():
    # E n_12 = u1 u2 (b/lambda)^2 ... ln^2: both orders, along lines that grow with the rest.
    u, n, burden = 1e-2, 20_000, 1e4
    people = block([u, u], n, burden=burden)
    cells = sample_presentation(people, np.random.default_rng(35))
    oldest = np.log(burden * 0.5)
    # Units of time 1/lambda; a founder's line is there only if it would survive (s = 1/2).
    one = burden * (u / 0.5) * oldest
    both = burden * (u / 0.5) ** 2 * oldest**2
    for state, mean in ((1, one), (2, one), (3, both)):
        error = 4 * cells[state].std() / np.sqrt(n)
        assert abs(cells[state].mean() - mean) < error + 0.05 * mean


def test_founders_of_two_losses_are_as_many_as_the_closed_form_says():
    people = block([3e-6, 5e-6], 20_000, burden=1e9)
    nothing = {s: np.zeros(20_000) for s in range(3)}
    lines = expected_lines(people, nothing, nothing)
    cells = sample_presentation(people, np.random.default_rng(36))
    none = np.exp(-lines.preexisting[0])
    assert 0.1 < none < 0.9
    assert abs((cells[3] == 0).mean() - none) < 4 * np.sqrt(none * (1 - none) / 20_000)


@pytest.mark.parametrize("losses", [[1e-7], [1e-5, 3e-5], [1e-4, 1e-4, 3e-4]])
def test_routes_add_up_to_the_lines_of_any_route(losses):
    people = block(losses, 2, switch=1e-9, defect=2e-9)
    rng = np.random.default_rng(37)
    values = [
        {s: np.full(2, 10.0 ** rng.uniform(-9, -7)) for s in range(people.escaped)}
        for _ in range(2)
    ]
    apart = expected_lines(people, *values)
    joint = expected_lines(
        people,
        {s: values[0][s] + values[1][s] for s in values[0]},
        {s: np.zeros(2) for s in values[0]},
    )
    total = apart.positive + apart.preexisting + apart.acquired
    assert total == pytest.approx(joint.positive + joint.preexisting + joint.acquired, rel=1e-9)
    assert np.all(apart.acquired > 0)


def test_an_and_gate_needs_no_second_loss():
    gate = block([2e-9, 3e-9], 2, engagement=(1.0, 0.0, 0.0, 0.0))
    nothing = {0: np.zeros(2)}
    lines = expected_lines(gate, nothing, nothing)
    # Partial loss is out of killing's reach: it counts as a line that still shows a target.
    assert lines.positive == pytest.approx(1e8 * 5e-9)
    assert lines.preexisting == pytest.approx(0)
    assert [s for s in gate.order if gate.killed(s)] == [0]
