r"""Event-free probabilities, cumulative incidences and restricted means of many trials at once.

By group, the Kaplan-Meier curve :math:`\hat S`, the Aalen-Johansen estimate
:math:`\hat F_k(t)=\sum_{s\le t}\hat S(s^-)\,d_k/Y` and the mean event-free time up to a limit,
:math:`\int_0^\tau \hat S`, as `car_relapse.incidence` explains them. Two variances of
:math:`\hat F_k` are in use and differ by a few percent in small groups:

- ``jackknife``, the infinitesimal jackknife, as in R's survival package and in
  `car_relapse.incidence`;
- ``cmprsk``, as in R's package of that name, which counts the events of each cause apart,

  .. math::

      & \sum_{s\le t} (1-q)^2\, \frac{\hat S_-^2}{Y^2}\,\frac{Y-d_k}{Y-1}\,d_k \\
      {}+{} & \sum_{s\le t} q^2\, \frac{\hat S_-^2}{Y^2}\,\frac{Y-d'}{Y-1}\,d' ,

  with :math:`d'` events of other causes and :math:`q = (\hat F_k(t)-\hat F_k(s))/\hat S(s)`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.incidence import jackknife_terms
from car_relapse.trial.competing_risks.estimates import Estimates, Probabilities
from car_relapse.trial.competing_risks.rank_tests import thinned
from car_relapse.trial.competing_risks.risk_sets import (
    Floats,
    RiskSets,
    per_trial,
    require_cause,
)

__all__ = ["event_free", "incidences", "medians", "naive_incidences", "restricted_means"]

Variance = Literal["jackknife", "cmprsk"]

_Entry = TypeVar("_Entry", np.float64, np.bool_, np.int64)

_TIMES = "give months from infusion"
_LEAST = 1e-300
_HALF = 1e-9
"""How near to one half a curve counts as being there: it is a product of rounded ratios."""


class _Times:
    """Where times fall among the patients of each trial."""

    def __init__(self, data: RiskSets, times: ArrayLike) -> None:
        require_instance("data", data, RiskSets, "give what risk_sets returns")
        self.data = data
        t = require_non_negative("times", times, _TIMES)
        if t.ndim > 1 or t.size == 0:
            raise ParameterError(
                f"times has shape {t.shape}; it must be one time or a list of them; {_TIMES}"
            )
        self.single = t.ndim == 0
        self.times = np.atleast_1d(t)
        self.rows = np.stack([np.count_nonzero(data.time <= t, axis=1) for t in self.times], axis=1)

    def read(self, curve: Floats, start: float) -> Floats:
        """Return a curve that begins at `start` at the times, (trials, times)."""
        value = np.take_along_axis(curve, np.maximum(self.rows - 1, 0), axis=1)
        return np.where(self.rows > 0, value, start)

    def shaped(self, by_group: list[NDArray[_Entry]]) -> NDArray[_Entry]:
        """Return results of (trials, times) by group in the shape that was asked for."""
        together = np.stack(by_group, axis=1)
        return together[..., 0] if self.single else together

    def followed(self, group: int) -> NDArray[np.bool_]:
        """Return whether the curve of a group is known at the times, (trials, times)."""
        ended = self.read(self.data.event_free_after(group), 1.0) == 0.0
        mine = self.data.label == group
        later = [(mine & (self.data.time >= t)).any(axis=1) for t in self.times]
        return np.asarray(ended | np.stack(later, axis=1))

    def known(self, group: int) -> NDArray[np.int64]:
        """Return the patients of a group who were not censored before the times."""
        data = self.data
        mine = data.label == group
        size = np.count_nonzero(mine & (data.time >= 0.0), axis=1)
        lost = np.where(mine & (data.code < data.groups) & (data.time >= 0.0), data.time, np.inf)
        before = [np.count_nonzero(lost < t, axis=1) for t in self.times]
        return np.asarray(size[:, None] - np.stack(before, axis=1))

    def happened(self, of: int | None, group: int) -> NDArray[np.int64]:
        """Return the events of a cause in a group by the times."""
        marks = self.data.marks(of, group)
        counts = [np.count_nonzero(marks & (self.data.time <= t), axis=1) for t in self.times]
        return np.stack(counts, axis=1)


def _probabilities(
    at: _Times, values: list[Floats], variances: list[Floats], of: int | None
) -> Probabilities:
    """Return estimates by group, NaN where the group was not followed so long."""
    groups = range(at.data.groups)
    known = [at.followed(g) for g in groups]
    happened = [at.happened(of, g) for g in groups]
    size = [at.known(g) for g in groups]
    return Probabilities(
        value=at.shaped([np.where(k, v, np.nan) for k, v in zip(known, values, strict=True)]),
        variance=at.shaped([np.where(k, v, np.nan) for k, v in zip(known, variances, strict=True)]),
        event_free=of is None,
        none=at.shaped([h == 0 for h in happened]),
        everyone=at.shaped([(h == s) & (s > 0) for h, s in zip(happened, size, strict=True)]),
        known=at.shaped(size),
    )


def _jackknife(
    at: _Times, group: int, share: Floats, before: Floats, hazard: Floats, hazard_any: Floats
) -> Floats:
    """Return the infinitesimal jackknife variance at the times, (trials, times)."""
    own, cross, c = jackknife_terms(before, hazard, hazard_any, at.data.divisor(group))
    variances = []
    for t, end in zip(at.times, at.read(share, 0.0).T, strict=True):
        inside = (at.data.time <= t).astype(float)
        gap = (end[:, None] - share) * inside
        variances.append(
            per_trial(own, inside) - 2.0 * per_trial(cross, gap) + per_trial(c, gap**2)
        )
    # A sum of squares; rounding may leave a zero a hair below zero.
    return np.maximum(np.stack(variances, axis=1), 0.0)


def event_free(data: RiskSets, times: ArrayLike) -> Probabilities:
    """Estimate the probability of no event by `times` in every group (Kaplan-Meier).

    Parameters
    ----------
    data : RiskSets
        Trials.
    times : float or array_like, shape (times,)
        Months, >= 0.

    Returns
    -------
    Probabilities
        With Greenwood's variance.

    Raises
    ------
    ParameterError
        When a time is negative or not finite.

    Examples
    --------
    >>> from car_relapse.trial.competing_risks import risk_sets
    >>> event_free(risk_sets([1, 2, 3, 4], [1, 0, 2, 0]), [1, 3]).value
    array([[[0.75 , 0.375]]])
    """
    at = _Times(data, times)
    values, variances = [], []
    for group in range(data.groups):
        curve, before = data.event_free_after(group), data.event_free_before(group)
        values.append(at.read(curve, 1.0))
        hazard = data.hazard(None, group)
        variances.append(_jackknife(at, group, 1.0 - curve, before, hazard, hazard))
    return _probabilities(at, values, variances, None)


def naive_incidences(data: RiskSets, times: ArrayLike, *, of: int) -> Probabilities:
    """Return one minus the Kaplan-Meier curve of a cause, with other causes censored.

    It is not a probability of anything that happens to patients, and always too high where other
    causes happen: it is here to be compared with `incidences`.

    Parameters
    ----------
    data : RiskSets
        Trials.
    times : float or array_like, shape (times,)
        Months, >= 0.
    of : int
        Cause.

    Raises
    ------
    ParameterError
        When a time is negative or not finite, or `of` is not a whole number >= 1.
    """
    require_instance("data", data, RiskSets, "give what risk_sets returns")
    mine = data.marks(require_cause(of))
    known = event_free(replace(data, code=np.where(mine, data.code, data.label)), times)
    return replace(known, value=1.0 - known.value, event_free=False)


def _cmprsk(at: _Times, of: int, group: int, share: Floats) -> Floats:
    """Return the variance of R's cmprsk at the times, (trials, times)."""
    data = at.data
    at_risk = data.at_risk_in(group)
    before, after = data.event_free_before(group), data.event_free_after(group)
    own = data.events(of, group)
    others = data.events(None, group) - own
    size = (before / data.divisor(group)) ** 2
    mine, theirs = size * thinned(own, at_risk), size * thinned(others, at_risk)
    # 0 where nobody is left: no time follows.
    per = after / np.maximum(after**2, _LEAST)
    variances = []
    for t, end in zip(at.times, at.read(share, 0.0).T, strict=True):
        gap = (end[:, None] - share) * per
        inside = at.data.time <= t
        variances.append(
            per_trial(mine * inside, (1.0 - gap) ** 2) + per_trial(theirs * inside, gap**2)
        )
    return np.stack(variances, axis=1)


def incidences(
    data: RiskSets, times: ArrayLike, *, of: int, variance: Variance | None = "jackknife"
) -> Estimates:
    """Estimate the cumulative incidence of a cause by `times` in every group (Aalen-Johansen).

    Parameters
    ----------
    data : RiskSets
        Trials.
    times : float or array_like, shape (times,)
        Months, >= 0.
    of : int
        Cause.
    variance : {"jackknife", "cmprsk"}, optional
        Which variance; None leaves it out (NaN), for speed.

    Returns
    -------
    Estimates
        `Probabilities` when there is a variance.

    Raises
    ------
    ParameterError
        When a time is negative or not finite, `of` is not a whole number >= 1, or the variance is
        another.

    Examples
    --------
    >>> from car_relapse.trial.competing_risks import risk_sets
    >>> incidences(risk_sets([1, 2, 3, 4], [1, 2, 0, 1]), 4, of=1).value
    array([[0.75]])
    """
    at, of = _Times(data, times), require_cause(of)
    if variance not in (None, "jackknife", "cmprsk"):
        raise ParameterError(
            f"variance is {variance!r}; it must be 'jackknife', 'cmprsk' or None; give one of them"
        )
    values, variances = [], []
    for group in range(data.groups):
        before, hazard = data.event_free_before(group), data.hazard(of, group)
        share = np.cumsum(before * hazard, axis=1)
        values.append(at.read(share, 0.0))
        if variance == "jackknife":
            every = data.hazard(None, group)
            variances.append(_jackknife(at, group, share, before, hazard, every))
        elif variance == "cmprsk":
            variances.append(_cmprsk(at, of, group, share))
    if variance is None:
        known = [at.followed(g) for g in range(data.groups)]
        value = at.shaped([np.where(k, v, np.nan) for k, v in zip(known, values, strict=True)])
        return Estimates(value=value, variance=np.full(value.shape, np.nan))
    return _probabilities(at, values, variances, of)


def restricted_means(data: RiskSets, until: float) -> Estimates:
    r"""Estimate the mean event-free time up to `until` months in every group.

    .. math:: \int_0^\tau \hat S, \qquad
        \text{variance } \sum_{s\le\tau} \left(\int_s^\tau \hat S\right)^2 \frac{d}{Y(Y-d)} .

    Parameters
    ----------
    data : RiskSets
        Trials.
    until : float
        Upper limit :math:`\tau`, months, > 0.

    Returns
    -------
    Estimates
        Months, shape (trials, groups); NaN where the group was not followed so long.

    Raises
    ------
    ParameterError
        When `until` is not a number > 0.

    Examples
    --------
    >>> from car_relapse.trial.competing_risks import risk_sets
    >>> restricted_means(risk_sets([1, 2, 3, 4], [1, 0, 2, 0]), 4).value
    array([[2.875]])
    """
    limit = float(require_positive("until", until, _TIMES, scalar=True))
    at = _Times(data, limit)
    reached = np.clip(data.time, 0.0, limit)
    length = np.diff(reached, axis=1, prepend=0.0)
    inside = data.time <= limit
    values, variances = [], []
    for group in range(data.groups):
        area = np.cumsum(data.event_free_before(group) * length, axis=1)
        rest = data.event_free_after(group)[:, -1] * (limit - reached[:, -1])
        mean = area[:, -1:] + rest[:, None]
        events, at_risk = data.events(None, group), data.at_risk_in(group)
        left = at_risk - events
        # No area is left where nobody is.
        per = events * left / np.maximum(at_risk * left**2, 1.0)
        later = (mean - area) * inside
        variance = per_trial(later**2, per)[:, None]
        known = at.followed(group)
        values.append(np.where(known, mean, np.nan))
        variances.append(np.where(known, variance, np.nan))
    return Estimates(value=at.shaped(values), variance=at.shaped(variances))


def medians(data: RiskSets) -> Floats:
    """Return the median event-free time of every group, months, shape (trials, groups).

    Where the curve stands at one half for a while, the middle of that while, as in R's survival
    package. Infinite where half the patients have had no event when follow-up ends.
    """
    require_instance("data", data, RiskSets, "give what risk_sets returns")
    found = []
    for group in range(data.groups):
        after = data.event_free_after(group)
        reached = np.where(after <= 0.5 + _HALF, data.time, np.inf).min(axis=1)
        below = np.where(after < 0.5 - _HALF, data.time, np.inf).min(axis=1)
        stands = np.isfinite(below)
        found.append(np.where(stands, 0.5 * (reached + np.where(stands, below, 0.0)), reached))
    return np.stack(found, axis=1)
