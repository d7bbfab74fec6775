r"""Hazard ratios of two groups in many trials at once: Cox's model with the group alone.

With the group as the only covariate the score of Cox's model (Breslow's treatment of ties) needs
nothing but the numbers at risk,

.. math:: U(\beta) = \sum_t \left(d_1 - d\,\frac{Y_1 e^\beta}{Y_0 + Y_1 e^\beta}\right),

and falls in :math:`\beta`. So one run of Newton's method serves all trials of a simulation. At
:math:`\beta=0` it is the score of the log-rank test. For ties by Efron, more covariates or strata
see `cox`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from car_relapse.errors import require_instance
from car_relapse.trial.competing_risks.rank_tests import require_two_groups
from car_relapse.trial.competing_risks.risk_sets import Floats, RiskSets, require_cause

__all__ = ["HazardRatios", "hazard_ratios"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HazardRatios:
    """Log hazard ratios of group 1 over group 0, one element per trial, shape (trials,).

    Where one group has no event while both were at risk, the ratio is 0 or infinite; where neither
    has, nothing is known, and the ratio is 1. The standard error is infinite then and the p-value
    1: such a trial rejects nothing. Count them.
    """

    log_ratio: Floats
    """Log of the hazard ratio; minus infinity or infinity where one group has no event."""
    std_error: Floats
    """Its standard error from the observed information; infinite where there is none."""

    @property
    def ratio(self) -> Floats:
        """Hazard ratio; 0 or infinite where one group has no event."""
        return np.asarray(np.exp(self.log_ratio))

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value of Wald's test that the ratio is 1; 1 where there is no error."""
        known = np.isfinite(self.std_error)
        z = np.divide(
            self.log_ratio, self.std_error, out=np.zeros_like(self.log_ratio), where=known
        )
        return np.asarray(chdtrc(1.0, z**2))


def hazard_ratios(data: RiskSets, *, of: int | None = None) -> HazardRatios:
    """Estimate the hazard ratio of two groups in every trial.

    Parameters
    ----------
    data : RiskSets
        Trials with groups 0 and 1.
    of : int, optional
        Cause, for the cause-specific ratio; events of any cause when left out.

    Returns
    -------
    HazardRatios

    Raises
    ------
    ParameterError
        When there are not two groups, or `of` is not a whole number >= 1.

    Examples
    --------
    >>> from car_relapse.trial.competing_risks import risk_sets
    >>> trials = risk_sets([[1, 2, 3, 4], [1, 2, 3, 4]], [1, 1, 1, 1], [[0, 1, 0, 1], [0, 0, 1, 1]])
    >>> hazard_ratios(trials).ratio.round(2)
    array([0.39, 0.  ])
    """
    require_instance("data", data, RiskSets, "give what risk_sets returns")
    of = None if of is None else require_cause(of)
    require_two_groups(data.groups)
    experimental = data.at_risk_in(1)
    control = data.at_risk - experimental
    # Where one group has left, every event is certain to be the other's and says nothing.
    both = (control > 0.0) & (experimental > 0.0)
    events, own = data.events(of) * both, (data.events(of, 1) * both).sum(axis=1)
    finite = (own > 0.0) & (own < events.sum(axis=1))
    log_ratio = np.where(own > 0.0, np.inf, -np.inf)
    log_ratio[events.sum(axis=1) == 0.0] = 0.0
    std_error = np.full(data.trials, np.inf)
    rows = np.flatnonzero(finite)
    b = np.zeros(rows.size)
    for _ in range(60):
        weight = experimental[rows] * np.exp(b)[:, None]
        share = weight / (control[rows] + weight + ~both[rows])
        expected = events[rows] * share
        information = (expected * (1.0 - share)).sum(axis=1)
        step = (own[rows] - expected.sum(axis=1)) / information
        log_ratio[rows], std_error[rows] = b + step, 1.0 / np.sqrt(information)
        # A step of more than 2 would leave the range in which the score is nearly straight.
        b = b + np.clip(step, -2.0, 2.0)
        more = np.abs(step) > 1e-7  # the error left is of the order of its square
        if not more.any():
            break
        rows, b = rows[more], b[more]
    return HazardRatios(log_ratio=log_ratio, std_error=std_error)
