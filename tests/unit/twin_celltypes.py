"""Plain, slow versions of lines of many cell types: oracles for the tests of survival.

Each is written from the definition of the process, not from the formula it checks.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp


def every_event(types, kill, days, start, runs, rng, *, safe=60):
    """Follow every cell of some lines through constant killing for `days`, and after.

    `types` are cell types of one group, `kill` the killing rate of each product, `start` the
    cells of each type. Types that are not killed are no longer followed from `safe` cells on.
    Return, per run, the lowest class of cells that survives, or -1 when none does.
    """
    n, classes = types.birth.size, types.relapse_class
    engagement, torn = types.engagement.reshape(-1, n), types.stripping.reshape(-1, n, n)
    cells = np.tile(np.asarray(start, dtype=np.int64), (runs, 1))
    clock = np.zeros(runs)
    reach = np.cumsum(types.daughters, axis=1)

    def events(active, death, switch, frozen, until):
        now = cells[active]
        moving = np.where(frozen & (now >= safe), 0, now)
        speed = types.birth + death + switch.sum(axis=1)
        rates = np.cumsum(moving * speed, axis=1)
        total = rates[:, -1]
        with np.errstate(divide="ignore"):  # nothing left that moves
            clock[active] += rng.standard_exponential(active.size) / total
        kind = np.minimum((rates <= (rng.random(active.size) * total)[:, None]).sum(axis=1), n - 1)
        what = rng.random(active.size) * speed[kind]
        one = np.arange(active.size)
        change = np.zeros((active.size, n), dtype=np.int64)
        born = what < types.birth[kind]
        daughter = (reach[kind] <= rng.random(active.size)[:, None]).sum(axis=1)
        change[one, np.minimum(daughter, n - 1)] += born
        dead = ~born & (what < (types.birth + death)[kind])
        change[one, kind] -= dead
        moved = ~born & ~dead
        part = np.cumsum(switch, axis=1)[kind]
        to = np.minimum((part <= (what - (types.birth + death)[kind])[:, None]).sum(axis=1), n - 1)
        change[one, kind] -= moved
        change[one, to] += moved
        cells[active] += np.where((clock[active] < until)[:, None], change, 0)

    killed = types.death + kill @ engagement
    treated = types.switching + np.tensordot(kill, torn, axes=1)
    untouched = killed == types.death
    while (active := np.flatnonzero((clock < days) & cells.any(axis=1))).size:
        events(active, killed, treated, untouched, days)
    while True:
        lowest = np.full(runs, -1)
        open_end = np.zeros(runs, dtype=bool)
        for rank in sorted(set(classes.tolist()), reverse=True):
            count = cells[:, classes == rank].sum(axis=1)
            lowest = np.where(count > 0, rank, lowest)
            open_end = np.where(count > 0, count < safe, open_end)
        active = np.flatnonzero(open_end)
        if not active.size:
            return lowest
        # What is frozen here can only make cells of a higher class.
        events(active, types.death, types.switching, np.ones(n, dtype=bool), np.inf)


def log_chain(types, therapies, horizon, *, group=0, kinks=()):
    """Return h of each class and type at infusion, by DOP853 on the log of h.

    h' = b sum_j m_ij Q_j (1 - e^-h_j) - (D/Q_i)(e^h_i - 1)
         + sum_j r_ij (Q_j/Q_i)(1 - e^(h_i - h_j)), one class after the other.
    """
    n, birth, daughters = types.birth.size, types.birth, types.daughters
    engagement, torn = types.engagement[group], types.stripping[group]
    classes = np.unique(types.relapse_class)
    leads = (daughters > 0) | (types.switching > 0) | (torn.sum(axis=0) > 0)
    for _ in range(n):
        leads = leads | (leads @ leads)
    can = np.array(
        [[(leads[i] & (types.relapse_class == c)).any() for i in range(n)] for c in classes]
    )

    def slope(day, y):
        kill = np.array([float(t.killing_rate(max(day, 0.0))) for t in therapies])
        removal = types.death + kill @ engagement
        flow = types.switching + np.tensordot(kill, torn, axes=1)
        h = np.where(can, np.exp(y.reshape(can.shape)), 0.0)
        out, q = np.zeros(can.shape), np.ones(n)
        for r in range(len(classes)):
            d = birth * (daughters @ (q * -np.expm1(-h[r]))) - removal / q * np.expm1(h[r])
            for i, j in zip(*np.nonzero(flow), strict=True):
                d[i] -= flow[i, j] * q[j] / q[i] * np.expm1(h[r, i] - h[r, j])
            out[r] = np.where(can[r], d / np.where(can[r], h[r], 1.0), 0.0)
            q = q * np.exp(-h[r])
        return out.ravel()

    y = np.full(can.size, -3.0)
    relax = 150.0 / (birth - types.death).max()
    y = solve_ivp(lambda _, v: slope(horizon, v), (0, relax), y, method="LSODA", rtol=1e-11).y[
        :, -1
    ]
    ends = sorted({0.0, horizon, *(horizon - k for k in kinks if 0 < k < horizon)})
    for left, right in pairwise(ends):
        y = solve_ivp(
            lambda t, v: slope(horizon - t, v), (left, right), y, method="DOP853",
            rtol=1e-11, atol=1e-11,
        ).y[:, -1]  # fmt: skip
    return np.where(can, np.exp(y.reshape(can.shape)), 0.0)
