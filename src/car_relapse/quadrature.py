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


@dataclass(frozen=True, kw_only=True)
class Panels:
    """Nodes of a composite rule; axis 0 is the panel, axis 1 the node, the rest patients."""

    width: NDArray[np.float64]
    """Panel widths, days, shape (panels, ...)."""
    node: NDArray[np.float64]
    """Nodes, days, shape (panels, 8, ...)."""

    def integral_to_edges(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral over each panel, shape (panels, ...)."""
        weights = _rule()[1]
        return np.asarray(np.tensordot(weights, values, axes=(0, 1)) * self.width)

    def running(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral from the first edge to each node, shape of `values`."""
        inside = np.einsum("ij,pj...->pi...", _rule()[2], values) * self.width[:, None]
        whole = self.integral_to_edges(values)
        before = np.cumsum(whole, axis=0) - whole
        return np.asarray(before[:, None] + inside)

    def remaining(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral from each node to the last edge, shape of `values`.

        Summed from the end: the difference of two running integrals would lose the tail.
        """
        weights, running = _rule()[1], _rule()[2]
        inside = np.einsum("ij,pj...->pi...", weights - running, values) * self.width[:, None]
        whole = self.integral_to_edges(values)
        after = np.cumsum(whole[::-1], axis=0)[::-1] - whole
        return np.asarray(after[:, None] + inside)

    def weights(self) -> NDArray[np.float64]:
        """Return the weight of each node, days, shape (panels, 8, ...)."""
        weights = _rule()[1]
        shape = (1, _ORDER) + (1,) * (self.width.ndim - 1)
        return np.asarray(weights.reshape(shape) * self.width[:, None])


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
