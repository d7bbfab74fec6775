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

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from car_relapse.clone_law import (
    LARGEST_COUNT,
    CloneLaw,
    clone_probabilities,
    clone_tail,
    clone_tails,
)
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_non_negative,
)

__all__ = [
    "CloneLaw",
    "check_fixed",
    "clone_probabilities",
    "estimate_events",
    "estimate_interval",
    "mutant_probabilities",
    "mutant_quantile",
    "mutant_tail",
]

# The recursion is quadratic, and a quantile goes through it up to the end.
_LARGEST_QUANTILE = 65_536
# The largest cell numbers that a body can hold do not divide as often.
_MOST_EVENTS = 1e18
_RESCALE = 1e200
# Below this a tail is summed from positive terms.
_SMALL_TAIL = 1e-6
_FEW_EVENTS = 0.05
_LONG = 20_000


def check_fixed(fixed: str) -> None:
    """Raise a ParameterError unless `fixed` names what ended the growth."""
    if fixed not in ("size", "time"):
        raise ParameterError(
            f"fixed is {fixed!r}; growth ends at a fixed 'size' or 'time'; choose one"
        )


def _check_events(events: float) -> float:
    m = float(
        require_non_negative(
            "events", events, "give an expected number of loss events", scalar=True
        )
    )
    if m > _MOST_EVENTS:
        raise ParameterError(
            f"events is {m:g}; it must be at most {_MOST_EVENTS:g}, more than the divisions of any "
            "leukaemia; give an expected number of loss events"
        )
    return m


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
        When `events` is negative or above 1e18, `fixed` unknown, or `largest` out of range.

    Examples
    --------
    >>> mutant_probabilities(1.0, CloneLaw(), 2).round(6)
    array([0.367879, 0.18394 , 0.107298])
    """
    m = _check_events(events)
    check_fixed(fixed)
    return _of_clones(m, clone_probabilities(law, largest), fixed)


def _of_clones(m: float, q: NDArray[np.float64], fixed: str) -> NDArray[np.float64]:
    """Return the law of a sum of clones that have the probabilities `q`."""
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
    r"""Return the probability that more than `number` mutants are counted.

    Tails below a millionth are not taken as one minus a sum, which would lose their digits,
    but from positive terms: with the clone tails :math:`Q_j` and :math:`p_k(s)` at the events
    :math:`sm`,

    .. math:: P(X > n) = m \int_0^1 \sum_j Q_j\, p_{n-j}(s)\,ds ,

    as :math:`1 - e^{-m(1-f)} = \int_0^1 m(1-f)\,e^{-sm(1-f)}ds`; at fixed time, where it is
    geometric, without the integral.

    Raises
    ------
    ParameterError
        As in `mutant_probabilities`.

    Examples
    --------
    >>> round(mutant_tail(1.0, CloneLaw(), 500), 9)
    0.002019241
    """
    m = _check_events(events)
    p = mutant_probabilities(m, law, number, fixed=fixed)
    rest = float(1.0 - p.sum())
    if rest > _SMALL_TAIL:
        return rest
    tails = clone_tails(law, number)
    if fixed == "time":
        return float(m * np.dot(tails, p[::-1]))
    alive = m * tails[0]
    # Few events: the integrand hardly varies. Many, with many mutants: too slow to be of use.
    order = 4 if alive < _FEW_EVENTS else 24
    if order > 4 and (p.size > _LONG or alive > 300.0):
        return max(rest, 0.0)
    node, weight = np.polynomial.legendre.leggauss(order)
    mean = np.zeros_like(p)
    for s, w in zip(0.5 * (node + 1.0), 0.5 * weight, strict=True):
        mean += w * mutant_probabilities(s * m, law, number)
    return float(m * np.dot(tails, mean[::-1]))


def _further(log_m: float, step: float) -> float:
    """Return the next number of events to try, as its log."""
    if log_m > np.log(_MOST_EVENTS):
        raise ParameterError(
            f"the counts ask for more than {_MOST_EVENTS:g} loss events, more than the divisions "
            "of any leukaemia; this law does not make such counts; change the law"
        )
    return log_m + step


def mutant_quantile(
    probability: float,
    events: float,
    law: CloneLaw,
    *,
    fixed: str = "size",
    largest: int = _LARGEST_QUANTILE,
) -> int:
    """Return the smallest number n with P(mutants <= n) >= `probability`.

    Parameters
    ----------
    probability : float
        In [0, 1).
    events : float
        Expected number of loss events, >= 0 and <= 1e18.
    law : CloneLaw
        Growth, death and detection of a clone.
    fixed : str
        ``size`` or ``time``: what ended the growth.
    largest : int
        Number up to which the quantile is sought, from 1 to 200 000; the time that takes grows
        with its square.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or the quantile passes `largest`: the tail falls
        only as 1/n, so extreme quantiles are astronomically large.

    Examples
    --------
    >>> mutant_quantile(0.5, 5.0, CloneLaw())
    14
    """
    level = float(
        require_fraction("probability", probability, "give a probability below 1", scalar=True)
    )
    if level == 1:
        raise ParameterError(
            "probability is 1; every number of mutants is possible, so no number is the largest; "
            "give a probability below 1"
        )
    m = _check_events(events)
    check_fixed(fixed)
    remedy = "give the number up to which to look"
    end = require_count("largest", largest, remedy, minimum=1, maximum=LARGEST_COUNT)
    number = 0
    while number < end:
        number = min(max(64, 4 * number), end)
        q = clone_probabilities(law, number)
        # One clone alone passes this number so often; then there is no need to add them up.
        passing = m * clone_tail(law, number)
        alone = -np.expm1(-passing) if fixed == "size" else passing / (1.0 + passing)
        if 1.0 - level >= alone:
            cumulative = np.cumsum(_of_clones(m, q, fixed))
            if cumulative[-1] >= level:
                return int(np.searchsorted(cumulative, level))
    raise ParameterError(
        f"probability is {level!r}; the quantile passes {end} mutants; ask for a lower one, "
        f"give largest up to {LARGEST_COUNT}, or use growth.sample_mutants"
    )


def _check_counts(counts: ArrayLike) -> NDArray[np.int64]:
    n = require_non_negative("counts", counts, "give whole numbers of mutants; correct it")
    if n.ndim != 1 or n.size == 0 or np.any(n != np.floor(n)):
        raise ParameterError(
            f"counts is {counts!r}; it must be a list of whole numbers >= 0; correct it"
        )
    return n.astype(np.int64)


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
    n = _check_counts(counts)
    if not n.any():
        raise ParameterError(
            "counts are all 0; the likelihood has no interior maximum; report an upper bound "
            "on m from P(0) instead"
        )
    q = clone_probabilities(law, int(n.max()))
    if not q[n[n > 0]].all():
        raise ParameterError(
            f"counts reach {int(n.max())}, and under this law such a clone has a probability "
            "below the smallest number; no m explains the counts; change the law"
        )

    def score(log_m: float) -> float:
        p = _of_clones(float(np.exp(log_m)), q, "size")
        if not p[n].all():  # probabilities underflow only where m is far too large
            return -float(n.size)
        slope = np.array([np.dot(q[: k + 1], p[k::-1]) - p[k] for k in n])
        return float(np.sum(slope / p[n]))

    low, high = np.log(1e-3), np.log(2.0 + float(np.median(n)))
    while score(low) < 0:
        low -= 3.0
    while score(high) > 0:
        high = _further(high, 1.0)
    return float(np.exp(brentq(score, low, high, xtol=1e-13)))


def estimate_interval(
    counts: ArrayLike, law: CloneLaw, *, level: float = 0.95
) -> tuple[float, float]:
    r"""Return the likelihood interval of m from mutant counts at fixed size.

    All m for which twice the log likelihood is within the `level` quantile of
    :math:`\chi^2_1` of its maximum. Counts that are all 0 give an interval that starts at 0.

    Parameters
    ----------
    counts : array_like of int, shape (n,)
        Mutants counted in parallel cultures (or patients).
    law : CloneLaw
        Growth, death and detection of a clone.
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    low, high : float

    Raises
    ------
    ParameterError
        When `counts` is empty, not whole or negative, or `level` is not in (0, 1).

    Examples
    --------
    >>> low, high = estimate_interval([0, 16, 20, 2, 2, 56, 3, 161, 9], CloneLaw())
    >>> round(low, 3), round(high, 3)
    (1.385, 4.598)
    """
    n = _check_counts(counts)
    part = float(require_fraction("level", level, "give a coverage, as 0.95", scalar=True))
    if part in (0.0, 1.0):
        raise ParameterError(f"level is {part:g}; it must lie in (0, 1); give a coverage, as 0.95")
    drop = 0.5 * float(chi2.ppf(part, 1))
    if not n.any():
        return 0.0, drop / (n.size * float(clone_tails(law, 0)[0]))
    best = estimate_events(n, law)

    q = clone_probabilities(law, int(n.max()))

    def log_likelihood(log_m: float) -> float:
        p = _of_clones(float(np.exp(log_m)), q, "size")[n]
        # Probabilities underflow only far from the maximum.
        return float(np.log(p).sum()) if p.all() else -1e300

    top = log_likelihood(np.log(best))

    def end(step: float) -> float:
        near, far = np.log(best), np.log(best) + step
        while top - log_likelihood(far) < drop:
            near, far = far, _further(far, step)
        ends = sorted((near, far))
        return float(
            np.exp(brentq(lambda x: top - log_likelihood(x) - drop, *ends, xtol=1e-10, rtol=1e-12))
        )

    return end(-0.5), end(0.5)
