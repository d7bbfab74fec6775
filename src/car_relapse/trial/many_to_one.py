r"""Several experimental arms against one control: Dunnett's comparisons, and their price.

Each of :math:`k` arms is compared with the same control. The test statistics share the control's
chance, so that two of them are correlated by :math:`\lambda_i\lambda_j` with
:math:`\lambda_i = \sqrt{n_i/(n_i + n_0)}`: one half when all arms have one size. The level that is
kept is the probability of any false claim, and the bound for it is the one that no statistic passes
with that probability when no arm has an effect (Dunnett 1955, doi:10.1080/01621459.1955.10501294):

.. math:: P\left(\max_i Z_i \le c\right)
    = \int \phi(x)\prod_i \Phi\!\left(\frac{c - \lambda_i x}{\sqrt{1-\lambda_i^2}}\right)dx .

The statistics are normal with known variance, as large trials' proportions and log-rank scores
nearly are; Dunnett's own tables are for a variance that is estimated from few patients.

An arm's drift is the mean of its statistic. Levels are one-sided and a positive statistic favours
the experimental arm; a two-sided level of 0.05 is a one-sided one of 0.025.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_fraction,
    require_positive,
)
from car_relapse.trial.sample_size.events import one_sided

__all__ = [
    "ManyPower",
    "adjusted_p_values",
    "critical_value",
    "drift_for_power",
    "inflation",
    "power",
]

Floats = NDArray[np.float64]
Kind = Literal["any", "each"]

_MOST_ARMS = 50
_RATIO = "give the patients of an experimental arm relative to those of the control"
# The integral over the control's chance, by the trapezoid rule: for a smooth integrand that falls
# to nothing at both ends no rule is better.
_CONTROL = np.linspace(-9.5, 9.5, 1521)
_WEIGHT = np.exp(-0.5 * _CONTROL**2) / math.sqrt(2.0 * math.pi) * (_CONTROL[1] - _CONTROL[0])
_FARTHEST = 38.0


@dataclass(frozen=True, kw_only=True)
class ManyPower:
    """What comparisons with one control find."""

    any: float
    """Probability that at least one arm with an effect is found."""
    each: Floats
    """Probability that an arm is found, for each arm."""
    all: float
    """Probability that all arms with an effect are found."""


def _arms(arms: int) -> int:
    return require_count("arms", arms, "count the experimental arms", minimum=1, maximum=_MOST_ARMS)


def _loading(ratio: float) -> float:
    """Return the part of a statistic that is the control's chance, checked."""
    size = float(require_positive("ratio", ratio, _RATIO, scalar=True))
    if not 1e-4 <= size <= 1e4:
        raise ParameterError(f"ratio is {size:g}; it must lie from 0.0001 to 10000; {_RATIO}")
    return math.sqrt(size / (size + 1.0))


def _missed(bound: float, drifts: Floats, loading: float) -> Floats:
    """Return the probability to stay below the bound for each arm, given the control's chance."""
    own = math.sqrt((1.0 - loading) * (1.0 + loading))
    return np.asarray(ndtr((bound - drifts[:, None] - loading * _CONTROL) / own))


def _error(bound: float, arms: int, loading: float) -> float:
    """Return the probability that chance takes any of the arms above the bound."""
    own = math.sqrt((1.0 - loading) * (1.0 + loading))
    stay = arms * log_ndtr((bound - loading * _CONTROL) / own)
    return float(_WEIGHT @ -np.expm1(stay))


def critical_value(arms: int, *, alpha: float = 0.025, ratio: float = 1.0) -> float:
    """Return the bound that each of several test statistics has to pass.

    Parameters
    ----------
    arms : int
        Experimental arms, compared with one control; at most 50.
    alpha : float, optional
        One-sided probability of any false claim.
    ratio : float, optional
        Patients of one experimental arm relative to those of the control.

    Returns
    -------
    float
        Bound of Z.

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    >>> [round(critical_value(k), 4) for k in (1, 2, 3, 4)]
    [1.96, 2.2121, 2.349, 2.4418]
    """
    count, level, loading = _arms(arms), one_sided(alpha), _loading(ratio)
    lowest, highest = -float(ndtri(level)), -float(ndtri(level / count))
    if count == 1:
        return lowest

    def excess(bound: float) -> float:
        return math.log(_error(bound, count, loading)) - math.log(level)

    return float(brentq(excess, lowest - 1e-6, highest + 1e-6, xtol=1e-13))


def adjusted_p_values(
    z: Sequence[float] | Floats, *, ratio: float = 1.0, step_down: bool = True
) -> Floats:
    """Return one-sided p-values, each adjusted for the comparisons with one control.

    Parameters
    ----------
    z : sequence of float
        Test statistic of each arm, at most 50 of them, each at most 38 in size.
    ratio : float, optional
        Patients of one experimental arm relative to those of the control.
    step_down : bool, optional
        Whether an arm is adjusted only for those that have no larger statistic, which keeps the
        level, too, and finds more; otherwise all are adjusted for all.

    Returns
    -------
    ndarray
        In the order of the arms. An arm is found when its p-value is at most the level.

    Raises
    ------
    ParameterError
        When a statistic is not a number, or an argument is out of range.

    Examples
    --------
    >>> adjusted_p_values([2.3, 2.1]).round(4).tolist()
    [0.02, 0.02]
    """
    remedy = "give the test statistic of each experimental arm"
    values = require_finite("z", z, remedy)
    if values.ndim != 1 or not 1 <= values.size <= _MOST_ARMS:
        raise ParameterError(
            f"z has shape {values.shape}; it must be a list of 1 to {_MOST_ARMS} numbers; {remedy}"
        )
    if np.abs(values).max() > _FARTHEST:
        raise ParameterError(
            f"z is {values[np.abs(values).argmax()]:g}; beyond {_FARTHEST:g} a normal statistic is "
            "an error of unit; give the estimate divided by its standard error"
        )
    if not isinstance(step_down, bool | np.bool_):
        raise ParameterError(f"step_down is {step_down!r}; it must be True or False; choose one")
    loading, found = _loading(ratio), np.empty(values.size)
    order = np.argsort(-values, kind="stable")
    largest = 0.0
    for place, arm in enumerate(order):
        family = values.size - place if step_down else values.size
        largest = max(largest, min(_error(float(values[arm]), family, loading), 1.0))
        found[arm] = largest
    return found


def power(
    drifts: Sequence[float] | Floats, *, alpha: float = 0.025, ratio: float = 1.0
) -> ManyPower:
    """Return the power of comparisons with one control at one bound for all.

    Parameters
    ----------
    drifts : sequence of float
        Mean of the test statistic of each arm; 0 for an arm without effect, which is never counted
        as found in `ManyPower.any` and `ManyPower.all`.
    alpha : float, optional
        One-sided probability of any false claim.
    ratio : float, optional
        Patients of one experimental arm relative to those of the control.

    Raises
    ------
    ParameterError
        When a drift is not a number, or an argument is out of range.

    Examples
    --------
    One arm works as a two-arm trial would show with 80 %, the other does nothing.

    >>> found = power([2.8016, 0.0])
    >>> round(found.any, 3), found.each.round(3).tolist()
    (0.722, [0.722, 0.013])
    """
    remedy = "give the mean of each arm's statistic, at most 1000 in size"
    means = require_finite("drifts", drifts, remedy)
    if means.ndim != 1 or not 1 <= means.size <= _MOST_ARMS or np.abs(means).max() > 1e3:
        raise ParameterError(
            f"drifts is {np.asarray(drifts).tolist()!r:.100}; it must be a list of 1 to "
            f"{_MOST_ARMS} numbers; {remedy}"
        )
    loading = _loading(ratio)
    bound = critical_value(means.size, alpha=alpha, ratio=ratio)
    missed = _missed(bound, means, loading)
    works = means > 0.0
    if not works.any():
        return ManyPower(any=0.0, each=np.asarray(ndtr(means - bound)), all=0.0)
    return ManyPower(
        any=min(1.0, float(_WEIGHT @ (1.0 - missed[works].prod(axis=0)))),
        each=np.asarray(ndtr(means - bound)),
        all=min(1.0, float(_WEIGHT @ (1.0 - missed[works]).prod(axis=0))),
    )


def drift_for_power(
    arms: int,
    *,
    power_wanted: float = 0.8,
    kind: Kind = "each",
    alpha: float = 0.025,
    ratio: float = 1.0,
) -> float:
    """Return the drift that each arm's statistic must have.

    Parameters
    ----------
    arms : int
        Experimental arms.
    power_wanted : float, optional
        Power wanted.
    kind : {"each", "any"}, optional
        Power to find an arm that works, whatever the others do; or to find any of the arms when
        all of them work equally well.
    alpha, ratio
        As for `critical_value`.

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    >>> round(drift_for_power(2), 3), round(drift_for_power(2, kind="any"), 3)
    (3.054, 2.586)
    """
    bound = critical_value(arms, alpha=alpha, ratio=ratio)
    count, level = _arms(arms), one_sided(alpha)
    wanted = float(require_fraction("power_wanted", power_wanted, "give 0.8 or so", scalar=True))
    if not level < wanted <= 1.0 - 1e-12:
        raise ParameterError(
            f"power_wanted is {wanted:g}; it must lie above alpha, which chance alone reaches, and "
            "below 1; give 0.8 or so"
        )
    if not isinstance(kind, str) or kind not in ("any", "each"):
        raise ParameterError(f"kind is {kind!r}; it must be 'any' or 'each'; choose one of them")
    highest = bound + float(ndtri(wanted))
    if kind == "each" or count == 1:
        return highest
    loading = _loading(ratio)

    def excess(drift: float) -> float:
        return _error(bound - drift, count, loading) - wanted

    return float(brentq(excess, 0.0, max(highest, 1e-6), xtol=1e-12))


def inflation(
    arms: int,
    *,
    power_wanted: float = 0.8,
    kind: Kind = "each",
    alpha: float = 0.025,
    ratio: float = 1.0,
) -> float:
    """Return how much larger than a two-arm trial each comparison has to be.

    Both arms of the comparison together; the control counts in every comparison but is there only
    once. Per arm of one size, k + 1 arms need (k + 1) / 2 times this of a two-arm trial, where k
    trials with controls of their own would need k times it.

    Parameters
    ----------
    arms, power_wanted, kind, alpha, ratio
        As for `drift_for_power`.

    Examples
    --------
    >>> round(inflation(2), 3)
    1.188
    """
    drift = drift_for_power(arms, power_wanted=power_wanted, kind=kind, alpha=alpha, ratio=ratio)
    return (drift / float(ndtri(power_wanted) - ndtri(alpha))) ** 2
