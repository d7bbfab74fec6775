r"""Levels that are spent as information comes in, and stops for futility.

A spending function says how much of the level is spent by an information fraction. Lan and
DeMets (1983; DOI not checked) gave two, whose boundaries are close to O'Brien and Fleming's and
to Pocock's; their formulas are in the manual of the R package gsDesign (function sfLDOF). The type
II error can be spent in the same way, on stops for futility.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_finite,
    require_fraction,
    require_instance,
)
from car_relapse.trial.sample_size.events import one_sided
from car_relapse.trial.sequential import _recursion as recursion
from car_relapse.trial.sequential.boundaries import (
    Boundaries,
    fractions,
    without_futility,
)

__all__ = ["lan_demets", "spent_boundaries", "with_beta_spending", "with_futility"]

Floats = NDArray[np.float64]
Spending = Literal["obrien-fleming", "pocock"]

# A look with less of a level than this cannot stop.
_LEAST_PART = 1e-300


def _spent(information: ArrayLike, total: float, spending: Spending) -> Floats:
    """Return the part of a level that is spent by an information fraction."""
    t = np.asarray(information, dtype=float)
    if spending == "obrien-fleming":
        return np.asarray(2.0 * ndtr(ndtri(total / 2.0) / np.sqrt(t)))
    if spending == "pocock":
        return np.asarray(total * np.log1p((math.e - 1.0) * t))
    raise ParameterError(
        f"spending is {spending!r}; it must be 'obrien-fleming' or 'pocock'; choose one, or give "
        "spent_boundaries the level spent at each look"
    )


def lan_demets(
    looks: int | Sequence[float], *, spending: Spending = "obrien-fleming", alpha: float = 0.025
) -> Boundaries:
    r"""Return boundaries from a spending function of the information, after Lan and DeMets.

    By the fraction :math:`t` they have spent
    :math:`2 - 2\Phi(z_{1-\alpha/2}/\sqrt t)` or :math:`\alpha\ln(1 + (e-1)t)`, so that they are
    close to O'Brien and Fleming's or to Pocock's. Neither the number nor the times of later looks
    matter to a look; so the information that a trial really had may be put in.

    Parameters
    ----------
    looks : int or sequence of float
        Number of looks at equal steps of information, or the information fraction of each; the
        last below 1 when the trial is still going on.
    spending : {"obrien-fleming", "pocock"}, optional
        Which function.
    alpha : float, optional
        One-sided level.

    Raises
    ------
    ParameterError
        When the looks do not ascend, are too many or too close, or an argument is out of range.

    Examples
    --------
    >>> lan_demets((0.6, 1)).efficacy.round(4).tolist()
    [2.6686, 1.981]
    """
    information = fractions(looks, whole=False)
    return spent_boundaries(information, _spent(information, one_sided(alpha), spending))


def spent_boundaries(information: Sequence[float], spent: ArrayLike) -> Boundaries:
    """Return boundaries that have spent given parts of the level by each look.

    Parameters
    ----------
    information : sequence of float
        Information fraction of each look, ascending, at most 1.
    spent : array_like
        One-sided level spent by each look in all, never falling, at most 0.5; a look without a
        part of its own cannot stop.

    Raises
    ------
    ParameterError
        When the looks do not ascend or are too close, or the level falls or is out of range.

    Examples
    --------
    >>> spent_boundaries((0.5, 1.0), (0.001, 0.025)).efficacy.round(3).tolist()
    [3.09, 1.965]
    """
    if not is_list(information):
        raise ParameterError(
            f"information is {information!r}; it must be a list of fractions; give one for each "
            "look, such as (0.5, 1)"
        )
    times = fractions(information, whole=False)
    level = require_fraction("spent", spent, "give the level spent by each look")
    if level.shape != (len(times),) or np.any(np.diff(level) < 0) or level.max() > 0.5:
        raise ParameterError(
            f"spent is {np.asarray(spent).tolist()!r}; it must be one level for each of the "
            f"{len(times)} looks, never falling, at most 0.5; give what is spent up to each look"
        )
    bounds = np.full(len(times), np.inf)
    state = recursion.start()
    for k, (look, part) in enumerate(zip(times, np.diff(level, prepend=0.0), strict=True)):
        if part > _LEAST_PART:
            bounds[k] = recursion.bound_above(state, look, float(part))
        if k < len(times) - 1:
            state = recursion.carry(state, look, 0.0, -math.inf, float(bounds[k]), times[k + 1])
    return without_futility(times, bounds)


def with_futility(boundaries: Boundaries, bounds: Sequence[float] | Floats) -> Boundaries:
    """Return the same boundaries with stops for futility, which do not bind.

    Parameters
    ----------
    boundaries : Boundaries
        Boundaries for efficacy.
    bounds : sequence of float
        Z below which the trial stops at each look but the last; 0 stops when the experimental arm
        is behind. Minus infinity for never.

    Raises
    ------
    ParameterError
        When there is not one bound for each look but the last, or one lies above efficacy.

    Examples
    --------
    Every other trial without an effect ends half-way, for hardly any power.

    >>> from car_relapse.trial.sequential import obrien_fleming
    >>> plain = obrien_fleming(2)
    >>> stop = with_futility(plain, [0.0])
    >>> round(float(stop.stops(0.0).futility[0]), 2), round(stop.stops(plain.drift(0.8)).power, 3)
    (0.5, 0.797)
    """
    require_instance("boundaries", boundaries, Boundaries, "give Boundaries")
    remedy = "give the Z below which to stop, for each look but the last"
    given = bounds
    if is_list(bounds):
        given = [b for b in bounds if not (isinstance(b, float) and b == -math.inf)]
    require_finite("bounds", given, remedy)
    values = np.asarray(bounds, dtype=float)
    if values.shape != boundaries.futility.shape:
        raise ParameterError(
            f"bounds has shape {values.shape}; there are {boundaries.futility.size} looks before "
            f"the last; {remedy}"
        )
    if np.any(values > boundaries.efficacy[:-1]):
        raise ParameterError(
            f"bounds is {values.tolist()!r}; efficacy starts at "
            f"{boundaries.efficacy[:-1].round(3).tolist()}; {remedy} below that"
        )
    return replace(boundaries, futility=values)


def with_beta_spending(
    boundaries: Boundaries, *, power: float = 0.8, spending: Spending = "obrien-fleming"
) -> Boundaries:
    """Return the same boundaries with futility bounds that spend the type II error.

    At the drift at which the trial then has the power wanted, the chance to stop wrongly for
    futility is shared out over the looks by the spending function.

    Parameters
    ----------
    boundaries : Boundaries
        Boundaries for efficacy, whose last look is at full information.
    power : float, optional
        Power wanted.
    spending : {"obrien-fleming", "pocock"}, optional
        Which function of the information.

    Raises
    ------
    ParameterError
        When the last look is not at full information, or an argument is out of range.

    Examples
    --------
    >>> design = with_beta_spending(lan_demets(3), power=0.9)
    >>> design.futility.round(3).tolist(), round(design.inflation(0.9), 3)
    ([-0.695, 1.002], 1.059)
    """
    require_instance("boundaries", boundaries, Boundaries, "give Boundaries")
    if boundaries.information[-1] != 1.0:
        raise ParameterError(
            f"boundaries end at the fraction {boundaries.information[-1]:g}; the type II error is "
            "spent over a whole trial; let its last look be at 1"
        )
    plain = replace(boundaries, futility=np.full_like(boundaries.futility, -np.inf))
    lowest = plain.drift(power)
    spent = _spent(plain.information, 1.0 - power, spending)

    def bounds(drift: float) -> tuple[Floats, float]:
        """Return the futility bounds at a drift, and the type II error that is left."""
        state, found = recursion.start(), np.empty_like(plain.futility)
        for k, part in enumerate(np.diff(spent[:-1], prepend=0.0)):
            look, upper = plain.information[k], float(plain.efficacy[k])
            lower = -math.inf
            if part > _LEAST_PART:
                lower = recursion.bound_below(state, look, drift, float(part))
            found[k] = min(lower, upper)
            state = recursion.carry(
                state, look, drift, float(found[k]), upper, plain.information[k + 1]
            )
        error = recursion.below(state, 1.0, drift, float(plain.efficacy[-1]))
        return found, error - float(spent[-1] - (spent[-2] if spent.size > 1 else 0.0))

    # Without any stop for futility, or with one that costs less than a rounding, nothing is lost.
    if plain.futility.size == 0 or bounds(lowest)[1] <= 0.0:
        return replace(plain, futility=bounds(lowest)[0])
    top = lowest + 1.0
    while bounds(top)[1] > 0.0:
        top *= 1.5
    drift = float(brentq(lambda x: bounds(x)[1], lowest, top, xtol=1e-11))
    return replace(plain, futility=bounds(drift)[0])
