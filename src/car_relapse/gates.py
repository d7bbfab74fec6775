r"""Gates: how the engagement of several antigens becomes one effect on the cell.

Each antigen :math:`i` of a cell is engaged to a fraction :math:`h_i` in [0, 1] of what it
could be. A gate is the fraction of the maximal killing rate that follows. At 0 and 1 the
gates are those of logic; in between they are probabilities of independent events.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = ["and_gate", "and_not_gate", "cocktail", "or_gate"]


def _engaged(values: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    if not values:
        raise ParameterError(
            "no engagement was given; a gate has at least one input; give one for each antigen"
        )
    remedy = "give the engagement of one antigen"
    return [require_fraction(f"engagement {i + 1}", h, remedy) for i, h in enumerate(values)]


def and_gate(*engagement: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\prod_i h_i`: every antigen is needed, so *any* loss is an escape.

    Examples
    --------
    >>> and_gate(0.5, 0.5).item()
    0.25
    """
    product = np.asarray(1.0)
    for h in _engaged(engagement):
        product = np.asarray(product * h)
    return product


def or_gate(*engagement: ArrayLike, synergy: float = 1.0) -> NDArray[np.float64]:
    r"""Return :math:`1 - \prod_i (1 - h_i) + (S - 1)\prod_i h_i`: any antigen will do.

    Parameters
    ----------
    *engagement : array_like
        Engagement :math:`h_i` of each antigen, in [0, 1].
    synergy : float
        Effect :math:`S` of full engagement of all antigens over that of one, >= 1; above 1
        the result may exceed 1, as a tandem receptor may kill faster than a single one.

    Returns
    -------
    ndarray
        Fraction of the maximal killing rate of one arm, in [0, S].

    Raises
    ------
    ParameterError
        When an engagement lies outside [0, 1], none is given, or `synergy` is below 1.

    Examples
    --------
    >>> round(or_gate(0.8, 0.3).item(), 2)
    0.86
    """
    extra = require_positive("synergy", synergy, "1 means none")
    if np.any(extra < 1):
        raise ParameterError(
            f"synergy is {synergy!r}; a second antigen must not weaken the first, so it must be "
            ">= 1; 1 means none"
        )
    some = np.asarray(0.0)
    for h in _engaged(engagement):
        # Adding what is left over keeps the digits of small engagements.
        some = np.asarray(some + h * (1.0 - some))
    return np.asarray(some + (extra - 1.0) * and_gate(*engagement))


def and_not_gate(target: ArrayLike, veto: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`h_1(1 - h_2)`: the second antigen, of healthy cells, stops killing.

    Examples
    --------
    >>> round(and_not_gate(0.8, 0.3).item(), 2)
    0.56
    """
    first, second = _engaged([target, veto])
    return np.asarray(first * (1.0 - second))


def cocktail(
    killing_rate: Sequence[ArrayLike], engagement: Sequence[ArrayLike]
) -> NDArray[np.float64]:
    r"""Return :math:`\sum_i \kappa_i h_i`, the killing rate of products given together.

    Parameters
    ----------
    killing_rate : sequence of array_like
        Killing rate :math:`\kappa_i` of each product at full engagement, 1/day, >= 0: each
        has a level of its own.
    engagement : sequence of array_like
        Engagement :math:`h_i` of each product's antigen, in [0, 1].

    Returns
    -------
    ndarray
        1/day.

    Raises
    ------
    ParameterError
        When the two differ in length, or a value breaks its rule.

    Examples
    --------
    >>> cocktail([1.0, 0.5], [0.5, 1.0]).item()
    1.0
    """
    arms = _engaged(engagement)
    if len(killing_rate) != len(arms):
        raise ParameterError(
            f"killing_rate has {len(killing_rate)} entries and engagement {len(arms)}; each "
            "product has one of each; give as many"
        )
    total = np.asarray(0.0)
    for i, (rate, h) in enumerate(zip(killing_rate, arms, strict=True)):
        checked = require_non_negative(f"killing_rate {i + 1}", rate, "give a rate per day")
        total = np.asarray(total + checked * h)
    return total
