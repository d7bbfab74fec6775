r"""How a cell's antigen density sets what CAR-T cells do to it.

A cell with :math:`A` antigen molecules engages a fraction

.. math:: h(A) = \frac{A^n}{K^n + A^n}

of the maximal effect, or, as :math:`n \to \infty`, all of it at :math:`A \ge K` and none
below. Killing and expansion have thresholds of their own: lysis of a cell takes less
antigen than the cytokines and divisions of the T cell that kills it. Densities differ from
cell to cell, log-normally, and it is the low tail that survives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are first used
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.parameters import default

__all__ = [
    "DensityBins",
    "DensityDistribution",
    "Engagement",
    "Response",
    "default_density",
    "default_engagement",
    "equal_probability_bins",
    "gauss_hermite_bins",
    "mean_response",
    "surviving_fraction",
]

_MOST_BINS = 10_000
# Above this the exponential is near the largest number.
_LARGEST_LOG = 700.0
# Beyond 38 standard deviations the normal density underflows.
_REACH = 38.0
_WIDEST_STEP = 0.05
# A steeper response is a step to double precision, and is one for the price of a step.
_STEEPEST = 1e4


@dataclass(frozen=True, kw_only=True)
class Response:
    """Response of killing, or of expansion, to antigen density."""

    half_density: float
    """Density :math:`K` of the half-maximal response (of the step, when `hill` is infinite),
    molecules per cell, > 0. Ledger: ``engagement.kill_density``."""
    hill: float
    """Hill coefficient :math:`n`, dimensionless, > 0; infinite for a threshold.
    Ledger: ``engagement.hill``."""

    def __post_init__(self) -> None:
        require_positive("half_density", self.half_density, "give molecules per cell", scalar=True)
        if not (isinstance(self.hill, float) and self.hill == np.inf):
            require_positive("hill", self.hill, "infinity makes a threshold", scalar=True)

    def at(self, density: ArrayLike) -> NDArray[np.float64]:
        """Return the response at `density`, a fraction of the maximum.

        Parameters
        ----------
        density : array_like
            Molecules per cell, >= 0.

        Returns
        -------
        ndarray
            In [0, 1], in the shape of `density`.

        Raises
        ------
        ParameterError
            When a density is negative or not finite.

        Examples
        --------
        >>> Response(half_density=2000, hill=2).at([0, 1000, 2000, 4000])
        array([0. , 0.2, 0.5, 0.8])
        """
        molecules = require_non_negative("density", density, "give molecules per cell")
        if self.hill == np.inf:
            return np.asarray(molecules >= self.half_density, dtype=float)
        some = molecules > 0
        log_ratio = np.log(np.where(some, molecules, 1.0)) - np.log(self.half_density)
        return np.asarray(np.where(some, scipy.special.expit(self.hill * log_ratio), 0.0))


@dataclass(frozen=True, kw_only=True)
class Engagement:
    """What one antigen's density does: to the cell that shows it, and to the T cell."""

    killing: Response
    """Response of the killing rate."""
    expansion: Response
    """Response of CAR-T expansion, with a threshold of its own.
    Ledger: ``engagement.expansion_ratio`` times ``engagement.kill_density``."""

    def __post_init__(self) -> None:
        require_instance("killing", self.killing, Response, "give a Response")
        require_instance("expansion", self.expansion, Response, "give a Response")


@dataclass(frozen=True, kw_only=True)
class DensityDistribution:
    """Log-normal spread of antigen density between the cells of one tumour."""

    median: float
    """Median density, molecules per cell, > 0. Ledger: ``engagement.density_median``."""
    log_sd: float
    r"""Standard deviation :math:`\sigma` of the natural log of density, dimensionless, >= 0.
    Ledger: ``engagement.density_log_sd``."""

    def __post_init__(self) -> None:
        require_positive("median", self.median, "give molecules per cell", scalar=True)
        require_non_negative("log_sd", self.log_sd, "0 makes all cells equal", scalar=True)

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Return the density below which a part `probability` of the cells lies.

        Infinite at 1, unless all cells have one density.
        """
        p = require_fraction("probability", probability, "give a part of the cells")
        if self.log_sd == 0:
            return np.full(p.shape, float(self.median))
        return np.asarray(self.median * np.exp(self.log_sd * scipy.special.ndtri(p)))

    def fraction_below(self, threshold: ArrayLike) -> NDArray[np.float64]:
        r"""Return the fraction of cells below `threshold`, :math:`\Phi(\ln(\theta/m)/\sigma)`.

        Parameters
        ----------
        threshold : array_like
            Molecules per cell, >= 0.

        Raises
        ------
        ParameterError
            When a threshold is negative or not finite.

        Examples
        --------
        >>> cells = DensityDistribution(median=10_000, log_sd=0.8)
        >>> round(float(cells.fraction_below(2000)), 4)
        0.0221
        """
        limit = require_non_negative("threshold", threshold, "give molecules per cell")
        if self.log_sd == 0:
            return np.asarray(limit > self.median, dtype=float)
        some = limit > 0
        log_ratio = np.log(np.where(some, limit, 1.0)) - np.log(self.median)
        return np.asarray(np.where(some, scipy.special.ndtr(log_ratio / self.log_sd), 0.0))


def _is_step(density: DensityDistribution, response: Response) -> bool:
    return response.hill * density.log_sd > _STEEPEST


def _normal_rule(
    density: DensityDistribution, response: Response
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return responses and weights that integrate over the cells of a tumour.

    The trapezoidal rule over the standard normal variable. The response has poles at a
    distance pi/(n sigma) from the real axis: against a step of that over ten, the rule's
    error is below double precision, and, unlike that of a Gauss-Hermite rule of any
    practical order, stays so for steep responses and for tails of any depth.
    """
    steepness = response.hill * density.log_sd
    step = min(_WIDEST_STEP, np.pi / 10.0 / steepness) if steepness > 0 else _WIDEST_STEP
    z = step * np.arange(-np.ceil(_REACH / step), np.ceil(_REACH / step) + 1.0)
    weight = np.exp(-0.5 * z**2)
    offset = response.hill * np.log(density.median / response.half_density)
    return scipy.special.expit(offset + steepness * z), weight / weight.sum()


def mean_response(density: DensityDistribution, response: Response) -> float:
    r"""Return the response averaged over the cells, the logistic-normal integral.

    .. math:: \int \varphi(z)\, h(m e^{\sigma z})\, dz

    Parameters
    ----------
    density : DensityDistribution
        Spread of density between cells.
    response : Response
        Response of one cell.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> cells = DensityDistribution(median=10_000, log_sd=0.8)
    >>> round(mean_response(cells, Response(half_density=2000, hill=2)), 4)
    0.9121
    """
    require_instance("density", density, DensityDistribution, "give a DensityDistribution")
    require_instance("response", response, Response, "give a Response")
    if density.log_sd == 0:
        return float(response.at(density.median))
    if _is_step(density, response):
        return float(
            scipy.special.ndtr(np.log(density.median / response.half_density) / density.log_sd)
        )
    values, weights = _normal_rule(density, response)
    return float(weights @ values)


def surviving_fraction(
    density: DensityDistribution, response: Response, exposure: ArrayLike
) -> NDArray[np.float64]:
    r"""Return the fraction of cells left by killing alone, without growth.

    .. math:: \int \varphi(z)\, e^{-E\,h(m e^{\sigma z})}\, dz

    Parameters
    ----------
    density : DensityDistribution
        Spread of density between cells; a cell keeps its density.
    response : Response
        Response of killing.
    exposure : array_like
        Killing rate at full engagement, integrated over time, E, dimensionless, >= 0.

    Returns
    -------
    ndarray
        In [0, 1], in the shape of `exposure`.

    Raises
    ------
    ParameterError
        When `exposure` is negative or not finite.

    Examples
    --------
    >>> cells = DensityDistribution(median=10_000, log_sd=0.8)
    >>> left = surviving_fraction(cells, Response(half_density=2000, hill=2), 100)
    >>> f"{float(left):.1e}"  # not exp(-100), which is 4e-44
    '3.0e-06'
    """
    require_instance("density", density, DensityDistribution, "give a DensityDistribution")
    require_instance("response", response, Response, "give a Response")
    total = require_non_negative("exposure", exposure, "give the integral of a killing rate")
    if density.log_sd == 0:
        return np.asarray(np.exp(-total * response.at(density.median)))
    if _is_step(density, response):
        below = density.fraction_below(response.half_density)
        return np.asarray(below + (1.0 - below) * np.exp(-total))
    values, weights = _normal_rule(density, response)
    return np.asarray(np.exp(-total[..., None] * values) @ weights)


@dataclass(frozen=True, kw_only=True)
class DensityBins:
    """A few densities that stand for all, each with its share of the cells."""

    density: NDArray[np.float64]
    """Density of each bin, molecules per cell, increasing, shape (bins,)."""
    weight: NDArray[np.float64]
    """Fraction of the cells in each bin, adding up to 1, shape (bins,)."""


def _check_bins(count: int) -> int:
    return require_count("count", count, "give a number of bins", minimum=1, maximum=_MOST_BINS)


def equal_probability_bins(density: DensityDistribution, count: int) -> DensityBins:
    """Return bins of equal weight, each at the median of its own cells.

    Parameters
    ----------
    density : DensityDistribution
        Spread of density between cells.
    count : int
        Number of bins, from 1 to 10 000.

    Raises
    ------
    ParameterError
        When `count` is not a whole number from 1 to 10 000.

    Examples
    --------
    >>> cells = DensityDistribution(median=10_000, log_sd=0.8)
    >>> equal_probability_bins(cells, 3).density.round()
    array([ 4612., 10000., 21683.])
    """
    require_instance("density", density, DensityDistribution, "give a DensityDistribution")
    bins = _check_bins(count)
    centre = (np.arange(bins) + 0.5) / bins
    return DensityBins(density=density.quantile(centre), weight=np.full(bins, 1.0 / bins))


def gauss_hermite_bins(density: DensityDistribution, count: int) -> DensityBins:
    """Return bins at Gauss-Hermite nodes, exact for polynomials in the log of density.

    The outer bins reach far into the low tail with tiny weights: choose these when rare
    dim cells decide, and bins of equal weight when cells are drawn at random.

    Parameters
    ----------
    density : DensityDistribution
        Spread of density between cells.
    count : int
        Number of bins, from 1 to 10 000.

    Raises
    ------
    ParameterError
        When `count` is not a whole number from 1 to 10 000.

    Examples
    --------
    >>> cells = DensityDistribution(median=10_000, log_sd=0.8)
    >>> gauss_hermite_bins(cells, 3).weight.round(4)
    array([0.1667, 0.6667, 0.1667])
    """
    require_instance("density", density, DensityDistribution, "give a DensityDistribution")
    bins = _check_bins(count)
    node, weight = scipy.special.roots_hermitenorm(bins)
    reach = density.log_sd * float(node[-1]) + abs(float(np.log(density.median)))
    if reach > _LARGEST_LOG:
        raise ParameterError(
            f"log_sd is {density.log_sd:g}; with {bins} bins the outer ones lie at densities that "
            "are no numbers any more; lower log_sd or count"
        )
    return DensityBins(
        density=np.asarray(density.median * np.exp(density.log_sd * node)),
        weight=np.asarray(weight / weight.sum()),
    )


def default_density() -> DensityDistribution:
    """Return the spread of antigen density of the ledger."""
    return DensityDistribution(
        median=default("engagement.density_median"), log_sd=default("engagement.density_log_sd")
    )


def default_engagement() -> Engagement:
    """Return the responses of killing and expansion of the ledger.

    Examples
    --------
    >>> default_engagement().killing.half_density
    2000.0
    """
    threshold, hill = default("engagement.kill_density"), default("engagement.hill")
    return Engagement(
        killing=Response(half_density=threshold, hill=hill),
        expansion=Response(
            half_density=threshold * default("engagement.expansion_ratio"), hill=hill
        ),
    )
