"""Virtual trials: what a design would find, were the biology so.

A `Biology` says how fast each cause ends remission: from incidences, from hazards, or from the
mechanistic engine (`biology_of`). A `Trial` says who is followed for how long, who is transplanted
and whose antigens are tested. `run` repeats it, makes each `Analysis` of the same data sets, and
tells estimate, bias, coverage, power and Monte Carlo errors; `sample_size` searches for the number
of patients.
"""

from car_relapse.trial.virtual.analyses import Among, Analysis, Kind
from car_relapse.trial.virtual.biology import Biology, Frailty, Hazard
from car_relapse.trial.virtual.design import Arm, TransplantPolicy, Trial
from car_relapse.trial.virtual.immortal import Ratios, TransplantComparison, transplant_ratios
from car_relapse.trial.virtual.mechanistic import Mechanism, biology_of, from_cohort
from car_relapse.trial.virtual.run import Performance, Run, run
from car_relapse.trial.virtual.search import SampleSize, sample_size
from car_relapse.trial.virtual.shapes import Constant, Decay, Piecewise, Shape, Weibull
from car_relapse.trial.virtual.worlds import BLOCK, Estimand, Worlds, generate

__all__ = [
    "BLOCK",
    "Among",
    "Analysis",
    "Arm",
    "Biology",
    "Constant",
    "Decay",
    "Estimand",
    "Frailty",
    "Hazard",
    "Kind",
    "Mechanism",
    "Performance",
    "Piecewise",
    "Ratios",
    "Run",
    "SampleSize",
    "Shape",
    "TransplantComparison",
    "TransplantPolicy",
    "Trial",
    "Weibull",
    "Worlds",
    "biology_of",
    "from_cohort",
    "generate",
    "run",
    "sample_size",
    "transplant_ratios",
]
