"""Analysis of follow-up with competing causes: curves, tests and models.

Functions in the plural (`log_rank_tests`, `gray_tests`, `incidences`, ...) analyse many trials at
once from `risk_sets`.
"""

from car_relapse.trial.competing_risks.curves import (
    event_free,
    incidences,
    medians,
    naive_incidences,
    restricted_means,
)
from car_relapse.trial.competing_risks.estimates import (
    Contrasts,
    Estimates,
    Probabilities,
    contrasts,
)
from car_relapse.trial.competing_risks.gray import gray_tests
from car_relapse.trial.competing_risks.rank_tests import RankTests, log_rank_tests
from car_relapse.trial.competing_risks.risk_sets import RiskSets, risk_sets

__all__ = [
    "Contrasts",
    "Estimates",
    "Probabilities",
    "RankTests",
    "RiskSets",
    "contrasts",
    "event_free",
    "gray_tests",
    "incidences",
    "log_rank_tests",
    "medians",
    "naive_incidences",
    "restricted_means",
    "risk_sets",
]
