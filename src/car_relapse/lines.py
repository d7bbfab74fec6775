r"""Backward equations of cell lines of many types, class by class, without cancellation.

Kinds of relapse are ranked: class 0 first. For a cell of type :math:`i` with :math:`\tau`
days to go to a horizon, let :math:`Q_i` be the probability that its line leaves no surviving
cell of any class before :math:`r`, and :math:`y_i` the probability that it leaves none of
those but some of class :math:`r`. Then, with :math:`Y = 1 - Q`, division rate :math:`b_i`,
removal rate :math:`D_i(\tau)`, daughters :math:`m_{ij}` and switching :math:`r_{ij}(\tau)`,

.. math::

    \dot y_i = (1-Y_i-y_i)\,b_i\sum_j m_{ij}y_j - b_i y_i\sum_j m_{ij}Y_j - D_i y_i
               + \sum_j r_{ij}(y_j-y_i) .

Every class has the same equation, and every source in it is positive: no small probability
is ever the difference of two large ones. With :math:`Q` known and
:math:`h_i = -\ln(1-y_i/Q_i)`, the exponents of all classes add up to minus the log of the
probability of cure.

Losses lead from a type to a later one only. So the types are solved from the last to the
first, each as a Riccati equation in one variable with known source; types that switch into
each other are solved together. On panels of 16 Gauss nodes the equation is linearised by
Newton's method, whose iterates fall to the solution from above, quadratically.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.line_rates import (
    LineRates,
    departures,
    gauss_rule,
    mixed,
    solving_order,
    switches,
)

__all__ = ["LineSolution", "settled", "solve_lines"]

_Array = NDArray[np.float64]

# Relative change that the next Newton step would make.
_CONVERGED = 1e-11
_RARE = 1e-2
_ROUNDING = 1e-12
_MOST_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class LineSolution:
    """What becomes of a line of each type; C classes, in the order of the start."""

    at_nodes: _Array
    """Probability y of each class at each node, shape (C, n, P, B, 16)."""
    at_end: _Array
    """The same at the end of the last panel, shape (C, n, B)."""


def settled(
    birth: _Array,
    removal: _Array,
    daughters: _Array,
    switching: _Array | None,
    relapse_class: NDArray[np.int64],
    block: NDArray[np.int64],
    ends: int | None = None,
    last_losses: _Array | None = None,
) -> _Array:
    """Return the probabilities y that no longer change, when all rates stay as they are.

    Parameters
    ----------
    birth, removal : ndarray, shape (n, B)
        Rates, 1/day.
    daughters : ndarray, shape (n, n, B) or (n, n, 1)
        Probabilities.
    switching : ndarray, shape (n, n, B) or broadcasting, optional
        Rates, 1/day.
    relapse_class : ndarray, shape (n,)
        Class of each type, 0 first.
    block : ndarray, shape (n,)
        As in `LineRates`.
    ends : int, optional
        Leave out the classes after this one.
    last_losses : ndarray, shape (n, n, B), optional
        As in `LineRates`.

    Returns
    -------
    ndarray, shape (C, n, B)
    """
    n, batch = np.broadcast(birth, removal).shape
    rates = LineRates(
        width=np.zeros((0, batch)), birth=birth, removal=removal[:, None, :, None],
        daughters=daughters, block=block,
        switching=None if switching is None else switching[:, :, None, :, None],
    )  # fmt: skip
    flows, groups = switches(switching, n), solving_order(rates)
    classes = np.unique(relapse_class)
    classes = classes if ends is None else classes[classes <= ends]
    y = np.zeros((classes.size, n, batch))
    for r, kind in enumerate(classes):
        before = y[:r].sum(axis=0)
        clear = np.maximum(1.0 - before, 0.0)
        for group in groups:
            i = list(group)
            stay = birth[i] * daughters[i, i]
            only = last_losses is not None and r == classes.size - 1
            leads = last_losses[i] if last_losses is not None and only else daughters[i]
            reach = birth[i] * mixed(leads, y[r][..., None])[..., 0]
            lost = birth[i] * mixed(daughters[i], before[..., None])[..., 0]
            leaving, brought = departures(switching, flows, i, block, y[r])
            linear = stay * clear[i] - reach - lost - removal[i] - leaving
            source = clear[i] * reach + brought
            if len(set(block[i])) == len(i):
                value = _root(stay, linear, source)
                # Only a type of this class, or one that leads to it, has any.
                own = (relapse_class[i] == kind)[:, None]
                value = np.where(own | (source > 0), value, 0.0)
            else:
                assert switching is not None
                flow = np.broadcast_to(switching, (n, n, batch))[np.ix_(i, i)]
                value = _block_root(stay, linear, source, flow)
                if not (relapse_class[i] == kind).any() and not (source > 0).any():
                    value = np.zeros_like(value)
            y[r][i] = value
    return y


def _root(square: _Array, linear: _Array, source: _Array) -> _Array:
    """Return the larger root of source + linear y - square y^2, which is stable."""
    reach = np.hypot(linear, 2.0 * np.sqrt(square) * np.sqrt(source))
    up = linear + reach
    down = reach - linear
    # For a falling line the sum cancels, and the other form of the root does not.
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(square > 0, up / (2.0 * square), 0.0)
        falling = np.where(down > 0, 2.0 * source / down, 0.0)
    return np.asarray(np.where(linear > 0, rising, falling))


def _block_root(square: _Array, linear: _Array, source: _Array, flow: _Array) -> _Array:
    """Return the settled probabilities of types that switch, by Newton steps from above."""
    size, batch = square.shape
    diagonal = np.arange(size)
    coupling = np.moveaxis(flow, 2, 0).copy()
    coupling[:, diagonal, diagonal] -= coupling.sum(axis=2)
    coupling[:, diagonal, diagonal] += linear.T
    y = np.ones((batch, size))
    for _ in range(200):  # pragma: no branch - Newton's method has converged long before
        matrix = coupling.copy()
        matrix[:, diagonal, diagonal] -= 2.0 * square.T * y
        right = -(source.T + square.T * y**2)
        new = np.linalg.solve(matrix, right[..., None])[..., 0]
        new = np.clip(new, 0.0, 1.0)
        done = np.all(np.abs(new - y) <= 1e-14 * y)
        y = new
        if done:
            break
    # Where the line cannot persist the steps only halve what is left.
    return np.asarray(np.where(y < 1e-40, 0.0, y).T)


@dataclass(frozen=True)
class _Riccati:
    """y' = source + linear y - square y^2 for the types of one group, at all nodes."""

    square: _Array
    linear: _Array
    source: _Array
    bound: _Array
    void: NDArray[np.bool_]
    width: _Array


def _composed(slope: _Array, shift: _Array, start: _Array) -> _Array | None:
    """Return y after each panel, of y' = slope y + shift; None where a product overflows.

    Steps are composed pairwise: log2 of the panels in passes over arrays, not a pass a panel.
    """
    times, plus, reach = slope.copy(), shift.copy(), 1
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        while reach < slope.shape[1]:
            plus[:, reach:] += times[:, reach:] * plus[:, :-reach]
            times[:, reach:] *= times[:, :-reach]
            reach *= 2
        after = times * start[:, None] + plus
    return after if np.isfinite(after).all() else None


def _scan(slope: _Array, shift: _Array, start: _Array) -> tuple[_Array, _Array]:
    """Return y at the beginning of each panel, and after the last, of y' = slope y + shift."""
    after = _composed(slope, shift, start)
    if after is None:
        after, y = np.empty_like(shift), start
        for p in range(slope.shape[1]):
            y = slope[:, p] * y + shift[:, p]
            after[:, p] = y
    return np.concatenate([start[:, None], after[:, :-1]], axis=1), after[:, -1]


def _free(riccati: _Riccati, start: _Array) -> _Array:
    """Return the solution without source, in closed form: the first guess."""
    _, weights, running = gauss_rule(riccati.linear.shape[-1])
    width = riccati.width[:, :, None]
    growth = np.exp(width * (riccati.linear @ running.T))
    total = np.exp(riccati.width * (riccati.linear @ weights))
    inner = width * ((riccati.square * growth) @ running.T)
    whole = riccati.width * ((riccati.square * growth) @ weights)
    # A panel maps y to total y / (1 + whole y), which is a line in 1/y.
    none = start <= 0.0
    inverse = _composed(1.0 / total, whole / total, 1.0 / np.where(none, 1.0, start))
    if inverse is None:
        after, y = np.empty_like(whole), start
        for p in range(whole.shape[1]):
            y = total[:, p] * y / (1.0 + y * whole[:, p])
            after[:, p] = y
    else:
        after = np.where(none[:, None], 0.0, 1.0 / inverse)
    some = np.concatenate([start[:, None], after[:, :-1]], axis=1)[..., None]
    return np.asarray(growth * some / (1.0 + some * inner))


@np.errstate(over="ignore", invalid="ignore")  # What overflows does not converge.
def _solve_single(riccati: _Riccati, start: _Array) -> tuple[_Array, _Array]:
    """Return y at all nodes and at the end, for types that do not switch."""
    _, weights, running = gauss_rule(riccati.linear.shape[-1])
    width = riccati.width[:, :, None]
    # Where little survives at the horizon, nothing is a guess as good.
    y = _free(riccati, start) if np.any(start > _RARE) else np.zeros_like(riccati.linear)
    days = riccati.width.sum(axis=0)[:, None]
    # In place where it can be: at six antigens the arrays do not fit into the cache.
    for _ in range(_MOST_STEPS):
        guess = np.minimum(y, riccati.bound)
        bent = riccati.square * guess
        source = bent * guess
        source += riccati.source
        bent *= -2.0
        bent += riccati.linear
        growth = bent @ running.T
        growth *= width
        np.exp(growth, out=growth)
        total = np.exp(riccati.width * (bent @ weights))
        source /= growth
        begin, end = _scan(total, total * riccati.width * (source @ weights), start)
        y = source @ running.T
        y *= width
        y += begin[..., None]
        y *= growth
        # The step left out half the curvature times the square of what it changed.
        guess -= y
        guess *= guess
        guess *= riccati.square
        guess *= days
        if np.all((guess <= _CONVERGED * y) | riccati.void):
            # Only rounding lifts the solution above its own bound.
            return np.minimum(y, riccati.bound), np.minimum(end, 1.0)
    raise ParameterError(
        "the equations of survival did not converge; rates and exposure must be of a size that a "
        "body can have; check them against the ranges of the ledger"
    )


def _solve_block(riccati: _Riccati, flow: _Array, start: _Array) -> tuple[_Array, _Array]:
    """Return y at all nodes and at the end, for types that switch into each other.

    `flow` has shape (m, m, P, B, 16). Panel after panel, by collocation.
    """
    _, weights, running = gauss_rule(riccati.linear.shape[-1])
    size, panels, batch, order = riccati.linear.shape
    nodes = np.empty_like(riccati.linear)
    y = start
    unit = np.eye(size * order)
    each = np.arange(size)
    for p in range(panels):
        width = riccati.width[p]
        rate = flow[:, :, p].copy()
        rate[each, each] += riccati.linear[:, p] - flow[:, :, p].sum(axis=1)
        square, source = riccati.square[:, p], riccati.source[:, p]
        value = np.repeat(y[..., None], order, axis=-1)
        for _ in range(_MOST_STEPS):
            guess = np.clip(value, 0.0, riccati.bound[:, p])
            bent = square * guess
            matrix = rate.copy()
            matrix[each, each] -= 2.0 * bent
            fed = source + bent * guess
            system = unit - np.einsum("b,pq,ijbq->bipjq", width, running, matrix).reshape(
                batch, size * order, size * order
            )
            right = y[..., None] + width[:, None] * (fed @ running.T)
            flat = right.transpose(1, 0, 2).reshape(batch, size * order, 1)
            value = np.linalg.solve(system, flat).reshape(batch, size, order).transpose(1, 0, 2)
            missed = square * (value - guess) ** 2 * width[:, None]
            if np.all((missed <= _CONVERGED * np.abs(value)) | riccati.void[:, p]):
                break
        else:
            raise ParameterError(
                "the equations of switching did not converge; switching and killing rates must be "
                "of a size that a cell can have; lower them"
            )
        nodes[:, p] = value
        slope = np.einsum("ijbq,jbq->ibq", matrix, value) + fed
        y = np.maximum(y + width * (slope @ weights), 0.0)
    return nodes, y


def _steady(
    linear: _Array, square: _Array, y: _Array, reach: _Array, brought: _Array | float
) -> bool:
    """Return whether y, the same at every node, already solves the equation there."""
    if reach.any() or np.any(brought):
        return False
    return bool(np.all(np.abs(linear - square * y) <= 1e-14 * (np.abs(linear) + square)))


def solve_lines(rates: LineRates, start: _Array) -> LineSolution:
    """Return what becomes of a line of each type, along the panels and at their end.

    Parameters
    ----------
    rates : LineRates
        Rates at the nodes, in backward time.
    start : ndarray, shape (C, n, B)
        Probabilities at the horizon, for each class, in the order in which they count.

    Returns
    -------
    LineSolution

    Raises
    ------
    ParameterError
        When the equations cannot be solved.
    """
    n, panels = len(rates.birth), rates.width.shape[0]
    batch = rates.width.shape[1]
    order = gauss_rule()[0].size
    shape = (n, panels, batch, order)
    removal = np.broadcast_to(rates.removal, shape)
    nodes, end = np.zeros((len(start), *shape)), np.zeros((len(start), n, batch))
    birth = rates.birth[:, None, :, None]
    # No line does better than the best at the start, or an untreated one of the fittest type.
    slowest = removal.min(axis=(0, 1, 3), initial=np.inf)
    top = np.maximum(1.0 - slowest / rates.birth.max(axis=0), start.sum(axis=0).max(axis=0))
    groups, flows = solving_order(rates), switches(rates.switching, n)
    diagonal = np.arange(n)
    stays = (rates.birth * rates.daughters[diagonal, diagonal])[:, None, :, None]
    leaves = rates.daughters.copy()
    leaves[diagonal, diagonal] = 0.0
    # What lower classes take: of a line itself, and of its sisters at each division.
    before, taken = np.zeros(shape), np.zeros(shape)
    for r, y in enumerate(nodes):
        if r == len(nodes) - 1 and rates.last_losses is not None:
            leaves = rates.last_losses
        for group in groups:
            i = list(group)
            reach = birth[i] * mixed(leaves[i], y)
            leaving, brought = departures(rates.switching, flows, i, rates.block, y)
            if not reach.any() and not np.any(brought) and not start[r, i].any():
                continue
            stay = stays[i]
            clear = np.maximum(1.0 - before[i], 0.0)
            linear = stay * clear - reach - removal[i] - taken[i] - leaving
            y[i] = start[r, i][:, None, :, None]
            if _steady(linear, stay, y[i], reach, brought):
                # Nothing is done to these types, and their fate is the same on every day.
                end[r, i] = start[r, i]
                taken[i] += reach + stay * y[i]
                continue
            riccati = _Riccati(
                square=np.broadcast_to(stay, linear.shape),
                linear=linear,
                source=clear * reach + brought,
                bound=np.minimum(clear, top[:, None]),
                # Where lower classes take every line, what is left over is rounding.
                void=clear < _ROUNDING,
                width=rates.width,
            )
            if len({int(b) for b in rates.block[i]}) == len(i):
                y[i], end[r, i] = _solve_single(riccati, start[r, i])
            else:
                assert rates.switching is not None
                flow = np.broadcast_to(rates.switching, (n, n, *shape[1:]))[np.ix_(i, i)]
                y[i], end[r, i] = _solve_block(riccati, flow, start[r, i])
            taken[i] += reach + stay * y[i]
        before += y
    return LineSolution(at_nodes=nodes, at_end=end)
