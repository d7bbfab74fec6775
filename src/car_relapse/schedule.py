r"""Killing day by day, on panels fine enough to solve the equations of survival on.

The horizon is a day after which no line's fate can still change. After the last day on
which killing exceeds net growth, the net rate only rises; the horizon is where an untreated
line has grown by :math:`e^{40}` since. It comes earlier when killing has gone on for so long
that nothing it can reach is left, to :math:`e^{-760}` cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import CellTypes
from car_relapse.errors import ParameterError
from car_relapse.line_rates import gauss_rule
from car_relapse.therapy import Therapy

__all__ = ["Schedule", "growth_panels", "horizon", "killing_schedule"]

_Array = NDArray[np.float64]

# A line's fate is settled once untreated growth has multiplied it by e^40.
_SETTLED = 40.0
# Below e^-760 expected cells there is nothing left that double precision could hold.
_NOTHING_LEFT = 760.0
# On a panel the log of a line's size changes by no more than this: 16 nodes keep 14 digits of it.
_WIDEST = 8.0
_RESOLVED = 1e-12
_MOST_PANELS = 6_000


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Killing rates of the products on panels of Gauss nodes, from infusion to the horizon."""

    edges: NDArray[np.float64]
    """Edges of the panels, days after infusion, shape (panels + 1,)."""
    kill: NDArray[np.float64]
    """Killing rate of each product for a cell it fully engages, 1/day, shape (products,
    panels, 16)."""
    kill_at_horizon: NDArray[np.float64]
    """The same on the last day, shape (products,)."""


def _refuse_panels(count: float) -> None:
    raise ParameterError(
        f"growth and killing change the log of a line's size so much that {count:g} panels or more "
        f"are needed, and {_MOST_PANELS} are the most; rates, exposure and the days between "
        "products must be of a size that a body can have; check them against the ranges of the "
        "ledger"
    )


@cache
def _last_coefficients() -> _Array:
    """Return the matrix from values at the nodes to the last two Legendre coefficients."""
    nodes, weights, _ = gauss_rule()
    order = nodes.size
    legendre = np.polynomial.legendre.legvander(2.0 * nodes - 1.0, order - 1)[:, -2:]
    return np.asarray(weights[:, None] * legendre * (2.0 * np.arange(order - 2, order) + 1.0))


def _kill(products: tuple[Therapy, ...], day: _Array) -> _Array:
    return np.stack([product.killing_rate(day) for product in products])


def horizon(products: tuple[Therapy, ...], types: CellTypes) -> float:
    """Return a day after which no line's fate can still change.

    Raises
    ------
    ParameterError
        When there is no such day within 1e30 days.
    """
    net = types.birth - types.death
    growing = net[net > 0]
    strongest = types.engagement.max(axis=(0, 2)) if types.engagement.size else np.zeros(0)
    if not growing.size:
        # Nothing grows, treated or not, so nothing has to be waited for.
        return max(product.first_day for product in products) + 1.0
    slowest = float(growing.min())
    share = slowest / max(int((strongest > 0).sum()), 1)
    turn = max(
        [product.first_day for product in products]
        + [
            product.last_day_above(share / reach)
            for product, reach in zip(products, strongest, strict=True)
            if reach > 0
        ]
    )
    width = _SETTLED / slowest

    def growth(days: float) -> float:
        grid = turn + np.linspace(0.0, days, 200)
        return float(np.trapezoid(slowest - strongest @ _kill(products, grid), grid))

    while growth(width) < _SETTLED:
        width *= 1.5
        if width > 1e30:
            raise ParameterError(
                f"killing stays within a hair of the net growth rate, {slowest:g} a day, for ever; "
                "no line's fate is ever settled; let the exposure end, or change the rates"
            )
    return turn + width


def _layers(kinks: list[float], end: float, fastest: float) -> list[float]:
    """Return edges before each kink, ever closer: what switches follows a kink at once."""
    if fastest <= 0:
        return []
    steps = 0.5 / fastest * 2.0 ** np.arange(0, np.ceil(np.log2(max(end * fastest, 2.0))) + 1)
    return [float(k - s) for k in kinks for s in steps if k - s > 0]


def _distinct(rows: _Array) -> _Array:
    """Return the distinct rows over the products of an array of shape (groups, products, n)."""
    return np.unique(rows.transpose(0, 2, 1).reshape(-1, rows.shape[1]), axis=0)


def _fastest(types: CellTypes, kill: _Array) -> _Array:
    """Return how fast the log of a line can change; `kill` has shape (products, ...)."""
    # A line also shrinks by the daughters, and by the cells, that it loses to other types.
    leaving = types.birth * (1.0 - np.diagonal(types.daughters))
    untreated = (np.abs(types.birth - types.death) + leaving).max()
    touched = types.engagement + types.stripping.sum(axis=3)
    return np.asarray(untreated + np.tensordot(_distinct(touched), kill, axes=1).max(axis=0))


def _cut(products: tuple[Therapy, ...], types: CellTypes, kinks: list[float], end: float) -> float:
    """Return the day, at most `end`, by which nothing that can be killed is left."""
    if types.switching.any() or types.stripping.any() or not types.engagement.any():
        # Cells that are off are not killed, and come back.
        return end
    grid = np.unique(
        np.concatenate([[0.0], kinks, np.geomspace(1e-6, end, 1500), np.linspace(0, end, 1500)])
    )
    rows = _distinct(types.engagement)
    least = (rows[rows.any(axis=1)] @ _kill(products, grid)).min(axis=0)
    # Of the two ends of each step the one that leaves more.
    fall = np.minimum(least[1:], least[:-1]) - (types.birth - types.death).max()
    gone = np.flatnonzero(np.cumsum(fall * np.diff(grid)) > _NOTHING_LEFT)
    return float(grid[gone[0] + 1]) if gone.size else end


def killing_schedule(products: tuple[Therapy, ...], types: CellTypes) -> Schedule:
    """Return killing on panels that resolve it and on which no line changes too much.

    Parameters
    ----------
    products : tuple of Therapy
        The products given.
    types : CellTypes
        With engagement of shape (groups, products, types).

    Raises
    ------
    ParameterError
        When more than 6,000 panels are needed.
    """
    end = horizon(products, types)
    kinks = sorted({k for product in products for k in product.kinks if 0 < k < end})
    end = _cut(products, types, kinks, end)
    kinks = [*(k for k in kinks if k < end), end]
    fastest = float(types.switching.sum(axis=1).max())
    edges = np.unique([0.0, *kinks, *_layers(kinks, end, fastest)])
    left, right = edges[:-1], edges[1:]
    done: list[tuple[_Array, _Array, _Array]] = []
    nodes, weights, _ = gauss_rule()
    while left.size:
        width = right - left
        kill = _kill(products, left[:, None] + nodes * width[:, None])
        change = (_fastest(types, kill) @ weights) * width
        # The last Legendre coefficients say how much of the curve the nodes miss.
        tail = np.abs(kill @ _last_coefficients()).max(axis=(0, 2)) * width
        rough = (tail > _RESOLVED * (1.0 + change)) & (width > 1e-12 * (1.0 + right))
        parts = np.maximum(np.ceil(change / _WIDEST), np.where(rough, 2.0, 1.0))
        if not parts.sum() + len(done) <= _MOST_PANELS:
            _refuse_panels(float(parts.sum()))
        whole = parts == 1.0
        done += list(zip(left[whole], right[whole], kill[:, whole].transpose(1, 0, 2), strict=True))
        split = [
            np.linspace(a, b, int(n) + 1)
            for a, b, n in zip(left[~whole], right[~whole], parts[~whole], strict=True)
        ]
        left = np.concatenate([[], *(e[:-1] for e in split)])
        right = np.concatenate([[], *(e[1:] for e in split)])
    done.sort(key=lambda panel: panel[0])
    return Schedule(
        edges=np.array([panel[0] for panel in done] + [end]),
        kill=np.stack([panel[2] for panel in done], axis=1),
        kill_at_horizon=_kill(products, np.asarray(end)),
    )


def growth_panels(days: NDArray[np.float64], fastest: NDArray[np.float64]) -> int:
    """Return how many equal panels resolve untreated growth of `days` at rates of `fastest`.

    Raises
    ------
    ParameterError
        When more than 6,000 are needed.
    """
    panels = float(np.ceil(np.max(days * fastest) / _WIDEST)) + 1.0
    if not panels <= _MOST_PANELS:
        _refuse_panels(panels)
    return int(panels)
