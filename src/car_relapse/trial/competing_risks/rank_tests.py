r"""Log-rank tests of two groups, for all events or for one cause, over many trials at once.

At each event time the events of the experimental group are compared with their share of the
patients at risk,

.. math::

    U &= \sum_t w(t)\left(d_1 - d\,\frac{Y_1}{Y}\right), \\
    V &= \sum_t w(t)^2\, d\,\frac{Y_1}{Y}\left(1-\frac{Y_1}{Y}\right)\frac{Y-d}{Y-1},

with d events among Y at risk, :math:`d_1` and :math:`Y_1` of them experimental, and
:math:`U^2/V` is compared with the chi-square law of one degree of freedom (Mantel 1966). For one
cause, the events of other causes leave the risk set as censored patients do: the test compares
cause-specific hazards, not probabilities. With :math:`w = \hat S(t^-)` of both groups together it
is the test of Peto and Peto (1972), which weighs early events more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from car_relapse.errors import ParameterError
from car_relapse.trial.competing_risks.risk_sets import (
    Floats,
    RiskSets,
    just_before,
    per_trial,
    product_limit,
    require_cause,
)

__all__ = ["RankTests", "log_rank_tests"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RankTests:
    """Results of a test of two groups, one element per trial; arrays have shape (trials,).

    Where a trial has no event to compare (none at all, or none while both groups were at risk)
    the variance is 0 and the statistic and the p-value are NaN: count it as no rejection.
    """

    observed: Floats
    """Events of the experimental group, weighted as the test weighs them."""
    expected: Floats
    """The same as expected when the groups do not differ."""
    variance: Floats
    """Variance of the score when the groups do not differ."""

    @property
    def score(self) -> Floats:
        """Observed less expected; > 0 when the experimental group has more events."""
        return self.observed - self.expected

    @property
    def z(self) -> Floats:
        """Score in units of its standard deviation, by sign; NaN where the variance is 0."""
        some = self.variance > 0
        sd = np.sqrt(np.where(some, self.variance, 1.0))
        return np.where(some, self.score / sd, np.nan)

    @property
    def statistic(self) -> Floats:
        """Chi-square statistic with one degree of freedom; NaN where the variance is 0."""
        return self.z**2

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value; NaN where the variance is 0."""
        return np.asarray(2.0 * ndtr(-np.abs(self.z)))


def require_two_groups(groups: int) -> None:
    """Raise when there are not exactly two groups."""
    if groups != 2:
        raise ParameterError(
            f"the data have {groups} group(s); the comparison is of two; code control 0 and "
            "experimental 1, and leave out the others with included"
        )


def thinned(events: Floats, at_risk: Floats) -> Floats:
    """Return the events times (Y-d)/(Y-1), the share of their variance that ties leave."""
    others = np.where(at_risk == 1.0, 1.0, at_risk - 1.0)
    return events * (1.0 - np.maximum(events - 1.0, 0.0) / others)


def log_rank_tests(data: RiskSets, *, of: int | None = None, early: bool = False) -> RankTests:
    """Compare the hazards of two groups in every trial.

    Parameters
    ----------
    data : RiskSets
        Trials with groups 0 and 1.
    of : int, optional
        Cause, for the cause-specific test; events of any cause when left out.
    early : bool, optional
        Weigh events by the event-free probability of both groups just before (Peto and Peto).

    Returns
    -------
    RankTests

    Raises
    ------
    ParameterError
        When there are not two groups, or `of` is not a whole number >= 1.
    """
    of = None if of is None else require_cause(of)
    require_two_groups(data.groups)
    events = data.events(of)
    share = data.at_risk_in(1) / data.at_risk
    varying = events if data.first is None else thinned(events, data.at_risk)
    if early:
        weight = just_before(product_limit(events / data.at_risk), 1.0)
        observed = per_trial(data.events(of, 1), weight)
        events, varying = events * weight, varying * weight**2
    else:
        observed = np.count_nonzero(data.marks(of, 1), axis=1).astype(float)
    return RankTests(
        observed=observed,
        expected=per_trial(events, share),
        variance=per_trial(varying, share - share**2),
    )
