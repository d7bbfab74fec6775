"""The law of one line after an interval: modified geometric, for any rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are first used
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative

__all__ = ["LineLaw", "constant_rate_law"]

_RATE_REMEDY = "give a rate in 1/day per cell"
_TIME_REMEDY = "give a duration in days"


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
        r"""Mean number of cells beyond the first, given alive: :math:`e^{J-\rho}-1`.

        Infinite where it passes the largest float.
        """
        # Rounding can leave the exponent at -1e-17 when the interval is empty.
        with np.errstate(over="ignore"):
            return np.asarray(np.expm1(np.maximum(self.log_hazard + self.log_growth, 0.0)))

    @property
    def geometric_parameter(self) -> NDArray[np.float64]:
        r"""Parameter :math:`\beta` of :math:`P(n) = (1-\alpha)(1-\beta)\beta^{n-1}`."""
        return np.asarray(-np.expm1(-np.maximum(self.log_hazard + self.log_growth, 0.0)))

    def probability(self, size: ArrayLike) -> NDArray[np.float64]:
        r"""Return :math:`P(n)` of the line's size, for whole numbers `size` >= 0."""
        n = require_non_negative("size", size, "give whole numbers; round it first")
        if np.any(n != np.floor(n)):
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
    return np.where(
        large, big - np.log(big) + np.log1p(-np.exp(-big)), np.log(scipy.special.exprel(safe))
    )


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
