"""A trial is designed from a file: ``car-relapse design scenario.yaml --out folder``.

The same from Python:

>>> from car_relapse import design
>>> scenario = design.parse_trial(design.example_text("how-large"))
>>> scenario.design.plan_for
'S1 escape blocked'

`plan_trial` makes the numbers, `write_report` the report.
"""

from car_relapse.design.arm_sections import (
    ArmSection,
    BiologySection,
    ControlSection,
    EngineSection,
)
from car_relapse.design.plan import BiologyPlan, EndpointSize, Plan, plan_trial
from car_relapse.design.report import write_report
from car_relapse.design.scenario import TrialScenario
from car_relapse.design.scenario_file import example_text, examples, parse_trial, read_trial
from car_relapse.design.sections import (
    AssumptionSection,
    DesignSection,
    EndpointSection,
    EndpointsSection,
    ShapeSection,
    SimulationSection,
)

__all__ = [
    "ArmSection",
    "AssumptionSection",
    "BiologyPlan",
    "BiologySection",
    "ControlSection",
    "DesignSection",
    "EndpointSection",
    "EndpointSize",
    "EndpointsSection",
    "EngineSection",
    "Plan",
    "ShapeSection",
    "SimulationSection",
    "TrialScenario",
    "example_text",
    "examples",
    "parse_trial",
    "plan_trial",
    "read_trial",
    "write_report",
]
