r"""Breslow's partial likelihood, with patients who stay at risk at a falling weight.

With :math:`r_i = e^{\beta z_i}` and :math:`d_j` events at time :math:`t_j`,

.. math::

    \ell(\beta) = \sum_{\text{events}} \beta z_i - \sum_j d_j \ln S_0(t_j), \qquad
    S_0(t) = \sum_{X_i \ge t} r_i + G(t)\sum_{X_i < t,\ \text{kept}} \frac{r_i}{G(X_i)}

(Breslow's treatment of ties). Without patients who are kept this is Cox's model; Fine and Gray's
keeps those who had a competing event, with :math:`G` the probability of not being censored yet.
Sums over those at risk are differences of running sums over the sorted times, so that one step
of Newton's method costs a pass over the patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.trial.competing_risks.regression import refuse_unbounded

__all__: list[str] = []

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class AtRisk:
    """Who is at risk at each time of an event, in one stratum."""

    time: Floats
    """Time at which each patient's record ends, shape (patients,)."""
    event: NDArray[np.bool_]
    """Whether it ends with the event, shape (patients,)."""
    kept: NDArray[np.bool_]
    """Whether the patient stays at risk after that, shape (patients,)."""
    own_weight: Floats
    r""":math:`G` at each patient's own time, shape (patients,), > 0 for those kept."""
    when: Floats
    """Distinct times of events, ascending, shape (times,)."""
    weight: Floats
    r""":math:`G` at these times, shape (times,)."""
    count: NDArray[np.int64]
    """Events at these times, shape (times,)."""
    start: Floats | None = None
    """Time after which each record is at risk, shape (patients,); None when all start at 0."""

    @property
    def event_row(self) -> NDArray[np.intp]:
        """Row of `when` at which each patient with an event had it."""
        return np.asarray(np.searchsorted(self.when, self.time[self.event]))

    def sums(self, values: Floats) -> Floats:
        """Return the weighted sums of `values` over those at risk, shape (times, columns)."""
        total = _sums_from(self.time, self.when, values)
        if self.start is not None:
            total -= _sums_from(self.start, self.when, values)
        if self.kept.any():
            gone = np.flatnonzero(self.kept)[np.argsort(self.time[self.kept], kind="stable")]
            past = np.zeros((len(gone) + 1, values.shape[1]))
            past[1:] = np.cumsum(values[gone] / self.own_weight[gone, None], axis=0)
            before = np.searchsorted(self.time[gone], self.when, side="left")
            total += self.weight[:, None] * past[before]
        return total


def _sums_from(times: Floats, when: Floats, values: Floats) -> Floats:
    """Return the sums of the rows of `values` whose time is one of `when` or later."""
    order = np.argsort(times, kind="stable")
    rest = np.zeros((len(values) + 1, values.shape[1]))
    rest[:-1] = np.cumsum(values[order[::-1]], axis=0)[::-1]
    return np.asarray(rest[np.searchsorted(times[order], when, side="left")])


def at_risk_of(
    time: Floats,
    event: NDArray[np.bool_],
    *,
    start: Floats | None = None,
    kept: NDArray[np.bool_] | None = None,
    own_weight: Floats | None = None,
    event_weight: Floats | None = None,
) -> AtRisk:
    """Return the risk sets of one stratum; without `kept`, those of Cox's model."""
    when, count = np.unique(time[event], return_counts=True)
    return AtRisk(
        time=time,
        event=event,
        kept=np.zeros(time.shape, dtype=bool) if kept is None else kept,
        own_weight=np.ones(time.shape) if own_weight is None else own_weight,
        when=when,
        weight=np.ones(when.shape) if event_weight is None else event_weight,
        count=count.astype(np.int64),
        start=start,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Maximum:
    """Where the partial likelihood is highest, on the scale of the covariates given."""

    coefficient: Floats
    """Coefficients, shape (covariates,)."""
    information: Floats
    """Observed information there, shape (covariates, covariates)."""
    log_likelihood: float
    """Log of the partial likelihood."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Weighted totals of those at risk at each time of an event, at some coefficients."""

    total: Floats
    r""":math:`S_0`, shape (times,)."""
    mean: Floats
    """Weighted mean covariates, shape (times, covariates)."""
    spread: Floats
    """Their weighted covariances, shape (times, covariates, covariates)."""


def moments(sets: AtRisk, covariates: Floats, coefficient: Floats) -> Moments:
    """Return the totals, means and covariances of those at risk."""
    n, p = covariates.shape
    risk = np.exp(covariates @ coefficient)
    squares = (covariates[:, :, None] * covariates[:, None, :]).reshape(n, p * p)
    columns = risk[:, None] * np.hstack([np.ones((n, 1)), covariates, squares])
    sums = sets.sums(columns)
    total = sums[:, 0]
    mean = sums[:, 1 : 1 + p] / total[:, None]
    second = (sums[:, 1 + p :] / total[:, None]).reshape(-1, p, p)
    return Moments(total=total, mean=mean, spread=second - mean[:, :, None] * mean[:, None, :])


def _derivatives(
    strata: Sequence[tuple[AtRisk, Floats]], coefficient: Floats
) -> tuple[float, Floats, Floats]:
    """Return the log-likelihood, its gradient and the information, summed over the strata."""
    p = len(coefficient)
    height, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    for sets, covariates in strata:
        weighted = moments(sets, covariates, coefficient)
        own = covariates[sets.event].sum(axis=0)
        height += float(own @ coefficient - sets.count @ np.log(weighted.total))
        score += own - sets.count @ weighted.mean
        information += np.tensordot(sets.count, weighted.spread, axes=1)
    return height, score, information


def maximise(strata: Sequence[tuple[AtRisk, Floats]], names: Sequence[str]) -> Maximum:
    """Find the maximum by Newton's method with step halving.

    Parameters
    ----------
    strata : sequence of (AtRisk, numpy.ndarray)
        Risk sets of each stratum, and its standardised covariates.
    names : sequence of str
        Names of the covariates, for the message.

    Raises
    ------
    ParameterError
        When the likelihood has no maximum.
    """
    p = strata[0][1].shape[1]
    here = np.zeros(p)
    height, score, information = _derivatives(strata, here)
    for _ in range(100):
        refuse_unbounded(_std_errors(information), names)
        step = np.linalg.solve(information, score)
        for _ in range(40):
            # Far out, weights overflow; such a step is halved like one that leads down.
            with np.errstate(over="ignore", invalid="ignore"):
                there = _derivatives(strata, here + step)
            if there[0] >= height - 1e-12 * abs(height):
                break
            step /= 2.0
        here = here + step
        height, score, information = there
        if np.abs(step).max() < 1e-9:
            break
    else:
        raise ParameterError(
            f"the coefficients of {', '.join(names)} did not settle in 100 steps; the likelihood "
            "is nearly flat; leave out covariates that say nearly the same"
        )
    refuse_unbounded(_std_errors(information), names)
    return Maximum(coefficient=here, information=information, log_likelihood=height)


def _std_errors(information: Floats) -> Floats:
    """Return the standard errors; infinite where the information is singular."""
    try:
        variance = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return np.full(len(information), np.inf)
    return np.where(variance > 0.0, np.sqrt(np.abs(variance)), np.inf)
