"""Single arms with a binary endpoint: tests, two-stage designs, monitoring and what follows.

A response is whatever is wanted: a remission, or the absence of a relapse. Probabilities are
exact sums, not simulations. Intervals of a share are in `car_relapse.proportions`.
"""

from car_relapse.trial.single_arm.bayes import (
    posterior_looks,
    predictive_looks,
    predictive_probability,
    probability_better,
)
from car_relapse.trial.single_arm.historical import historical_belief
from car_relapse.trial.single_arm.inference import (
    TwoStageResult,
    after_two_stages,
    stage_wise_tail,
)
from car_relapse.trial.single_arm.looks import Looks, Operating
from car_relapse.trial.single_arm.one_stage import ahern, exact_test, fleming_patients
from car_relapse.trial.single_arm.two_stage import SimonDesigns, simon

__all__ = [
    "Looks",
    "Operating",
    "SimonDesigns",
    "TwoStageResult",
    "after_two_stages",
    "ahern",
    "exact_test",
    "fleming_patients",
    "historical_belief",
    "posterior_looks",
    "predictive_looks",
    "predictive_probability",
    "probability_better",
    "simon",
    "stage_wise_tail",
]
