r"""On-target toxicity: healthy cells that carry an antigen, and how many of them are lost.

A healthy cell that a product engages to a fraction :math:`h` is killed at rate
:math:`\kappa(t)h`; without regrowth the expected fraction lost by day :math:`T` is

.. math:: 1 - \overline{\exp\left(-\sum_p h_p \int_0^T \kappa_p(t)\,dt\right)} ,

the mean over the healthy cells, which may differ in antigen density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.densities import AntigenDensities
from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
)
from car_relapse.line_rates import gauss_rule
from car_relapse.therapy import Therapy, products

__all__ = ["HealthyTissue", "expected_loss", "killing_dose"]

_MOST_HALVINGS = 40


@dataclass(frozen=True, kw_only=True)
class HealthyTissue:
    """Healthy cells as the products see them."""

    engagement: tuple[float, ...]
    """Engagement of each targeted antigen that the cells carry, in [0, 1]; 0 for one that they
    do not carry."""
    veto: float = 0.0
    """Engagement of the veto antigen of an AND-NOT gate, in [0, 1]."""
    density: AntigenDensities | None = None
    """Spread of the antigens' density; then `engagement` scales the response to it."""

    def __post_init__(self) -> None:
        if not isinstance(self.engagement, tuple) or not self.engagement:
            raise ParameterError(
                f"engagement is {self.engagement!r}; it must be a tuple with one number for each "
                "targeted antigen; write engagement=(1.0,)"
            )
        require_fraction("engagement", self.engagement, "give a fraction for each antigen")
        require_fraction("veto", self.veto, "0 means that the cells do not carry it", scalar=True)
        if self.density is not None:
            require_instance("density", self.density, AntigenDensities, "give AntigenDensities")
            if self.density.antigens != len(self.engagement):
                raise ParameterError(
                    f"density has {self.density.antigens} antigens and engagement "
                    f"{len(self.engagement)} entries; each antigen has one of each; give as many"
                )

    def groups(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return shares of groups of cells, shape (g,), and engagement, shape (g, k)."""
        scale = np.array(self.engagement)
        if self.density is None:
            return np.ones(1), scale[None]
        spread = self.density.groups()
        return spread.weight, scale * spread.killing


def killing_dose(product: Therapy, day: float) -> float:
    r"""Return :math:`\int_0^T \kappa(t)\,dt` of a fully engaged cell, dimensionless.

    Adaptive Gauss quadrature between the kinks of the curve, to 1e-12.

    Parameters
    ----------
    product : Therapy
        Exposure, killing and first day.
    day : float
        Last day T after the first infusion, days, >= 0.

    Raises
    ------
    ParameterError
        When `day` is negative or not finite.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> round(killing_dose(typical_patient().therapy, 28.0), 2)
    16.4
    """
    require_instance("product", product, Therapy, "give a car_relapse.Therapy")
    end = float(require_non_negative("day", day, "count days from infusion", scalar=True))
    nodes, weights, _ = gauss_rule()
    edges = np.unique([0.0, *(k for k in product.kinks if 0 < k < end), end])
    left, right = edges[:-1], edges[1:]

    def integral(start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
        width = stop - start
        rate = product.killing_rate(start[:, None] + nodes * width[:, None])
        return np.asarray((rate @ weights) * width)

    total = 0.0
    for _ in range(_MOST_HALVINGS):
        if not left.size:
            break
        middle = 0.5 * (left + right)
        whole = integral(left, right)
        halves = integral(left, middle) + integral(middle, right)
        # Halves that agree with the whole are far better than the difference between them.
        good = np.abs(halves - whole) <= 1e-12 * (1.0 + np.abs(halves))
        total += float(halves[good].sum())
        left, right = (
            np.concatenate([left[~good], middle[~good]]),
            np.concatenate([middle[~good], right[~good]]),
        )
    # What is left has shrunk to nothing around a jump of the curve.
    return total


def expected_loss(
    tissue: HealthyTissue, therapy: Therapy | tuple[Therapy, ...], day: ArrayLike
) -> NDArray[np.float64]:
    """Return the expected fraction of healthy cells lost by each of some days.

    Parameters
    ----------
    tissue : HealthyTissue
        What the healthy cells carry.
    therapy : Therapy or tuple of Therapy
        The products given.
    day : array_like
        Days after the first infusion, >= 0.

    Returns
    -------
    ndarray
        In [0, 1], in the shape of `day`.

    Raises
    ------
    ParameterError
        When a day is negative, or a gate reads an antigen that `tissue` says nothing about.

    Examples
    --------
    >>> from car_relapse.gates import AndNotGate
    >>> from car_relapse.patient import typical_patient
    >>> from dataclasses import replace
    >>> given = typical_patient().therapy
    >>> b_cells = HealthyTissue(engagement=(1.0,), veto=1.0)
    >>> expected_loss(b_cells, given, 28.0).round(4).item()
    1.0
    >>> expected_loss(b_cells, replace(given, gate=AndNotGate()), 28.0).item()
    0.0
    """
    require_instance("tissue", tissue, HealthyTissue, "give a HealthyTissue")
    days = require_non_negative("day", day, "count days from infusion")
    several = products(therapy)
    weight, engagement = tissue.groups()
    arms = list(engagement.T)
    fraction = np.stack(
        [p.gate.fraction(arms, tissue.veto) * np.ones(len(weight)) for p in several]
    )
    dose = np.array([[killing_dose(p, d) for d in days.reshape(-1)] for p in several])
    lost = -np.expm1(-np.einsum("pd,pg->dg", dose.reshape(len(several), days.size), fraction))
    return np.asarray((lost @ weight).reshape(days.shape))
