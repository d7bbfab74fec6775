"""A trial is designed from a file: ``car-relapse design scenario.yaml --out folder``.

The same from Python:

>>> from car_relapse import design
>>> scenario = design.parse_trial(design.example_text("how-large"))
>>> scenario.design.plan_for
'S1 escape blocked'

`plan_trial` makes the numbers, `write_report` the report.
"""

from car_relapse.design.plan import BiologyPlan, Plan, Size, plan_trial
from car_relapse.design.scenario import TrialScenario
from car_relapse.design.scenario_file import example_text, examples, parse_trial, read_trial

__all__ = [
    "BiologyPlan",
    "Plan",
    "Size",
    "TrialScenario",
    "example_text",
    "examples",
    "parse_trial",
    "plan_trial",
    "read_trial",
]
