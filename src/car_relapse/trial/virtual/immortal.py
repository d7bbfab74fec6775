r"""Immortal time: how patients with and without a transplant are compared, wrongly and rightly.

Whoever is transplanted in month four was in remission until month four. To count those four months
for the transplant makes a useless transplant look like a cure. Three comparisons of the same
trials, each by a Cox model with one covariate of 0 or 1, fitted to all of them at once:

- ``ever``: those ever transplanted against those never, from infusion: wrong;
- ``landmark``: those still event-free in one month, by whether transplanted by then, from there on;
- ``time-dependent``: a patient counts as not transplanted until the transplant, and then as
  transplanted.

With :math:`Y_0` and :math:`Y_1` at risk without and with it, the score of the log hazard ratio
:math:`\beta` is :math:`\sum_i (x_i - p_i)` over events, with
:math:`p = Y_1 e^\beta/(Y_0 + Y_1 e^\beta)`, and its information is :math:`\sum_i p_i(1-p_i)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, expit

from car_relapse.errors import ParameterError, require_non_negative, require_positive
from car_relapse.trial._checks import choice

__all__ = ["Ratios", "TransplantComparison", "transplant_ratios"]

TransplantComparison = Literal["ever", "landmark", "time-dependent"]

Floats = NDArray[np.float64]

_STEPS = 40
_FAR = 15.0  # a log ratio beyond it stands for infinity: one group has no event


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratios:
    """Hazard ratios of the transplanted to the others, one per trial: shape (trials,).

    A trial does not tell where one side has no patients at risk or no event.
    """

    log_ratio: Floats
    """Natural log of the hazard ratio; NaN where a trial does not tell."""
    std_error: Floats
    """Its standard error; NaN where a trial does not tell."""

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value of Wald's test; NaN where a trial does not tell."""
        return np.asarray(chdtrc(1.0, (self.log_ratio / self.std_error) ** 2))

    @property
    def mean_ratio(self) -> float:
        """Geometric mean of the hazard ratios of the trials that tell; NaN where none does."""
        told = self.log_ratio[~np.isnan(self.log_ratio)]
        return float(np.exp(told.mean())) if told.size else float("nan")


def _at_risk(time: Floats, entry: Floats) -> tuple[Floats, Floats]:
    """Return how many are at risk at each patient's time: all, and those past their entry."""
    trials, n = time.shape
    moments = np.concatenate([time, entry], axis=1)
    entered = np.isfinite(entry)
    change = np.concatenate([-entered.astype(float), entered.astype(float)], axis=1)
    # Stable: at one moment, patients leave before others enter, so entry counts from just after.
    order = np.argsort(moments, axis=1, kind="stable")
    flow = np.take_along_axis(change, order, axis=1)
    left = np.take_along_axis(np.repeat([[1.0] * n + [0.0] * n], trials, axis=0), order, axis=1)
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(2 * n)[None, :].repeat(trials, axis=0), axis=1)
    before_flow = np.cumsum(flow, axis=1) - flow
    before_left = np.cumsum(left, axis=1) - left
    mine = place[:, :n]
    return n - np.take_along_axis(before_left, mine, 1), np.take_along_axis(before_flow, mine, 1)


def transplant_ratios(
    time: ArrayLike,
    event: ArrayLike,
    transplant: ArrayLike,
    comparison: TransplantComparison,
    *,
    landmark: float | None = None,
) -> Ratios:
    """Compare event-free survival with and without transplant, in many trials at once.

    Parameters
    ----------
    time : array_like, shape (trials, patients)
        Month of event or of censoring, >= 0. Ties are handled by Breslow's approximation.
    event : array_like
        True where the event happened, as `time`.
    transplant : array_like
        Month of transplant, infinite for none; one after `time` did not happen.
    comparison : str
        ``ever``, ``landmark`` or ``time-dependent``.
    landmark : float, optional
        The month of ``landmark``, > 0.

    Returns
    -------
    Ratios

    Raises
    ------
    ParameterError
        When shapes differ, a time is negative, or the landmark does not go with the comparison.

    Examples
    --------
    >>> found = transplant_ratios(
    ...     [[1, 2, 3, 4, 5, 6]], [[1, 1, 1, 0, 1, 0]], [[np.inf, np.inf, 2, np.inf, 3, 1]], "ever"
    ... )
    >>> found.log_ratio.round(2)
    array([-1.23])
    """
    t = require_non_negative("time", time, "give months from infusion, trials by patients")
    happened = np.asarray(event).astype(bool)
    month = np.asarray(transplant, dtype=float)
    if t.ndim != 2 or t.size == 0 or happened.shape != t.shape or month.shape != t.shape:
        raise ParameterError(
            f"time has shape {t.shape}, event {happened.shape} and transplant {month.shape}; all "
            "must be trials by patients, of one shape; give one number per patient"
        )
    if np.isnan(month).any() or np.any(month < 0):
        raise ParameterError(
            "transplant is negative or no number; it must be a month >= 0; give infinity for none"
        )
    choice("comparison", comparison, get_args(TransplantComparison))
    if (landmark is not None) != (comparison == "landmark"):
        raise ParameterError(
            f"landmark is {landmark!r} and comparison is {comparison!r}; the landmark comparison "
            "has a month and the others have none; give it or leave it out"
        )
    had = month < t
    if comparison == "time-dependent":
        entry = np.where(had, month, np.inf)
    elif comparison == "ever":
        entry = np.where(had, -1.0, np.inf)
    else:
        start = float(require_positive("landmark", landmark or 0.0, "give a month", scalar=True))
        late = t <= start
        entry = np.where(had & (month <= start) & ~late, -1.0, np.inf)
        happened = happened & ~late
    # Patients out of a landmark leave before any event that counts, so they are at no risk set.
    everybody, with_ = _at_risk(t, entry)
    x = np.isfinite(entry)
    return _fit(x, happened, everybody - with_, with_)


def _fit(x: NDArray[np.bool_], event: NDArray[np.bool_], without: Floats, with_: Floats) -> Ratios:
    """Return the maximum of each partial likelihood, by Newton's method."""
    both = event & (without > 0) & (with_ > 0)
    odds = np.log(np.where(both, with_, 1.0)) - np.log(np.where(both, without, 1.0))
    own = (x & both).sum(axis=1)
    some = (own > 0) & (own < both.sum(axis=1))
    beta = np.zeros(x.shape[0])
    for _ in range(_STEPS):
        p = np.where(both, expit(odds + beta[:, None]), 0.0)
        information = (p * (1.0 - p)).sum(axis=1)
        step = np.where(some, (own - p.sum(axis=1)) / np.where(some, information, 1.0), 0.0)
        beta = np.clip(beta + np.clip(step, -2.0, 2.0), -_FAR, _FAR)
        if np.all(np.abs(step) < 1e-10):
            break
    p = np.where(both, expit(odds + beta[:, None]), 0.0)
    information = (p * (1.0 - p)).sum(axis=1)
    told = some & (np.abs(beta) < _FAR)
    error = 1.0 / np.sqrt(np.where(told, information, 1.0))
    return Ratios(log_ratio=np.where(told, beta, np.nan), std_error=np.where(told, error, np.nan))
