"""Analysis of follow-up with competing causes: curves, tests and models.

`cif`, `log_rank`, `gray_test` and their like take one data set and give rows of plain numbers.
Functions in the plural (`incidences`, `log_rank_tests`, `gray_tests`, ...) analyse many trials at
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
from car_relapse.trial.competing_risks.rank_test_rows import (
    RankTest,
    gray_test,
    log_rank,
    one_sample_log_rank,
)
from car_relapse.trial.competing_risks.rank_tests import RankTests, log_rank_tests
from car_relapse.trial.competing_risks.risk_sets import RiskSets, risk_sets
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

__all__ = [
    "Contrasts",
    "CurveRow",
    "Difference",
    "Estimates",
    "MeanRow",
    "Probabilities",
    "RankTest",
    "RankTests",
    "RiskSets",
    "cif",
    "cif_difference",
    "contrasts",
    "event_free",
    "gray_test",
    "gray_tests",
    "incidences",
    "log_rank",
    "log_rank_tests",
    "median_follow_up",
    "median_times",
    "medians",
    "naive_cif",
    "naive_incidences",
    "one_sample_log_rank",
    "restricted_mean",
    "restricted_mean_difference",
    "restricted_means",
    "risk_sets",
    "survival",
]
