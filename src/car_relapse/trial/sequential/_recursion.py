r"""Probabilities of stopping at each look, by integrating the score from look to look.

At the information fractions :math:`t_1 < t_2 < \dots` the score :math:`S_k = Z_k\sqrt{t_k}` is
a sum of independent normal increments with mean :math:`\theta\,(t_k - t_{k-1})` and variance
:math:`t_k - t_{k-1}`, where the drift :math:`\theta` is the mean of the test statistic at full
information. What has not stopped by look :math:`k` has a density, which is carried to the next
look by one integral; it is known at the nodes of Gauss and Legendre's rule on panels of two
standard deviations of an increment, where it is as smooth as the normal density itself. The
method is that of Armitage, McPherson and Rowe (1969; DOI not checked).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

Floats = NDArray[np.float64]

# With ten nodes to a panel, bounds are right to about 1e-13.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
# Beyond so many standard deviations lies less than a part in 1e18.
_REACH = 9.0
_SQRT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class State:
    """The trials that have not stopped: where their score is, and with which probability."""

    information: float
    """Information fraction of the last look."""
    score: Floats
    """Scores at which the density is known."""
    mass: Floats
    """Density times the weight of the node: sums of it are probabilities."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Information fraction and score from which all started."""


def start(information: float = 0.0, score: float = 0.0) -> State:
    """Return the state of a trial whose score is known."""
    return State(information, np.array([score]), np.ones(1), (information, score))


def above(state: State, look: float, drift: float, bound: float) -> float:
    """Return the probability that trials that go on have a Z above `bound` at the next look."""
    step = look - state.information
    height = (state.score + drift * step - bound * math.sqrt(look)) / math.sqrt(step)
    return float(state.mass @ ndtr(height))


def below(state: State, look: float, drift: float, bound: float) -> float:
    """Return the probability that trials that go on have a Z below `bound` at the next look."""
    step = look - state.information
    depth = (bound * math.sqrt(look) - state.score - drift * step) / math.sqrt(step)
    return float(state.mass @ ndtr(depth))


def _bound(probability: Callable[[float], float], part: float, middle: float) -> float | None:
    """Return where a probability is `part`, found on its logarithm; None where it stays below."""

    def excess(z: float) -> float:
        return math.log(max(probability(z), 1e-320)) - math.log(part)

    ends = middle - 40.0, middle + 40.0
    if max(excess(ends[0]), excess(ends[1])) <= 0.0:
        return None
    return float(brentq(excess, *ends, xtol=1e-12))


def bound_above(state: State, look: float, part: float) -> float:
    """Return the Z above which, without an effect, lies a part of all trials at the next look.

    Minus infinity when fewer than that are left.
    """
    found = _bound(lambda z: above(state, look, 0.0, z), part, 0.0)
    return -math.inf if found is None else found


def bound_below(state: State, look: float, drift: float, part: float) -> float:
    """Return the Z below which lies a part of all trials at the next look.

    Infinity when fewer than that are left.
    """
    middle = drift * math.sqrt(look)
    found = _bound(lambda z: below(state, look, drift, z), part, middle)
    return math.inf if found is None else found


def carry(
    state: State, look: float, drift: float, lower: float, upper: float, next_look: float
) -> State:
    """Return the state of the trials whose Z lies between the bounds at a look.

    Parameters
    ----------
    state : State
        The trials before the look.
    look, next_look : float
        Information fractions of this look and of the one that follows.
    drift : float
        Mean of Z at full information.
    lower, upper : float
        Bounds on the scale of Z, perhaps infinite.
    """
    step = look - state.information
    spread, root = math.sqrt(step), math.sqrt(look)
    middle = state.score + drift * step
    since = look - state.origin[0]
    mean, reach = state.origin[1] + drift * since, _REACH * math.sqrt(since)
    bottom, top = max(lower * root, mean - reach), min(upper * root, mean + reach)
    if top <= bottom:
        return State(look, np.zeros(1), np.zeros(1), state.origin)
    # The density varies over the increment before the look, its kernel over the one after.
    panel = 2.0 * min(spread, math.sqrt(next_look - look))
    edges = np.linspace(bottom, top, max(1, math.ceil((top - bottom) / panel)) + 1)
    half = np.diff(edges)[:, None] / 2.0
    score = (edges[:-1, None] + half * (1.0 + _NODES)).ravel()
    weight = (half * _WEIGHTS).ravel()
    distance = (score[:, None] - middle) / spread
    density = np.exp(-0.5 * distance**2) @ state.mass / (spread * _SQRT_2PI)
    return State(look, score, weight * density, state.origin)
