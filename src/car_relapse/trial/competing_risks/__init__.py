"""Analysis of follow-up with competing causes: curves, tests and models.

Functions in the plural (`log_rank_tests`, `gray_tests`, `incidences`, ...) analyse many trials at
once from `risk_sets`.
"""

from car_relapse.trial.competing_risks.cox import cox
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
from car_relapse.trial.competing_risks.fine_gray import FineGray, fine_gray
from car_relapse.trial.competing_risks.gray import gray_tests
from car_relapse.trial.competing_risks.hazard_ratios import HazardRatios, hazard_ratios
from car_relapse.trial.competing_risks.interval_censored import Turnbull, turnbull
from car_relapse.trial.competing_risks.rank_tests import RankTests, log_rank_tests
from car_relapse.trial.competing_risks.regression import Effect, Regression
from car_relapse.trial.competing_risks.risk_sets import RiskSets, risk_sets
from car_relapse.trial.competing_risks.time_laws import TimeLaw, mixture_cure, time_law
from car_relapse.trial.competing_risks.transplant_time import (
    Landmark,
    ever_never,
    landmark,
    time_dependent,
)

__all__ = [
    "Contrasts",
    "Effect",
    "Estimates",
    "FineGray",
    "HazardRatios",
    "Landmark",
    "Probabilities",
    "RankTests",
    "Regression",
    "RiskSets",
    "TimeLaw",
    "Turnbull",
    "contrasts",
    "cox",
    "event_free",
    "ever_never",
    "fine_gray",
    "gray_tests",
    "hazard_ratios",
    "incidences",
    "landmark",
    "log_rank_tests",
    "medians",
    "mixture_cure",
    "naive_incidences",
    "restricted_means",
    "risk_sets",
    "time_dependent",
    "time_law",
    "turnbull",
]
