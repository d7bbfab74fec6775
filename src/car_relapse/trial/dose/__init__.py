"""Finding a dose: designs, what they do exactly, and what making the product costs."""

from car_relapse.trial.dose.decision_tables import DecisionRow
from car_relapse.trial.dose.designs import (
    NONE,
    STOP,
    WAIT,
    Design,
    DoseData,
    Patients,
    tally,
)
from car_relapse.trial.dose.exact import (
    ExactCharacteristics,
    exact_characteristics,
    exact_ends,
)
from car_relapse.trial.dose.feasibility import Apheresis
from car_relapse.trial.dose.interval_designs import BOIN, MTPI, MTPI2, I3Plus3
from car_relapse.trial.dose.isotonic import closest_level, isotonic_toxicity
from car_relapse.trial.dose.stopping import StoppingCharacteristics, ToxicityStopping
from car_relapse.trial.dose.three_plus_three import ThreePlusThree, escalation_probability

__all__ = [
    "BOIN",
    "MTPI",
    "MTPI2",
    "NONE",
    "STOP",
    "WAIT",
    "Apheresis",
    "DecisionRow",
    "Design",
    "DoseData",
    "ExactCharacteristics",
    "I3Plus3",
    "Patients",
    "StoppingCharacteristics",
    "ThreePlusThree",
    "ToxicityStopping",
    "closest_level",
    "escalation_probability",
    "exact_characteristics",
    "exact_ends",
    "isotonic_toxicity",
    "tally",
]
