"""What a share of some patients says about the share of all: intervals of one proportion.

Three intervals that differ in what they promise. Clopper and Pearson's
(doi:10.1093/biomet/26.4.404) covers the true share at least as often as it says, whatever the
share, and is therefore wide. Wilson's (1927, J Am Stat Assoc 22:209) covers it about as often as
it says, on average over shares. Jeffreys' is the central part of the posterior from the prior
Beta(1/2, 1/2); its coverage is close to Wilson's (Brown, Cai & DasGupta 2001,
doi:10.1214/ss/1009213286).
"""

from __future__ import annotations

import math

from scipy.special import betaincinv, ndtri

from car_relapse.errors import ParameterError, require_count, require_fraction

__all__ = ["exact_interval", "jeffreys_interval", "wilson_interval"]


def _checked(count: int, total: int, level: float) -> tuple[int, int, float]:
    """Return the count, the total and the probability of one tail."""
    n = require_count("total", total, "give a number of patients", minimum=1)
    k = require_count("count", count, "give a number of patients")
    if k > n:
        raise ParameterError(f"count is {k} of {n}; a part is no larger than the whole; correct it")
    covered = float(require_fraction("level", level, "give 0.95 or so", scalar=True))
    if not 0.0 < covered < 1.0:
        raise ParameterError(
            f"level is {covered:g}; it must lie strictly between 0 and 1; give 0.95 or so"
        )
    return k, n, (1.0 - covered) / 2.0


def exact_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact binomial interval of a share (Clopper and Pearson).

    Parameters
    ----------
    count : int
        Patients counted, from 0 to `total`.
    total : int
        Patients among whom they were counted, >= 1.
    level : float, optional
        Coverage, strictly between 0 and 1.

    Returns
    -------
    low, high : float
        Limits of the share, in [0, 1].

    Raises
    ------
    ParameterError
        When the count is no part of the total, or `level` is not strictly between 0 and 1.

    Examples
    --------
    >>> low, high = exact_interval(28, 67)
    >>> round(low, 3), round(high, 3)
    (0.298, 0.545)
    """
    k, n, tail = _checked(count, total, level)
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    # The upper limit by its complement: the tail keeps its digits, one minus it would not.
    high = 1.0 if k == n else 1.0 - float(betaincinv(n - k, k + 1, tail))
    return low, high


def wilson_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share: the shares that a score test does not reject.

    Arguments, result and errors are those of `exact_interval`.

    Examples
    --------
    >>> low, high = wilson_interval(28, 67)
    >>> round(low, 3), round(high, 3)
    (0.307, 0.537)
    """
    k, n, tail = _checked(count, total, level)
    z = float(-ndtri(tail))
    centre = k + z * z / 2.0
    half = z * math.sqrt(k * (n - k) / n + z * z / 4.0)
    low, high = (centre - half) / (n + z * z), (centre + half) / (n + z * z)
    return 0.0 if k == 0 else low, 1.0 if k == n else high


def jeffreys_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return Jeffreys' interval of a share: the middle of the posterior from Beta(1/2, 1/2).

    It reaches to 0 when nothing was counted, and to 1 when everything was. Arguments, result and
    errors are those of `exact_interval`.

    Examples
    --------
    >>> low, high = jeffreys_interval(28, 67)
    >>> round(low, 3), round(high, 3)
    (0.305, 0.537)
    """
    k, n, tail = _checked(count, total, level)
    low = 0.0 if k == 0 else float(betaincinv(k + 0.5, n - k + 0.5, tail))
    high = 1.0 if k == n else 1.0 - float(betaincinv(n - k + 0.5, k + 0.5, tail))
    return low, high
