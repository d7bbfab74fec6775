r"""Exact leaps of many kinds of cells that found one another.

Cells of type i divide at rate :math:`b_i` and die at rate :math:`d_i(t)`; at a division one
daughter is of type j with probability :math:`m_{ij}`. The parent stays, so that type i by
itself is a birth–death process with the *clean* birth rate :math:`b_i m_{ii}`: its own leap is
exact for steps of any length. Cells of type j are founded at the rate
:math:`b_i m_{ij} n_i(t)`. Given the numbers at both ends of a step and how many of the lines
live, the mean of :math:`n_i` in between is exact as well, and linear
(`car_relapse.intervals.conditional_mean`). The number of founders is drawn as Poisson with
that mean, and each is founded at a node of a Gauss rule and leaps from there to the end of the
step; founders found others in the same way.

What is not exact is that founders are Poisson given the mean path and not the path itself: an
error of second order in the loss probability, and small when the step is. Types that change
their kind without dividing (switching, stripping) do so between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from car_relapse.errors import ParameterError
from car_relapse.intervals import Interval, conditional_mean
from car_relapse.leaps import refuse_overflow
from car_relapse.quadrature import panels

__all__ = [
    "Conversion",
    "StepLaws",
    "founding_rates",
    "leap_types",
    "step_days",
    "step_laws",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Indices = NDArray[np.intp]

# Founding times in a step: a Gauss rule of three nodes, exact to the fifth order.
_NODE, _WEIGHT = (
    0.5 * (x + c) for x, c in zip(np.polynomial.legendre.leggauss(3), (1, 0), strict=True)
)
_PARTS = len(_NODE) + 1
# A thousand steps take about a tenth of a second; a step of one type holds 700 bytes of laws.
_MOST_STEPS = 50_000
_MOST_LAWS = 400_000


def founding_rates(birth: Floats, daughters: Floats) -> tuple[Floats, Floats]:
    """Return the rate at which each type founds each other, and clean birth rates, 1/day.

    Parameters
    ----------
    birth : ndarray, shape (types,)
        Division rates, 1/day.
    daughters : ndarray, shape (types, types)
        Probability that one daughter of type i is of type j.
    """
    founding = birth[:, None] * daughters
    clean = np.diag(founding).copy()
    np.fill_diagonal(founding, 0.0)
    return founding, clean


@dataclass(frozen=True)
class Conversion:
    """Cells that change their type without dividing, over one interval."""

    rows: tuple[tuple[int, Indices, Floats], ...]
    """Types that change: index, what they become, with which probabilities."""

    @classmethod
    def of(cls, hazard: Floats) -> Conversion:
        """Return the conversion with integrated rates `hazard`, shape (types, types)."""
        generator = hazard - np.diag(hazard.sum(axis=1))
        chance = np.maximum(expm(generator), 0.0)
        rows = []
        for kind in np.flatnonzero(hazard.any(axis=1)):
            into = np.flatnonzero(chance[kind] > 0)
            share = chance[kind, into]
            rows.append((int(kind), into, share / share.sum()))
        return cls(tuple(rows))

    def __call__(self, cells: Counts, rng: np.random.Generator) -> Counts:
        """Draw the numbers after the interval, shape (types, n)."""
        after = cells.copy()
        for kind, _, _ in self.rows:
            after[kind] = 0
        for kind, into, share in self.rows:
            if cells[kind].any():
                after[into] += rng.multinomial(cells[kind], share).T
        return after


def step_days(
    days: Floats,
    kinks: Sequence[float],
    fastest: Callable[[Floats], Floats],
    events: float,
    *,
    types: int = 1,
) -> tuple[Floats, NDArray[np.intp]]:
    """Return the edges of steps from the first to the last of `days`, and where `days` are.

    Parameters
    ----------
    days : ndarray, shape (n,)
        Increasing days.
    kinks : sequence of float
        Days at which rates are not smooth; steps end there.
    fastest : callable
        Maps days to the largest birth or death rate, 1/day.
    events : float
        Largest rate times step; what happens to one line in a step at most.
    types : int
        Number of types whose laws will be held.

    Returns
    -------
    edges : ndarray
    where : ndarray of int, shape (n,)
        Index of each day in the edges.

    Raises
    ------
    ParameterError
        When more than 50 000 steps would be needed, or fewer with many types.
    """
    inner = [k for k in kinks if days[0] < k < days[-1]]
    stops = np.unique(np.concatenate([days, inner]))
    looks = stops[:-1, None] + np.diff(stops)[:, None] * np.linspace(0.01, 0.99, 9)
    quickest = fastest(looks).max(axis=1)
    pieces = np.ceil(np.maximum(quickest * np.diff(stops) / events, 1.0))
    most = min(_MOST_STEPS, _MOST_LAWS // types)
    if pieces.sum() > most:
        raise ParameterError(
            f"days runs to {days[-1]:g} and the fastest rate is {quickest.max():g} per day; "
            f"{pieces.sum():.3g} steps would be needed, more than {most}; shorten the "
            "course or lower the rates"
        )
    edges = [
        left + (right - left) * np.arange(n) / n
        for left, right, n in zip(stops[:-1], stops[1:], pieces.astype(int), strict=True)
    ]
    whole = np.append(np.concatenate(edges), stops[-1])
    return whole, np.searchsorted(whole, days)


@dataclass(frozen=True, kw_only=True)
class StepLaws:
    """Laws of all types in each of many steps; axis 0 is the step, the last axis the type."""

    edges: Floats
    """Days between steps, shape (steps + 1,)."""
    whole: Interval
    """Whole steps, shape (steps, types)."""
    late: Interval
    """From each founding node to the end of the step, shape (steps, 3, types)."""
    path: Floats
    """Days times coefficients of the conditional mean at each node, for lines that are there
    at the start, shape (steps, 3 nodes, 3, types)."""
    inner: Floats
    """The same for lines founded at a node, at this and later nodes, shape
    (steps, 3, 3 nodes, 3, types)."""
    weight: Floats
    """Days that each node stands for, shape (steps, 3)."""
    founding: Floats
    """Rate at which one cell of type i founds one of type j, 1/day, shape (types, types)."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.edges.size - 1)

    @property
    def node(self) -> Floats:
        """Days of the founding nodes, shape (steps, 3)."""
        return np.asarray(self.edges[:-1, None] + np.diff(self.edges)[:, None] * _NODE)


def step_laws(
    edges: Floats, birth: Floats, death: Callable[[Floats], Floats], founding: Floats
) -> StepLaws:
    """Return the laws of all types in the steps between `edges`.

    Parameters
    ----------
    edges : ndarray, shape (steps + 1,)
        Increasing days; rates are smooth within a step and rate times step is of order 1.
    birth : ndarray, shape (types,)
        Clean birth rates, 1/day: divisions without loss.
    death : callable
        Maps days, shape (...,), to death rates with killing, 1/day, shape (..., types).
    founding : ndarray, shape (types, types)
        Rate at which one cell of type i founds one of type j, 1/day; the diagonal is 0.
    """
    width = np.diff(edges)
    cuts = edges[:-1, None] + width[:, None] * np.concatenate([[0.0], _NODE])
    rule = panels(np.append(cuts.reshape(-1), edges[-1])[:, None])
    removal = death(rule.node[..., 0])
    net = birth - removal
    to_edge = np.cumsum(rule.integral_to_edges(net), axis=0)[:, None] - rule.running(net)
    weight = np.exp(to_edge)

    def parts(values: Floats) -> Floats:
        return np.asarray(values.reshape(width.size, _PARTS, birth.size))

    piece = Interval(
        growth=parts(np.exp(rule.integral_to_edges(net))),
        excess=parts(rule.integral_to_edges(birth * weight)),
        removal=parts(rule.integral_to_edges(removal * weight)),
    )
    part = [piece.of((slice(None), i)) for i in range(_PARTS)]
    early, late = [part[0]], [part[-1]]
    for i in range(1, _PARTS - 1):
        early.append(early[-1].then(part[i]))
        late.insert(0, part[-1 - i].then(late[0]))
    days = width[:, None] * _WEIGHT
    inner = np.zeros((width.size, 3, 3, 3, birth.size))
    for j in range(3):
        # Half of a node's founders came before the other half: the mean of a double integral.
        inner[:, j, j, :2] = 0.5 * days[:, j, None, None]
        between = part[j + 1]
        for after in range(j + 1, 3):
            mean = np.moveaxis(conditional_mean(between, late[after]), 0, 1)
            inner[:, j, after] = days[:, after, None, None] * mean
            between = between.then(part[after + 1])
    path = [np.moveaxis(conditional_mean(e, f), 0, 1) for e, f in zip(early, late, strict=True)]
    return StepLaws(
        edges=edges,
        whole=early[-1].then(late[-1]),
        late=Interval(
            growth=np.stack([f.growth for f in late], axis=1),
            excess=np.stack([f.excess for f in late], axis=1),
            removal=np.stack([f.removal for f in late], axis=1),
        ),
        path=days[:, :, None, None] * np.stack(path, axis=1),
        inner=inner,
        weight=days,
        founding=founding,
    )


def _ends(law: Interval, cells: Counts, rng: np.random.Generator) -> tuple[Counts, Counts, Counts]:
    """Draw lines that die, lines that live, and what the living hold beyond one cell each."""
    alive = rng.binomial(cells, law.alive)
    mean = rng.standard_gamma(alive) * law.excess
    refuse_overflow(mean)
    return cells - alive, alive, rng.poisson(mean)


def leap_types(
    laws: StepLaws,
    step: int,
    cells: Counts,
    rng: np.random.Generator,
    *,
    source: Floats | None = None,
) -> Counts:
    """Draw the numbers of cells of every type at the end of a step.

    Parameters
    ----------
    laws : StepLaws
    step : int
        Which step.
    cells : ndarray of int, shape (types, n)
        Numbers at its start, in n independent populations.
    rng : numpy.random.Generator
        Source of randomness.
    source : ndarray, shape (3, types, n), optional
        Further founders expected at each node, from cells that are not followed here.

    Returns
    -------
    ndarray of int64, shape (types, n)

    Raises
    ------
    ParameterError
        When more cells would arise than 64-bit counts hold.
    """
    after = np.zeros_like(cells)
    kind, owner = np.nonzero(cells)
    before = cells[kind, owner]
    dead, alive, beyond = _ends(laws.whole.of((step, kind)), before, rng)
    after[kind, owner] = alive + beyond
    parents = np.asarray(laws.founding.any(axis=1))
    if source is None and not parents.any():
        return after
    chosen = parents[kind]
    if source is None and not chosen.any():
        return after
    kind, owner = kind[chosen], owner[chosen]
    ends = np.array([dead[chosen], alive[chosen], beyond[chosen]], dtype=float)
    coefficient = laws.path[step][:, :, kind]
    founders = _founders(laws.founding, coefficient, ends, kind, owner, cells.shape, rng)
    if source is not None:
        founders = _joined(founders, _drawn(source, rng))
    while founders[0].size:
        node, kind, owner, count = founders
        dead, alive, beyond = _ends(laws.late.of((step, node, kind)), count, rng)
        np.add.at(after, (kind, owner), alive + beyond)
        chosen = parents[kind]
        node, kind, owner = node[chosen], kind[chosen], owner[chosen]
        ends = np.array([dead[chosen], alive[chosen], beyond[chosen]], dtype=float)
        # Advanced indices first: (entries, nodes, 3), brought to (nodes, 3, entries).
        coefficient = np.moveaxis(laws.inner[step][node, :, :, kind], 0, -1)
        founders = _founders(laws.founding, coefficient, ends, kind, owner, cells.shape, rng)
    return after


_Founders = tuple[Indices, Indices, Indices, Counts]


def _drawn(mean: Floats, rng: np.random.Generator) -> _Founders:
    count = rng.poisson(mean)
    node, kind, owner = np.nonzero(count)
    return node, kind, owner, count[node, kind, owner]


def _joined(one: _Founders, two: _Founders) -> _Founders:
    # Four arrays of each give four; the length of a tuple that is built in a loop has no type.
    return tuple(np.concatenate(pair) for pair in zip(one, two, strict=True))  # type: ignore[return-value]


def _founders(
    founding: Floats,
    coefficient: Floats,
    ends: Floats,
    kind: Indices,
    owner: Indices,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> _Founders:
    """Draw the cells founded by parents whose ends are known, by node, type and population.

    `coefficient` has the shape (nodes, 3, parents): days at each node, per line of each end.
    """
    # Cell-days of each parent over the step, and what they found of each type.
    days = np.einsum("le,le->e", coefficient.sum(axis=0), ends)
    child_of, child = np.nonzero(founding[kind])
    count = rng.poisson(founding[kind[child_of], child] * days[child_of])
    some = np.flatnonzero(count)
    parent, child, count = child_of[some], child[some], count[some]
    at_node = np.einsum("nle,le->en", coefficient[:, :, parent], ends[:, parent])
    share = rng.multinomial(count, at_node / at_node.sum(axis=1, keepdims=True))
    entry, node = np.nonzero(share)
    return node, child[entry], owner[parent[entry]], share[entry, node]
