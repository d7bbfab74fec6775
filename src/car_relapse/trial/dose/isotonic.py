r"""Toxicity by dose, made to rise with the dose, and the level closest to a target.

Among few patients a higher dose may by chance show fewer toxicities than a lower one. The
designs that decide level by level put that right at the end: they pool neighbouring levels until
the estimates rise,

.. math::

    \tilde p_j = \max_{a \le j} \min_{b \ge j} \frac{\sum_{i=a}^b w_i \hat p_i}{\sum_{i=a}^b w_i},

with estimates and weights from a beta posterior, and choose the level nearest to the target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError, require_positive
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import require_flags
from car_relapse.trial.dose.designs import NONE, DoseData, Ints, require_data

__all__ = ["closest_level", "isotonic_toxicity"]

Floats = NDArray[np.float64]

#: Estimates closer than this are one; the higher level counts as the more toxic.
_TIE = 1e-10


def isotonic_toxicity(data: DoseData, *, prior: float = 0.05) -> Floats:
    """Return the estimated toxicity of each level, rising with the level; NaN where untested.

    Parameters
    ----------
    data : DoseData
        Of one trial or of many.
    prior : float
        Both parameters of the beta prior of each level, > 0; weights are inverse posterior
        variances. Near 0 the estimates are the observed shares, but no variance is zero.

    Returns
    -------
    ndarray
        Of the shape of ``data.treated``.

    Examples
    --------
    >>> isotonic_toxicity(DoseData(treated=[3, 6, 3, 0], toxic=[1, 1, 2, 0])).round(3)
    array([0.217, 0.217, 0.661,   nan])
    """
    require_data(data)
    a = float(require_positive("prior", prior, "give 0.05 or so", scalar=True))
    total = data.treated + 2.0 * a
    mean = (data.toxic + a) / total
    tested = data.treated > 0
    weight = np.where(tested, (total + 1.0) / (mean * (1.0 - mean)), 0.0)
    levels = data.levels
    rising = np.full(mean.shape, -np.inf)
    for first in range(levels):
        sums = np.cumsum((weight * mean)[..., first:], axis=-1)
        weights = np.cumsum(weight[..., first:], axis=-1)
        average = np.divide(sums, weights, out=np.full(sums.shape, np.inf), where=weights > 0)
        least = np.minimum.accumulate(average[..., ::-1], axis=-1)[..., ::-1]
        rising[..., first:] = np.maximum(rising[..., first:], least)
    return np.where(tested, rising, np.nan)


def closest_level(
    data: DoseData, target: float, *, allowed: NDArray[np.bool_] | bool = True, prior: float = 0.05
) -> Ints:
    """Return the tested level whose isotonic toxicity is closest to a target, or `NONE`.

    Of levels that are equally close, those below the target come first, and of levels with one
    estimate the highest below the target, or the lowest above it.

    Parameters
    ----------
    data : DoseData
        Of one trial or of many.
    target : float
        Probability of toxicity that is aimed at, in (0, 1).
    allowed : ndarray of bool, or bool
        Which levels may be chosen, of the shape of ``data.treated`` or broadcast to it. The
        others do not enter the estimates.
    prior : float
        As in `isotonic_toxicity`.

    Examples
    --------
    >>> int(closest_level(DoseData(treated=[3, 3, 15, 9, 0], toxic=[0, 0, 4, 4, 0]), 0.3))
    3
    """
    require_data(data)
    aim = strictly_between("target", target, "give the probability of toxicity aimed at")
    flags = require_flags("allowed", allowed, "say of each level whether it may be chosen")
    try:
        may = np.broadcast_to(flags, data.treated.shape)
    except ValueError:
        raise ParameterError(
            f"allowed has shape {flags.shape}; it must broadcast to that of the data, "
            f"{data.treated.shape}; give one entry per level"
        ) from None
    kept = DoseData(treated=np.where(may, data.treated, 0), toxic=np.where(may, data.toxic, 0))
    estimate = isotonic_toxicity(kept, prior=prior)
    distance = np.abs(estimate + _TIE * np.arange(1, data.levels + 1) - aim)
    distance = np.where(np.isnan(distance), np.inf, distance)
    best = np.argmin(distance, axis=-1) + 1
    return np.where(np.isfinite(distance).any(axis=-1), best, NONE)
