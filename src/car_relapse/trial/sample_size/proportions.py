r"""Two proportions: the normal formula, and Fisher's exact test with its exact power.

The normal formula takes the variance under the null hypothesis for the level, and that under the
alternative for the power. With the shares :math:`q = 1-p` and equal arms, each needs

.. math:: n = \frac{\left(z_{1-\alpha/2}\sqrt{2\bar p\bar q}
    + z_{1-\beta}\sqrt{p_1q_1 + p_2q_2}\right)^2}{(p_1-p_2)^2} .
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, ndtr, ndtri
from scipy.stats import binom, fisher_exact

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_fraction,
)
from car_relapse.trial.sample_size.events import allocation, inside, normal_sum

__all__ = [
    "Proportions",
    "fisher_power",
    "fisher_size",
    "fisher_test",
    "proportions_power",
    "two_proportions",
]

Floats = NDArray[np.float64]

_SHARE = "give the share of patients with the event"
# Tables as likely as the one seen count as such; their probabilities differ by rounding.
_TIE = 1.0 + 1e-7
_LARGEST_ARM = 2000
_LARGEST_SOUGHT = 500


@dataclass(frozen=True, kw_only=True)
class Proportions:
    """Size of a comparison of two proportions; infinite when they are equal."""

    control: float
    """Patients in the control arm, not rounded, perhaps infinite."""
    experimental: float
    """Patients in the experimental arm, not rounded, perhaps infinite."""

    @property
    def patients(self) -> float:
        """Patients in both arms together, perhaps infinite."""
        return self.control + self.experimental


def _spreads(control: float, experimental: float, share: float) -> tuple[float, float, float]:
    """Return the difference, and its standard errors per patient without and with an effect."""
    p0 = float(require_fraction("control", control, _SHARE, scalar=True))
    p1 = float(require_fraction("experimental", experimental, _SHARE, scalar=True))
    part = allocation(share)
    pooled = (1.0 - part) * p0 + part * p1
    null = math.sqrt(pooled * (1.0 - pooled) / (part * (1.0 - part)))
    real = math.sqrt(p0 * (1.0 - p0) / (1.0 - part) + p1 * (1.0 - p1) / part)
    return abs(p0 - p1), null, real


def two_proportions(
    control: float,
    experimental: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    share: float = 0.5,
) -> Proportions:
    """Return how many patients a comparison of two proportions needs, by the normal formula.

    Parameters
    ----------
    control, experimental : float
        Share of patients with the event in either arm, in [0, 1].
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    Proportions
        Infinite when both shares are equal.

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    >>> round(two_proportions(0.25, 0.10).patients, 1)
    199.1
    """
    difference, null, real = _spreads(control, experimental, share)
    # The sum checks both; the parts are needed apart.
    normal_sum(alpha, power)
    weighted = -ndtri(alpha / 2.0) * null + ndtri(power) * real
    total = float((weighted / difference) ** 2) if difference else math.inf
    return Proportions(control=(1.0 - share) * total, experimental=share * total)


def proportions_power(
    control: float,
    experimental: float,
    patients: float,
    *,
    alpha: float = 0.05,
    share: float = 0.5,
) -> float:
    """Return the power that the normal formula of `two_proportions` gives a number of patients.

    Parameters
    ----------
    control, experimental, alpha, share
        As for `two_proportions`.
    patients : float
        Patients in both arms together, > 0.

    Examples
    --------
    >>> round(proportions_power(0.25, 0.10, 200), 3)
    0.802
    """
    difference, null, real = _spreads(control, experimental, share)
    level = inside("alpha", alpha, "give the two-sided level, such as 0.05")
    n = require_count("patients", patients, "give a number of patients", minimum=1)
    distance = difference * math.sqrt(n) + float(ndtri(level / 2.0)) * null
    if real == 0.0:
        # No patient's outcome is a matter of chance.
        return float(distance > 0.0)
    return float(ndtr(distance / real))


def fisher_test(table: Sequence[Sequence[int]]) -> float:
    """Return the two-sided p-value of Fisher's exact test.

    Parameters
    ----------
    table : sequence of sequence of int
        Patients with and without the event, one row for each arm, shape (2, 2).

    Returns
    -------
    float
        Probability of all tables with the same margins that are at most as likely.

    Raises
    ------
    ParameterError
        When the table has another shape or is not made of whole numbers from 0.

    Examples
    --------
    >>> round(fisher_test([[6, 34], [15, 25]]), 4)
    0.0406
    """
    remedy = "give [[events, others], [events, others]], one row for each arm"
    if not is_list(table) or [is_list(row) and len(row) for row in table] != [2, 2]:
        raise ParameterError(f"table is {table!r:.100}; it must be two rows of two; {remedy}")
    cells = [[require_count("table", x, remedy, maximum=10**6) for x in row] for row in table]
    return float(fisher_exact(cells).pvalue)


def _log_choose(n: int, k: ArrayLike) -> Floats:
    number = np.asarray(k, dtype=float)
    return np.asarray(gammaln(n + 1.0) - gammaln(number + 1.0) - gammaln(n - number + 1.0))


def _rejected(n0: int, n1: int, alpha: float) -> NDArray[np.bool_]:
    """Return which tables Fisher's test rejects, shape (n0 + 1, n1 + 1)."""
    log = _log_choose(n0, np.arange(n0 + 1))[:, None] + _log_choose(n1, np.arange(n1 + 1))
    found = np.zeros(log.shape, dtype=bool)
    # The tables with one number of events lie on a diagonal of the mirrored matrix.
    mirrored, marks = log[:, ::-1], found[:, ::-1]
    for offset in range(-n0, n1 + 1):
        line = np.diagonal(mirrored, offset)
        likely = np.exp(line - line.max())
        order = np.argsort(likely, kind="stable")
        total = np.cumsum(likely[order])
        # Sum of all that are at most as likely, ties with it.
        upto = np.searchsorted(likely[order], likely * _TIE, side="right") - 1
        p_value = total[upto] / total[-1]
        rows = np.arange(line.size) + max(0, -offset)
        marks[rows, rows + offset] = p_value <= alpha
    return found


def fisher_power(
    control: float, experimental: float, patients: tuple[int, int], *, alpha: float = 0.05
) -> float:
    """Return the exact power of Fisher's test, in the direction of the effect.

    Parameters
    ----------
    control, experimental : float
        Share of patients with the event in either arm.
    patients : (int, int)
        Patients in the control and in the experimental arm, each at most 2000.
    alpha : float, optional
        Two-sided level.

    Returns
    -------
    float
        Probability of a p-value of at most `alpha` with the lower share where it is lower in
        truth; when both are equal, of one in either direction, which is the type I error.

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    The normal formula says 80 %.

    >>> round(fisher_power(0.25, 0.10, (100, 100)), 3)
    0.762
    """
    p0 = float(require_fraction("control", control, _SHARE, scalar=True))
    p1 = float(require_fraction("experimental", experimental, _SHARE, scalar=True))
    level = inside("alpha", alpha, "give the two-sided level, such as 0.05")
    remedy = "give the patients of the control and of the experimental arm"
    if not is_list(patients) or len(patients) != 2:
        raise ParameterError(f"patients is {patients!r}; it must be two numbers; {remedy}")
    n0, n1 = (
        require_count("patients", n, remedy, minimum=1, maximum=_LARGEST_ARM) for n in patients
    )
    rejected = _rejected(n0, n1, level)
    if p0 != p1:
        # No rounding: whole numbers are compared.
        less = np.arange(n0 + 1)[:, None] * n1 > np.arange(n1 + 1) * n0
        rejected &= less if p1 < p0 else ~less
    first, second = binom.pmf(np.arange(n0 + 1), n0, p0), binom.pmf(np.arange(n1 + 1), n1, p1)
    return min(float(first @ rejected @ second), 1.0)


def fisher_size(
    control: float,
    experimental: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    largest: int = 300,
) -> int:
    """Return the patients per arm from which on Fisher's exact test keeps the power.

    The power rises in saw-teeth: a trial with one patient more may have less. From the number
    that is given on, up to one with power to spare, no number falls below the power wanted.

    Parameters
    ----------
    control, experimental : float
        Share of patients with the event in either arm.
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    largest : int, optional
        Largest number of patients per arm to look at, at most 500.

    Raises
    ------
    ParameterError
        When an argument is out of range, or `largest` patients per arm are too few.

    Examples
    --------
    >>> fisher_size(0.5, 0.1)
    23
    """
    most = require_count(
        "largest", largest, "give a number of patients per arm", minimum=1, maximum=_LARGEST_SOUGHT
    )
    start = two_proportions(control, experimental, alpha=alpha, power=power).control

    def reached(n: int) -> float:
        return fisher_power(control, experimental, (n, n), alpha=alpha)

    spare = power + 0.25 * (1.0 - power)
    n = max(2, math.ceil(start)) if start <= most else most + 1
    while n <= most and reached(n) < spare:
        n += max(1, n // 10)
    if n > most:
        raise ParameterError(
            f"largest is {most}; the power falls short of {power:g} with so many patients per arm, "
            "or has none to spare; give shares that are further apart, or a larger number"
        )
    while n > 1 and reached(n - 1) >= power:
        n -= 1
    return n
