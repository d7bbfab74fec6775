"""Gray's test of two cumulative incidences, with the variance of R's cmprsk, over many trials."""

from __future__ import annotations

from car_relapse.trial.competing_risks.rank_tests import RankTests
from car_relapse.trial.competing_risks.risk_sets import RiskSets

__all__ = ["gray_tests"]


def gray_tests(data: RiskSets, *, of: int, rho: float = 0.0) -> RankTests:
    """Compare the cumulative incidence of a cause between two groups in every trial."""
    raise NotImplementedError
