r"""What data say about the curve of the continual reassessment method.

Patients who are still followed count for the share w of the window that has passed
(doi:10.1111/j.0006-341X.2000.01177.x): the one unknown of the curve, b, has the likelihood

.. math::

    \prod_\text{toxic} p_k(b) \prod_\text{others} (1 - w p_k(b)),

with :math:`w = 1` for those followed to the end. Integrals over b are Gauss-Legendre sums on
panels that are narrow beside the posterior.

Two estimates of toxicity are in use, and they differ: the curve at the mean of b (the *plug-in*),
and the mean of the curve. `CrmFit` has both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from car_relapse.errors import ParameterError, require_instance
from car_relapse.quadrature import panels
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose.crm_model import Floats, WorkingModel, checked_b
from car_relapse.trial.dose.designs import DoseData, Ints, require_data

__all__ = ["CrmFit", "likeliest", "log_likelihood", "posterior"]

# How far the integral goes, in standard deviations of the prior, and how wide its panels are, in
# those of the narrowest posterior: with 8 nodes each they integrate a normal density to 1e-10.
_REACH = 8.0
_PANEL = 2.0
# Numbers held at once: about what a processor keeps near.
_ROOM = 500_000
_FARTHEST = 20.0
_HALVINGS = 48


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
    require_data(data)
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
            "that has passed; give the patients one by one, as tally does"
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
    values = checked_b(b)
    if values.ndim > 1:
        raise ParameterError(
            f"b has shape {values.shape}; it must be a number or a list; give a list"
        )
    found = _log_likelihood(seen, *model._logs(np.atleast_1d(values)))
    return found.reshape((*data.treated.shape[:-1], *values.shape))


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
    [0.111, 0.216, 0.317]
    """
    seen = _seen(model, data)
    most = int(data.treated.sum(axis=-1).max(initial=0))
    # Rounded up, so that a trial that grows does not make a rule of its own at every step.
    b, prior = _nodes(
        model,
        strictly_between("target", target, "give a probability of toxicity"),
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
    [0.102, 0.203, 0.304]
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
