r"""The rates of many types of cell line on panels of Gauss nodes, and who leads to whom.

Losses lead from a type to another for good; types that switch into each other and back form
a *block*. So there is an order in which blocks can be solved one after the other, those that
lead nowhere first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LineRates", "departures", "gauss_rule", "mixed", "solving_order", "switches"]

_Array = NDArray[np.float64]
# Gauss nodes on a panel.
_ORDER = 16


@cache
def gauss_rule(order: int = _ORDER) -> tuple[_Array, _Array, _Array]:
    """Return nodes and weights on (0, 1) and the matrix of integrals from 0 to each node."""
    x, w = np.polynomial.legendre.leggauss(order)
    vandermonde = np.polynomial.legendre.legvander(x, order - 1)
    integral = np.stack(
        [
            np.polynomial.legendre.legval(
                x, np.polynomial.legendre.legint(np.eye(order)[degree], lbnd=-1)
            )
            for degree in range(order)
        ],
        axis=1,
    )
    # The rows of the discrete Legendre transform, exact up to this degree.
    degree = np.arange(order)[:, None]
    transform = (degree + 0.5) * vandermonde.T * w
    return 0.5 * (x + 1.0), 0.5 * w, 0.5 * integral @ transform


@dataclass(frozen=True, kw_only=True)
class LineRates:
    """Rates along the panels, in backward time; n types, P panels, B independent problems."""

    width: _Array
    """Width of each panel, days, shape (P, B)."""
    birth: _Array
    """Division rate, 1/day, shape (n, B)."""
    removal: _Array
    """Death and killing rate at each node, 1/day, shape (n, P, B, 16), or a shape that
    broadcasts to it."""
    daughters: _Array
    """Probability that one daughter is of type j, shape (n, n, B) or (n, n, 1)."""
    switching: _Array | None
    """Rate from i to j at each node, 1/day, shape (n, n, P, B, 16) or broadcasting; None
    without."""
    block: NDArray[np.int64]
    """Block of each type; types of one block switch into each other, shape (n,)."""
    last_losses: _Array | None = None
    """Losses that count for the last class, as `daughters` with a diagonal of 0; None: all."""


@cache
def _levels(
    edges: tuple[tuple[int, int], ...], block: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    # The height of a block is the length of the longest way out of it.
    count = max(block) + 1
    level = [0] * count
    for _ in range(count):
        for i, j in edges:
            level[block[i]] = max(level[block[i]], level[block[j]] + 1)
    members = [[i for i, b in enumerate(block) if b == which] for which in range(count)]
    groups: list[tuple[int, ...]] = []
    for height in range(max(level) + 1):
        here = [members[b] for b in range(count) if level[b] == height]
        single = tuple(types[0] for types in here if len(types) == 1)
        groups += ([single] if single else []) + [tuple(t) for t in here if len(t) > 1]
    return tuple(groups)


def solving_order(rates: LineRates) -> tuple[tuple[int, ...], ...]:
    """Return groups of types to be solved at once, those that lead nowhere first.

    A group is one block, or several blocks of one type that do not lead to each other.
    """
    leads = (rates.daughters > 0).any(axis=2) | switches(rates.switching, len(rates.birth))
    block = rates.block
    edges = tuple(
        (int(i), int(j)) for i, j in zip(*np.nonzero(leads), strict=True) if block[i] != block[j]
    )
    return _levels(edges, tuple(int(b) for b in block))


def switches(switching: _Array | None, types: int) -> NDArray[np.bool_]:
    """Return which types switch into which, shape (n, n)."""
    if switching is None:
        return np.zeros((types, types), dtype=bool)
    return np.asarray(switching.any(axis=tuple(range(2, switching.ndim))))


def departures(
    switching: _Array | None, flows: NDArray[np.bool_], i: list[int], block: NDArray[np.int64],
    y: _Array,
) -> tuple[_Array, _Array] | tuple[float, float]:  # fmt: skip
    """Return the rate at which types i switch to other blocks for good, and what that brings."""
    away = flows[i] & (block[i][:, None] != block)
    if switching is None or not away.any():
        return 0.0, 0.0
    used = np.flatnonzero(away.any(axis=0))
    counts = away[:, used].reshape(len(i), used.size, *[1] * (switching.ndim - 2))
    rate = switching[i][:, used] * counts
    return rate.sum(axis=1), (rate * y[used]).sum(axis=1)


def mixed(matrix: _Array, values: _Array) -> _Array:
    """Return sum over j of m_ij values_j; `matrix` (m, n, B or 1), `values` (n, ..., B, q)."""
    # Few types lead to few others: most columns are empty.
    used = np.flatnonzero(matrix.any(axis=(0, 2)))
    if matrix.shape[2] == 1:
        flat = matrix[:, used, 0] @ values[used].reshape(used.size, values[0].size)
        return np.asarray(flat.reshape(matrix.shape[0], *values.shape[1:]))
    return np.asarray(np.einsum("ijb,j...bq->i...bq", matrix[:, used], values[used]))
