"""What a benchmark returns, how it is judged, stored and shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contest import OK, TOO_LONG, Entry, ratios
from benchmarks.demands import DEMANDS, Demand

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A figure that a demand may be about: a ratio, a rate, an error."""

    name: str
    """As in `benchmarks.demands`."""
    values: list[float]
    """One for each round; empty when it could not be measured."""
    bound: bool = False
    """Whether the true value is larger: the slower program was stopped at its limit."""
    unit: str = ""
    """Unit, empty for a pure number."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one benchmark found."""

    title: str
    """What was measured, in a few words."""
    workload: str
    """The work, so that it can be repeated."""
    entries: list[Entry] = field(default_factory=list)
    """What each program reached."""
    quantities: list[Quantity] = field(default_factory=list)
    """What follows from it."""


def times_slower(name: str, slower: Entry, faster: Entry) -> Quantity:
    """Compare two programs round by round.

    For a program that was stopped in a round, the limit gives a lower bound.
    """
    values = ratios(slower, faster)
    stopped = slower.status == TOO_LONG and slower.build_seconds is not None
    if not values and stopped and faster.median and slower.limit:
        return Quantity(name=name, values=[slower.limit / slower.units / faster.median], bound=True)
    return Quantity(name=name, values=values)


def judged(quantity: Quantity, demand: Demand | None) -> dict[str, Any]:
    """Put a quantity beside its demand."""
    middle = statistics.median(quantity.values) if quantity.values else None
    record: dict[str, Any] = {
        "name": quantity.name,
        "unit": quantity.unit,
        "median": middle,
        "low": min(quantity.values, default=None),
        "high": max(quantity.values, default=None),
        "values": quantity.values,
        "bound": quantity.bound,
        "demand": None,
        "met": None,
    }
    if demand is not None:
        record["demand"] = {"rule": demand.rule, "value": demand.value}
        record["met"] = middle is not None and demand.met(middle)
    return record


def entry_record(entry: Entry) -> dict[str, Any]:
    """Give an entry as plain data."""
    return {
        "name": entry.name,
        "own": entry.own,
        "unit": entry.unit,
        "clock": entry.clock,
        "status": entry.status,
        "median_seconds": entry.median,
        "low_seconds": min(entry.seconds, default=None),
        "high_seconds": max(entry.seconds, default=None),
        "seconds": entry.seconds,
        "units_per_round": entry.units,
        "build_seconds": entry.build_seconds,
        "limit_seconds": entry.limit,
        "message": entry.message,
        "note": entry.note,
        "answers": entry.answers,
    }


def record(name: str, result: Result) -> dict[str, Any]:
    """Give a result as plain data, each quantity judged by its demand.

    A demand about a quantity that is missing counts as not met.
    """
    wanted = {d.quantity: d for d in DEMANDS if d.benchmark == name}
    present = {q.name for q in result.quantities}
    absent = [Quantity(name=each, values=[]) for each in wanted if each not in present]
    quantities = [judged(q, wanted.get(q.name)) for q in [*result.quantities, *absent]]
    return {
        "title": result.title,
        "workload": result.workload,
        "entries": [entry_record(e) for e in result.entries],
        "quantities": quantities,
        "met": all(q["met"] for q in quantities if q["demand"]),
    }


def store(
    records: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any], file: Path = RESULTS
) -> str:
    """Write the records; those of other benchmarks stay if they are from the same set-up.

    Parameters
    ----------
    records : mapping
        By benchmark, as `record` gives them.
    about : mapping
        ``machine`` and ``versions``.
    file : Path
        Where to.

    Returns
    -------
    str
        What was done, in one sentence.
    """
    kept: dict[str, Any] = {}
    said = f"Written to {file.name}."
    if file.is_file():
        old = json.loads(file.read_text(encoding="utf-8"))
        others = {k: v for k, v in old["benchmarks"].items() if k not in records}
        if all(old[key] == about[key] for key in about):
            kept = others
        elif others:
            return (
                f"{file.name} holds figures of another machine or of other versions; it was left "
                "alone. Run all benchmarks together to replace it."
            )
    content = {**about, "benchmarks": dict(sorted({**kept, **records}.items()))}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return said


def readable(seconds: float) -> str:
    """Write a time with a unit that suits it."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def number(value: float) -> str:
    """Write a number in at most four digits where it can be."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.2e}"


def _entry_line(entry: Mapping[str, Any]) -> str:
    if entry["status"] != OK and not entry["seconds"]:
        return f"  {entry['name']:<44} {entry['status']}: {entry['message']}"
    middle, low, high = (
        readable(entry[key]) for key in ("median_seconds", "low_seconds", "high_seconds")
    )
    rate = number(1.0 / entry["median_seconds"])
    line = f"  {entry['name']:<44} {middle:>9} per {entry['unit']} ({low} .. {high}), {rate}/s"
    return line if entry["status"] == OK else f"{line}; then {entry['status']}: {entry['message']}"


def _quantity_line(quantity: Mapping[str, Any]) -> str:
    if quantity["median"] is None:
        figure = "not measured"
    else:
        sign = "> " if quantity["bound"] else ""
        spread = f"({number(quantity['low'])} .. {number(quantity['high'])})"
        figure = f"{sign}{number(quantity['median'])} {quantity['unit']}".strip() + f" {spread}"
    if not quantity["demand"]:
        return f"  {quantity['name']:<44} {figure}"
    rule = f"{quantity['demand']['rule']} {number(quantity['demand']['value'])}"
    verdict = "met" if quantity["met"] else "NOT MET"
    return f"  {quantity['name']:<44} {figure:<32} {rule:<10} {verdict}"


def table(name: str, found: Mapping[str, Any]) -> str:
    """Show one benchmark as text: programs first, then what follows."""
    lines = [f"{name}  {found['title']}", f"  {found['workload']}"]
    lines += [_entry_line(e) for e in found["entries"]]
    lines += [_quantity_line(q) for q in found["quantities"]]
    return "\n".join(lines)


def unmet(records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """List the demands that are not met."""
    return [
        f"{name}: {q['name']}"
        for name, found in records
        for q in found["quantities"]
        if q["demand"] and not q["met"]
    ]
