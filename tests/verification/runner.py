"""Compute the rows of a table of reference values through the package's public functions.

The table is a CSV with the columns id, model, inputs (JSON), quantity, published_value,
tolerance, source, seen. A tolerance is ``rel x``, ``abs x`` or ``exact``; where it is in words,
`RANGES` may state the interval that the words give. A row whose model or quantity no entry of
`ROUTES` knows, or whose words no entry of `RANGES` reads, is reported as not covered, never as
passed.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.branching import (
    LineLaw,
    constant_rate_law,
    time_dependent_law,
    transition_probability,
)
from car_relapse.course import mean_course
from car_relapse.exposure import SteinExposure
from car_relapse.killing import Killing
from car_relapse.luria_delbrueck import (
    CloneLaw,
    estimate_events,
    mutant_probabilities,
    mutant_quantile,
    mutant_tail,
)
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, Patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

from . import routes_layers, routes_published

COLUMNS = ["id", "model", "inputs", "quantity", "published_value", "tolerance", "source", "seen"]

Inputs = dict[str, Any]
Verdict = Literal["pass", "fail", "not-covered"]

# Counts of two classic experiments that rows name: Demerec 1945, and Luria and Delbrück 1943,
# experiment 16. Both are printed in the manual of pySalvador (Zheng 2017,
# doi:10.1534/g3.117.300120).
# fmt: off
CLASSIC_COUNTS = {
    "Demerec 1945": [
        33, 18, 839, 47, 13, 126, 48, 80, 9, 71, 196, 66, 28, 17, 27,
        37, 126, 33, 12, 44, 28, 67, 730, 168, 44, 50, 583, 23, 17, 24,
    ],
    "Luria-Delbrueck exp.16": [
        1, 0, 3, 0, 0, 5, 0, 5, 0, 6, 107, 0, 0, 0, 1, 0, 0, 64, 0, 35,
    ],
}
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reference value and what the package makes of it."""

    id: str
    model: str
    published: str
    computed: float | None
    verdict: Verdict
    remark: str


def _law(x: Inputs) -> LineLaw:
    return constant_rate_law(x["b"], x["d"], x["t"])


def _decaying_law(x: Inputs) -> LineLaw:
    match = re.fullmatch(r"([\d.]+)\+([\d.]+)\*exp\(-([\d.]+) t\)", x["d"])
    if match is None:
        raise LookupError(f"death rate {x['d']!r} is not of the form a+b*exp(-c t)")
    floor, height, rate = map(float, match.groups())
    return time_dependent_law(
        lambda _: x["b"], lambda t: floor + height * math.exp(-rate * t), 0.0, x["t"]
    )


def _clones(x: Inputs) -> CloneLaw:
    return CloneLaw(
        death_ratio=x.get("delta", 0.0),
        relative_growth=x.get("w", 1.0 / x.get("lam_s_over_lam_m", 1.0)),
        detection=x.get("plating", 1.0),
        initial_fraction=1.0 - x.get("phi", 1.0),
    )


def _mutants(x: Inputs, quantity: str, fixed: str) -> float:
    number = int(re.search(r"[=>](\d+)", quantity)[1])  # type: ignore[index]
    if ">" in quantity:
        return mutant_tail(x["m"], _clones(x), number, fixed=fixed)
    return float(mutant_probabilities(x["m"], _clones(x), number, fixed=fixed)[-1])


def _estimate(x: Inputs, _: str) -> float:
    data = x["data"]
    return estimate_events(CLASSIC_COUNTS[data] if isinstance(data, str) else data, _clones(x))


def _curve(x: Inputs) -> SteinExposure:
    return SteinExposure(
        fold=x["foldx"],
        peak_day=x["tmax"],
        peak_level=x["cmax"],
        contraction_rate=x["alpha"],
        memory_fraction=x["FB"],
        memory_rate=x["beta"],
    )


_PRINTED_EFFECTS = {
    "foldx": "fold",
    "tmax": "peak_day",
    "cmax": "peak_level",
    "alpha": "contraction_rate",
    "FB": "memory_fraction",
}


def _printed_effect(_: Inputs, quantity: str) -> float:
    name = re.search(r"random effect (\w+)", quantity)[1]  # type: ignore[index]
    return default(f"stein.spread.{_PRINTED_EFFECTS[name]}")


def _patient(x: Inputs) -> Patient:
    return Patient(
        leukaemia=Leukaemia(birth_rate=x["b"], death_rate=x["d"], burden=x["N0"]),
        losses=Losses(per_antigen=tuple(x.get("u", [0.0])), common_mode=x.get("c", 0.0)),
        therapy=Therapy(
            exposure=_curve(x), killing=Killing(maximal_rate=x["kmax"], half_level=x["K"])
        ),
    )


def _nadir(x: Inputs) -> float:
    return _patient(x).therapy.last_day_above(x["b"] - x["d"])


def _log_line_survival(x: Inputs, _: str) -> float:
    # Expected lines are -N ln(1 - pi); one line's pi follows from any N.
    patient = _patient(x)
    return math.log(relapse_probabilities(patient).positive_lines / patient.leukaemia.burden)


def _cells_at_nadir(x: Inputs, _: str) -> float:
    return math.log10(float(mean_course(_patient(x), [0.0, _nadir(x)]).targeted[-1]))


def _no_escape(x: Inputs, _: str) -> float:
    patient = _patient(x)
    result = relapse_probabilities(patient)
    if len(x["u"]) == 1:
        return math.exp(-result.negative_lines)
    # The reference for two antigens leaves out the lines that lose both, one after the other,
    # under therapy. Of what the package calls acquired, it has the common mode alone.
    at_once = replace(patient, losses=replace(patient.losses, per_antigen=(0.0, 0.0)))
    acquired = relapse_probabilities(at_once).acquired_lines
    return math.exp(-(result.preexisting_lines + result.completed_lines + acquired))


Route = Callable[[Inputs, str], float]

# Models that the routes of another serve, because their inputs say what differs.
FAMILIES = {"luria_delbrueck": ("luria_delbrueck_death",)}

# Model, start of the quantity, and how the package computes it.
ROUTES: list[tuple[str, str, Route]] = [
    ("birth_death_inhomogeneous", "P(alive", lambda x, _: math.exp(_decaying_law(x).log_alive)),
    ("birth_death_inhomogeneous", "beta", lambda x, _: _decaying_law(x).geometric_parameter),
    ("birth_death", "E[n | alive", lambda x, _: 1.0 + _law(x).excess_if_alive),
    ("birth_death", "P(extinct", lambda x, _: _law(x).extinct),
    ("birth_death", "geometric parameter", lambda x, _: _law(x).geometric_parameter),
    ("birth_death", "transition", lambda x, _: transition_probability(_law(x), x["n0"], x["n"])),
    (
        "birth_death",
        "P(all extinct",
        lambda x, _: math.exp(x["n0"] * math.log1p(-math.exp(_law(x).log_alive))),
    ),
    ("luria_delbrueck_fixed_time", "P(", lambda x, q: _mutants(x, q, "time")),
    ("luria_delbrueck", "P(", lambda x, q: _mutants(x, q, "size")),
    ("luria_delbrueck", "median", lambda x, _: mutant_quantile(0.5, x["m"], _clones(x))),
    ("luria_delbrueck", "maximum-likelihood", _estimate),
    ("stein2019", "fold expansion", lambda *_: default("stein.fold")),
    ("stein2019", "beta", lambda *_: default("stein.memory_rate")),
    ("stein2019", "random effect", _printed_effect),
    ("stein2019", "AUC day 0-28", lambda x, _: _curve(x).area(28.0)),
    ("stein2019", "baseline", lambda x, _: _curve(x).baseline_level),
    ("stein2019", "level", lambda x, _: _curve(x).level(x["t"])),
    ("stein2019", "day at which memory", lambda x, _: _curve(x).switch_day),
    ("composed", "ln P(a sensitive line", _log_line_survival),
    ("composed", "day at which kill", lambda x, _: _nadir(x)),
    (
        "composed",
        "P(antigen-POSITIVE",
        lambda x, _: relapse_probabilities(_patient(x)).antigen_positive,
    ),
    ("composed", "log10 mean sensitive cells", _cells_at_nadir),
    ("composed", "P(no antigen-NEGATIVE", _no_escape),
    *routes_layers.ROUTES,
    *routes_published.ROUTES,
]


RANGES = routes_published.RANGES


def _route(model: str, quantity: str) -> Route | None:
    # The first word of the model counts whole: a law with immigration is another law.
    law = model.split(" ")[0]
    for name, words, route in ROUTES:
        if law in (name, *FAMILIES.get(name, ())) and quantity.startswith(words):
            return route
    return None


def _close(computed: float, published: float, tolerance: str) -> bool | None:
    """Return whether the two agree; None when the tolerance is in words."""
    if tolerance == "exact":
        return computed == published
    match = re.fullmatch(r"(rel|abs) ([\d.eE+-]+)", tolerance)
    if match is None:
        return None
    allowed = float(match[2]) * (abs(published) if match[1] == "rel" else 1.0)
    return abs(computed - published) <= allowed


def verify(raw: dict[str, str]) -> Row:
    """Compute one row and judge it."""

    def row(verdict: Verdict, computed: float | None = None, remark: str = "") -> Row:
        return Row(
            id=raw["id"],
            model=raw["model"],
            published=raw["published_value"],
            computed=computed,
            verdict=verdict,
            remark=remark,
        )

    route = _route(raw["model"], raw["quantity"])
    if route is None:
        return row("not-covered", remark=f"no route for {raw['model']}: {raw['quantity']}")
    try:
        computed = float(np.asarray(route(json.loads(raw["inputs"]), raw["quantity"])))
    except (LookupError, TypeError, ValueError) as problem:
        # One row that cannot be read, or that the package refuses, must not hide the others.
        return row("not-covered", remark=f"not understood: {type(problem).__name__}: {problem}")
    words, low, high = RANGES.get(raw["id"], ("", 0.0, 0.0))
    if words and raw["tolerance"] == words:
        return row("pass" if low < computed < high else "fail", computed, f"{low:g} to {high:g}")
    try:
        published = float(raw["published_value"])
    except ValueError:
        return row("not-covered", computed, "the published value is in words")
    agrees = _close(computed, published, raw["tolerance"])
    if agrees is None:
        return row("not-covered", computed, f"tolerance {raw['tolerance']!r} is in words")
    return row("pass" if agrees else "fail", computed, raw["tolerance"])


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table; raise ValueError when it has none or other columns."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    if reader.fieldnames != COLUMNS:
        raise ValueError(f"{path} has columns {reader.fieldnames}; it needs {','.join(COLUMNS)}")
    if not rows:
        raise ValueError(f"{path} has no rows; a table that verifies nothing is no verification")
    return rows


def verify_all(rows: Iterable[dict[str, str]]) -> list[Row]:
    """Compute and judge every row."""
    return [verify(raw) for raw in rows]
