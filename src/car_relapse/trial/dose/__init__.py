"""Finding a dose: designs, what they do exactly, and what making the product costs."""

from car_relapse.trial.dose.boin12 import BOIN12, DesirabilityRow
from car_relapse.trial.dose.crm import CRM, TiteCRM
from car_relapse.trial.dose.crm_fit import CrmFit, likeliest, log_likelihood, posterior
from car_relapse.trial.dose.crm_model import WorkingModel, indifference_skeleton
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
from car_relapse.trial.dose.scenario import Calendar, DoseScenario
from car_relapse.trial.dose.simulate import simulate
from car_relapse.trial.dose.simulated import Estimate, LevelRecord, SimulatedTrials
from car_relapse.trial.dose.stopping import StoppingCharacteristics, ToxicityStopping
from car_relapse.trial.dose.three_plus_three import ThreePlusThree, escalation_probability
from car_relapse.trial.dose.tite_boin import FollowUpRow, TiteBOIN

__all__ = [
    "BOIN",
    "BOIN12",
    "CRM",
    "MTPI",
    "MTPI2",
    "NONE",
    "STOP",
    "WAIT",
    "Apheresis",
    "Calendar",
    "CrmFit",
    "DecisionRow",
    "Design",
    "DesirabilityRow",
    "DoseData",
    "DoseScenario",
    "Estimate",
    "ExactCharacteristics",
    "FollowUpRow",
    "I3Plus3",
    "LevelRecord",
    "Patients",
    "SimulatedTrials",
    "StoppingCharacteristics",
    "ThreePlusThree",
    "TiteBOIN",
    "TiteCRM",
    "ToxicityStopping",
    "WorkingModel",
    "closest_level",
    "escalation_probability",
    "exact_characteristics",
    "exact_ends",
    "indifference_skeleton",
    "isotonic_toxicity",
    "likeliest",
    "log_likelihood",
    "posterior",
    "simulate",
    "tally",
]
