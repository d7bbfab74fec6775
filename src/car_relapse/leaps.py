r"""Exact leaps: the number of cells at the end of an interval, drawn from its law.

A line is alive at the end with a probability, and then its size is geometric
(`car_relapse.line_law`). Of n lines, K are alive, and together they hold a sum of K geometric
numbers: three draws whatever n and the length of the interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_instance, require_non_negative
from car_relapse.line_law import LineLaw

__all__ = ["LARGEST_POPULATION", "leap", "refuse_overflow"]

LARGEST_POPULATION = 1e18
"""Cells above which the 64-bit counts of numpy's generators would overflow."""


def refuse_overflow(cells: NDArray[np.float64]) -> None:
    """Raise a ParameterError when there are more `cells` than 64-bit counts hold."""
    largest = float(np.max(cells, initial=0.0))
    if largest > LARGEST_POPULATION:
        raise ParameterError(
            f"the leap would hold {largest:g} cells; counts above {LARGEST_POPULATION:g} "
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
    >>> from car_relapse.line_law import constant_rate_law
    >>> rng = np.random.default_rng(1)
    >>> int(leap(constant_rate_law(0.2, 0.1, 0.0), 10**12, rng))
    1000000000000
    """
    require_instance("law", law, LineLaw, "give the result of constant_rate_law")
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    n = require_non_negative("cells", cells, "give whole numbers; round it first")
    if np.any(n != np.floor(n)):
        raise ParameterError(
            f"cells is {cells!r}; a number of cells is a whole number >= 0; round it first"
        )
    with np.errstate(over="ignore"):  # refused at once
        refuse_overflow(np.maximum(n, n * np.exp(np.minimum(law.log_growth, 700.0))))
    alive = rng.binomial(n.astype(np.int64), np.exp(law.log_alive))
    # Where no line lives, the mean given one may be infinite, and there is nothing to add.
    excess = np.where(alive > 0, law.excess_if_alive, 0.0)
    with np.errstate(over="ignore"):  # refused below
        mean_excess = rng.standard_gamma(alive) * excess
    # The mean may pass the first check while the few lines that live are far above it.
    refuse_overflow(mean_excess)
    return np.asarray(alive + rng.poisson(mean_excess), dtype=np.int64)
