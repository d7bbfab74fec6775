"""Routes to the designs that find a dose, to stopping for toxicity, and to manufacturing."""

from __future__ import annotations

from typing import Any

import numpy as np

from car_relapse.trial.dose.exact import ExactCharacteristics, exact_characteristics
from car_relapse.trial.dose.feasibility import Apheresis
from car_relapse.trial.dose.interval_designs import BOIN, MTPI, MTPI2, I3Plus3
from car_relapse.trial.dose.stopping import ToxicityStopping
from car_relapse.trial.dose.three_plus_three import ThreePlusThree, escalation_probability

Inputs = dict[str, Any]


def _boin(x: Inputs) -> BOIN:
    return BOIN(
        target=x["target"],
        cutoff=x.get("cutoff.eli", x.get("cutoff", 0.95)),
        too_low=x.get("p.saf"),
        too_high=x.get("p.tox"),
    )


def _boin_characteristics(x: Inputs) -> ExactCharacteristics:
    return exact_characteristics(
        _boin(x),
        x["p"],
        cohorts=x["ncohort"],
        cohort_size=x["cohortsize"],
        start=x.get("start", 1),
    )


def _lambda_e(x: Inputs, _: str) -> float:
    return _boin(x).escalation_boundary


def _lambda_d(x: Inputs, _: str) -> float:
    return _boin(x).deescalation_boundary


def _boin_row(x: Inputs, _: str) -> list[int | None]:
    (row,) = _boin(x).table(x["n"])
    return [row.escalate, row.deescalate, row.eliminate]


def _boin_escalate(x: Inputs, quantity: str) -> list[int | None]:
    if quantity != "escalate if DLT<=":
        return _boin_row(x, quantity)
    return [row.escalate for row in _boin(x).table(x["n"])]


def _boin_deescalate(x: Inputs, _: str) -> list[int | None]:
    return [row.deescalate for row in _boin(x).table(x["n"])]


def _boin_selected(x: Inputs, _: str) -> list[float]:
    # The table puts "no level" last.
    return np.roll(_boin_characteristics(x).selected, -1).tolist()


def _boin_treated(x: Inputs, _: str) -> list[float]:
    return _boin_characteristics(x).treated.tolist()


def _around(x: Inputs) -> dict[str, float]:
    return {
        "target": x["target"],
        "below": x["eps1"],
        "above": x["eps2"],
        "cutoff": x["xi"],
    }


def _mtpi(x: Inputs, _: str) -> str:
    return MTPI(**_around(x)).decisions(x["n"])


def _mtpi2(x: Inputs, _: str) -> str:
    return MTPI2(**_around(x)).decisions(x["n"])


def _i3(x: Inputs, _: str) -> str:
    return I3Plus3(**_around(x)).decisions(x["n"])


def _escalation(x: Inputs, _: str) -> float:
    return float(escalation_probability(x["p_dlt"]))


def _stop_selected(x: Inputs, _: str) -> list[float]:
    return exact_characteristics(ThreePlusThree(variant="stop"), x["p"]).selected.tolist()


def _confirm_selected(x: Inputs, _: str) -> list[float]:
    return exact_characteristics(ThreePlusThree(variant="confirm"), x["p"]).selected.tolist()


def _confirm_patients(x: Inputs, _: str) -> float:
    return exact_characteristics(ThreePlusThree(variant="confirm"), x["p"]).patients


def _stopping(x: Inputs, _: str) -> int | None:
    rule = ToxicityStopping(limit=x["limit"], cutoff=x["cut"], prior=tuple(x["prior"]))
    return rule.boundary(x["n"])[0]


def _apheresed(x: Inputs, _: str) -> list[float]:
    needed = Apheresis(evaluable=x["evaluable_needed"], success=x["p_success"])
    return [needed.mean, needed.quantile(0.9)]


_STRING = "decision string"

ROUTES = [
    ("BOIN", "lambda_e", _lambda_e),
    ("BOIN", "lambda_d", _lambda_d),
    ("BOIN", "escalate if DLT<=", _boin_escalate),
    ("BOIN", "de-escalate if DLT>=", _boin_deescalate),
    ("BOIN", "P(select", _boin_selected),
    ("BOIN", "E[patients", _boin_treated),
    ("mTPI", _STRING, _mtpi),
    ("mTPI-2", _STRING, _mtpi2),
    ("i3+3", _STRING, _i3),
    ("3+3", "P(escalate", _escalation),
    ("3+3 (no lower-dose confirmation)", "P(MTD", _stop_selected),
    ("3+3 (6 patients required at MTD)", "P(MTD", _confirm_selected),
    ("3+3 (6 patients required at MTD)", "E[total n]", _confirm_patients),
    ("Bayesian toxicity stopping (Thall-Simon type)", "stop if", _stopping),
    ("manufacturing feasibility", "apheresed", _apheresed),
]
