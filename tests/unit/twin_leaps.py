"""A plain twin of the engine: every state of every patient, leapt from step to step.

Nothing is conditioned on survival and nothing is integrated by quadrature but the rates of a
step. Lines advance by the exact law of a birth-death line with constant rates, a step at a time,
and losses within a step are founded at its middle. Growth before infusion is deterministic in
the cells that have lost nothing, as fixed size demands.
"""

from __future__ import annotations

import numpy as np

from car_relapse.outcomes import Outcome

_MANY = 1e7


def _draw_lines(cells, alive, excess, rng):
    """Advance cell numbers by one step, normally where they are many."""
    few = cells < _MANY
    kept = rng.binomial(
        np.where(few, cells, 0).astype(np.int64), np.broadcast_to(alive, cells.shape)
    )
    exact = kept + rng.poisson(rng.standard_gamma(kept) * excess)
    mean = cells * alive * (1 + excess)
    variance = cells * alive * (1 + excess) * (2 * (1 + excess) - 1 - alive * (1 + excess))
    normal = mean + np.sqrt(np.maximum(variance, 0)) * rng.standard_normal(cells.shape)
    return np.where(few, exact, np.maximum(np.rint(normal), 0))


def _law(birth, death, days):
    """Return P(alive) and the mean excess if alive, at constant rates."""
    net = birth - death
    growth = np.exp(net * days)
    integral = np.where(
        np.abs(net) > 1e-9, birth * (growth - 1) / np.where(net == 0, 1, net), birth * days
    )
    return growth / (1 + integral), integral


def _losses(cells, transition, birth, mean_factor, days, rng, states, middle, first):
    """Draw founders of each state in a step, and advance them to its end."""
    new = np.zeros_like(cells)
    for state in range(first, states):
        rate = sum(
            birth * transition[r, state] * cells[r] * mean_factor[r]
            for r in range(states)
            if r != state and transition[r, state] > 0
        )
        if np.ndim(rate):
            founders = rng.poisson(rate * days).astype(float)
            new[state] = _draw_lines(founders, *(x[state] for x in middle), rng)
    return new


def leap_fates(
    birth, death, burden, transition, kill, detection, runs, rng, *, days, step=1.0, growth_step=0.5
):
    """Return outcomes and relapse days of `runs` copies of one patient.

    `kill(state, day)` is the killing rate; the last state is the lineage switch when
    `transition` has one row more than a power of two, else complete loss.
    """
    states = len(transition)
    lost = transition.sum(axis=1) - np.diag(transition)
    clean = birth * (1.0 - lost)
    cells = np.zeros((states, runs))
    net = birth - death
    steps = int(np.ceil(np.log(burden) / net / growth_step))
    for i in range(steps, 0, -1):
        cells[0] = burden * np.exp(-net * i * growth_step)
        whole = [
            np.array(x)
            for x in zip(*[_law(clean[s], death, growth_step) for s in range(states)], strict=True)
        ]
        half = [
            np.array(x)
            for x in zip(
                *[_law(clean[s], death, growth_step / 2) for s in range(states)], strict=True
            )
        ]
        factor = np.full(states, np.expm1(net * growth_step) / (net * growth_step))
        new = _losses(cells, transition, birth, factor, growth_step, rng, states, half, 1)
        for state in range(1, states):
            cells[state] = _draw_lines(cells[state], whole[0][state], whole[1][state], rng)
        cells[1:] += new[1:]
    cells[0] = burden
    remission = np.zeros(runs, dtype=bool)
    when, outcome = np.full(runs, np.inf), np.zeros(runs, dtype=int)
    open_, before = np.ones(runs, dtype=bool), np.zeros(runs)
    for day in np.arange(0.0, days, step):
        removal = death + np.array([kill(s, day + step / 2) for s in range(states)])
        whole = [
            np.array(x)
            for x in zip(*[_law(clean[s], removal[s], step) for s in range(states)], strict=True)
        ]
        half = [
            np.array(x)
            for x in zip(
                *[_law(clean[s], removal[s], step / 2) for s in range(states)], strict=True
            )
        ]
        slope = (clean - removal) * step
        factor = np.where(np.abs(slope) > 1e-9, np.expm1(slope) / np.where(slope == 0, 1, slope), 1)
        start = cells.copy()
        for state in range(states):
            cells[state] = _draw_lines(start[state], whole[0][state], whole[1][state], rng)
        cells += _losses(start, transition, birth, factor, step, rng, states, half, 1)
        total = cells.sum(axis=0)
        found = open_ & remission & (total >= detection.relapse_cells)
        if found.any():
            part = (np.log(detection.relapse_cells) - np.log(before[found])) / (
                np.log(total[found]) - np.log(before[found])
            )
            when[found] = day + step * part
            outcome[found] = kinds(cells[:, found])
            open_ &= ~found
        # Who has not come to remission at a thousand times the burden never will.
        open_ &= total <= 1e3 * max(burden, detection.relapse_cells)
        remission |= open_ & (total <= detection.remission_cells)
        before = np.maximum(total, 1e-9)
        cells[:, ~open_] = 0
        if not cells.any():
            break
    assert not cells.any(), "follow the runs for longer"
    outcome[~remission] = Outcome.NO_REMISSION
    when[~remission] = 0.0
    return outcome, when


def kinds(cells):
    """Return the kind of relapse by the most frequent kind of cells; rows are states."""
    states = len(cells)
    full = 2 ** int(np.log2(states)) - 1
    groups = np.stack(
        [cells[0], cells[full], cells[1:full].sum(axis=0), cells[full + 1 :].sum(axis=0)]
    )
    codes = np.array(
        [
            Outcome.ANTIGEN_POSITIVE,
            Outcome.ANTIGEN_NEGATIVE,
            Outcome.PARTIAL_LOSS,
            Outcome.LINEAGE_SWITCH,
        ]
    )
    return codes[np.argmax(groups, axis=0)]
