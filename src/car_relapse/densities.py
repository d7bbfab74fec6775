r"""A tumour whose cells differ in antigen density, as a few groups of cells that are alike.

The densities of the :math:`k` antigens are log-normal, each with its own median and spread,
and correlated. They are inherited: a daughter has the density of its mother. A rule with
`bins` points for each antigen therefore makes up to `bins`\ :sup:`k` groups of cells that
never mix, each with its share of the tumour and its own engagement.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
import scipy  # its parts load when they are first used
from numpy.typing import NDArray

from car_relapse.engagement import (
    DensityDistribution,
    Engagement,
    equal_probability_bins,
    gauss_hermite_bins,
)
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_instance,
)

__all__ = ["AntigenDensities", "BinRule", "DensityGroups"]

BinRule = Literal["gauss-hermite", "equal probability", "log"]

_MOST_GROUPS = 10_000
# Log bins span this many standard deviations to each side.
_LOG_REACH = 6.0
_STANDARD = DensityDistribution(median=1.0, log_sd=1.0)


@dataclass(frozen=True, kw_only=True)
class DensityGroups:
    """Groups of cells with one density of each antigen."""

    weight: NDArray[np.float64]
    """Share of the tumour in each group, adding up to 1, shape (groups,)."""
    killing: NDArray[np.float64]
    """Engagement for killing of each antigen while it is shown, in [0, 1], shape (groups, k)."""
    expansion: NDArray[np.float64]
    """Engagement for expansion of the T cell, in [0, 1], shape (groups, k)."""


def _log_bins(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of bins of equal width on the log scale, and their shares."""
    edge = np.linspace(-_LOG_REACH, _LOG_REACH, count + 1)
    # Differences of small tails: taken on the side where they are small.
    below = np.where(
        edge[1:] <= 0, np.diff(scipy.special.ndtr(edge)), -np.diff(scipy.special.ndtr(-edge))
    )
    below[0] = np.exp(scipy.special.log_ndtr(edge[1]))
    below[-1] = np.exp(scipy.special.log_ndtr(-edge[-2])) if count > 1 else 1.0
    return 0.5 * (edge[1:] + edge[:-1]), below


@dataclass(frozen=True, kw_only=True)
class AntigenDensities:
    """How much of each antigen the cells of one tumour show, and what that does.

    Examples
    --------
    >>> from car_relapse.engagement import default_density, default_engagement
    >>> one = AntigenDensities(
    ...     densities=(default_density(),), engagements=(default_engagement(),), bins=3
    ... )
    >>> one.groups().weight.round(4)
    array([0.1667, 0.6667, 0.1667])
    """

    densities: tuple[DensityDistribution, ...]
    """Spread of the density of each antigen."""
    engagements: tuple[Engagement, ...]
    """Response of killing and of expansion to the density of each antigen."""
    correlation: tuple[tuple[float, ...], ...] | None = None
    """Correlation of the logs of the densities, k rows of k numbers; None: independent."""
    bins: int = 20
    """Number of points for each antigen, >= 1; bins^k is at most 10,000. A group takes some
    milliseconds of an exact probability: 20 bins are a second or two for two antigens and a
    minute for three, and 10 bins some ten seconds."""
    rule: BinRule = "gauss-hermite"
    """"gauss-hermite" reaches far into the low tail with few points; "equal probability" puts
    as many cells in each group; "log" makes bins of equal width on the log scale. With
    correlation the points of the later antigens follow those of the earlier ones."""

    def __post_init__(self) -> None:
        antigens = len(self.densities) if isinstance(self.densities, tuple) else 0
        if not antigens:
            raise ParameterError(
                f"densities is {self.densities!r}; it must be a tuple with one "
                "DensityDistribution for each antigen; write densities=(default_density(),)"
            )
        for density in self.densities:
            require_instance("densities", density, DensityDistribution, "give one for each antigen")
        if not isinstance(self.engagements, tuple) or len(self.engagements) != antigens:
            raise ParameterError(
                f"engagements is {self.engagements!r}; it must be a tuple with one Engagement for "
                f"each of {antigens} antigens; write engagements=(default_engagement(),)"
            )
        for engagement in self.engagements:
            require_instance("engagements", engagement, Engagement, "give one for each antigen")
        if self.rule not in get_args(BinRule):
            raise ParameterError(
                f"rule is {self.rule!r}; it must be 'gauss-hermite', 'equal probability' or "
                "'log'; choose one"
            )
        bins = require_count("bins", self.bins, "give a number of bins", minimum=1)
        if bins**antigens > _MOST_GROUPS:
            raise ParameterError(
                f"bins is {bins}, which makes {bins**antigens} groups of {antigens} antigens; at "
                f"most {_MOST_GROUPS} are solved; give fewer bins"
            )
        self._root()

    @property
    def antigens(self) -> int:
        """Number of antigens, k."""
        return len(self.densities)

    def _root(self) -> NDArray[np.float64]:
        """Return the lower triangular root of the correlation."""
        if self.correlation is None:
            return np.eye(self.antigens)
        remedy = "give k rows of k numbers, with 1 on the diagonal"
        if not isinstance(self.correlation, tuple):
            raise ParameterError(
                f"correlation is {self.correlation!r}; it must be a tuple of tuples; {remedy}"
            )
        matrix = require_finite("correlation", self.correlation, remedy)
        if matrix.shape != (self.antigens,) * 2 or not (
            np.allclose(np.diagonal(matrix), 1.0) and np.allclose(matrix, matrix.T)
        ):
            raise ParameterError(
                f"correlation is {self.correlation!r}; it must be a symmetric matrix of "
                f"{self.antigens} antigens with 1 on its diagonal; {remedy}"
            )
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -1e-12:
            raise ParameterError(
                f"correlation is {self.correlation!r}; no densities can be correlated like that: "
                f"its smallest eigenvalue is {values[0]:g} and must not be negative; lower the "
                "correlations"
            )
        # The QR form of the root is triangular also where a correlation of 1 makes it singular.
        _, upper = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T)
        return np.asarray((upper * np.where(np.diagonal(upper) < 0, -1.0, 1.0)[:, None]).T)

    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.rule == "log":
            return _log_bins(self.bins)
        rule = gauss_hermite_bins if self.rule == "gauss-hermite" else equal_probability_bins
        points = rule(_STANDARD, self.bins)
        return np.log(points.density), points.weight

    def groups(self) -> DensityGroups:
        """Return the groups of cells that stand for the tumour."""
        point, share = self._points()
        # An antigen without spread needs one point only.
        wide = [d.log_sd > 0 for d in self.densities]
        axes = [range(self.bins) if w else (0,) for w in wide]
        index = np.array(list(product(*axes)))
        z = np.where(wide, point[index], 0.0)
        weight = np.where(wide, share[index], 1.0).prod(axis=1)
        z = z @ self._root().T
        log_density = np.array([np.log(d.median) for d in self.densities]) + z * np.array(
            [d.log_sd for d in self.densities]
        )
        density = np.exp(log_density)
        return DensityGroups(
            weight=weight / weight.sum(),
            killing=np.stack(
                [e.killing.at(density[:, j]) for j, e in enumerate(self.engagements)], axis=1
            ),
            expansion=np.stack(
                [e.expansion.at(density[:, j]) for j, e in enumerate(self.engagements)], axis=1
            ),
        )
