"""Routes of rows on sample size: events, patients, competing causes, many arms, posteriors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.trial.many_to_one import critical_value
from car_relapse.trial.posteriors import probability_lower
from car_relapse.trial.sample_size import (
    Calendar,
    Comparison,
    compare_arms,
    constant_rate,
    cumulative_hazards,
    cumulative_incidences,
    event_probability,
    fisher_test,
    freedman_events,
    logrank_size,
    mixed_hazards,
    schoenfeld_events,
    two_proportions,
)
from car_relapse.trial.sequential import Boundaries, lan_demets, obrien_fleming, pocock

Inputs = dict[str, Any]
Route = Callable[[Inputs, str], Any]


def _schoenfeld(x: Inputs, _: str) -> float:
    return schoenfeld_events(x["HR"], alpha=x["alpha2"], power=x["power"], share=x["alloc"])


def _freedman(x: Inputs, _: str) -> float:
    return freedman_events(x["HR"], alpha=x["alpha2"], power=x["power"])


def _control_rate(x: Inputs) -> float:
    match = re.fullmatch(r"ln2/(\d+) per month", x["lambda_control"])
    if match is None:
        raise LookupError(f"hazard {x['lambda_control']!r} is not ln2/months")
    return math.log(2.0) / float(match[1])


def _size(x: Inputs, method: str) -> float:
    # The dropout of these rows is stated per 12 months by their method.
    calendar = Calendar(
        accrual=x["accrual"],
        follow_up=x["followup"],
        loss=constant_rate(x.get("dropout", 0.0), 12),
    )
    size = logrank_size(
        _control_rate(x),
        x["HR"],
        calendar,
        method=method,  # type: ignore[arg-type]
        alpha=2 * x.get("alpha1", 0.025),
        power=x.get("power", 0.8),
    )
    return size.patients


def _from_shares(x: Inputs, _: str) -> list[float]:
    experimental, control = (constant_rate(x[key], x["eventTime"]) for key in ("pi1", "pi2"))
    calendar = Calendar(accrual=x["accrual"], follow_up=x["followup"])
    size = logrank_size(control, experimental / control, calendar)
    return [size.events, experimental / control, size.patients]


def _pintilie(x: Inputs, _: str) -> float:
    calendar = Calendar(accrual=x["accrual"], follow_up=x["followup"])
    return event_probability(x["lambda1"], calendar, other_rate=x["lambda_other"])


def _proportions(x: Inputs, _: str) -> float:
    return two_proportions(x["p1"], x["p2"], alpha=x["alpha2"], power=x["power"]).control


#: What the scenarios' names say of the dual arm: cumulative hazards as multiples of the control
#: arm's, and incidences; each cause has one of the two.
_BIOLOGIES: dict[str, tuple[list[float | None], list[float | None]]] = {
    "S0": ([1, 1, 1], [None, None, None]),
    "S1": ([None, 1, 1], [0.10, None, None]),
    "S2": ([None, None, None], [0.10, 0.35, 0.05]),
    "S3": ([None, None, None], [0.10, 0.275, 0.05]),
    "S4": ([None, None, None], [0.10, 0.12, 0.05]),
    "S5": ([None, None, None], [0.10, 0.42, 0.05]),
    "S6": ([None, 1, None], [0.10, None, 0.12]),
    "S7": ([1, 2.5, 1], [None, None, None]),
}


def _arms(x: Inputs) -> Comparison:
    """Return the row's arms, built from its scenario; the hazards that it states must agree."""
    control = cumulative_hazards(x["control_CIF24"])
    multiples, incidences = _BIOLOGIES[x["scenario"][:2]]
    known = [None if m is None else m * a for m, a in zip(multiples, control, strict=True)]
    dual = mixed_hazards(known, incidences)
    if not np.allclose(dual, x["A_cum_csh24"], rtol=1e-9, atol=0):
        raise LookupError(f"{x['scenario']!r} leads to other hazards than the row states: {dual}")
    return compare_arms(x["control_CIF24"], cumulative_incidences(dual))


def _dunnett(x: Inputs, _: str) -> float:
    # The rows state the correlation of two statistics, which is that of equal arms.
    ratio = x["rho"] / (1.0 - x["rho"])
    return critical_value(x["arms"], alpha=x["alpha1"], ratio=ratio)


def _posterior(x: Inputs, _: str) -> float:
    match = re.match(r"P\(pE<pC \| (\d+)/(\d+) vs (\d+)/(\d+)(, Beta\(1,1\))?\)", x["expr"])
    if match is None:
        raise LookupError(f"{x['expr']!r} does not name events and patients of both arms")
    events, patients, events_c, patients_c = (int(n) for n in match.groups()[:4])
    return probability_lower((events_c, events), (patients_c, patients))


_CLOSED_FORM = {
    "CIF24 dual arm": lambda x, _: _arms(x).experimental.tolist(),
    "cause-specific HRs": lambda x, _: _arms(x).hazard_ratios.tolist(),
    "subdistribution HR AgNeg": lambda x, _: float(_arms(x).subdistribution_ratios[0]),
    "EFS HR": lambda x, _: _arms(x).event_free_ratio,
    "N80 total, Schoenfeld, AgNeg": lambda x, _: _arms(x).patients_cause,
    "N80 total, Latouche": lambda x, _: _arms(x).patients_gray,
    "N80 total, 2-proportion": lambda x, _: _arms(x).patients_incidence,
    "N80 total, Schoenfeld, EFS": lambda x, _: _arms(x).patients_event_free,
}


def _looks(x: Inputs) -> Any:
    return x["K"] if x["info"] == "equal" else x["info"]


_BOUNDARIES: dict[str, Callable[[Inputs], Boundaries]] = {
    "O'Brien-Fleming": lambda x: obrien_fleming(_looks(x), alpha=x["alpha1"]),
    "Pocock": lambda x: pocock(_looks(x), alpha=x["alpha1"]),
    "Lan-DeMets OF spending": lambda x: lan_demets(_looks(x), alpha=x["alpha1"]),
    "Lan-DeMets Pocock spending": lambda x: lan_demets(
        _looks(x), spending="pocock", alpha=x["alpha1"]
    ),
}


def _sequential(family: str) -> list[tuple[str, str, Route]]:
    name, make = f"group sequential {family}", _BOUNDARIES[family]
    return [
        (name, "critical values (Z)", lambda x, _: make(x).efficacy.tolist()),
        (name, "sample-size inflation factor, power 80%", lambda x, _: make(x).inflation(0.8)),
    ]


_LOGRANK = "log-rank N"
_Q5 = "Q5 closed form (common-shape hazards)"

ROUTES = [
    ("Schoenfeld events", "events", _schoenfeld),
    ("Freedman events", "events", _freedman),
    (f"{_LOGRANK}, exponential, uniform accrual", "total N", lambda x, _: _size(x, "schoenfeld")),
    (f"{_LOGRANK} (Freedman)", "total N", lambda x, _: _size(x, "freedman")),
    (
        f"{_LOGRANK} with 5%/12 mo dropout each arm",
        "total N",
        lambda x, _: _size(x, "schoenfeld"),
    ),
    ("log-rank from event probabilities", "events, HR, N", _from_shares),
    ("event probability with competing risk, exponential", "P(observe", _pintilie),
    ("two proportions (pooled/unpooled normal)", "n per arm", _proportions),
    ("many-to-one (platform, shared control)", "critical value", _dunnett),
    ("beta-binomial two-arm", "posterior probability", _posterior),
    ("Fisher exact", "two-sided p", lambda x, _: fisher_test(x["table"])),
    *(route for family in _BOUNDARIES for route in _sequential(family)),
    *((_Q5, words, route) for words, route in _CLOSED_FORM.items()),
]
