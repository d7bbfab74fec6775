"""How large a trial must be: events, patients, proportions, competing causes, changing hazards.

Numbers of events and patients are not rounded, so that they can be added up and compared; round
up at the end. Levels are two-sided, and power counts rejections in the direction of the effect.
"""

from car_relapse.trial.sample_size.biologies import (
    Comparison,
    DualBiology,
    compare_arms,
    dual_biologies,
)
from car_relapse.trial.sample_size.calendar import (
    Calendar,
    Size,
    constant_rate,
    event_probability,
    logrank_size,
)
from car_relapse.trial.sample_size.common_shape import (
    cumulative_hazards,
    cumulative_incidences,
    mixed_hazards,
)
from car_relapse.trial.sample_size.difference import Difference, difference_at
from car_relapse.trial.sample_size.events import (
    freedman_events,
    logrank_power,
    schoenfeld_events,
)
from car_relapse.trial.sample_size.proportions import (
    Proportions,
    fisher_power,
    fisher_size,
    fisher_test,
    proportions_power,
    two_proportions,
)
from car_relapse.trial.sample_size.score import RankTest, expected_events, rank_test

__all__ = [
    "Calendar",
    "Comparison",
    "Difference",
    "DualBiology",
    "Proportions",
    "RankTest",
    "Size",
    "compare_arms",
    "constant_rate",
    "cumulative_hazards",
    "cumulative_incidences",
    "difference_at",
    "dual_biologies",
    "event_probability",
    "expected_events",
    "fisher_power",
    "fisher_size",
    "fisher_test",
    "freedman_events",
    "logrank_power",
    "logrank_size",
    "mixed_hazards",
    "proportions_power",
    "rank_test",
    "schoenfeld_events",
    "two_proportions",
]
