"""Analysis of follow-up with competing causes: curves, tests and models.

`cif`, `log_rank`, `gray_test` and their like take one data set and give rows of plain numbers.
Functions in the plural (`incidences`, `log_rank_tests`, `gray_tests`, ...) analyse many trials at
once from `risk_sets`.
"""

from car_relapse.trial.competing_risks.cox_model import cox
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
from car_relapse.trial.competing_risks.interval_censored import Turnbull, turnbull
from car_relapse.trial.competing_risks.rank_test_rows import (
    RankTest,
    gray_test,
    log_rank,
    one_sample_log_rank,
)
from car_relapse.trial.competing_risks.rank_tests import RankTests, log_rank_tests
from car_relapse.trial.competing_risks.regression import Effect, Regression
from car_relapse.trial.competing_risks.risk_sets import RiskSets, risk_sets
from car_relapse.trial.competing_risks.subdistribution import FineGray, fine_gray
from car_relapse.trial.competing_risks.tables import (
    CurveRow,
    Difference,
    MeanRow,
    cif,
    cif_difference,
    median_follow_up,
    median_times,
    naive_cif,
    restricted_mean,
    restricted_mean_difference,
    survival,
)
from car_relapse.trial.competing_risks.time_laws import TimeLaw, mixture_cure, time_law
from car_relapse.trial.competing_risks.transplant_time import (
    Landmark,
    ever_never,
    landmark,
    time_dependent,
)
from car_relapse.trial.competing_risks.two_group_ratios import HazardRatios, hazard_ratios

__all__ = [
    "Contrasts",
    "CurveRow",
    "Difference",
    "Effect",
    "Estimates",
    "FineGray",
    "HazardRatios",
    "Landmark",
    "MeanRow",
    "Probabilities",
    "RankTest",
    "RankTests",
    "Regression",
    "RiskSets",
    "TimeLaw",
    "Turnbull",
    "cif",
    "cif_difference",
    "contrasts",
    "cox",
    "event_free",
    "ever_never",
    "fine_gray",
    "gray_test",
    "gray_tests",
    "hazard_ratios",
    "incidences",
    "landmark",
    "log_rank",
    "log_rank_tests",
    "median_follow_up",
    "median_times",
    "medians",
    "mixture_cure",
    "naive_cif",
    "naive_incidences",
    "one_sample_log_rank",
    "restricted_mean",
    "restricted_mean_difference",
    "restricted_means",
    "risk_sets",
    "survival",
    "time_dependent",
    "time_law",
    "turnbull",
]
