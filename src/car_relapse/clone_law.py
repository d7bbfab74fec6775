r"""The law of one mutant clone: how many of it are counted when growth ends.

At a uniform mark :math:`y` in (0, 1), a clone has had the time in which the sensitive cells grew
from :math:`y` of the final size to all of it. With :math:`x = y^{w}`, where :math:`w` is the net
growth rate of mutants relative to sensitive cells, and death-to-birth ratio :math:`\delta` of the
mutants, the size is modified geometric with

.. math::

    P(\text{alive}) = \frac{1-\delta}{1-\delta x}, \qquad
    \beta = \frac{1-x}{1-\delta x},

so the clone law is a mixture over marks. Sums of clones are in `car_relapse.luria_delbrueck`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)

__all__ = ["LARGEST_COUNT", "CloneLaw", "clone_probabilities", "clone_tails"]

LARGEST_COUNT = 200_000
"""Mutants beyond which the recursion (quadratic in time) stops being the right tool."""


@dataclass(frozen=True, kw_only=True)
class CloneLaw:
    """How one mutant clone grows, dies and is counted."""

    death_ratio: float = 0.0
    r"""Death over birth rate :math:`\delta = d/b` of mutants, dimensionless, in [0, 1)."""
    relative_growth: float = 1.0
    """Net growth rate of mutants over that of sensitive cells, w, dimensionless, > 0."""
    detection: float = 1.0
    """Probability e that a living mutant is counted (plating efficiency), in (0, 1]."""
    initial_fraction: float = 0.0
    """Initial over final population size, dimensionless, in [0, 1)."""

    def __post_init__(self) -> None:
        require_fraction(
            "death_ratio", self.death_ratio, "give death rate over birth rate", scalar=True
        )
        require_positive(
            "relative_growth", self.relative_growth, "1 means equal growth", scalar=True
        )
        require_fraction(
            "detection", self.detection, "1 means that every mutant is counted", scalar=True
        )
        require_fraction(
            "initial_fraction", self.initial_fraction, "0 means one founder", scalar=True
        )
        if self.death_ratio >= 1:
            raise ParameterError(
                f"death_ratio is {self.death_ratio:g}; mutants must grow, so it must be < 1; "
                "lower the death rate"
            )
        if self.detection == 0:
            raise ParameterError(
                "detection is 0; with it no mutant is ever counted; give a value in (0, 1]"
            )
        if self.initial_fraction >= 1:
            raise ParameterError(
                f"initial_fraction is {self.initial_fraction:g}; the population must grow, so it "
                "must be < 1; give initial over final size"
            )


def _tanh_sinh(lower: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log-nodes and weights of a double-exponential rule for the mean over (lower, 1).

    The integrand may be singular at either end (y^w at 0), which this rule absorbs.
    """
    t = np.arange(-272, 273) / 64.0  # beyond this the weights are below 1e-45
    u = np.pi * np.sinh(t)
    node = 1.0 / (1.0 + np.exp(-u))
    weight = np.pi * np.cosh(t) * node / (1.0 + np.exp(u)) / 64.0
    return -np.logaddexp(0.0, -u) if lower == 0 else np.log(lower + (1 - lower) * node), weight


def _check_largest(largest: int) -> int:
    n = require_count("largest", largest, "give the largest number of mutants")
    if n > LARGEST_COUNT:
        raise ParameterError(
            f"largest is {n}; the recursion is meant for at most {LARGEST_COUNT} mutants; "
            "use growth.sample_mutants for larger numbers"
        )
    return n


def clone_probabilities(law: CloneLaw, largest: int) -> NDArray[np.float64]:
    r"""Return :math:`q_0, \dots, q_n`: the law of the number counted in one clone.

    Parameters
    ----------
    law : CloneLaw
        Growth, death and detection of a clone.
    largest : int
        Largest number n, >= 0 and <= 200 000.

    Returns
    -------
    ndarray, shape (largest + 1,)
        Probabilities; without death, thinning or fitness difference
        :math:`q_k = 1/(k(k+1))`.

    Raises
    ------
    ParameterError
        When `largest` is not a whole number in range.

    Examples
    --------
    >>> clone_probabilities(CloneLaw(), 3).round(6)
    array([0.      , 0.5     , 0.166667, 0.083333])
    """
    n = _check_largest(largest)
    log_beta, seen, stop, missed, weight = _nodes(law)
    q = np.empty(n + 1)
    q[0] = np.sum(weight * missed)
    q[1:] = _powers(log_beta, weight * seen * stop, n)
    return q


def clone_tails(law: CloneLaw, largest: int) -> NDArray[np.float64]:
    r"""Return :math:`Q_k = \sum_{j>k} q_j` for k = 0 to `largest`, each with all its digits.

    Parameters
    ----------
    law : CloneLaw
        Growth, death and detection of a clone.
    largest : int
        Largest number, >= 0 and <= 200 000.

    Raises
    ------
    ParameterError
        When `largest` is not a whole number in range.

    Examples
    --------
    >>> clone_tails(CloneLaw(), 3).round(6)
    array([1.      , 0.5     , 0.333333, 0.25    ])
    """
    n = _check_largest(largest)
    log_beta, seen, _, _, weight = _nodes(law)
    return _powers(log_beta, weight * seen, n + 1)


def clone_tail(law: CloneLaw, number: int) -> float:
    """Return the probability that more than `number` of one clone are counted.

    One element of `clone_tails`, without those before it.

    Raises
    ------
    ParameterError
        When `number` is not a whole number in range.

    Examples
    --------
    >>> round(clone_tail(CloneLaw(), 3), 6)
    0.25
    """
    n = _check_largest(number)
    log_beta, seen, _, _, weight = _nodes(law)
    return float(np.exp(n * log_beta) @ (weight * seen))


def _powers(
    log_base: NDArray[np.float64], factor: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Return the sums of factor times base^k over the nodes, for k = 0 to count - 1."""
    total = np.empty(count)
    for first in range(0, count, 1024):
        k = np.arange(first, min(first + 1024, count))
        total[k] = np.exp(np.multiply.outer(k, log_base)) @ factor
    return total


def _nodes(law: CloneLaw) -> tuple[NDArray[np.float64], ...]:
    """Return ln beta, P(seen), 1 - beta, P(not seen) and the weight of each mark."""
    require_instance("law", law, CloneLaw, "give a CloneLaw")
    log_y, weight = _tanh_sinh(law.initial_fraction)
    x = np.exp(law.relative_growth * log_y)
    d, e = law.death_ratio, law.detection
    born = -np.expm1(law.relative_growth * log_y)  # 1 - x
    alive = (1 - d) / (1 - d * x)
    beta, stop = born / (1 - d * x), x * (1 - d) / (1 - d * x)
    seen = alive * e / (stop + beta * e)
    # 1 - beta of the thinned clone, written so that it keeps its digits when tiny.
    stop = stop / (stop + beta * e)
    # At the youngest nodes beta rounds to 0; its log stays finite so that 0 * log is 0.
    with np.errstate(divide="ignore"):
        log_beta = np.maximum(np.log1p(-stop), -1e30)
    # A clone dies or is missed with the complement, integrated without cancellation.
    missed = (d * born + (1 - d) * stop * (1 - e)) / (1 - d * x)
    return log_beta, seen, stop, missed, weight
