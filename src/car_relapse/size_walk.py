"""Reaching a size without a loss: the walk of cell numbers, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = ["no_event_before_size"]

_RATE_REMEDY = "give a rate per day"
_LOSS_REMEDY = "give a probability per division"


def no_event_before_size(
    size: ArrayLike, *, birth_rate: float, death_rate: float, loss: float
) -> NDArray[np.float64]:
    r"""Return P(no loss before N targeted cells are reached | they are), from one cell.

    Exact for finite N, from the walk of cell numbers: with :math:`p = b/(b+d)`,
    :math:`r_{1,2}` the roots of :math:`p(1-u)r^2 - r + (1-p)` and
    :math:`\delta' = d/(b(1-u))`,

    .. math:: \frac{r_1-r_2}{r_1^N-r_2^N}\cdot\frac{1-\delta'^N}{1-\delta'}
        \;\to\; e^{-uN/s} .

    Parameters
    ----------
    size : array_like
        Number of targeted cells N, whole, >= 1.
    birth_rate, death_rate : float
        Rates b and d, 1/day; growth without loss is not required to win.
    loss : float
        Probability u per division, in [0, 1).

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> round(float(no_event_before_size(100, birth_rate=1, death_rate=0.5, loss=1e-3)), 6)
    0.82381
    """
    n = require_positive("size", size, "give a number of cells")
    if np.any(n != np.floor(n)):
        raise ParameterError(f"size is {size!r}; it must be a whole number >= 1; round it")
    b = float(require_positive("birth_rate", birth_rate, _RATE_REMEDY, scalar=True))
    d = float(require_non_negative("death_rate", death_rate, _RATE_REMEDY, scalar=True))
    u = float(require_fraction("loss", loss, _LOSS_REMEDY, scalar=True))
    if u == 1:
        raise ParameterError("loss is 1; targeted cells could not grow; lower it")
    clean = b * (1.0 - u)
    drift = clean - b * u - d
    root = np.sqrt(drift**2 + 4.0 * clean * b * u)
    # r1 - 1, by the form of the quadratic formula that adds.
    above = 2.0 * b * u / (drift + root) if drift > 0 else (root - drift) / (2.0 * clean)
    log_high = np.log1p(above)
    ratio = d / clean / np.exp(log_high)  # r2, from the product of the roots
    log_paths = (n - 1.0) * log_high + _log_geometric_sum(ratio / np.exp(log_high), n)
    return np.asarray(np.exp(_log_geometric_sum(d / clean, n) - log_paths))


def _log_geometric_sum(ratio: float, n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln(1 + r + ... + r^(n-1))."""
    if ratio == 0:
        return np.zeros_like(n)
    log_ratio = float(np.log(ratio))
    if log_ratio == 0:
        return np.asarray(np.log(n))
    # (r^n - 1)/(r - 1), through the larger of the two powers.
    size = abs(log_ratio)
    ends = np.log(-np.expm1(-n * size)) - np.log(-np.expm1(-size))
    return np.asarray(ends + (n - 1.0) * max(log_ratio, 0.0))
