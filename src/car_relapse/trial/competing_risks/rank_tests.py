r"""Log-rank tests of two groups, for all events or for one cause, over many trials at once.

At each event time the events of the experimental group are compared with their share of the
patients at risk,

.. math:: U = \sum_t w(t)\left(d_1 - d\,\frac{Y_1}{Y}\right), \qquad
    V = \sum_t w(t)^2\, d\,\frac{Y_1}{Y}\left(1-\frac{Y_1}{Y}\right)\frac{Y-d}{Y-1},

with d events among Y at risk, :math:`d_1` and :math:`Y_1` of them experimental, and
:math:`U^2/V` is compared with the chi-square law of one degree of freedom (Mantel 1966). For one
cause, the events of other causes leave the risk set as censored patients do: the test compares
cause-specific hazards, not probabilities. With :math:`w = \hat S(t^-)` of both groups together it
is Peto and Peto's test (doi:10.2307/2344317), which weighs early events more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from car_relapse.errors import ParameterError
from car_relapse.trial.competing_risks.risk_sets import Floats, RiskSets

__all__ = ["RankTests", "log_rank_tests"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RankTests:
    """Results of a test of two groups, one element per trial; arrays have shape (trials,).

    Where a trial has no event to compare (none at all, or none while both groups were at risk)
    the variance is 0 and the statistic and the p-value are NaN: count it as no rejection.
    """

    score: Floats
    """Events of the experimental group less those expected; > 0 when it has more."""
    variance: Floats
    """Variance of the score when the groups do not differ."""

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
        return np.asarray(chdtrc(1.0, self.statistic))


def _two_groups(data: RiskSets) -> None:
    if data.groups != 2:
        raise ParameterError(
            f"the data have {data.groups} group(s); the test compares two; code control 0 and "
            "experimental 1, and leave out the others with included"
        )


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
    of = data.cause(of)
    _two_groups(data)
    at_risk, experimental = data.at_risk, data.at_risk_in(1)
    events, own = data.events(of), data.events(of, 1)
    share = experimental / at_risk
    spread = events * share * (1.0 - share)
    if data.first is not None:
        spread *= (at_risk - events) / np.maximum(at_risk - 1.0, 1.0)
    gap = own - events * share
    if early:
        weight = _prior_event_free(events, at_risk)
        gap *= weight
        spread *= weight**2
    return RankTests(score=gap.sum(axis=1), variance=spread.sum(axis=1))


def _prior_event_free(events: Floats, at_risk: Floats) -> Floats:
    before = np.ones(events.shape)
    np.cumprod(1.0 - events[:, :-1] / at_risk[:-1], axis=1, out=before[:, 1:])
    return before
