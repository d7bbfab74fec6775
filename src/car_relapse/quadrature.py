"""Composite Gauss–Legendre quadrature with running integrals, for many patients at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Panels", "panels"]

_ORDER = 8


@cache
def _rule() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights on (0, 1) and the matrix of integrals from 0 to each node."""
    x, w = np.polynomial.legendre.leggauss(_ORDER)
    nodes, weights = 0.5 * (x + 1.0), 0.5 * w
    # Integrate each Lagrange basis polynomial exactly, through Legendre coefficients.
    vandermonde = np.polynomial.legendre.legvander(x, _ORDER - 1)
    integral = np.empty((_ORDER, _ORDER))
    for degree in range(_ORDER):
        basis = np.zeros(degree + 1)
        basis[degree] = 1.0
        antiderivative = np.polynomial.legendre.legint(basis, lbnd=-1)
        integral[:, degree] = np.polynomial.legendre.legval(x, antiderivative)
    running = 0.5 * integral @ np.linalg.inv(vandermonde)
    return nodes, weights, running


@cache
def _matrices() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrices of integrals up to and from each node, the whole panel as last row."""
    _, weights, running = _rule()
    return np.vstack([running, weights]), np.vstack([weights - running, weights])


@dataclass(frozen=True, kw_only=True)
class Panels:
    """Nodes of a composite rule; axis 0 is the panel, axis 1 the node, the rest patients."""

    width: NDArray[np.float64]
    """Panel widths, days, shape (panels, ...)."""
    node: NDArray[np.float64]
    """Nodes, days, shape (panels, 8, ...)."""

    def integral_to_edges(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral over each panel, shape (panels, ...)."""
        return np.asarray(_along_nodes(_rule()[1][None, :], values)[:, 0] * self.width)

    def running(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral from the first edge to each node, shape of `values`."""
        inside = _along_nodes(_matrices()[0], values)
        inside *= self.width[:, None]
        inside[1:, :-1] += _cumulative(inside[:, -1])[:-1, None]
        return inside[:, :-1]

    def remaining(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral from each node to the last edge, shape of `values`.

        Summed from the end: the difference of two running integrals would lose the tail.
        """
        inside = _along_nodes(_matrices()[1], values)
        inside *= self.width[:, None]
        inside[:-1, :-1] += _cumulative(inside[::-1, -1])[-2::-1, None]
        return inside[:, :-1]

    def weights(self) -> NDArray[np.float64]:
        """Return the weight of each node, days, shape (panels, 8, ...)."""
        shape = (1, _ORDER) + (1,) * (self.width.ndim - 1)
        return np.asarray(_rule()[1].reshape(shape) * self.width[:, None])


def _along_nodes(matrix: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply `matrix` to the nodes of each panel, shape (panels, rows of matrix, ...)."""
    flat = values.reshape(values.shape[0], _ORDER, -1)
    return np.asarray(matrix @ flat).reshape(values.shape[0], len(matrix), *values.shape[2:])


def _cumulative(whole: NDArray[np.float64]) -> NDArray[np.float64]:
    # Row by row: numpy's cumsum along the first axis walks through memory the slow way.
    total = np.array(whole)
    for row in range(1, len(total)):
        total[row] += total[row - 1]
    return total


def panels(edges: NDArray[np.float64]) -> Panels:
    """Return the composite rule on increasing `edges`, shape (panels + 1, ...).

    Panels of zero width are allowed and carry no weight.

    Examples
    --------
    >>> rule = panels(np.linspace(0.0, 1.0, 4))
    >>> float(rule.integral_to_edges(rule.node**2).sum().round(12))
    0.333333333333
    """
    width = np.diff(edges, axis=0)
    nodes = _rule()[0].reshape((1, _ORDER) + (1,) * (width.ndim - 1))
    return Panels(width=width, node=edges[:-1, None] + nodes * width[:, None])
