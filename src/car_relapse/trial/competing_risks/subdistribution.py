r"""Fine and Gray's model: how a covariate changes the probability of ever having the event.

The hazard of the *subdistribution* of cause k is :math:`-\mathrm d\ln(1-F_k)/\mathrm dt`, with
:math:`F_k` its cumulative incidence. Modelled as :math:`h_{k0}(t)\,e^{\beta z}`, it gives

.. math:: F_k(t \mid z) = 1 - \exp\!\left(-H_{k0}(t)\,e^{\beta z}\right)

(doi:10.1080/01621459.1999.10474144). Patients with a competing event can never have the event of
interest; they stay at risk at the weight :math:`\hat G(t^-)/\hat G(X_i^-)`, the chance of not
having been censored since. So the ratio depends on the competing causes as
well: a product that lets others relapse sooner lowers the incidence of escape and leaves its rate
alone. Read it beside `cox`, never instead (doi:10.1002/bimj.201800274 shows how the two relate).

The standard error is the sandwich
:math:`I^{-1}\big(\sum_i (\eta_i+\psi_i)(\eta_i+\psi_i)^\top\big)I^{-1}`, where :math:`\eta_i` is a
patient's share of the score and :math:`\psi_i` what the patient adds by way of the estimated
:math:`\hat G`. Programs differ here, and in the fifth digit by how they treat ties; this one
follows R's cmprsk and keeps two other conventions beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_finite, require_non_negative
from car_relapse.incidence import CENSORED
from car_relapse.trial.competing_risks._endpoint import endpoint
from car_relapse.trial.competing_risks._partial_likelihood import (
    AtRisk,
    at_risk_of,
    maximise,
    moments,
)
from car_relapse.trial.competing_risks.regression import (
    Regression,
    as_strata,
    design_matrix,
    standardised,
)
from car_relapse.trial.competing_risks.risk_sets import require_cause

__all__ = ["FineGray", "fine_gray"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FineGray(Regression):
    """Fine and Gray's model of one cause. `ratio` holds subdistribution hazard ratios."""

    model_std_error: Floats
    """Standard errors from the information alone, shape (covariates,), as if the weights were
    those of real patients."""
    row_std_error: Floats
    """Standard errors that treat every stretch of constant weight as a patient, and the weights as
    known, shape (covariates,): what R's survival prints for its `finegray` table without an
    identifier. Kept for comparison."""
    time: Floats
    """Distinct times of the event, ascending, shape (times,), in the unit of the data."""
    hazard: Floats
    """Cumulative subdistribution hazard at these times for covariates `centre`, shape (times,)."""
    centre: Floats
    """Mean covariates, shape (covariates,)."""
    longest: float
    """Longest time anybody was followed, in the unit of the data."""

    def incidence_at(self, times: ArrayLike, covariates: Mapping[str, float]) -> Floats:
        """Return the modelled cumulative incidence for one kind of patient.

        Parameters
        ----------
        times : array_like
            Times in the unit of the data, >= 0 and within follow-up.
        covariates : mapping of str to float
            One value for each of `names`.

        Returns
        -------
        numpy.ndarray
            Probabilities in [0, 1], in the shape of `times`.

        Raises
        ------
        ParameterError
            When a time is negative or beyond follow-up, or the covariates are not those of the
            model.
        """
        t = require_non_negative("times", times, "count from the start of follow-up")
        if np.any(t > self.longest):
            raise ParameterError(
                f"times is {float(t.max()):g}; nobody was followed for longer than "
                f"{self.longest:g}; ask for earlier times"
            )
        if not isinstance(covariates, Mapping) or set(covariates) != set(self.names):
            raise ParameterError(
                f"covariates is {covariates!r:.60}; the model has {', '.join(self.names)}; give "
                "one value for each"
            )
        values = [
            float(require_finite(name, covariates[name], "give one number", scalar=True))
            for name in self.names
        ]
        hazard = np.concatenate([[0.0], self.hazard])[np.searchsorted(self.time, t, side="right")]
        with np.errstate(over="ignore", invalid="ignore"):
            factor = np.exp(self.coefficient @ (np.array(values) - self.centre))
            total = np.where(hazard > 0.0, hazard * factor, 0.0)
        return np.asarray(-np.expm1(-total))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Censoring:
    """When patients were censored, and the Kaplan-Meier curve of that."""

    when: Floats
    """Distinct times, ascending."""
    hazard: Floats
    """Censored patients over patients at risk at these times."""
    at_risk: NDArray[np.int64]
    """Patients at risk at these times; those with an event at the same time among them."""
    free: Floats
    """Probability of not being censored before each time and, last, after all of them."""

    def before(self, times: Floats) -> NDArray[np.intp]:
        """Return the number of censoring times before each of `times`."""
        return np.asarray(np.searchsorted(self.when, times, side="left"))


def _censoring(time: Floats, censored: NDArray[np.bool_]) -> _Censoring:
    when, count = np.unique(time[censored], return_counts=True)
    at_risk = time.size - np.searchsorted(np.sort(time), when, side="left")
    hazard = count / at_risk
    free = np.concatenate([[1.0], np.cumprod(1.0 - hazard)])
    return _Censoring(when=when, hazard=hazard, at_risk=at_risk, free=free)


def _running(values: Floats) -> Floats:
    """Return the sums of the first 0, 1, 2, ... rows."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shares:
    """What each patient adds to the score: three parts, each of shape (patients, covariates)."""

    own: Floats
    """Until the patient's weight first changes."""
    later: Floats
    """While it falls."""
    through_censoring: Floats
    """By way of the estimated probability of not being censored."""
    later_squares: Floats
    """Sum over patients of the outer products of each stretch of constant weight by itself, with
    the first stretch left out, shape (covariates, covariates)."""


def _shares(sets: AtRisk, z: Floats, coefficient: Floats, lost: _Censoring) -> _Shares:
    """Return the shares of the score, by running sums over the times of events."""
    weighted = moments(sets, z, coefficient)
    risk = np.exp(z @ coefficient)
    jump = sets.count / weighted.total
    mean = weighted.mean

    # Until the own time the weight is 1.
    a, b = _running(jump), _running(jump[:, None] * mean)
    reached = np.searchsorted(sets.when, sets.time, side="right")
    own = -risk[:, None] * (z * a[reached, None] - b[reached])
    own[sets.event] += z[sets.event] - mean[sets.event_row]

    # After it, G(t-)/G(X-), constant between censorings.
    ga, gb = _running(sets.weight * jump), _running((sets.weight * jump)[:, None] * mean)
    pull = np.where(sets.kept, risk / sets.own_weight, 0.0)
    stretch = lost.before(sets.when)
    own_stretch = lost.before(sets.time)
    ends = np.searchsorted(stretch, np.arange(len(lost.when) + 1), side="right")
    same = np.maximum(ends[own_stretch], reached)
    own -= pull[:, None] * (z * (ga[same] - ga[reached])[:, None] - (gb[same] - gb[reached]))
    later = -pull[:, None] * (z * (ga[-1] - ga[same])[:, None] - (gb[-1] - gb[same]))

    # One stretch: minus pull times (z x - y), with x and y its steps of ga and gb.
    x = np.diff(ga[np.concatenate([[0], ends])])
    y = np.diff(gb[np.concatenate([[0], ends])], axis=0)
    xx, xy = _running(x * x), _running(x[:, None] * y)
    yy = _running(y[:, :, None] * y[:, None, :])
    rest = own_stretch + 1
    xx, xy, yy = xx[-1] - xx[rest], xy[-1] - xy[rest], yy[-1] - yy[rest]
    cross = z[:, :, None] * xy[:, None, :]
    squares = z[:, :, None] * z[:, None, :] * xx[:, None, None] + yy
    squares -= cross + cross.swapaxes(1, 2)

    # A censoring at u lowers the later weights of all who were kept at risk before u.
    kept_before = np.searchsorted(np.sort(sets.time[sets.kept]), lost.when, side="left")
    order = np.argsort(sets.time[sets.kept], kind="stable")
    pulls = _running(pull[sets.kept][order])[kept_before]
    pulled = _running((pull[:, None] * z)[sets.kept][order])[kept_before]
    from_u = np.searchsorted(sets.when, lost.when, side="left")
    q = pulled * (ga[-1] - ga[from_u])[:, None] - pulls[:, None] * (gb[-1] - gb[from_u])
    per_head = q / lost.at_risk[:, None]
    past = _running(per_head * lost.hazard[:, None])
    censored = ~(sets.event | sets.kept)
    through = -past[np.searchsorted(lost.when, sets.time, side="right")]
    through[censored] += per_head[own_stretch[censored]]
    return _Shares(
        own=own,
        later=later,
        through_censoring=through,
        later_squares=np.tensordot(pull**2, squares, axes=1),
    )


def fine_gray(
    time: ArrayLike, cause: ArrayLike, covariates: Mapping[str, ArrayLike], *, of: int
) -> FineGray:
    """Fit Fine and Gray's model to the cumulative incidence of one cause.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), >= 0, months or any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    covariates : mapping of str to array_like
        One number per patient under each name, such as ``{"arm": group}``.
    of : int
        The cause of interest.

    Returns
    -------
    FineGray
        Ratios of subdistribution hazards; standard errors as in R's cmprsk.

    Raises
    ------
    ParameterError
        When the data are malformed, nobody had the event, a covariate says nothing new, or the
        likelihood has no maximum because a covariate separates those with the event.

    Examples
    --------
    >>> months = [1, 2, 3, 4, 5, 6, 7, 8]
    >>> fit = fine_gray(months, [1, 1, 2, 1, 0, 1, 2, 0], {"arm": [0, 1, 0, 0, 1, 1, 0, 1]}, of=1)
    >>> round(float(fit.ratio[0]), 3), fit.incidence_at([2, 6], {"arm": 0}).round(3)
    (0.9, array([0.247, 0.523]))
    """
    t, code, event = endpoint(time, cause, require_cause(of))
    names = tuple(covariates) if isinstance(covariates, Mapping) else ()
    matrix = design_matrix(covariates, t.size)
    z, spread = standardised(matrix, names, as_strata(None, t.size))
    lost = _censoring(t, code == CENSORED)
    sets = at_risk_of(
        t,
        event,
        kept=(code != CENSORED) & ~event,
        own_weight=lost.free[lost.before(t)],
        event_weight=lost.free[lost.before(np.unique(t[event]))],
    )
    best = maximise([(sets, z)], names)
    shares = _shares(sets, z, best.coefficient, lost)
    inverse = np.linalg.inv(best.information)

    def errors(squares: Floats) -> Floats:
        return np.asarray(np.sqrt(np.diag(inverse @ squares @ inverse)) / spread)

    whole = shares.own + shares.later + shares.through_censoring
    return FineGray(
        names=names,
        coefficient=best.coefficient / spread,
        std_error=errors(whole.T @ whole),
        model_std_error=errors(best.information),
        row_std_error=errors(shares.own.T @ shares.own + shares.later_squares),
        log_likelihood=best.log_likelihood,
        patients=int(t.size),
        events=int(event.sum()),
        time=sets.when,
        hazard=np.cumsum(sets.count / moments(sets, z, best.coefficient).total),
        centre=matrix.mean(axis=0),
        longest=float(t.max()),
    )
