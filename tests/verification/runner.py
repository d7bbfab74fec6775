"""Compute the rows of a table of reference values through the package's public functions.

The table is a CSV with the columns id, model, inputs (JSON), quantity, published_value,
tolerance, source, seen. A tolerance is one of

- ``rel x`` or ``abs x``: the relative or absolute error is at most x;
- ``exact``: the numbers are equal, up to the rounding of a change of units;
- ``as stated``: the same; the route has also found what else the row states in words, such as a
  range;
- ``order``: the same order of magnitude, which is a factor of at most the root of ten.

For other words `RANGES` may state the interval that they give. A row whose model or quantity no
entry of `ROUTES` knows, or whose words no entry of `RANGES` reads, is reported as not covered,
never as passed.

A number below the smallest float, such as 1e-4343, can only be compared by its logarithm: its
route returns a `Log`.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
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
from tests.kept import kept, named

from . import routes_data, routes_growth, routes_layers, routes_published
from .values import Log

COLUMNS = ["id", "model", "inputs", "quantity", "published_value", "tolerance", "source", "seen"]

FOLDER = Path(__file__).parent

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
    quantity: str
    published: str
    tolerance: str
    computed: float | None
    error: float | None
    """Error reached, in the measure of the tolerance: relative, absolute, or, for an order of
    magnitude, the decimal logarithm of the ratio. None where the tolerance is a range."""
    allowed: float | None
    """Largest error allowed, in the same measure."""
    verdict: Verdict
    remark: str
    how: tuple[str, ...]
    """Functions and classes of the package that the row went through."""


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
    *routes_data.ROUTES,
    *routes_growth.ROUTES,
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


# A change of units may cost the last digits.
_ROUNDING = 1e-12


def _error(computed: float, published: float, tolerance: str) -> tuple[float, float] | None:
    """Return the error in the measure of the tolerance, and the largest one allowed.

    None when the tolerance is in other words.
    """
    if tolerance in ("exact", "as stated"):
        return abs(computed - published), _ROUNDING * abs(published)
    if tolerance == "order":
        ratio = computed / published
        return (abs(math.log10(ratio)) if ratio > 0 else math.inf), 0.5
    match = re.fullmatch(r"(rel|abs) ([\d.eE+-]+)", tolerance)
    if match is None:
        return None
    error = abs(computed - published)
    if match[1] == "abs" or error == 0:
        return error, float(match[2])
    return (error / abs(published) if published else math.inf), float(match[2])


def _named(code: CodeType, scope: dict[str, Any], seen: set[CodeType]) -> Iterator[str]:
    """Yield the public objects of the package that a function reaches through its own helpers."""
    seen.add(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant, scope, seen)
    for name in code.co_names:
        thing = scope.get(name)
        if isinstance(thing, ModuleType) and thing.__name__.startswith("car_relapse."):
            yield from (f"{thing.__name__}.{n}" for n in code.co_names if n in thing.__all__)
        elif str(getattr(thing, "__module__", "")).startswith("car_relapse.") and callable(thing):
            yield f"{thing.__module__}.{getattr(thing, '__qualname__', name)}"
        elif isinstance(thing, FunctionType) and thing.__code__ not in seen:
            yield from _named(thing.__code__, thing.__globals__, seen)


def functions_of(route: Route) -> tuple[str, ...]:
    """Return the functions and classes of the package that a route goes through, by name."""
    held = [cell.cell_contents for cell in route.__closure__ or ()]
    inner = [f for f in held if isinstance(f, FunctionType) and f.__module__ == route.__module__]
    found = {name for f in (route, *inner) for name in _named(f.__code__, f.__globals__, set())}
    found |= {
        f"{f.__module__}.{f.__qualname__}"
        for f in held
        if callable(f) and str(getattr(f, "__module__", "")).startswith("car_relapse.")
    }
    return tuple(sorted(name.removeprefix("car_relapse.") for name in found))


def verify(raw: dict[str, str]) -> Row:
    """Compute one row and judge it."""
    route = _route(raw["model"], raw["quantity"])

    def row(
        verdict: Verdict,
        computed: float | None = None,
        remark: str = "",
        error: float | None = None,
        allowed: float | None = None,
    ) -> Row:
        return Row(
            id=raw["id"],
            model=raw["model"],
            quantity=raw["quantity"],
            published=raw["published_value"],
            tolerance=raw["tolerance"],
            computed=computed,
            error=error,
            allowed=allowed,
            verdict=verdict,
            remark=remark,
            how=functions_of(route) if route else (),
        )

    if route is None:
        return row("not-covered", remark=f"no route for {raw['model']}: {raw['quantity']}")
    try:
        answer = route(json.loads(raw["inputs"]), raw["quantity"])
        computed = float(np.asarray(answer))
    except (LookupError, TypeError, ValueError) as problem:
        # One row that cannot be read, or that the package refuses, must not hide the others.
        return row("not-covered", remark=f"not understood: {type(problem).__name__}: {problem}")
    words, low, high = RANGES.get(raw["id"], ("", 0.0, 0.0))
    if words and raw["tolerance"] == words:
        return row("pass" if low < computed < high else "fail", computed, f"{low:g} to {high:g}")
    try:
        printed = Decimal(raw["published_value"])
    except InvalidOperation:
        return row("not-covered", computed, "the published value is in words")
    tolerance, published, remark = raw["tolerance"], float(printed), raw["tolerance"]
    if isinstance(answer, Log):
        # An absolute error of the logarithm is a relative one of the number.
        tolerance, published = tolerance.replace("rel ", "abs "), float(printed.ln())
        remark += ", by the natural logarithm"
    elif published == 0 and printed != 0:
        return row("not-covered", computed, "below the smallest float; the route must return a Log")
    judged = _error(computed, published, tolerance)
    if judged is None:
        return row("not-covered", computed, f"tolerance {raw['tolerance']!r} is in words")
    error, allowed = judged
    return row("pass" if error <= allowed else "fail", computed, remark, error, allowed)


def read(path: Path, columns: Sequence[str] = COLUMNS) -> list[dict[str, str]]:
    """Return the rows of a table; raise ValueError when it has none or other columns."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    if reader.fieldnames != columns:
        raise ValueError(f"{path} has columns {reader.fieldnames}; it needs {','.join(columns)}")
    if not rows:
        raise ValueError(f"{path} has no rows; a table that verifies nothing is no verification")
    return rows


def checked(
    raw: dict[str, str],
    verify: Callable[[dict[str, str]], Any] = verify,
    kind: Callable[..., Any] = Row,
) -> Any:
    """Give a row's result, computed now or kept from an earlier run."""
    found = kept(
        named(raw), (FOLDER,), lambda: asdict(verify(raw)), lambda row: row["verdict"] == "pass"
    )
    return kind(**found | {"how": tuple(found["how"])})


def verify_all(rows: Iterable[dict[str, str]]) -> list[Row]:
    """Give the result of every row."""
    return [checked(raw) for raw in rows]
