"""Routes to continual reassessment, TITE-BOIN and BOIN12."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from car_relapse.trial.dose.boin12 import BOIN12
from car_relapse.trial.dose.crm import CRM
from car_relapse.trial.dose.crm_fit import CrmFit, log_likelihood, posterior
from car_relapse.trial.dose.crm_model import PRIOR_SD, WorkingModel, indifference_skeleton
from car_relapse.trial.dose.designs import DoseData, Patients, tally
from car_relapse.trial.dose.tite_boin import TiteBOIN

Inputs = dict[str, Any]


def _model(x: Inputs, **shape: Any) -> WorkingModel:
    assert x.get("prior_sd", "sqrt(1.34)") == "sqrt(1.34)"
    assert math.isclose(PRIOR_SD**2, 1.34)
    return WorkingModel(skeleton=x["skeleton"], **shape)


def _data(x: Inputs) -> DoseData:
    toxic = np.array(x["tox"], dtype=bool)
    weight = np.array(x.get("weights", [1.0] * len(toxic)))
    return tally(Patients(level=x["level"], toxic=toxic, weight=weight), len(x["skeleton"]))


def _fit(x: Inputs, **shape: Any) -> CrmFit:
    return posterior(_model(x, **shape), _data(x), x["target"])


def _mean_b(x: Inputs, _: str) -> float:
    return float(_fit(x).b)


def _variance(x: Inputs, _: str) -> float:
    return float(_fit(x).variance)


def _level(x: Inputs, _: str) -> int:
    return int(CRM(model=_model(x), target=x["target"]).recommend(_data(x)))


def _mean_toxicity(x: Inputs, _: str) -> Any:
    return _fit(x).mean


def _plug_in(x: Inputs, _: str) -> Any:
    return _fit(x).plug_in


def _logistic(x: Inputs, _: str) -> Any:
    return _fit(x, shape="logistic", intercept=3.0).plug_in


def _likeliest_b(x: Inputs, _: str) -> float:
    # The table holds what R's search by Brent's method found between -10 and 10, which ends when
    # it moves by less than the fourth root of the rounding unit: 1.5e-6 from the true maximum,
    # more than the tolerance. The same search on the same function ends at the same place. That
    # `likeliest` is nearer the maximum is tested in tests/unit/test_trial_dose_crm.py.
    model, data = _model(x), _data(x)
    found = minimize_scalar(
        lambda b: -float(log_likelihood(model, data, b)),
        bounds=(-10.0, 10.0),
        method="bounded",
        options={"xatol": float(np.finfo(float).eps ** 0.25)},
    )
    return float(found.x)


def _likeliest_toxicity(x: Inputs, quantity: str) -> Any:
    return _model(x).toxicity(_likeliest_b(x, quantity))


def _skeleton(x: Inputs, _: str) -> list[float]:
    return list(indifference_skeleton(x["target"], x["halfwidth"], x["nu"], x["nlevel"]))


def _escalate(x: Inputs, _: str) -> float | None:
    row = TiteBOIN(target=x["target"]).follow_up_row(x["n"], x["dlt"], x["pending"])
    return row.escalate


def _deescalate(x: Inputs, _: str) -> float | None:
    row = TiteBOIN(target=x["target"]).follow_up_row(x["n"], x["dlt"], x["pending"])
    return row.deescalate


def _boin12(x: Inputs) -> BOIN12:
    (best, neither, both, worst) = next(v for name, v in x.items() if name.startswith("u"))
    assert (best, worst) == (100, 0)
    return BOIN12(
        most_toxicity=x["phiT"],
        least_response=x["phiE"],
        neither_utility=neither,
        both_utility=both,
    )


def _benchmark(x: Inputs, _: str) -> float:
    return _boin12(x).benchmark


def _desirability(x: Inputs, _: str) -> float:
    # Where a toxicity costs every patient 40, it does not matter who had it.
    data = DoseData(treated=[x["n"]], toxic=[x["tox"]], responses=[x["eff"]])
    return float(_boin12(x).desirability(data)[0])


ROUTES = [
    ("CRM empiric Bayes", "posterior mean of b", _mean_b),
    ("CRM empiric Bayes", "posterior variance of b", _variance),
    ("CRM empiric Bayes", "recommended level", _level),
    ("CRM empiric Bayes", "posterior MEAN DLT probabilities", _mean_toxicity),
    ("CRM empiric MLE", "MLE of b", _likeliest_b),
    ("CRM empiric MLE", "DLT probabilities", _likeliest_toxicity),
    ("CRM 1-par logistic, intercept 3", "DLT probabilities", _logistic),
    ("TITE-CRM", "DLT probabilities", _plug_in),
    ("CRM skeleton", "skeleton", _skeleton),
    ("TITE-BOIN", "STFT threshold: escalate", _escalate),
    ("TITE-BOIN", "STFT threshold: de-escalate", _deescalate),
    ("BOIN12", "benchmark utility", _benchmark),
    ("BOIN12", "P(mean utility>u_b | data)", _desirability),
]
