"""Which lines get through therapy when antigen states are killed at different rates.

As `car_relapse.shared_killing`, for products whose arms differ in strength: cells that lost
the strong arm's antigen are still killed, but less. Each engagement has a history of its own,
and the mean paths are integrated from state to state up the lattice of losses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from car_relapse.presentation import Block
from car_relapse.quadrature import Panels
from car_relapse.shared_killing import MOST_LINES, Course, Met, panel_founders, sum_of

__all__ = ["unequal_cell_values", "unequal_course"]

Floats = NDArray[np.float64]

_LARGEST_LOG = 600.0
# Below any path that matters; what rounding leaves there can still be divided by it.
_TINY = 1e-40
_MOST = 1e30


def unequal_cell_values(
    block: Block, rule: Panels, met: dict[float, Met]
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Return expected later lines per cell at infusion in each killed state.

    By the backward equations of the lines that therapy clears, from the last state to the
    first: lines that still show a target, and lines that show none.
    """
    birth, s = block.birth_rate, block.survival
    first: tuple[dict[int, Floats], dict[int, Floats]] = ({}, {})
    later: dict[int, Floats] = {}
    # A route more than the rule knows of: axes are panel, node, route, patient.
    wide = Panels(width=rule.width[:, None], node=rule.node[:, :, None])
    for state in reversed(block.order):
        if not block.killed(state):
            continue
        value = np.zeros((*rule.node.shape[:2], 2, rule.node.shape[2]))
        value[:, :, 1] = block.sudden * s
        for child, loss in block.children(state):
            if not block.killed(child):
                value[:, :, int(child == block.escaped)] += loss * s
                continue
            onward = met[block.engagement[child]]
            value += loss * later[child]
            value[:, :, 0] += loss * onward.survives
        therapy = met[block.engagement[state]]
        value *= birth * therapy.cleared[:, :, None]
        first[0][state], first[1][state] = wide.integral_to_edges(value).sum(axis=0)
        if state:
            # Divided by the path itself it is the value of a cell that will be cleared.
            value = np.maximum(wide.remaining(value), 0.0)
            value *= (therapy.history.doomed / np.maximum(therapy.cleared, _TINY))[:, :, None]
            # Late, where the path has all but ended, this is a quotient of rounding errors.
            later[state] = np.minimum(value, _MOST, out=value)
    return first


def unequal_course(
    block: Block,
    rule: Panels,
    met: dict[float, Met],
    fade: Floats,
    cells: dict[int, Floats],
    largest: float,
    rng: np.random.Generator,
) -> Course:
    """Draw the lines that outlive therapy, state by state, from no loss to all.

    Parameters
    ----------
    block : Block
        Patients.
    rule : Panels
        Nodes that all histories share.
    met : dict of float to Met
        The history of every engagement that occurs.
    fade : ndarray
        Untreated growth since infusion, inverted, at each node.
    cells : dict of int to ndarray, shape (patients,)
        Cells of each state at infusion.
    largest : float
        Cells beyond which it does not matter what a surviving line founds.
    rng : numpy.random.Generator
        Source of randomness.
    """
    birth, s = block.birth_rate, block.survival
    killed: dict[int, Floats] = {}
    free: dict[int, Floats] = {}
    # Cells at the nodes, in units of the path that lines of the state's engagement follow.
    shares: dict[int, Floats] = {}
    seen: dict[int, Floats] = {}
    everything = np.zeros_like(fade)
    for state in block.order:
        parents = [(p, loss * birth) for p, loss in block.parents[state] if p in seen]
        own = cells.get(state)
        if own is None and not parents:
            continue
        if not block.killed(state):
            mass = np.zeros_like(block.burden) if own is None else own
            if parents:
                rate = sum_of(loss * seen[p] for p, loss in parents)
                rate *= s
                mass = mass + panel_founders(
                    rule.integral_to_edges(rate), rule.integral_to_edges(rate * fade) / s, rng
                )
            free[state] = mass
            continue
        therapy = met[block.engagement[state]]
        start = np.zeros_like(block.burden) if own is None else own
        log_r = therapy.history.log_r
        lines = rng.poisson(np.minimum(start * np.exp(-log_r), MOST_LINES))
        mass = rng.standard_gamma(lines) * np.exp(np.minimum(log_r, _LARGEST_LOG))
        share: Floats = start
        if parents:
            floor = np.maximum(therapy.cleared, _TINY)
            flow = sum_of(
                loss * shares[p]
                if block.engagement[p] == block.engagement[state]
                else loss * np.minimum(shares[p] * met[block.engagement[p]].cleared / floor, _MOST)
                for p, loss in parents
            )
            rate = flow * therapy.cleared
            rate *= therapy.survives
            late = np.exp(np.minimum(therapy.history.log_s, _LARGEST_LOG))
            mass += panel_founders(
                rule.integral_to_edges(rate), rule.integral_to_edges(rate * late), rng
            )
            share = np.maximum(rule.running(flow * therapy.history.doomed), 0.0)
            share += start
        killed[state], shares[state] = mass, share
        path = share * therapy.cleared
        everything += path
        # What survivors found after relapse is never seen; let it not outgrow all numbers.
        path += np.minimum(mass * therapy.regrown, largest)
        seen[state] = path
    return Course(killed=killed, free=free, cleared=everything)
