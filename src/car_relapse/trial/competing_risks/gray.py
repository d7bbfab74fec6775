r"""Gray's test of two cumulative incidences, with the variance of R's cmprsk, over many trials.

A patient with a competing event can never have the event of interest, and so in Gray's test
(doi:10.1214/aos/1176350951) he stays among those who have not had it. The number of group g who
count as at risk is :math:`R_g = Y_g (1-\hat F_g(t^-))/\hat S_g(t^-)`, and the score is the
log-rank's,

.. math:: U = \sum_t w(t)\left(d_1 - d\,\frac{R_1}{R_0+R_1}\right)

with :math:`w = (1-\hat F_0(t^-))^\rho`.
:math:`F_0` is the incidence that both groups have when they do not differ, estimated from
:math:`d\hat F_0 = d/(T_0+T_1)` with :math:`T_g = Y_g/\hat S_g(t^-)`.

Its variance sums what each event contributes to the score, directly and through the curves that
later weights depend on. With :math:`A = w\,T_0T_1/(T_0+T_1)` and the running sum
:math:`C(t) = \sum_{s\le t} A\,d\hat F_0/(1-\hat F_0(s^-))`,

.. math::

    V = \sum_g \sum_t {}& \left[A + (1-q)\,B\right]^2 \frac{\hat S_g(t^-)}{Y_g}\,d\hat F_0 \\
    {}+ \sum_g \sum_t {}& \left[q\,B\right]^2 \frac{\hat S_g(t^-)^2}{Y_g^2}\,d'_g ,

with :math:`B = C(\infty)-C(t)` still to come and :math:`q = (1-\hat F_0(t))/\hat S_g(t)`. Here
:math:`d'_g` counts the events of other causes, and tied events are thinned by
:math:`(Y-d)/(Y-1)` as in the log-rank test, with :math:`\hat S_g(t^-)(T_0+T_1)` for Y in the first
term. R's cmprsk gives the same numbers.
"""

from __future__ import annotations

import numpy as np

from car_relapse.errors import require_finite
from car_relapse.trial.competing_risks.rank_tests import RankTests, require_two_groups, thinned
from car_relapse.trial.competing_risks.risk_sets import (
    Floats,
    RiskSets,
    per_trial,
    require_cause,
)

__all__ = ["gray_tests"]

_LEAST = 1e-300


def gray_tests(data: RiskSets, *, of: int, rho: float = 0.0) -> RankTests:
    """Compare the cumulative incidence of a cause between two groups in every trial.

    Parameters
    ----------
    data : RiskSets
        Trials with groups 0 and 1.
    of : int
        Cause.
    rho : float, optional
        Power of the weight; above 0 early events count more.

    Returns
    -------
    RankTests

    Raises
    ------
    ParameterError
        When there are not two groups, `of` is not a whole number >= 1 or `rho` is not finite.
    """
    of = require_cause(of)
    power = float(require_finite("rho", rho, "give 0 for equal weights", scalar=True))
    require_two_groups(data.groups)
    own = [data.events(of, group) for group in (0, 1)]
    after = [_no_zeros(data.event_free_after(group)) for group in (0, 1)]
    # T_g and its inverse, which is wrong where nobody of the group is at risk; but what it weighs
    # there is 0, since nothing is to come.
    before = [data.event_free_before(group) for group in (0, 1)]
    standing = [data.at_risk_in(g) / _no_zeros(before[g]) for g in (0, 1)]
    rate = [before[g] / data.divisor(g) for g in (0, 1)]
    counted = [standing[g] * still for g, still in enumerate(_still_without(own, rate))]  # R_g
    total, everybody = standing[0] + standing[1], counted[0] + counted[1]
    if data.first is not None:
        # After the first of a time at which all patients fail nobody counts, and nothing happens.
        total, everybody = (np.maximum(some, _LEAST) for some in (total, everybody))
    events = own[0] + own[1]
    step = events / total
    pooled_after = np.cumsum(step, axis=1)
    np.subtract(1.0, pooled_after, out=pooled_after)
    pooled = pooled_after + step
    direct = standing[0] * standing[1] / total
    share = counted[1] / everybody
    if power == 0.0:
        observed = np.einsum("ij->i", own[1])
        expected = per_trial(events, share)
    else:
        weight = np.maximum(pooled, 0.0) ** power
        observed, expected = per_trial(own[1], weight), per_trial(events * weight, share)
        direct *= weight

    to_come = direct * step
    # Once a group is used up the pooled incidence may pass 1, but then nothing is to come.
    to_come /= pooled if pooled.min() > 0.0 else np.maximum(pooled, _LEAST)
    np.cumsum(to_come, axis=1, out=to_come)
    np.subtract(to_come[:, -1:], to_come, out=to_come)
    left = to_come * pooled_after
    direct += to_come
    variance = np.zeros(data.trials)
    for group in (0, 1):
        moved = left / after[group]
        others = data.events(None, group) - own[group]
        jumps = step
        if data.first is not None:
            jumps = thinned(events, total * before[group]) / total
            others = thinned(others, data.at_risk_in(group))
        size = direct - moved
        size *= size
        size *= jumps
        moved *= moved
        moved *= rate[group]
        moved *= others
        size += moved
        variance += per_trial(size, rate[group])
    return RankTests(observed=observed, expected=expected, variance=variance)


def _no_zeros(curve: Floats) -> Floats:
    """Return a falling curve to divide by: infinite where it has come down to 0."""
    if curve[:, -1].min() > 0.0:
        return curve
    return np.where(curve > 0.0, curve, np.inf)


def _still_without(own: list[Floats], rate: list[Floats]) -> tuple[Floats, Floats]:
    """Return one minus the incidence in both groups, just before each patient."""
    # Two running sums for the time of one.
    steps = np.empty(own[0].shape, dtype=complex)
    np.multiply(own[0], rate[0], out=steps.real)
    np.multiply(own[1], rate[1], out=steps.imag)
    had = np.cumsum(steps, axis=1)
    had -= steps
    return 1.0 - had.real, 1.0 - had.imag
