r"""When escape shows: from surviving lines to a detectable burden.

A line that survives for ever grows, late, as :math:`e^{\lambda t}E/s` with
:math:`E \sim` Exp(1): it is conditioned on survival, which costs a factor :math:`1/s`. The
sum over :math:`k` lines that start together has :math:`E \sim` Gamma(k, 1), so the day on
which they reach :math:`D` cells is

.. math:: T = \frac{\ln(Ds) - \ln E}{\lambda}, \qquad
    P(T \le t) = Q\!\left(k, Ds\,e^{-\lambda t}\right)

with :math:`Q` the upper regularised incomplete gamma function: for one line the Gumbel law.
The law is that of late growth, exact up to terms of the size :math:`k/(Ds)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaincc, gammainccinv, polygamma

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_fraction,
    require_instance,
    require_positive,
)

__all__ = ["RelapseTime"]

# A hundred million days are drawn at a time, 0.8 GB; more are to be drawn in blocks.
_MOST_DAYS = 10**8


@dataclass(frozen=True, kw_only=True)
class RelapseTime:
    """Law of the day on which surviving escape lines reach detection.

    Examples
    --------
    >>> late = RelapseTime(lines=1, detection=1e9, survival=0.4, net_rate=0.1)
    >>> round(late.mean, 1), round(late.median, 1), round(late.sd, 1)
    (203.8, 201.7, 12.8)
    """

    lines: int
    """Number :math:`k` of surviving lines that start on day 0, >= 1."""
    detection: float
    """Burden :math:`D` at which relapse is found, cells. Ledger: ``detection.relapse_cells``."""
    survival: float
    """Survival probability :math:`s = 1 - d/b` of one line, in (0, 1]."""
    net_rate: float
    r"""Net growth rate :math:`\lambda = b - d`, 1/day, > 0."""

    def __post_init__(self) -> None:
        require_count("lines", self.lines, "give a number of lines", minimum=1)
        require_positive("detection", self.detection, "give a number of cells", scalar=True)
        require_fraction("survival", self.survival, "give 1 - d/b", scalar=True)
        require_positive("survival", self.survival, "untreated cells must grow: d < b")
        remedy = "give a rate per day; without growth there is no relapse"
        require_positive("net_rate", self.net_rate, remedy, scalar=True)
        if self.detection * self.survival <= self.lines:
            raise ParameterError(
                f"detection times survival is {self.detection * self.survival:g} for "
                f"{self.lines} lines; the law of late growth needs many more cells than lines; "
                "raise detection"
            )

    @property
    def _log_size(self) -> float:
        return float(np.log(self.detection) + np.log(self.survival))

    @property
    def mean(self) -> float:
        r"""Mean :math:`(\ln(Ds) - \psi(k))/\lambda`, days."""
        return float((self._log_size - digamma(self.lines)) / self.net_rate)

    @property
    def median(self) -> float:
        r"""Median, days; for one line :math:`(\ln(Ds) - \ln\ln 2)/\lambda`."""
        return float(self.quantile(0.5))

    @property
    def sd(self) -> float:
        r"""Standard deviation :math:`\sqrt{\psi'(k)}/\lambda`, days."""
        return float(np.sqrt(polygamma(1, self.lines)) / self.net_rate)

    def cdf(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that relapse has been found by `day`.

        Parameters
        ----------
        day : array_like
            Days after the lines start.

        Raises
        ------
        ParameterError
            When a day is not finite.
        """
        t = require_finite("day", day, "count days from the start of the lines")
        # Far from day 0 the product overflows to an infinity of the right sign, and long before
        # it so would the exponential; nothing is found then.
        with np.errstate(over="ignore"):
            exponent = np.minimum(self._log_size - self.net_rate * t, 700.0)
        return np.asarray(gammaincc(self.lines, np.exp(exponent)))

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Return the day by which relapse has been found with `probability`.

        Parameters
        ----------
        probability : array_like
            In the open interval (0, 1).

        Raises
        ------
        ParameterError
            When a probability is not strictly between 0 and 1.
        """
        remedy = "the law has no first and no last day: give a value between 0 and 1"
        q = require_fraction("probability", probability, remedy)
        if np.any((q == 0) | (q == 1)):
            raise ParameterError(f"probability is {probability!r}; it must lie in (0, 1); {remedy}")
        mass = gammainccinv(self.lines, q)
        return np.asarray((self._log_size - np.log(mass)) / self.net_rate)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the days of relapse of `n` patients.

        Parameters
        ----------
        n : int
            Number of patients, >= 1.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n,)
            Days.

        Raises
        ------
        ParameterError
            When `n` is no whole number from 1 to 1e8, or `rng` no generator.
        """
        remedy = "give a number of patients, and draw more of them in blocks"
        count = require_count("n", n, remedy, minimum=1, maximum=_MOST_DAYS)
        require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
        mass = rng.standard_gamma(self.lines, count)
        return np.asarray((self._log_size - np.log(mass)) / self.net_rate)
