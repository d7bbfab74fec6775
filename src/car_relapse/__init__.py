"""Exact escape probabilities and virtual patients for CAR-T relapse.

The library of the book *Why CAR-T Relapses*. A teaching model, not guidance for care.
"""

from importlib.metadata import version

from car_relapse.antigens import Losses
from car_relapse.cohort import Cohort, Outcome, Population, default_population, simulate
from car_relapse.course import Course, mean_course, sample_course
from car_relapse.errors import CarRelapseError, EvidenceError, LedgerError, ParameterError
from car_relapse.exposure import SteinExposure, SteinPopulation, stein_population, stein_typical
from car_relapse.killing import Killing, default_killing
from car_relapse.parameters import Parameter, default, ledger, parameter
from car_relapse.patient import Leukaemia, Patient, typical_leukaemia, typical_patient
from car_relapse.survival import RelapseProbabilities, relapse_probabilities
from car_relapse.therapy import Therapy

__all__ = [
    "CarRelapseError",
    "Cohort",
    "Course",
    "EvidenceError",
    "Killing",
    "LedgerError",
    "Leukaemia",
    "Losses",
    "Outcome",
    "Parameter",
    "ParameterError",
    "Patient",
    "Population",
    "RelapseProbabilities",
    "SteinExposure",
    "SteinPopulation",
    "Therapy",
    "default",
    "default_killing",
    "default_population",
    "ledger",
    "mean_course",
    "parameter",
    "relapse_probabilities",
    "sample_course",
    "simulate",
    "stein_population",
    "stein_typical",
    "typical_leukaemia",
    "typical_patient",
]

__version__ = version("car-relapse")
