"""Routes to single arms: intervals of a share, one and two stages, monitoring, inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from car_relapse.proportions import exact_interval, jeffreys_interval, wilson_interval
from car_relapse.trial import single_arm
from car_relapse.trial.single_arm import (
    Looks,
    after_two_stages,
    exact_test,
    predictive_looks,
    predictive_probability,
)

Inputs = dict[str, Any]


def _simon(x: Inputs, _: str) -> list[float]:
    designs = single_arm.simon(x["p0"], x["p1"], alpha=x["alpha"], beta=x["beta"])
    # Only its id says which of the two a row is about.
    which = x["id"].split(".")[1]
    design = {"optimal": designs.optimal, "minimax": designs.minimax}[which]
    at_null = design.operating(x["p0"])
    (n1, n), (r1, r) = design.patients, design.futile
    return [r1, n1, r, n, at_null.expected_patients, at_null.early]


def _ahern(x: Inputs, _: str) -> list[float]:
    design = single_arm.ahern(x["p0"], x["p1"], alpha=x["alpha"], beta=x["beta"])
    errors = [design.operating(x[p]).success for p in ("p0", "p1")]
    return [design.enough[0], design.patients[0], *errors]


def _stable(x: Inputs, _: str) -> list[int]:
    design = single_arm.ahern(x["p0"], x["p1"], alpha=x["alpha"], beta=x["beta"], stable=True)
    return [design.enough[0], design.patients[0]]


def _result(x: Inputs) -> single_arm.TwoStageResult:
    (r1, n1), n = x["stage1"], x["n"]
    # No answer depends on how many responses the second stage would need for success.
    design = Looks(patients=(n1, n), futile=(r1, r1 + 1), enough=(None, r1 + 2))
    return after_two_stages(design, x["responses"], n, null=x["p0"])


def _predictive(x: Inputs, _: str) -> float:
    return predictive_probability(
        x["x"],
        x["n"],
        largest=x["Nmax"],
        null=x["p0"],
        success=x["theta_T"],
        prior=tuple(x["prior"]),
    )


def _monitored(x: Inputs) -> Looks:
    return predictive_looks(
        x["Nmax"],
        x["p0"],
        success=x["theta_T"],
        futility=x["theta_L"],
        prior=tuple(x["prior"]),
        first=x["monitor_from"],
        every=x["cohort"],
    )


def _monitoring(x: Inputs, _: str) -> list[float]:
    at_null = _monitored(x).operating(x["p0"])
    return [at_null.success, at_null.early, at_null.expected_patients]


def _rare(x: Inputs, _: str) -> list[float]:
    # Responses are the patients without the event, whose rates are one minus those of the row.
    design = exact_test(x["n"], 0.75)
    rates = [design.operating(1.0 - p).success for p in (0.25, 0.10, 0.20, 0.15)]
    return [x["n"] - design.enough[0], *rates]


# Method, start of the quantity, and how the package computes it.
ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    ("Clopper-Pearson 95%", "LCL,UCL", lambda x, _: exact_interval(x["x"], x["n"])),
    ("Wilson 95%", "LCL,UCL", lambda x, _: wilson_interval(x["x"], x["n"])),
    ("Jeffreys 95%", "LCL,UCL", lambda x, _: jeffreys_interval(x["x"], x["n"])),
    ("Simon two-stage", "r1,n1", _simon),
    ("A'Hern exact single stage", "r (reject", _ahern),
    ("A'Hern exact single stage", "r,n such", _stable),
    ("UMVUE after Simon", "UMVUE", lambda x, _: _result(x).unbiased),
    ("p-value after Simon", "stage-wise", lambda x, _: _result(x).p_value),
    ("90% two-sided CI after Simon", "LCL", lambda x, _: [_result(x).low, _result(x).high]),
    ("predictive probability", "PP", _predictive),
    ("predictive probability", "futility boundary", lambda x, _: list(_monitored(x).futile)),
    ("predictive probability", "type I error", _monitoring),
    ("single-arm exact, H0 p>=.25 vs p1=.10", "r (success", _rare),
]
