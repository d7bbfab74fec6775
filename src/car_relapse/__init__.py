"""Exact escape probabilities and virtual patients for CAR-T relapse.

The library of the book *Why CAR-T Relapses*. A teaching model, not guidance for care.

Names are loaded when they are first used, so that a cohort does not wait for the parts of SciPy
that only other models need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from car_relapse.antigens import Losses as Losses
    from car_relapse.antigens import Plasticity as Plasticity
    from car_relapse.attribution import attribution as attribution
    from car_relapse.calibration_model import calibrated_patient as calibrated_patient
    from car_relapse.calibration_model import calibrated_population as calibrated_population
    from car_relapse.celltypes import CellTypes as CellTypes
    from car_relapse.celltypes import cell_types as cell_types
    from car_relapse.cohort import iter_cohorts as iter_cohorts
    from car_relapse.cohort import simulate as simulate
    from car_relapse.course import Course as Course
    from car_relapse.course import Courses as Courses
    from car_relapse.course import Regrowth as Regrowth
    from car_relapse.course import mean_course as mean_course
    from car_relapse.course import sample_course as sample_course
    from car_relapse.course import sample_courses as sample_courses
    from car_relapse.densities import AntigenDensities as AntigenDensities
    from car_relapse.errors import CarRelapseError as CarRelapseError
    from car_relapse.errors import EvidenceError as EvidenceError
    from car_relapse.errors import LedgerError as LedgerError
    from car_relapse.errors import ParameterError as ParameterError
    from car_relapse.errors import ScenarioError as ScenarioError
    from car_relapse.exposure import SteinExposure as SteinExposure
    from car_relapse.exposure import SteinPopulation as SteinPopulation
    from car_relapse.exposure import stein_population as stein_population
    from car_relapse.exposure import stein_typical as stein_typical
    from car_relapse.exposure_kimmel import KimmelExposure as KimmelExposure
    from car_relapse.exposure_table import TableExposure as TableExposure
    from car_relapse.exposure_table import read_exposure_table as read_exposure_table
    from car_relapse.followup import FollowUp as FollowUp
    from car_relapse.followup import observe as observe
    from car_relapse.gates import AndGate as AndGate
    from car_relapse.gates import AndNotGate as AndNotGate
    from car_relapse.gates import OrGate as OrGate
    from car_relapse.gates import SingleGate as SingleGate
    from car_relapse.gates import SumGate as SumGate
    from car_relapse.incidence import aalen_johansen as aalen_johansen
    from car_relapse.incidence import kaplan_meier as kaplan_meier
    from car_relapse.killing import Killing as Killing
    from car_relapse.killing import LinearKilling as LinearKilling
    from car_relapse.killing import default_killing as default_killing
    from car_relapse.outcomes import Cohort as Cohort
    from car_relapse.outcomes import Outcome as Outcome
    from car_relapse.parameters import Parameter as Parameter
    from car_relapse.parameters import default as default
    from car_relapse.parameters import ledger as ledger
    from car_relapse.parameters import parameter as parameter
    from car_relapse.patient import Leukaemia as Leukaemia
    from car_relapse.patient import Patient as Patient
    from car_relapse.patient import typical_leukaemia as typical_leukaemia
    from car_relapse.patient import typical_patient as typical_patient
    from car_relapse.population import Population as Population
    from car_relapse.population import Spread as Spread
    from car_relapse.population import Subgroup as Subgroup
    from car_relapse.population import default_population as default_population
    from car_relapse.scenario import Scenario as Scenario
    from car_relapse.scenario import parse_scenario as parse_scenario
    from car_relapse.scenario import read_scenario as read_scenario
    from car_relapse.scenario import write_scenario as write_scenario
    from car_relapse.survival import RelapseProbabilities as RelapseProbabilities
    from car_relapse.survival import relapse_probabilities as relapse_probabilities
    from car_relapse.survival_batch import relapse_lines_batch as relapse_lines_batch
    from car_relapse.symbols import symbol_table as symbol_table
    from car_relapse.therapy import Therapy as Therapy
    from car_relapse.therapy import bicistronic as bicistronic
    from car_relapse.therapy import cocktail as cocktail
    from car_relapse.therapy import sequential as sequential
    from car_relapse.therapy import tandem as tandem
    from car_relapse.toxicity import HealthyTissue as HealthyTissue
    from car_relapse.toxicity import expected_loss as expected_loss

_NAMES = {
    "antigens": (
        "Losses",
        "Plasticity",
    ),
    "attribution": ("attribution",),
    "calibration_model": (
        "calibrated_patient",
        "calibrated_population",
    ),
    "celltypes": (
        "CellTypes",
        "cell_types",
    ),
    "cohort": (
        "iter_cohorts",
        "simulate",
    ),
    "course": (
        "Course",
        "Courses",
        "Regrowth",
        "mean_course",
        "sample_course",
        "sample_courses",
    ),
    "densities": ("AntigenDensities",),
    "errors": (
        "CarRelapseError",
        "EvidenceError",
        "LedgerError",
        "ParameterError",
        "ScenarioError",
    ),
    "exposure": (
        "SteinExposure",
        "SteinPopulation",
        "stein_population",
        "stein_typical",
    ),
    "exposure_kimmel": ("KimmelExposure",),
    "exposure_table": (
        "TableExposure",
        "read_exposure_table",
    ),
    "followup": (
        "FollowUp",
        "observe",
    ),
    "gates": (
        "AndGate",
        "AndNotGate",
        "OrGate",
        "SingleGate",
        "SumGate",
    ),
    "incidence": (
        "aalen_johansen",
        "kaplan_meier",
    ),
    "killing": (
        "Killing",
        "LinearKilling",
        "default_killing",
    ),
    "outcomes": (
        "Cohort",
        "Outcome",
    ),
    "parameters": (
        "Parameter",
        "default",
        "ledger",
        "parameter",
    ),
    "patient": (
        "Leukaemia",
        "Patient",
        "typical_leukaemia",
        "typical_patient",
    ),
    "population": (
        "Population",
        "Spread",
        "Subgroup",
        "default_population",
    ),
    "scenario": (
        "Scenario",
        "parse_scenario",
        "read_scenario",
        "write_scenario",
    ),
    "survival": (
        "RelapseProbabilities",
        "relapse_probabilities",
    ),
    "survival_batch": ("relapse_lines_batch",),
    "symbols": ("symbol_table",),
    "therapy": (
        "Therapy",
        "bicistronic",
        "cocktail",
        "sequential",
        "tandem",
    ),
    "toxicity": (
        "HealthyTissue",
        "expected_loss",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("importlib.metadata").version("car-relapse")
    elif name in _HOME:
        value = getattr(import_module(f"car_relapse.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'car_relapse' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "__version__"})
