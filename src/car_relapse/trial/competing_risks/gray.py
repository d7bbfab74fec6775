r"""Gray's test of two cumulative incidences, with the variance of R's cmprsk, over many trials.

A patient with a competing event can never have the event of interest, and so in Gray's test
(doi:10.1214/aos/1176350951) he stays among those who have not had it. The number of group g who
count as at risk is :math:`R_g = Y_g (1-\hat F_g(t^-))/\hat S_g(t^-)`, and the score is the
log-rank's,

.. math:: U = \sum_t w(t)\left(d_1 - d\,\frac{R_1}{R_0+R_1}\right), \qquad
    w = (1-\hat F_0(t^-))^\rho .

:math:`F_0` is the incidence that both groups have when they do not differ, estimated from
:math:`d\hat F_0 = d/(T_0+T_1)` with :math:`T_g = Y_g/\hat S_g(t^-)`.

Its variance sums what each event contributes to the score, directly and through the curves that
later weights depend on. With :math:`A = w\,T_0T_1/(T_0+T_1)` and the running sum
:math:`C(t) = \sum_{s\le t} A\,d\hat F_0/(1-\hat F_0(s^-))`,

.. math:: V = \sum_g \sum_t \left[A + \left(1-\frac{1-\hat F_0}{\hat S_g}\right)
    \left(C(\infty)-C\right)\right]^2 \frac{\hat S_g(t^-)}{Y_g}\,d\hat F_0
    + \left[\frac{1-\hat F_0}{\hat S_g}\left(C(\infty)-C\right)\right]^2
    \frac{\hat S_g(t^-)^2}{Y_g^2}\,d'_g ,

where :math:`d'_g` counts the events of other causes, and tied events are thinned by
:math:`(Y-d)/(Y-1)` as in the log-rank test. R's cmprsk gives the same numbers.
"""

from __future__ import annotations

import numpy as np

from car_relapse.errors import require_finite
from car_relapse.trial.competing_risks.rank_tests import RankTests, require_two_groups, thinned
from car_relapse.trial.competing_risks.risk_sets import (
    Floats,
    RiskSets,
    require_cause,
    running_sum,
)

__all__ = ["gray_tests"]

_LEAST = 1e-300
"""Instead of zero where a sum stands below a line; what is above it is zero there, too."""


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
    tied = data.first is not None
    own = [data.events(of, group) for group in (0, 1)]
    events = own[0] + own[1]
    standing: list[Floats] = []  # T_g
    free: list[Floats] = []  # 1 - F_g just before
    for group in (0, 1):
        before = data.event_free_in(group)[:, :-1]
        at_risk = data.at_risk_in(group)
        present = at_risk > 0
        standing.append(at_risk / np.where(present, before, 1.0))
        step = before * own[group] / np.maximum(at_risk, 1.0)
        free.append(1.0 - running_sum(step)[:, :-1])
    total = standing[0] + standing[1]
    step = events / total
    pooled = 1.0 - running_sum(step)
    weight = 1.0 if power == 0.0 else np.maximum(pooled[:, :-1], 0.0) ** power
    counted = standing[1] * free[1]
    everybody = standing[0] * free[0] + counted
    # Where nobody without the event is left, there is no event either.
    share = counted / np.where(everybody > 0, everybody, 1.0)
    observed, expected = weight * own[1], weight * events * share

    direct = weight * standing[0] * standing[1] / total
    carried = np.cumsum(direct * step / np.maximum(pooled[:, :-1], _LEAST), axis=1)
    to_come = carried[:, -1:] - carried
    variance = np.zeros(data.trials)
    for group in (0, 1):
        curve, at_risk = data.event_free_in(group), data.at_risk_in(group)
        before, after = curve[:, :-1], curve[:, 1:]
        lasting = after > 0
        ratio = np.where(lasting, pooled[:, 1:] / np.where(lasting, after, 1.0), 0.0)
        rate = before / np.maximum(at_risk, 1.0)
        others = data.events(None, group) - own[group]
        jumps = step
        if tied:
            jumps = thinned(events, total * before) / total
            others = thinned(others, at_risk)
        moved = ratio * to_come
        mine = (direct + to_come - moved) ** 2 * rate * jumps
        theirs = moved**2 * rate**2 * others
        variance += np.where(at_risk > 0, mine + theirs, 0.0).sum(axis=1)
    return RankTests(
        observed=observed.sum(axis=1), expected=expected.sum(axis=1), variance=variance
    )
