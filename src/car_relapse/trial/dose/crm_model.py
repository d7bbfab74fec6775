r"""The working models of the continual reassessment method, and how data move them.

The method (doi:10.2307/2531628) joins the dose levels by a curve with one unknown, b. The
guesses of the toxicity at each level before the trial, the *skeleton* :math:`s_k`, are the curve
at :math:`b = 0`, and b has a normal prior around 0:

.. math::

    p_k(b) = s_k^{\exp b} \quad\text{(empiric)}, \qquad
    p_k(b) = \frac{1}{1 + \exp(-a - x_k e^b)} \quad\text{(logistic)},

where a is fixed and :math:`x_k = \operatorname{logit} s_k - a`. In both, toxicity rises with the
level and falls with b. Patients who are still followed count for the share of the window that
has passed (doi:10.1111/j.0006-341X.2000.01177.x): the one unknown has the likelihood

.. math::

    \prod_\text{toxic} p_k \prod_\text{others} (1 - w p_k),

with :math:`w = 1` for those followed to the end. Integrals over b are Gauss-Legendre sums on
panels that are narrow beside the posterior.

Two estimates of toxicity are in use, and they differ: the curve at the mean of b (the *plug-in*),
and the mean of the curve. `CrmFit` has both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_finite,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.quadrature import panels
from car_relapse.trial.dose._checks import require_open_fraction
from car_relapse.trial.dose.designs import DoseData

__all__ = [
    "PRIOR_SD",
    "CrmFit",
    "WorkingModel",
    "indifference_skeleton",
    "likeliest",
    "log_likelihood",
    "posterior",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shape = Literal["empiric", "logistic"]

PRIOR_SD = math.sqrt(1.34)
"""Standard deviation of the prior of b unless another is given; the custom of the method."""

_REACH = 10.0
# Panels of 2.5 standard deviations with 8 nodes integrate a normal density to 1e-9.
_PANEL = 1.25
_MOST_SD = 10.0
# Numbers held at once while pending patients are weighed.
_ROOM = 4_000_000
_FARTHEST = 20.0
_HALVINGS = 60


@dataclass(frozen=True, kw_only=True)
class WorkingModel:
    """A curve of toxicity over dose levels with one unknown, b.

    Examples
    --------
    >>> WorkingModel(skeleton=(0.1, 0.3)).toxicity(0.0).tolist()
    [0.1, 0.3]
    """

    skeleton: Sequence[float]
    """Probability of toxicity at each level as guessed before the trial, rising, in (0, 1)."""
    shape: Shape = "empiric"
    """The curve: ``empiric`` or ``logistic``."""
    prior_sd: float = PRIOR_SD
    """Standard deviation of the normal prior of b, in (0, 10]."""
    intercept: float = 3.0
    """The fixed a of the logistic curve, from -30 to 30; the skeleton stays below the curve's
    end, ``1 / (1 + exp(-a))``."""

    def __post_init__(self) -> None:
        remedy = "give the guessed probability of toxicity at each level, rising"
        if not is_list(self.skeleton):
            raise ParameterError(f"skeleton is {self.skeleton!r}; it must be a list; {remedy}")
        guess = require_fraction("skeleton", list(self.skeleton), remedy)
        if guess.ndim != 1 or guess.size == 0 or np.any((guess <= 0) | (guess >= 1)):
            raise ParameterError(
                f"skeleton is {guess.tolist()}; it must be probabilities between 0 and 1, one per "
                f"level; {remedy}"
            )
        if np.any(np.diff(guess) <= 0):
            raise ParameterError(f"skeleton is {guess.tolist()}; it must rise; {remedy}")
        if self.shape not in get_args(Shape):
            raise ParameterError(
                f"shape is {self.shape!r}; it must be one of {', '.join(get_args(Shape))}"
            )
        sd = float(require_positive("prior_sd", self.prior_sd, "give a spread of b", scalar=True))
        if sd > _MOST_SD:
            raise ParameterError(
                f"prior_sd is {sd:g}; it must be at most {_MOST_SD:g}; more is flat"
            )
        a = float(require_finite("intercept", self.intercept, "3 is usual", scalar=True))
        if abs(a) > 30.0:
            raise ParameterError(f"intercept is {a:g}; it must lie in [-30, 30]; 3 is usual")
        if self.shape == "logistic" and guess[-1] >= expit(a):
            raise ParameterError(
                f"skeleton ends with {guess[-1]:g} and intercept is {a:g}; the logistic curve ends "
                f"at {expit(a):g}; give a larger intercept"
            )
        object.__setattr__(self, "skeleton", tuple(guess.tolist()))

    @property
    def levels(self) -> int:
        """Number of dose levels."""
        return len(self.skeleton)

    def toxicity(self, b: ArrayLike) -> Floats:
        """Return the curve at b: probability of toxicity at each level, shape (..., levels)."""
        return np.asarray(np.exp(self._logs(require_finite("b", b, "0 is the skeleton"))[0]))

    def crossing(self, toxicity: float) -> Floats:
        """Return the b below which each level is more toxic than `toxicity`, shape (levels,).

        Parameters
        ----------
        toxicity : float
            Probability, in (0, 1), and below the end of a logistic curve.
        """
        p = require_open_fraction("toxicity", toxicity, "give a probability of toxicity")
        if self.shape == "empiric":
            return np.asarray(np.log(np.log(p) / np.log(self._guess)))
        if p >= expit(self.intercept):
            raise ParameterError(
                f"toxicity is {p:g} and intercept is {self.intercept:g}; the logistic curve ends "
                f"at {expit(self.intercept):g}; give a larger intercept"
            )
        ratio = (logit(p) - self.intercept) / (logit(self._guess) - self.intercept)
        return np.asarray(np.log(ratio))

    @property
    def _guess(self) -> Floats:
        return np.asarray(self.skeleton)

    def _slope(self, b: Floats) -> Floats:
        """Return what the curve is made of: ln p (empiric), or x e^b (logistic)."""
        unit = np.log(self._guess)
        if self.shape == "logistic":
            unit = logit(self._guess) - self.intercept
        return np.asarray(np.exp(b)[..., None] * unit)

    def _logs(self, b: Floats) -> tuple[Floats, Floats]:
        """Return ln p and ln(1 - p), shape (..., levels)."""
        slope = self._slope(b)
        if self.shape == "empiric":
            return slope, np.log(-np.expm1(slope))
        score = self.intercept + slope
        return -np.logaddexp(0.0, -score), -np.logaddexp(0.0, score)

    def _information(self) -> float:
        """Return a bound of what one patient can tell about b: its Fisher information."""
        if self.shape == "empiric":
            return 0.65
        p = np.linspace(0.001, 0.999, 999) * expit(self.intercept)
        return float(np.max(p * (1.0 - p) * (logit(p) - self.intercept) ** 2))


def indifference_skeleton(
    target: float,
    halfwidth: float,
    prior_level: int,
    levels: int,
    shape: Shape = "empiric",
    intercept: float = 3.0,
) -> tuple[float, ...]:
    r"""Return a skeleton whose neighbouring levels are told apart by at least `halfwidth`.

    Where the true toxicity at the target level is between ``target - halfwidth`` and ``target +
    halfwidth``, the method may settle there (the *indifference interval*; Lee and Cheung 2009,
    doi:10.1177/1740774509105076, DOI not checked). The skeleton is the one for which, at each b
    where the curve of one level is at the upper end, the next lower level is at the lower end.

    Parameters
    ----------
    target : float
        Probability of toxicity that is sought, in (0, 1).
    halfwidth : float
        Half of the interval, > 0; both ends within (0, 1).
    prior_level : int
        Level at which the target is expected, from 1.
    levels : int
        Number of levels, from `prior_level` to 100.
    shape, intercept
        As in `WorkingModel`.

    Returns
    -------
    tuple of float
        Probability of toxicity per level.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or levels so far from the prior level have a toxicity
        that no float tells from 0 or 1.

    Examples
    --------
    >>> [round(p, 3) for p in indifference_skeleton(0.25, 0.05, 3, 5)]
    [0.084, 0.157, 0.25, 0.355, 0.46]
    """
    middle = require_open_fraction("target", target, "give a probability of toxicity")
    half = float(require_positive("halfwidth", halfwidth, "0.05 is usual", scalar=True))
    first = require_count("prior_level", prior_level, "count levels from 1", minimum=1)
    number = require_count(
        "levels", levels, "give the number of levels", minimum=first, maximum=100
    )
    low, high = middle - half, middle + half
    if low <= 0.0 or high >= 1.0:
        raise ParameterError(
            f"halfwidth is {half:g} and target is {middle:g}; the interval must lie within (0, 1); "
            "give a smaller halfwidth"
        )
    # The curve of every level is a multiple of e^b on this scale, and a step multiplies it.
    model = WorkingModel(skeleton=(middle,), shape=shape, intercept=intercept)
    model.crossing(high)
    ends = np.log([low, high])
    if shape == "logistic":
        ends = logit([low, high]) - intercept
    step = np.arange(number) - (first - 1.0)
    units = model._slope(np.array(0.0))[0] * (ends[1] / ends[0]) ** step
    guess = np.exp(units) if shape == "empiric" else expit(intercept + units)
    return tuple(WorkingModel(skeleton=guess, shape=shape, intercept=intercept).skeleton)


@dataclass(frozen=True, kw_only=True)
class CrmFit:
    """What data say about the curve; the leading axes are those of the data.

    From `likeliest`, where there is no posterior, only `b` and `plug_in` are given.
    """

    b: Floats
    """Posterior mean of b, or the likeliest b, shape (...,). Infinite where none is likeliest."""
    plug_in: Floats
    """Toxicity at that b, shape (..., levels)."""
    variance: Floats | None = None
    """Posterior variance of b."""
    mean: Floats | None = None
    """Posterior mean of the toxicity, shape (..., levels)."""
    above: Floats | None = None
    """Posterior probability that the toxicity is above `target`, shape (..., levels)."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Data with one leading axis: counts of the complete, and the pending one by one."""

    toxic: Floats
    clear: Floats
    level: Ints
    """Index of the level of each pending patient; the rest of a row has weight 0."""
    weight: Floats

    def rows(self, part: slice) -> _Seen:
        return _Seen(
            toxic=self.toxic[part], clear=self.clear[part], level=self.level[part],
            weight=self.weight[part],
        )  # fmt: skip


def _seen(model: WorkingModel, data: DoseData) -> _Seen:
    require_instance("model", model, WorkingModel, "give a WorkingModel")
    require_instance("data", data, DoseData, "give a DoseData, such as of tally")
    if data.levels != model.levels:
        raise ParameterError(
            f"data has {data.levels} levels and the skeleton {model.levels}; they must be one; "
            "a guess for every level"
        )
    j = model.levels
    toxic = data.toxic.reshape(-1, j).astype(float)
    clear = (data.treated - data.toxic - data.pending).reshape(-1, j).astype(float)
    if not data.pending.any():
        none = np.zeros((len(toxic), 0))
        return _Seen(toxic=toxic, clear=clear, level=none.astype(np.int64), weight=none)
    if data.patients is None:
        raise ParameterError(
            "data.patients is None and some are pending; each counts for the share of the window "
            "that has passed for him; give the patients one by one, as tally does"
        )
    n = data.patients.level.shape[-1]
    level = data.patients.level.reshape(-1, n)
    weight = data.patients.weight.reshape(-1, n)
    waits = (level > 0) & ~data.patients.toxic.reshape(-1, n) & (weight < 1.0)
    most = int(waits.sum(axis=1).max())
    first = np.argsort(~waits, axis=1, kind="stable")[:, :most]
    held = np.take_along_axis(waits, first, axis=1)
    return _Seen(
        toxic=toxic,
        clear=clear,
        level=np.where(held, np.take_along_axis(level, first, axis=1) - 1, 0),
        weight=np.where(held, np.take_along_axis(weight, first, axis=1), 0.0),
    )


@lru_cache(maxsize=64)
def _nodes(model: WorkingModel, target: float, patients: int) -> tuple[Floats, Floats]:
    """Return nodes of b, ascending, and weights that have the prior in them."""
    narrowest = 1.0 / math.sqrt(model._information() * patients + model.prior_sd**-2)
    far = _REACH * model.prior_sd
    count = math.ceil(2.0 * far / (_PANEL * narrowest))
    # With an edge where a level crosses the target, the probability above it is a sum of panels.
    crossings = np.clip(model.crossing(target), -far, far)
    rule = panels(np.sort(np.concatenate([np.linspace(-far, far, count + 1), crossings])))
    b = rule.node.ravel()
    z = b / model.prior_sd
    return b, rule.weights().ravel() * np.exp(-0.5 * z * z)


def _log_likelihood(seen: _Seen, log_p: Floats, log_q: Floats) -> Floats:
    """Return the log-likelihood of each trial at each b, shape (trials, b)."""
    total = seen.toxic @ log_p.T + seen.clear @ log_q.T
    q = np.exp(log_q).T
    for column in range(seen.level.shape[1]):
        w = seen.weight[:, column, None]
        # 1 - w p without the loss of digits of a p near 1.
        total += np.log((1.0 - w) + w * q[seen.level[:, column]])
    return np.asarray(total)


def log_likelihood(model: WorkingModel, data: DoseData, b: ArrayLike) -> Floats:
    """Return the log-likelihood of b, shape (..., b): the leading axes are those of `data`.

    Parameters
    ----------
    model : WorkingModel
        The curve; its prior plays no part.
    data : DoseData
        As in `posterior`.
    b : array_like
        Values of the unknown, from -100 to 100, shape (b,) or single.

    Raises
    ------
    ParameterError
        As `posterior`, and when b is out of its range.
    """
    seen = _seen(model, data)
    remedy = "0 is the skeleton"
    values = require_finite("b", b, remedy)
    if values.ndim > 1 or np.any(np.abs(values) > _REACH * _MOST_SD):
        raise ParameterError(
            f"b is {values.tolist()}; it must be a number or a list, from -100 to 100; {remedy}"
        )
    found = _log_likelihood(seen, *model._logs(np.atleast_1d(values)))
    return found.reshape(*data.treated.shape[:-1], *values.shape)


def posterior(model: WorkingModel, data: DoseData, target: float) -> CrmFit:
    """Return the posterior of the curve after `data`.

    Parameters
    ----------
    model : WorkingModel
        The curve and its prior.
    data : DoseData
        Of one trial, or of many along leading axes. Pending patients count for the share of the
        window that has passed.
    target : float
        Probability of toxicity with which each level is compared, in (0, 1).

    Raises
    ------
    ParameterError
        When `data` has other levels than the model, or pending patients that are not given one
        by one.

    Examples
    --------
    >>> from car_relapse.trial.dose.designs import DoseData
    >>> seen = DoseData(treated=[3, 3, 0], toxic=[0, 1, 0])
    >>> posterior(WorkingModel(skeleton=(0.1, 0.2, 0.3)), seen, 0.3).plug_in.round(3).tolist()
    [0.105, 0.207, 0.308]
    """
    seen = _seen(model, data)
    most = int(data.treated.sum(axis=-1).max(initial=0))
    # Rounded up, so that a trial that grows does not make a rule of its own at every step.
    b, prior = _nodes(
        model,
        require_open_fraction("target", target, "give a probability of toxicity"),
        16 * math.ceil((most + 1) / 16),
    )
    log_p, log_q = model._logs(b)
    moments = np.stack([np.ones_like(b), b, b * b], axis=1)
    below = b[:, None] < model.crossing(target)
    columns = np.concatenate([moments, np.exp(log_p), below], axis=1) * prior[:, None]
    trials, j = seen.toxic.shape
    sums = np.empty((trials, columns.shape[1]))
    step = max(1, _ROOM // len(b))
    for start in range(0, trials, step):
        part = slice(start, start + step)
        log_likelihood = _log_likelihood(seen.rows(part), log_p, log_q)
        log_likelihood -= log_likelihood.max(axis=1, keepdims=True)
        sums[part] = np.exp(log_likelihood, out=log_likelihood) @ columns
    sums /= sums[:, :1]
    lead = data.treated.shape[:-1]
    mean_b = sums[:, 1].reshape(lead)
    return CrmFit(
        b=mean_b,
        plug_in=model.toxicity(mean_b),
        variance=np.maximum(sums[:, 2] - sums[:, 1] ** 2, 0.0).reshape(lead),
        mean=sums[:, 3 : 3 + j].reshape(*lead, j),
        above=np.clip(sums[:, 3 + j :], 0.0, 1.0).reshape(*lead, j),
    )


def _score(model: WorkingModel, seen: _Seen, b: Floats) -> Floats:
    """Return the derivative of the log-likelihood by b, one per trial."""
    log_p, log_q = model._logs(b)
    p, q = np.exp(log_p), np.exp(log_q)
    change = model._slope(b) * (1.0 if model.shape == "empiric" else q)  # of ln p
    total = np.sum(seen.toxic * change - seen.clear * change * np.exp(log_p - log_q), axis=1)
    at = np.arange(len(b))[:, None], seen.level
    w = seen.weight
    return np.asarray(total - np.sum(w * p[at] * change[at] / ((1.0 - w) + w * q[at]), axis=1))


def likeliest(model: WorkingModel, data: DoseData) -> CrmFit:
    """Return the curve that makes `data` likeliest, whatever the prior.

    Without a toxicity, or with nobody followed without one, no b is likeliest: b is infinite,
    and the curve at its end.

    Parameters
    ----------
    model : WorkingModel
        The curve; its prior plays no part.
    data : DoseData
        As in `posterior`.

    Raises
    ------
    ParameterError
        As `posterior`.

    Examples
    --------
    >>> from car_relapse.trial.dose.designs import DoseData
    >>> seen = DoseData(treated=[3, 3, 0], toxic=[0, 1, 0])
    >>> likeliest(WorkingModel(skeleton=(0.1, 0.2, 0.3)), seen).plug_in.round(3).tolist()
    [0.106, 0.208, 0.309]
    """
    seen = _seen(model, data)
    some_toxic = seen.toxic.sum(axis=1) > 0
    some_clear = seen.clear.sum(axis=1) + seen.weight.sum(axis=1) > 0
    low = np.full(len(seen.toxic), -_FARTHEST)
    high = -low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        rising = _score(model, seen, middle) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    b = np.where(some_toxic, np.where(some_clear, 0.5 * (low + high), -np.inf), np.inf)
    end = 1.0 if model.shape == "empiric" else float(expit(model.intercept))
    curve = model.toxicity(np.where(np.isfinite(b), b, 0.0))
    curve = np.where(np.isposinf(b)[:, None], 0.0, np.where(np.isneginf(b)[:, None], end, curve))
    lead = data.treated.shape[:-1]
    return CrmFit(b=b.reshape(lead), plug_in=curve.reshape(*lead, model.levels))
