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
from itertools import pairwise

import numpy as np
import scipy  # its parts load when they are first used
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_count,
    require_finite,
    require_instance,
    require_non_negative,
)
from car_relapse.leaps import leap
from car_relapse.line_law import LineLaw, constant_rate_law

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
# Divisions or deaths of one line beyond which its equations are stiff.
_STIFF = 2000.0
_STIFF_TOLERANCE = 1e-10
# Evaluations of the rates after which an interval is given up: seconds of work.
_MOST_LOOKS = 200_000
# Cells between which a probability is summed, one term for every line.
_MOST_CELLS = 10**6


def extinction_probability(birth_rate: ArrayLike, death_rate: ArrayLike) -> NDArray[np.float64]:
    r"""Return the probability that one line dies out some day, :math:`\min(1, d/b)`.

    Examples
    --------
    >>> float(extinction_probability(0.2, 0.1))
    0.5
    """
    b = require_non_negative("birth_rate", birth_rate, _RATE_REMEDY)
    d = require_non_negative("death_rate", death_rate, _RATE_REMEDY)
    require_broadcast(_RATE_REMEDY, birth_rate=b, death_rate=d)
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
    b = float(require_non_negative("birth_rate", birth_rate, _RATE_REMEDY, scalar=True))
    d = float(require_non_negative("death_rate", death_rate, _RATE_REMEDY, scalar=True))
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

    Integrates :math:`\rho' = d - b` and :math:`y' = b - d + d\,e^{-y}` with
    :math:`y = J - \rho`, the log mean size of a living line (Kendall 1948,
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
        When ``start > stop``, a rate is negative or not finite where it is evaluated, or the
        rates change too fast to be followed.

    Examples
    --------
    >>> law = time_dependent_law(lambda t: 0.2, lambda t: 0.1, 0.0, 30.0)
    >>> bool(abs(law.log_growth - 3.0) < 1e-9)
    True
    """
    t0 = float(require_finite("start", start, _TIME_REMEDY, scalar=True))
    t1 = float(require_finite("stop", stop, _TIME_REMEDY, scalar=True))
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

    looks = 0

    def slope(t: float, state: NDArray[np.float64]) -> list[float]:
        nonlocal looks
        looks += 1
        if looks > _MOST_LOOKS:
            raise ParameterError(
                f"start is {t0:g} and stop is {t1:g}; the rates in between change too fast or "
                f"too often to be followed ({_MOST_LOOKS} evaluations); name their kinks, smooth "
                "them, or shorten the interval"
            )
        b, d = rates(t)
        return [d - b, b - d + d * float(np.exp(-state[1]))]

    corners = require_finite("kinks", kinks, "give a list of days")
    if corners.ndim != 1:
        raise ParameterError(f"kinks is {kinks!r}; it must be a list of days; give [] for none")
    rates(t0)
    rates(t1)
    state = np.zeros(2)
    stops = [k for k in np.sort(corners) if t0 < k < t1] + [t1]
    for left, right in zip([t0, *stops[:-1]], stops, strict=True):
        if right > left:
            quickest = max(max(rates(t)) for t in np.linspace(left, right, 33))
            stiff = quickest * (right - left) > _STIFF
            method = "LSODA" if stiff else "DOP853"
            tolerance = max(rtol, _STIFF_TOLERANCE) if stiff else rtol
            run = scipy.integrate.solve_ivp(
                slope, (left, right), state, method, rtol=tolerance, atol=tolerance
            )
            if not run.success:
                raise ParameterError(
                    f"the rates between day {left:g} and day {right:g} could not be integrated; "
                    "name their kinks, or shorten the interval"
                )
            state = run.y[:, -1]
    # J = y + rho; rounding can leave it at -1e-17 when nothing dies.
    return LineLaw(
        log_growth=np.asarray(-state[0]), log_hazard=np.asarray(max(state[0] + state[1], 0.0))
    )


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
        Numbers of cells, from 0 to 1,000,000.

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
    require_instance("law", law, LineLaw, "give the result of constant_rate_law")
    remedy = "give a number of cells; for more cells draw them with leaps.leap"
    i = require_count("start", start, remedy, maximum=_MOST_CELLS)
    n = require_count("end", end, remedy, maximum=_MOST_CELLS)
    if i == 0 or n == 0:
        return float(n == i) if i == 0 else float(law.extinct) ** i
    j = np.arange(1, min(i, n) + 1)
    with np.errstate(divide="ignore"):
        log_extinct = np.log(law.extinct)
        log_beta = np.log(law.geometric_parameter)

    def power(log_base: NDArray[np.float64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
        # 0^0 = 1: an exponent of zero must not meet a log of -inf.
        return np.where(exponent > 0, exponent * np.where(exponent > 0, log_base, 0.0), 0.0)

    gammaln = scipy.special.gammaln
    terms = (
        gammaln(i + 1) - gammaln(j + 1) - gammaln(i - j + 1)
        + gammaln(n) - gammaln(j) - gammaln(n - j + 1)
        - j * (2.0 * law.log_hazard + law.log_growth)
        + power(log_extinct, i - j)
        + power(log_beta, n - j)
    )  # fmt: skip
    return float(np.exp(scipy.special.logsumexp(terms)))
