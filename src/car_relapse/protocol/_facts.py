"""Every number of a protocol, computed from the plan of a trial and formatted once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from car_relapse.design import Plan
from car_relapse.design.plan import benefit
from car_relapse.design.sections import EndpointSection
from car_relapse.errors import ParameterError
from car_relapse.evidence import relapse_split, trials
from car_relapse.followup import Cause
from car_relapse.protocol._dose_facts import dose_values, manufacture_values, stopping_values
from car_relapse.protocol._printed import listed, months, percent
from car_relapse.protocol._wording import CAUSES
from car_relapse.protocol.choices import Choices
from car_relapse.trial.sequential import Boundaries, lan_demets
from car_relapse.trial.virtual import (
    Analysis,
    Biology,
    Constant,
    Decay,
    Run,
    Trial,
    Weibull,
    run,
)

__all__ = ["Facts", "facts_of", "key_secondary"]

_TIMES = {1: "once, at the end", 2: "twice", 3: "three times"}
_GATE = (Cause.ANTIGEN_POSITIVE, Cause.DEATH)
# Numbers of the random streams; those of the plan lie below.
_PLANNED, _NULL, _RAISED = 2000, 2001, 2002


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Values by their keys, and how many rows the tables have that list them."""

    values: Mapping[str, str]
    """Every value, formatted, with its unit."""
    causes: int
    """Causes of the biology."""
    worlds: int
    """Biologies of the plan."""
    reasons: int
    """Assumptions that the scenario states."""
    looks: int
    """Looks at the primary endpoint."""
    dose_rows: int
    """Rows of the table of decisions."""
    dose_levels: int
    """Dose levels."""
    stop_looks: int
    """Looks of the stopping rule."""


def key_secondary(plan: Plan) -> EndpointSection:
    """Return the endpoint that is tested after the primary one.

    It is the first of the others that tests antigen-negative relapse, or else the first that a
    protocol can have.
    """
    others = [e for e in plan.scenario.endpoints.others if e.test != "share"]
    if not others:
        raise ParameterError(
            "endpoints.others has no endpoint that a protocol could test second; benefit and "
            "mechanism are two questions; add {test: log-rank, causes: [antigen_negative]}"
        )
    escape = [e for e in others if e.causes is not None and Cause.ANTIGEN_NEGATIVE in e.causes]
    return (escape or others)[0]


def facts_of(plan: Plan, choices: Choices) -> Facts:
    """Return all values of the protocol of a plan."""
    planned = plan.planned
    trial = planned.version.trial
    control, experimental = trial.arms[0].biology, trial.arms[1].biology
    bounds = lan_demets(
        choices.looks, spending=choices.spending, alpha=plan.scenario.design.alpha / 2
    )
    inflation = bounds.inflation(plan.scenario.design.power)
    infused = 2 * math.ceil(plan.patients * inflation / 2 - 1e-9)
    values: dict[str, str] = {}
    values |= _trial(plan, trial, infused, inflation)
    values |= _size(plan)
    values |= manufacture_values(choices, infused)
    values |= _biology(plan, control, experimental)
    values |= _worlds(plan)
    values |= _looks(choices, bounds, bounds.drift(plan.scenario.design.power))
    values |= dose_values(choices)
    looks = tuple(n for n in choices.stopping_looks if n <= min(trial.sizes))
    values |= stopping_values(choices, looks)
    values |= _simulated(plan, choices, trial)
    values |= _evidence()
    return Facts(
        values=values,
        causes=len(control.causes),
        worlds=len(plan.biologies),
        reasons=len(plan.scenario.assumptions),
        looks=len(choices.looks),
        dose_rows=choices.cohorts,
        dose_levels=len(choices.toxicity),
        stop_looks=len(looks),
    )


def _trial(plan: Plan, trial: Trial, infused: int, inflation: float) -> dict[str, str]:
    design = plan.scenario.design
    first, second = trial.arms
    return {
        "title": plan.scenario.title,
        "control": first.name,
        "experimental": second.name,
        "arms": f"{first.name} (control) and {second.name} (experimental)",
        "allocation": f"{first.allocation:g} : {second.allocation:g}",
        "alpha": percent(design.alpha),
        "power": percent(design.power),
        "accrual": months(design.accrual),
        "follow_up": months(design.follow_up),
        "loss": percent(design.lost_per_year),
        "planned": plan.planned.name,
        "patients_plan": f"{plan.patients:,}",
        "counted": (
            "infused and in remission"
            if first.response == second.response == 1.0
            else "infused, in remission or not"
        ),
        "patients": f"{infused:,}",
        "inflation": f"{inflation:.4f}",
        "replicates": f"{plan.trials:,}",
        "seed": f"{plan.scenario.simulation.seed}",
        "versions": listed(f"{name} {number}" for name, number in plan.versions.items()),
        "failure_month": "0",
        "response_control": percent(first.response),
        "response_experimental": percent(second.response),
        "untested_control": percent(first.untested),
        "untested_experimental": percent(second.untested),
        "untested_rule": (
            "counted as antigen-positive, because it was not shown to be negative"
            if trial.untested_as == "positive"
            else "follow-up for the kind of relapse ends there, as censored"
        ),
    }


def _size(plan: Plan) -> dict[str, str]:
    need, values = plan.primary, {}
    if need.formula.calendar is not None:
        values["patients_formula"] = f"{math.ceil(need.formula.calendar):,}"
        if need.formula.events is not None:
            rate = need.formula.events / need.formula.calendar
            values["events"] = f"{rate * plan.patients:.0f}"
    if need.formula.hazard_ratio is not None:
        values["hazard_ratio"] = f"{need.formula.hazard_ratio:.3f}"
    if need.simulated is not None:
        values["patients_simulated"] = f"{need.simulated.patients:,}"
        values["patients_error"] = f"{need.simulated.std_error:.0f}"
    return values


def _shape(biology: Biology) -> str:
    words = []
    for hazard in biology.hazards:
        shape = hazard.shape
        if isinstance(shape, Constant):
            words.append("constant")
        elif isinstance(shape, Decay):
            words.append(f"falling to 1/e in {months(shape.months)}")
        elif isinstance(shape, Weibull):
            words.append(f"cumulative hazard as time to the power {shape.power:g}")
        else:
            words.append("constant between given months")
    if len(set(words)) == 1:
        return words[0]
    pairs = zip(biology.causes, words, strict=True)
    return "; ".join(f"{CAUSES[cause]} {word}" for cause, word in pairs)


def _biology(plan: Plan, control: Biology, experimental: Biology) -> dict[str, str]:
    horizon = control.horizon
    values = {"horizon": f"{horizon:g}", "shape": _shape(control)}
    before, after = (b.incidence(horizon) for b in (control, experimental))
    hazards = [b.cumulative_hazard(horizon) for b in (control, experimental)]
    for number, cause in enumerate(control.causes, 1):
        other = experimental.causes.index(cause)
        ratio = float(hazards[1][other] / hazards[0][number - 1])
        values |= {
            f"cause_{number}": CAUSES[cause],
            f"control_{number}": percent(float(before[number - 1]), 1),
            f"exper_{number}": percent(float(after[other]), 1),
            f"ratio_{number}": f"{ratio:.3f}",
        }
    for number, reason in enumerate(plan.scenario.assumptions, 1):
        values |= {
            f"because_what_{number}": reason.what,
            f"because_how_{number}": reason.certainty,
            f"because_where_{number}": f"doi:{reason.doi}" if reason.doi else "none",
        }
    return values


def _share(share: float, trials: int) -> str:
    return f"{percent(share, 1)} ({percent(_error(share, trials), 1)})"


def _worlds(plan: Plan) -> dict[str, str]:
    values = {}
    endpoints = plan.scenario.endpoints.all
    second = endpoints.index(key_secondary(plan))
    for number, world in enumerate(plan.biologies, 1):
        biology = world.version.trial.arms[1].biology
        found = dict(zip(biology.causes, biology.incidence(biology.horizon), strict=True))
        values[f"world_name_{number}"] = world.name
        control = world.version.trial.arms[0].biology
        for place, cause in enumerate(control.causes, 1):
            values[f"world_{place}_{number}"] = percent(float(found.get(cause, 0.0)), 1)
        for name, column in (("first", 0), ("second", second)):
            share = benefit(world.performance[column], endpoints[column].analysis)
            values[f"world_{name}_{number}"] = _share(share, plan.trials)
    return values


def _looks(choices: Choices, bounds: Boundaries, drift: float) -> dict[str, str]:
    stops = bounds.stops(drift)
    count = len(choices.looks)
    values = {
        "looks_count": _TIMES.get(count, f"{count} times"),
        "looks_information": listed(percent(x) for x in choices.looks),
        "spending": {
            "obrien-fleming": "of Lan and DeMets that is close to O'Brien and Fleming's bounds",
            "pocock": "of Lan and DeMets that is close to Pocock's bounds",
        }[choices.spending],
        "look_expected": percent(stops.expected_information, 1),
    }
    for number, row in enumerate(bounds.records(), 1):
        values |= {
            f"look_number_{number}": f"{number}",
            f"look_information_{number}": percent(row["information"]),
            f"look_bound_{number}": f"{row['efficacy']:.3f}",
            f"look_spent_{number}": f"{row['alpha_spent']:.5f}",
            f"look_stops_{number}": percent(float(stops.efficacy[number - 1]), 1),
        }
    return values


def _simulated(plan: Plan, choices: Choices, trial: Trial) -> dict[str, str]:
    design = plan.scenario.design
    first, second = plan.scenario.endpoints.primary, key_secondary(plan)
    control = trial.arms[0].biology
    causes = tuple(c for c in _GATE if c in control.causes)
    if not causes:
        raise ParameterError(
            "control has neither antigen_positive nor death; the safety gate watches them; add at "
            "least one of them to its incidences"
        )
    gate = Analysis(kind="log-rank", causes=causes, estimand=first.analysis.estimand)
    tests = (first.analysis, second.analysis)

    def simulated(biology: Biology, analyses: tuple[Analysis, ...], number: int) -> Run:
        arms = (trial.arms[0], replace(trial.arms[1], biology=biology))
        return run(
            replace(trial, arms=arms),
            analyses,
            plan.trials,
            seed=plan.scenario.simulation.seed,
            scenario=number,
        )

    found = simulated(trial.arms[1].biology, (*tests, gate), _PLANNED)
    null = simulated(control, tests, _NULL)
    raised = simulated(control.multiplied(dict.fromkeys(causes, choices.margin)), (gate,), _RAISED)
    better = found.rejections(design.alpha)[0, :2]
    for row, analysis in enumerate(tests):
        sign = 1.0 if analysis.more_is_better else -1.0
        better[row] &= sign * found.estimate[0, row] > 0
    chance = null.rejections(design.alpha)[0]
    both = float((better[0] & better[1]).mean())
    passed = _passed(found, 2, choices.margin, design.alpha)
    false = _passed(raised, 0, choices.margin, design.alpha)
    failed = int(np.isnan(found.p_value).sum() + np.isnan(null.p_value).sum())
    values = {
        "null_primary": percent(float(chance[0].mean()), 1),
        "null_primary_error": percent(_error(float(chance[0].mean()), plan.trials), 1),
        "null_both": percent(float((chance[0] & chance[1]).mean()), 1),
        "both": percent(both, 1),
        "both_error": percent(_error(both, plan.trials), 1),
        "gate_level": percent(1.0 - design.alpha),
        "gate_margin": f"{choices.margin:g}",
        "gate_pass": percent(passed, 1),
        "gate_pass_error": percent(_error(passed, plan.trials), 1),
        "gate_false": percent(false, 1),
        "gate_false_error": percent(_error(false, plan.trials), 1),
        "failed": f"{failed}",
        "month": f"{min(control.horizon, trial.last_month):g}",
    }
    mean = Analysis(kind="restricted mean", month=min(control.horizon, trial.last_month))
    truth = mean.truth(trial, 1)
    if truth is not None:
        values["rmst_truth"] = f"{truth:.2f}"
    return values


def _passed(found: Run, row: int, margin: float, alpha: float) -> float:
    """Return the share of trials in which the upper end of the interval is below the margin."""
    upper = found.estimate[0, row] - float(ndtri(alpha / 2)) * found.std_error[0, row]
    return float((upper < math.log(margin)).mean())  # a gate that cannot be computed is not passed


def _error(share: float, trials: int) -> float:
    return math.sqrt(share * (1.0 - share) / trials)


def _evidence() -> dict[str, str]:
    rows = trials()
    split, amelia = relapse_split(rows["lamble2023_phenotype"]), rows["auto3_amelia"]
    return {
        "lamble_relapses": f"{rows['lamble2023_phenotype'].n_relapse}",
        "lamble_positive": f"{split.antigen_positive}",
        "lamble_negative": f"{split.antigen_negative}",
        "lamble_switch": f"{split.lineage_switch}",
        "amelia_infused": f"{amelia.n_infused}",
        "amelia_cr": f"{amelia.n_cr}",
        "amelia_efs": f"{amelia.efs_or_pfs_12m:g}\N{NO-BREAK SPACE}%",
    }
