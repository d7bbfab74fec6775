r"""The Luria–Delbrück family: how many mutants a grown population holds.

A population of sensitive cells grows to a fixed size. Loss events happen along the way,
:math:`m` of them on average, and each founds a clone. At a uniform mark :math:`y` in
(0, 1), a clone has had the time in which the sensitive cells grew from :math:`y` of the
final size to all of it. With :math:`x = y^{w}`, where :math:`w` is the net growth rate of
mutants relative to sensitive cells, and death-to-birth ratio :math:`\delta` of the mutants,

.. math::

    P(\text{alive}) = \frac{1-\delta}{1-\delta x}, \qquad
    \beta = \frac{1-x}{1-\delta x},

so the clone law is a mixture of modified geometric laws, and the number of mutants is a
Poisson sum of clones. A detection (plating) efficiency :math:`e` thins each clone, which
keeps it modified geometric. Sources: Lea & Coulson 1949; Zheng 2017
(doi:10.1534/g3.117.300120); Kessler & Levine 2013 (doi:10.1073/pnas.1309667110).

Two ways to stop the growth differ and are never mixed here: at a *fixed size*, or at a
*fixed time*, when the size itself is exponentially distributed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = [
    "CloneLaw",
    "check_fixed",
    "clone_probabilities",
    "estimate_events",
    "mutant_probabilities",
    "mutant_quantile",
    "mutant_tail",
]

# Beyond this many mutants the recursion (quadratic in time) stops being the right tool.
_LARGEST_COUNT = 200_000
_RESCALE = 1e200


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
        require_fraction("death_ratio", self.death_ratio, "give death rate over birth rate")
        require_positive("relative_growth", self.relative_growth, "1 means equal growth")
        require_fraction("detection", self.detection, "1 means that every mutant is counted")
        require_fraction("initial_fraction", self.initial_fraction, "0 means one founder")
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
    n = require_count("largest", largest, "give the largest number of mutants")
    if n > _LARGEST_COUNT:
        raise ParameterError(
            f"largest is {n}; the recursion is meant for at most {_LARGEST_COUNT} mutants; "
            "use growth.sample_mutants for larger numbers"
        )
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
    q = np.empty(n + 1)
    q[0] = np.sum(weight * missed)
    head = weight * seen * stop
    for first in range(1, n + 1, 1024):
        k = np.arange(first, min(first + 1024, n + 1))
        q[k] = np.exp(np.multiply.outer(k - 1, log_beta)) @ head
    return q


def check_fixed(fixed: str) -> None:
    """Raise a ParameterError unless `fixed` names what ended the growth."""
    if fixed not in ("size", "time"):
        raise ParameterError(
            f"fixed is {fixed!r}; growth ends at a fixed 'size' or 'time'; choose one"
        )


def _check_events(events: float) -> float:
    return float(require_non_negative("events", events, "give an expected number of loss events"))


def mutant_probabilities(
    events: float, law: CloneLaw, largest: int, *, fixed: str = "size"
) -> NDArray[np.float64]:
    r"""Return :math:`p_0, \dots, p_n`: the law of the number of mutants counted.

    At fixed size the sum over clones is Poisson (Panjer recursion), at fixed time it is
    geometric, because the size is then exponential around its mean:

    .. math::

        p_n = \frac{m}{n}\sum_{j=1}^{n} j q_j p_{n-j}, \; p_0 = e^{-m(1-q_0)}
        \qquad\text{or}\qquad
        p_n = \frac{m}{1+m(1-q_0)} \sum_{j=1}^n q_j p_{n-j}, \; p_0 = \frac{1}{1+m(1-q_0)} .

    Parameters
    ----------
    events : float
        Expected number of loss events m, >= 0; at fixed time, at the mean size. With cell
        death m = uN/s, not uN.
    law : CloneLaw
        Growth, death and detection of a clone.
    largest : int
        Largest number n.
    fixed : {"size", "time"}
        What ended the growth.

    Returns
    -------
    ndarray, shape (largest + 1,)

    Raises
    ------
    ParameterError
        On negative `events`, an unknown `fixed`, or a `largest` out of range.

    Examples
    --------
    >>> mutant_probabilities(1.0, CloneLaw(), 2).round(6)
    array([0.367879, 0.18394 , 0.107298])
    """
    m = _check_events(events)
    check_fixed(fixed)
    q = clone_probabilities(law, largest)
    p = np.zeros_like(q)
    if fixed == "size":
        # The recursion is linear: it starts from 1, and the true p_0, which underflows from
        # m = 745 on, is put back at the end.
        p[0], log_scale = 1.0, -m * (1.0 - q[0])
        weighted = np.arange(q.size) * q
        for n in range(1, q.size):
            p[n] = m / n * np.dot(weighted[1 : n + 1], p[n - 1 :: -1])
            if p[n] > _RESCALE:
                p[: n + 1] /= _RESCALE
                log_scale += np.log(_RESCALE)
        with np.errstate(divide="ignore"):
            p = np.exp(np.log(p) + log_scale)
    else:
        p[0] = 1.0 / (1.0 + m * (1.0 - q[0]))
        for n in range(1, q.size):
            p[n] = m * p[0] * np.dot(q[1 : n + 1], p[n - 1 :: -1])
    return p


def mutant_tail(events: float, law: CloneLaw, number: int, *, fixed: str = "size") -> float:
    """Return the probability that more than `number` mutants are counted.

    Examples
    --------
    >>> round(mutant_tail(1.0, CloneLaw(), 500), 9)
    0.002019241
    """
    return float(1.0 - mutant_probabilities(events, law, number, fixed=fixed).sum())


def mutant_quantile(
    probability: float, events: float, law: CloneLaw, *, fixed: str = "size"
) -> int:
    """Return the smallest number n with P(mutants <= n) >= `probability`.

    Raises
    ------
    ParameterError
        When `probability` is not in [0, 1), or the quantile passes 200 000: the tail falls
        only as 1/n, so extreme quantiles are astronomically large.

    Examples
    --------
    >>> mutant_quantile(0.5, 5.0, CloneLaw())
    14
    """
    level = float(require_fraction("probability", probability, "give a probability below 1"))
    if level == 1:
        raise ParameterError(
            "probability is 1; every number of mutants is possible, so no number is the largest; "
            "give a probability below 1"
        )
    largest = 0
    while largest < _LARGEST_COUNT:
        largest = min(max(64, 4 * largest), _LARGEST_COUNT)
        cumulative = np.cumsum(mutant_probabilities(events, law, largest, fixed=fixed))
        if cumulative[-1] >= level:
            return int(np.searchsorted(cumulative, level))
    raise ParameterError(
        f"probability is {level:g}; the quantile passes {_LARGEST_COUNT} mutants; ask for a "
        "lower one or use growth.sample_mutants"
    )


def estimate_events(counts: ArrayLike, law: CloneLaw) -> float:
    r"""Return the maximum-likelihood estimate of m from mutant counts at fixed size.

    Solves the score equation :math:`\sum_i p'_{n_i}(m)/p_{n_i}(m) = 0`, where
    :math:`p'_n = \sum_j q_j p_{n-j} - p_n` follows from the generating function
    (Zheng 2017, doi:10.1534/g3.117.300120).

    Parameters
    ----------
    counts : array_like of int, shape (n,)
        Mutants counted in parallel cultures (or patients), not all 0.
    law : CloneLaw
        Growth, death and detection of a clone.

    Returns
    -------
    float
        The estimate of m.

    Raises
    ------
    ParameterError
        When `counts` is empty, not whole, negative, or all 0 (the estimate is then 0 and
        has no interior maximum: report an upper bound instead).

    Examples
    --------
    >>> round(estimate_events([0, 16, 20, 2, 2, 56, 3, 161, 9], CloneLaw()), 6)
    2.731073
    """
    n = np.asarray(counts)
    if n.ndim != 1 or n.size == 0 or np.any(n < 0) or np.any(n != np.floor(n)):
        raise ParameterError(
            f"counts is {counts!r}; it must be a list of whole numbers >= 0; correct it"
        )
    if not n.any():
        raise ParameterError(
            "counts are all 0; the likelihood has no interior maximum; report an upper bound "
            "on m from P(0) instead"
        )
    n = n.astype(int)
    q = clone_probabilities(law, int(n.max()))

    def score(log_m: float) -> float:
        p = mutant_probabilities(float(np.exp(log_m)), law, int(n.max()))
        if not p[n].all():  # probabilities underflow only where m is far too large
            return -float(n.size)
        slope = np.array([np.dot(q[: k + 1], p[k::-1]) - p[k] for k in n])
        return float(np.sum(slope / p[n]))

    low, high = np.log(1e-3), np.log(2.0 + float(np.median(n)))
    while score(low) < 0:
        low -= 3.0
    while score(high) > 0:
        high += 1.0
    return float(np.exp(brentq(score, low, high, xtol=1e-13)))
