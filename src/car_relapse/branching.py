r"""Linear birth–death lines: closed-form laws and exact leaps.

A *line* is one cell and all its descendants. Cells divide at rate :math:`b` and die at
rate :math:`d`, independently. Whatever the rates do in time, the size of a line after
an interval follows a modified geometric law fixed by two numbers,

.. math::

    \rho = \int (d - b)\,dt, \qquad
    J = \ln(1 + I), \quad I = \int d(x)\, e^{\rho(x)}\,dx ,

(Kendall 1948, doi:10.1214/aoms/1177730285). The line is alive with probability
:math:`e^{-J}`; if alive, its size is geometric on 1, 2, ... with mean :math:`e^{J-\rho}`.
:math:`I` itself reaches :math:`e^{30}` and more under strong killing, so :math:`J` is what
is stored and integrated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.special import exprel, gammaln, logsumexp

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_non_negative,
)

__all__ = [
    "LineLaw",
    "constant_rate_law",
    "extinction_probability",
    "leap",
    "survival_probability",
    "time_dependent_law",
    "time_dependent_laws",
    "transition_probability",
]

Rate = Callable[[float], float]

_RATE_REMEDY = "give a rate in 1/day per cell"
_TIME_REMEDY = "give a duration in days"
# Draws above this would overflow the 64-bit counts of numpy's generators.
_LARGEST_POPULATION = 1e18


@dataclass(frozen=True, kw_only=True)
class LineLaw:
    """Law of the size of one line after an interval: modified geometric.

    All fields broadcast; arrays hold one law per element.
    """

    log_growth: NDArray[np.float64]
    r"""Log of the mean size, :math:`\ln E[n] = -\rho`; dimensionless."""
    log_hazard: NDArray[np.float64]
    r""":math:`J = \ln(1+I) = -\ln P(\text{alive})`, at least 0; dimensionless."""

    @property
    def log_alive(self) -> NDArray[np.float64]:
        """Log probability that the line is alive at the end."""
        return -self.log_hazard

    @property
    def extinct(self) -> NDArray[np.float64]:
        r"""Probability :math:`\alpha` that the line is extinct at the end."""
        return np.asarray(-np.expm1(-self.log_hazard))

    @property
    def excess_if_alive(self) -> NDArray[np.float64]:
        r"""Mean number of cells beyond the first, given alive: :math:`e^{J-\rho}-1`."""
        # Rounding can leave the exponent at -1e-17 when the interval is empty.
        return np.asarray(np.expm1(np.maximum(self.log_hazard + self.log_growth, 0.0)))

    @property
    def geometric_parameter(self) -> NDArray[np.float64]:
        r"""Parameter :math:`\beta` of :math:`P(n) = (1-\alpha)(1-\beta)\beta^{n-1}`."""
        return np.asarray(-np.expm1(-np.maximum(self.log_hazard + self.log_growth, 0.0)))

    def probability(self, size: ArrayLike) -> NDArray[np.float64]:
        r"""Return :math:`P(n)` of the line's size, for whole numbers `size` >= 0."""
        n = np.asarray(size)
        if np.any(n < 0) or np.any(n != np.floor(n)):
            raise ParameterError(
                f"size is {size!r}; a number of cells is a whole number >= 0; round it first"
            )
        joint = self.log_hazard + self.log_growth
        with np.errstate(divide="ignore"):
            log_beta = np.log(self.geometric_parameter)
        steps = np.where(n > 1, (n - 1) * np.where(n > 1, log_beta, 0.0), 0.0)
        alive = np.exp(-self.log_hazard - joint + steps)
        return np.asarray(np.where(n == 0, self.extinct, alive))


def _log_exprel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln((e^x - 1)/x) without overflow."""
    large = x > 30.0
    safe = np.where(large, 30.0, x)
    big = np.where(large, x, 31.0)
    return np.where(large, big - np.log(big) + np.log1p(-np.exp(-big)), np.log(exprel(safe)))


def constant_rate_law(birth_rate: ArrayLike, death_rate: ArrayLike, days: ArrayLike) -> LineLaw:
    r"""Return the law of one line after `days` at constant rates.

    With :math:`\lambda = b - d`,

    .. math:: I = d\,\frac{1 - e^{-\lambda t}}{\lambda}, \qquad \rho = -\lambda t,

    which is continuous through :math:`b = d` (there :math:`I = bt`).

    Parameters
    ----------
    birth_rate, death_rate : array_like
        Division and death rate per cell, 1/day, >= 0.
    days : array_like
        Length of the interval, days, >= 0.

    Returns
    -------
    LineLaw
        With the broadcast shape of the arguments.

    Raises
    ------
    ParameterError
        When a rate or a duration is negative, infinite or NaN.

    Examples
    --------
    >>> law = constant_rate_law(0.1, 0.3, 10.0)
    >>> round(float(law.extinct), 6)
    0.905514
    """
    b = require_non_negative("birth_rate", birth_rate, _RATE_REMEDY)
    d = require_non_negative("death_rate", death_rate, _RATE_REMEDY)
    t = require_non_negative("days", days, _TIME_REMEDY)
    b, d, t = np.broadcast_arrays(b, d, t)
    with np.errstate(divide="ignore"):
        log_i = np.log(d * t) + _log_exprel(-(b - d) * t)
    return LineLaw(
        log_growth=np.asarray((b - d) * t), log_hazard=np.asarray(np.logaddexp(0.0, log_i))
    )


def extinction_probability(birth_rate: ArrayLike, death_rate: ArrayLike) -> NDArray[np.float64]:
    r"""Return the probability that one line dies out some day, :math:`\min(1, d/b)`.

    Examples
    --------
    >>> float(extinction_probability(0.2, 0.1))
    0.5
    """
    b = require_non_negative("birth_rate", birth_rate, _RATE_REMEDY)
    d = require_non_negative("death_rate", death_rate, _RATE_REMEDY)
    b, d = np.broadcast_arrays(b, d)
    ratio = np.divide(d, b, out=np.where(d > 0, 1.0, 0.0), where=b > d)
    return np.asarray(ratio)


def survival_probability(birth_rate: float, death_rate: float) -> float:
    r"""Return :math:`s = 1 - d/b`, the probability that a growing line never dies out.

    Raises
    ------
    ParameterError
        When a rate is negative or not finite, or when the death rate is not below the
        birth rate, so that no line survives.

    Examples
    --------
    >>> survival_probability(0.2, 0.1)
    0.5
    """
    b = float(require_non_negative("birth_rate", birth_rate, _RATE_REMEDY))
    d = float(require_non_negative("death_rate", death_rate, _RATE_REMEDY))
    if d >= b:
        raise ParameterError(
            f"death_rate is {d:g} and birth_rate is {b:g}; untreated cells must grow, so "
            "death_rate < birth_rate; exchange or change the rates"
        )
    return (b - d) / b


def time_dependent_law(
    birth_rate: Rate,
    death_rate: Rate,
    start: float,
    stop: float,
    *,
    kinks: Sequence[float] = (),
    rtol: float = 1e-12,
) -> LineLaw:
    r"""Return the law of one line between two days when the rates depend on time.

    Integrates :math:`\rho' = d - b` and :math:`J' = d\,e^{\rho - J}` (Kendall 1948,
    doi:10.1214/aoms/1177730285), so that nothing overflows.

    Parameters
    ----------
    birth_rate, death_rate : callable
        Map a day to a rate per cell, 1/day, >= 0.
    start, stop : float
        Ends of the interval, days; ``start <= stop``.
    kinks : sequence of float, optional
        Days at which a rate is not smooth; the integration restarts there.
    rtol : float, optional
        Relative (and absolute) tolerance of the integration.

    Returns
    -------
    LineLaw
        Scalar.

    Raises
    ------
    ParameterError
        When ``start > stop``, or a rate is negative or not finite where it is evaluated.

    Examples
    --------
    >>> law = time_dependent_law(lambda t: 0.2, lambda t: 0.1, 0.0, 30.0)
    >>> bool(abs(law.log_growth - 3.0) < 1e-9)
    True
    """
    t0 = float(require_finite("start", start, _TIME_REMEDY))
    t1 = float(require_finite("stop", stop, _TIME_REMEDY))
    if t0 > t1:
        raise ParameterError(
            f"start is {t0:g} and stop is {t1:g}; time runs forward; exchange them"
        )

    def rates(t: float) -> tuple[float, float]:
        b, d = float(birth_rate(t)), float(death_rate(t))
        if not (np.isfinite(b) and np.isfinite(d) and b >= 0 and d >= 0):
            raise ParameterError(
                f"at day {t:g} birth_rate is {b:g} and death_rate is {d:g}; rates must be "
                "finite and >= 0; mend the rate functions"
            )
        return b, d

    def slope(t: float, state: NDArray[np.float64]) -> list[float]:
        b, d = rates(t)
        return [d - b, d * float(np.exp(state[0] - state[1]))]

    rates(t0)
    rates(t1)
    state = np.zeros(2)
    stops = [k for k in sorted(kinks) if t0 < k < t1] + [t1]
    for left, right in zip([t0, *stops[:-1]], stops, strict=True):
        if right > left:
            run = solve_ivp(slope, (left, right), state, method="DOP853", rtol=rtol, atol=rtol)
            state = run.y[:, -1]
    return LineLaw(log_growth=np.asarray(-state[0]), log_hazard=np.asarray(state[1]))


def time_dependent_laws(
    birth_rate: Rate, death_rate: Rate, days: ArrayLike, *, kinks: Sequence[float] = ()
) -> LineLaw:
    """Return one law for each interval between successive `days`.

    Parameters
    ----------
    birth_rate, death_rate : callable
        Map a day to a rate per cell, 1/day.
    days : array_like, shape (n,)
        Increasing days; n >= 2.
    kinks : sequence of float, optional
        Days at which a rate is not smooth.

    Returns
    -------
    LineLaw
        Arrays of shape (n - 1,).

    Raises
    ------
    ParameterError
        When fewer than two days are given or they do not increase.
    """
    t = require_finite("days", days, _TIME_REMEDY)
    if t.ndim != 1 or t.size < 2 or np.any(np.diff(t) <= 0):
        raise ParameterError(
            f"days is {days!r}; it must be a list of at least two increasing days; sort it"
        )
    laws = [
        # Each interval is one leap: 1e-9 is far below the Monte Carlo noise of any use of it.
        time_dependent_law(birth_rate, death_rate, a, b, kinks=kinks, rtol=1e-9)
        for a, b in pairwise(t)
    ]
    return LineLaw(
        log_growth=np.array([float(law.log_growth) for law in laws]),
        log_hazard=np.array([float(law.log_hazard) for law in laws]),
    )


def transition_probability(law: LineLaw, start: int, end: int) -> float:
    r"""Return the probability that `start` cells become `end` cells under `law`.

    Sums over the number :math:`j` of lines still alive, so that every term is positive:

    .. math::

        P(i \to n) = \sum_{j=1}^{\min(i,n)} \binom{i}{j}(1-\alpha)^j\alpha^{i-j}
                     \binom{n-1}{j-1}(1-\beta)^j\beta^{n-j}, \qquad P(i\to 0)=\alpha^i .

    Parameters
    ----------
    law : LineLaw
        A scalar law.
    start, end : int
        Numbers of cells, >= 0.

    Returns
    -------
    float
        Probability in [0, 1].

    Raises
    ------
    ParameterError
        When a count is not a whole number >= 0.

    Examples
    --------
    >>> law = constant_rate_law(0.3, 0.2, 2.0)
    >>> round(transition_probability(law, 2, 3), 9)
    0.192626416
    """
    i = require_count("start", start, "give a number of cells")
    n = require_count("end", end, "give a number of cells")
    if i == 0 or n == 0:
        return float(n == i) if i == 0 else float(law.extinct) ** i
    j = np.arange(1, min(i, n) + 1)
    with np.errstate(divide="ignore"):
        log_extinct = np.log(law.extinct)
        log_beta = np.log(law.geometric_parameter)

    def power(log_base: NDArray[np.float64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
        # 0^0 = 1: an exponent of zero must not meet a log of -inf.
        return np.where(exponent > 0, exponent * np.where(exponent > 0, log_base, 0.0), 0.0)

    terms = (
        gammaln(i + 1) - gammaln(j + 1) - gammaln(i - j + 1)
        + gammaln(n) - gammaln(j) - gammaln(n - j + 1)
        - j * (2.0 * law.log_hazard + law.log_growth)
        + power(log_extinct, i - j)
        + power(log_beta, n - j)
    )  # fmt: skip
    return float(np.exp(logsumexp(terms)))


def _refuse_overflow(cells: NDArray[np.float64]) -> None:
    largest = float(np.max(cells))
    if largest > _LARGEST_POPULATION:
        raise ParameterError(
            f"the leap would hold {largest:g} cells; counts above {_LARGEST_POPULATION:g} "
            "overflow; end the course at a size a body can hold"
        )


def leap(law: LineLaw, cells: ArrayLike, rng: np.random.Generator) -> NDArray[np.int64]:
    r"""Draw the number of cells at the end of an interval, exactly.

    :math:`K \sim` Binomial(n, :math:`e^{-J}`) lines are alive, and together they hold
    :math:`K +` NegativeBinomial(K, :math:`1-\beta`) cells. This is the law itself, not an
    approximation: it holds for intervals of any length and for populations up to 1e12.

    Parameters
    ----------
    law : LineLaw
        Law of one line over the interval; broadcasts against `cells`.
    cells : array_like of int
        Numbers of cells at the start, >= 0.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64
        Numbers of cells at the end.

    Raises
    ------
    ParameterError
        When a count is negative or not whole, or the number of cells passes 1e18, beyond
        which 64-bit counts overflow.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> int(leap(constant_rate_law(0.2, 0.1, 0.0), 10**12, rng))
    1000000000000
    """
    n = np.asarray(cells)
    if not np.all(np.isfinite(n)) or np.any(n < 0) or np.any(n != np.floor(n)):
        raise ParameterError(
            f"cells is {cells!r}; a number of cells is a whole number >= 0; round it first"
        )
    _refuse_overflow(np.maximum(n, n * np.exp(np.minimum(law.log_growth, 700.0))))
    alive = rng.binomial(n.astype(np.int64), np.exp(law.log_alive))
    mean_excess = rng.standard_gamma(alive) * law.excess_if_alive
    # The mean may pass the first check while the few lines that live are far above it.
    _refuse_overflow(mean_excess)
    return np.asarray(alive + rng.poisson(mean_excess), dtype=np.int64)
