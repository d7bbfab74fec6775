"""How the fuzz draws what continual reassessment, TITE-BOIN, BOIN12 and simulations are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.trial import dose

from . import rules_trial_dose
from .draws import Context, Draw, between, fraction, maybe, one_of, part, row, whole


def _model(c: Context) -> dict[str, Any]:
    shape = c.pick("empiric", "logistic")
    intercept = float(c.pick(3.0, -1.0, 20.0)) if shape == "logistic" else 3.0
    end = 1.0 / (1.0 + np.exp(-intercept)) if shape == "logistic" else 1.0
    guess = np.cumsum(c.rng.uniform(1e-3, 1.0, 3))
    return {
        "skeleton": (guess / (guess[-1] + c.log_uniform(1e-3, 10.0)) * end).tolist(),
        "shape": shape,
        "prior_sd": float(c.pick(dose.WorkingModel(skeleton=(0.5,)).prior_sd, 1e-3, 10.0)),
        "intercept": intercept,
    }


def _target(c: Context) -> float:
    return float(c.pick(0.3, 1e-300, 0.2, c.log_uniform(1e-6, 0.2)))


def _skeleton(c: Context) -> dict[str, Any]:
    target = float(c.rng.uniform(0.05, 0.6))
    levels = int(c.rng.integers(1, 9))
    return {
        "target": target,
        "halfwidth": target * c.log_uniform(1e-6, 0.5),
        "prior_level": int(c.rng.integers(1, levels + 1)),
        "levels": levels,
        "shape": c.pick("empiric", "logistic"),
    }


def _data(c: Context) -> Any:
    """Draw data of three levels, of patients one by one or as counts."""
    if c.rng.random() < 0.7:
        return dose.tally(dose.Patients(**rules_trial_dose._patients(c)), 3)
    return dose.DoseData(**rules_trial_dose._data(c))


def _crm(c: Context) -> dict[str, Any]:
    method = c.pick("bayes", "mle")
    return {
        "model": dose.WorkingModel(**_model(c)),
        "target": float(c.pick(0.2, c.log_uniform(1e-6, 0.2))),
        "method": method,
        "estimate": "plug-in" if method == "mle" else c.pick("plug-in", "mean"),
        "stop_above": c.pick(None, 0.95, fraction(c)),
    }


def _tite_crm(c: Context) -> dict[str, Any]:
    return _crm(c) | {"most_pending": fraction(c)}


def _tite_boin(c: Context) -> dict[str, Any]:
    return rules_trial_dose._boin(c) | {"most_pending": fraction(c)}


def _boin12(c: Context) -> dict[str, Any]:
    neither = float(c.pick(0.0, 40.0, c.rng.uniform(0.0, 100.0)))
    return {
        "most_toxicity": c.pick(0.35, float(c.rng.uniform(0.01, 0.7))),
        "least_response": part(c),
        "neither_utility": neither,
        "both_utility": c.pick(100.0 - neither, 60.0),
        "toxicity_cutoff": part(c),
        "response_cutoff": part(c),
        "settle": int(c.rng.integers(1, 12)),
        "explore": int(c.rng.integers(1, 12)),
    }


def _scenario(c: Context) -> dict[str, Any]:
    feasible = sorted((float(c.rng.uniform(0.2, 1.0)) for _ in range(3)), reverse=True)
    return {
        "toxicity": [fraction(c) for _ in range(3)],
        "response": c.pick(None, [fraction(c) for _ in range(3)]),
        "correlation": float(c.pick(0.0, 1.0, -1.0, c.rng.uniform(-1.0, 1.0))),
        "feasible": c.pick(None, feasible),
    }


def _design(c: Context) -> Any:
    return c.make(c.pick("CRM", "TiteCRM", "TiteBOIN", "BOIN12", "BOIN"))


def _simulation(c: Context) -> dict[str, Any]:
    return {
        "design": _design(c),
        "scenario": dose.DoseScenario(**_scenario(c)),
        "cohorts": int(c.rng.integers(1, 5)),
        "seed": c.pick(0, 7, 2**128),
        "trials": int(c.rng.integers(1, 20)),
        "cohort_size": int(c.rng.integers(1, 4)),
        "start": int(c.rng.integers(1, 4)),
        "calendar": c.pick(None, _calendar(c)),
        "underdosed": c.pick("received", "planned", "exclude", "weight"),
        "underdose_weight": fraction(c),
        "most_enrolled": int(c.pick(1, 40)),
    }


def _calendar(c: Context) -> dose.Calendar:
    return dose.Calendar(
        accrual=c.pick(0.2, 2.0, 30.0),
        window=c.pick(0.5, 1.0, 12.0),
        manufacturing=c.pick(0.0, 1.5),
        after_first=c.pick(0.0, 0.5),
        between=c.pick(0.0, 0.25),
        late=c.pick(0.0, 0.5, 1.0 - 2.0**-53),
    )


def _trials(c: Context) -> Any:
    scenario = dose.DoseScenario(**_scenario(c))
    calendar = c.pick(None, dose.Calendar(accrual=2.0, window=1.0))
    return dose.simulate(
        dose.BOIN(target=0.3), scenario, cohorts=2, seed=1, trials=9, calendar=calendar
    )


RULES: list[tuple[str, Draw]] = [
    (r"crm_model\.WorkingModel\(\)", _model),
    (r"crm_model\.WorkingModel\.crossing\.toxicity", _target),
    (r"(crm_model|crm_fit)\.[\w.]+\.b", lambda c: [float(c.rng.uniform(-100.0, 100.0)), 0.0]),
    (r"crm_model\.indifference_skeleton\(\)", _skeleton),
    (r"crm_fit\.posterior\.target", _target),
    (r"(crm_fit|crm|tite_boin|boin12)\.(\w+\.)+data", _data),
    (r"crm_fit\.\w+\.data", _data),
    (r"crm\.CRM\(\)", _crm),
    (r"crm\.TiteCRM\(\)", _tite_crm),
    (r"tite_boin\.TiteBOIN\(\)", _tite_boin),
    (r"follow_up_row\.patients", whole(8, 40)),
    (r"follow_up_row\.(toxic|pending)", whole(0, 4)),
    (r"follow_up_table\.patients", row(whole(1, 9))),
    (r"boin12\.BOIN12\(\)", _boin12),
    (r"boin12\.BOIN12\.table\.patients", row(whole(0, 9))),
    (r"scenario\.DoseScenario\(\)", _scenario),
    (r"scenario\.Calendar\.(accrual|window)", between(1e-3, 1e3)),
    (r"scenario\.Calendar\.(manufacturing|after_first|between)", between(1e-3, 1e3, 0.0)),
    (r"scenario\.Calendar\.late", one_of(0.0, 0.5, 1e-300, 1.0 - 2.0**-53)),
    (r"dose\.simulate\.simulate\(\)", _simulation),
    (r"simulated\.SimulatedTrials\.treated_above\.limit", fraction),
    (r"simulated\.SimulatedTrials\.selection_difference\.other", maybe(_trials, 3)),
]

RESULTS = [
    r"crm_fit\.CrmFit", r"tite_boin\.FollowUpRow", r"boin12\.DesirabilityRow", r"simulated\.\w+",
]  # fmt: skip

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.dose.crm_fit.CrmFit": None,
    "trial.dose.tite_boin.FollowUpRow": None,
    "trial.dose.boin12.DesirabilityRow": None,
    "trial.dose.simulated.Estimate": None,
    "trial.dose.simulated.LevelRecord": None,
    "trial.dose.simulated.SimulatedTrials": _trials,
}
