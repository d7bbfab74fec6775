"""Compute the rows of the table on trials through the package's public functions.

The table is a CSV with the columns id, method, inputs (JSON), quantity, value, tolerance, source,
seen, derived_by. A value is one number, a list of numbers (JSON, perhaps infinite) or a word such
as ``ESDU``. Each number of it is judged by itself. A tolerance begins with

- a number, such as ``1e-8``: the largest absolute error, and of a value below 1 the largest
  relative error. What rounding to the table's ten digits costs is allowed;
- a number followed by ``4 MC SE`` in brackets: the table's value came from a simulation, and the
  number is four of its standard errors. The error is absolute. A route that simulates, too,
  returns a `Sampled`, whose own four standard errors are added in quadrature;
- a number followed by ``published rounded value`` in brackets: the error is absolute, and what
  the publication printed must be within the same distance;
- a number of a row that `SIMULATED` lists: the same, but its error is absolute;
- ``3%``: the relative error;
- ``exact``: whole numbers and words are equal, and other numbers are equal in the ten digits that
  the table holds;
- ``integers exact; EN,PET 1e-6``: whole numbers are equal, the others as above;
- ``LCL 1e-4``: each number to 1e-4. The rest of that tolerance names another convention.

What follows ``1e-9 exact DP``, ``1e-8 same formula`` and ``1e-8 vs cmprsk formula`` says what other
computations would reach; here it is held to the number.

The routes are in the modules ``routes_trial_*``: each has a list ``ROUTES`` of the method, the
start of the quantity, and a function of the inputs, to which the row's id is added, and of the
quantity. A row that no route knows, that two know, or whose answer has another form, is reported
as not covered, never as passed.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import runner
from .runner import Verdict
from .values import Sampled

COLUMNS = [
    "id", "method", "inputs", "quantity", "value", "tolerance", "source", "seen", "derived_by",
]  # fmt: skip

#: Methods whose values were simulated although their tolerance does not say so.
SIMULATED = frozenset(
    {
        "Q5 MC: antigen status missing (recoded AgPos)",
        "transplant estimands (n=1e6)",
        "immortal time bias (SCT has no effect)",
    }
)

Number = int | float
Value = Number | str | list[Number]
Route = Callable[[dict[str, Any], str], Any]


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One reference value and what the package makes of it."""

    id: str
    method: str
    quantity: str
    published: str
    tolerance: str
    computed: Value | None
    error: float | None
    """Error of the number nearest its limit, in the measure of the tolerance; None for words."""
    allowed: float | None
    """Largest error allowed for it."""
    verdict: Verdict
    remark: str
    how: tuple[str, ...]
    """Functions and classes of the package that the row went through."""


def _routes() -> list[tuple[str, str, Route]]:
    found: list[tuple[str, str, Route]] = []
    folder = Path(__file__).parent
    for module in sorted(m.name for m in pkgutil.iter_modules([str(folder)])):
        if module.startswith("routes_trial_"):
            found += importlib.import_module(f"{__package__}.{module}").ROUTES
    return found


ROUTES = _routes()


def routes_of(method: str, quantity: str) -> list[Route]:
    """Return every route that knows a row; there should be one."""
    return [f for name, words, f in ROUTES if method == name and quantity.startswith(words)]


_FORMS = {
    r"exact": "exact",
    r"integers exact; EN,PET (?P<limit>1e-6)": "integers",
    r"(?P<limit>[\d.]+)%": "relative",
    r"(?P<limit>[\d.]+) \(4 MC SE(; plus own MC SE)?\)": "sampled",
    r"(?P<limit>[\d.]+) \(published rounded value (?P<printed>[\d.]+)\)": "printed",
    r"LCL (?P<limit>1e-4); NB .*": "digits",
    r"(?P<limit>1e-\d+) (exact DP; MC engine|same formula;|vs cmprsk formula;) ?.*": "digits",
    r"(?P<limit>\d[\d.e-]*)": "digits",
}


def _judge(
    found: Number, true: Number, own: float, form: str, limit: float, printed: float
) -> tuple[float, float]:
    """Return the error of one number in the measure of the tolerance, and the largest allowed."""
    if not math.isfinite(true):
        return (0.0 if found == true else math.inf), limit
    if form == "exact" and isinstance(true, float):
        found = float(f"{found:.10g}")
    error = abs(found - true)
    if form == "exact" or (form == "integers" and isinstance(true, int)):
        return error, 0.0
    if form == "relative":
        return error / abs(true), limit / 100.0
    if form == "sampled":
        return error, math.hypot(limit, 4.0 * own)
    if form == "printed":
        return max(error, abs(found - printed)), limit
    if form == "absolute":
        return error, limit
    # A small number is right only if its digits are; a zero has none. A large one is rounded.
    if 0 < abs(true) < 1:
        return error / abs(true), limit
    return error, max(limit, 0.501 * 10.0 ** (math.floor(math.log10(abs(true) or 1.0)) - 9))


def _form(raw: dict[str, str]) -> tuple[str, float, float]:
    for pattern, form in _FORMS.items():
        match = re.fullmatch(pattern, raw["tolerance"])
        if match:
            found = match.groupdict()
            limit, printed = float(found.get("limit") or 0), float(found.get("printed") or 0)
            return ("absolute" if raw["method"] in SIMULATED else form), limit, printed
    raise LookupError(f"tolerance {raw['tolerance']!r} is in words that are not read")


def published(text: str) -> Value:
    """Return the value that a row states: a number, a list of them, or a word."""
    try:
        value = json.loads(text.replace("inf", "Infinity"))
    except ValueError:
        return text
    return value if isinstance(value, int | float | list) else text


def _plain(answer: Any) -> Value:
    """Return a route's answer as Python's own numbers, a list of them, or a word."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, Sequence | np.ndarray) and np.ndim(answer) == 1:
        return [_plain(item) for item in answer]  # type: ignore[misc]
    if isinstance(answer, np.generic):
        answer = answer.item()
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        raise TypeError(f"the route answers {answer!r}: neither number, nor list of them, nor word")
    return answer


def verify(raw: dict[str, str]) -> TrialRow:
    """Compute one row and judge it."""
    routes = routes_of(raw["method"], raw["quantity"])

    def row(verdict: Verdict, remark: str, **known: Any) -> TrialRow:
        return TrialRow(
            id=raw["id"],
            method=raw["method"],
            quantity=raw["quantity"],
            published=raw["value"],
            tolerance=raw["tolerance"],
            verdict=verdict,
            remark=remark,
            how=runner.functions_of(routes[0]) if len(routes) == 1 else (),
            **{"computed": None, "error": None, "allowed": None} | known,
        )

    if len(routes) != 1:
        return row("not-covered", "two routes know it" if routes else "no route")
    try:
        form, limit, printed = _form(raw)
        answer = routes[0](json.loads(raw["inputs"]) | {"id": raw["id"]}, raw["quantity"])
        own: Any = 0.0
        if isinstance(answer, Sampled):
            answer, own = answer.value, answer.std_error
        computed, true = _plain(answer), published(raw["value"])
    except (LookupError, TypeError, ValueError) as problem:
        # One row that cannot be read, or that the package refuses, must not hide the others.
        return row("not-covered", f"not understood: {type(problem).__name__}: {problem}")
    if isinstance(true, str) or isinstance(computed, str):
        return row("pass" if computed == true else "fail", raw["tolerance"], computed=computed)
    found = computed if isinstance(computed, list) else [computed]
    wanted = true if isinstance(true, list) else [true]
    if isinstance(computed, list) != isinstance(true, list) or len(found) != len(wanted):
        return row("not-covered", "the answer has another form than the value", computed=computed)
    errors = np.broadcast_to(np.asarray(own, dtype=float), len(wanted)).tolist()
    judged = [
        _judge(f, w, e, form, limit, printed) for f, w, e in zip(found, wanted, errors, strict=True)
    ]
    passed = all(error <= allowed for error, allowed in judged)
    worst, allowed = max(judged, key=lambda pair: pair[0] / pair[1] if pair[1] else pair[0])
    return row(
        "pass" if passed else "fail",
        raw["tolerance"],
        computed=computed,
        error=worst,
        allowed=allowed,
    )


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table; raise ValueError when it has none or other columns."""
    return runner.read(path, COLUMNS)


def checked(raw: dict[str, str]) -> TrialRow:
    """Give a row's result, computed now or kept from an earlier run."""
    return runner.checked(raw, verify, TrialRow)


def verify_all(rows: Iterable[dict[str, str]]) -> list[TrialRow]:
    """Give the result of every row."""
    return [checked(raw) for raw in rows]
