"""Compute what the verification page shows, into `_build/verification/`.

    python tools/verification_report.py

Every reference value is computed again, every fast path is run beside its slow twin, and the
stored benchmark results are put in a table: `tables.json` for the tables, and for each figure a
picture with its words, numbers and data. `make book` calls this before it builds the site.
"""

from __future__ import annotations

import ast
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import calibration_report
import design_report
import make_figures
import numpy as np
import trial_report

from car_relapse.figures.style import (
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    quote,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import library  # noqa: E402  # the benchmarks are beside the tools
from tests.fuzz import fuzz  # noqa: E402  # so are the tests
from tests.verification import runner, twins  # noqa: E402

FOLDER = ROOT / "_build" / "verification"
CHECKS = ROOT / "tests" / "verification"
BENCHMARKS = ROOT / "benchmarks" / "results.json"
# Errors below this share of what is allowed are drawn together, at the edge.
_SMALLEST = 1e-9
VERDICTS = {"pass": "✓ pass", "fail": "✗ fail", "not-covered": "not covered"}

Table = dict[str, object]


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the checks' own tables."""
    with (CHECKS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def count(number: int) -> Quoted:
    """Return a count, printed in full."""
    return Quoted(value=float(number), text=f"{number:,}")


def printed(error: float) -> str:
    """Return an error with two digits; an exact agreement says so."""
    return "exact" if error == 0 else quote(error, 2).text


def by_law(rows: Sequence[runner.Row]) -> dict[str, list[runner.Row]]:
    """Group the reference values by the law that they belong to, in the order of the table."""
    laws = {row["model"]: row for row in read_table("laws.csv")}
    found: dict[str, list[runner.Row]] = {model: [] for model in laws}
    for row in rows:
        found[row.model.split(" ")[0]].append(row)
    return found


def verdict(rows: Sequence[runner.Row]) -> str:
    """Return the worst verdict of several rows."""
    order = ("fail", "not-covered", "pass")
    return next(VERDICTS[name] for name in order if any(row.verdict == name for row in rows))


def law_table(groups: dict[str, list[runner.Row]]) -> Table:
    """Return one line per law: how many values, the worst error and what was allowed."""
    names = {row["model"]: row for row in read_table("laws.csv")}
    seen = {row["id"]: row["seen"] for row in runner.read(CHECKS / "models.csv")}
    lines = []
    for model, rows in groups.items():
        printed_rows = sum(seen[row.id] == "yes" for row in rows)
        worst = max(
            (row for row in rows if row.error is not None),
            key=lambda row: row.error / row.allowed if row.allowed else row.error,
            default=None,
        )
        lines.append(
            [
                names[model]["law"],
                f"{printed_rows} + {len(rows) - printed_rows}",
                "within its range" if worst is None else printed(worst.error),
                "a range"
                if worst is None
                else (quote(worst.allowed, 2).text if worst.allowed else "none"),
                verdict(rows),
            ]
        )
    head = ["Law", "Values: printed + derived", "Error nearest its limit", "Limit", "Verdict"]
    return {
        "caption": "Each law against values that the package did not compute",
        "head": head,
        "rows": lines,
    }


def error_figure(groups: dict[str, list[runner.Row]]) -> Drawing:
    """Draw every error as a share of what is allowed, law by law."""
    names = {row["model"]: row["law"] for row in read_table("laws.csv")}
    shown = {
        model: [row for row in rows if row.error is not None] for model, rows in groups.items()
    }
    shown = {model: rows for model, rows in shown.items() if rows}
    place, share, exact = [], [], 0
    for line, rows in enumerate(shown.values()):
        for row in rows:
            used = row.error / row.allowed if row.allowed else float(row.error > 0)
            exact += row.error == 0
            place.append(line)
            share.append(max(used, _SMALLEST))
    used = np.array(share)
    numbers = {
        "rows": count(sum(len(rows) for rows in groups.values())),
        "laws": count(len(groups)),
        "shown": count(used.size),
        "ranges": count(sum(len(rows) for rows in groups.values()) - used.size),
        "exact": count(exact),
        "worst": quote(float(used.max()), 2),
        "failed": count(sum(row.verdict != "pass" for rows in groups.values() for row in rows)),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=6.4, height=0.27 * len(shown) + 1.1)
        ax.plot(used, place, "o", color=POSITIVE, markersize=4.5, alpha=0.55, markeredgewidth=0)
        ax.axvline(1.0, color=NEGATIVE, linewidth=1.6, linestyle="--")
        ax.text(0.7, -0.9, "limit", ha="right", va="center", color=NEGATIVE)
        ax.set_xscale("log")
        ax.set_xlim(0.5 * _SMALLEST, 5.0)
        ax.set_ylim(len(shown) - 0.4, -1.5)
        ax.set_yticks(range(len(shown)), [names[model] for model in shown], fontsize=9.5)
        ax.set_xlabel("share of the allowed error")
    return Drawing(
        figure=figure,
        caption="Every reference value lies left of its limit, most of them by orders of "
        "magnitude.",
        alt=f"One row of dots for each law, {n['shown']} dots in all, on a logarithmic axis of the "
        "error as a share of the error allowed. A dashed line marks the limit, 1. The dot nearest "
        f"to it stands at {n['worst']}; {n['exact']} values agree exactly and stand at the left "
        "edge.",
        numbers=numbers,
        data={"law": np.array(place, dtype=float), "share_of_limit": used},
    )


def twin_table(found: Sequence[twins.Comparison]) -> Table:
    """Return one line per comparison of a fast path with a slow twin."""
    lines = [
        [
            comparison.what,
            comparison.fast,
            comparison.twin,
            f"{printed(comparison.reached)} {comparison.measure}",
            quote(comparison.limit, 2).text,
            VERDICTS["pass" if comparison.passed else "fail"],
        ]
        for comparison in found
    ]
    head = ["What", "Fast path", "Slow twin", "Difference", "Limit", "Verdict"]
    return {"caption": "Fast paths beside slow twins", "head": head, "rows": lines}


def twin_numbers(found: Sequence[twins.Comparison]) -> dict[str, Quoted]:
    """Return what the text quotes of the twins."""
    return {
        "twins": count(len(found)),
        "twins_failed": count(sum(not comparison.passed for comparison in found)),
    }


def odd_numbers() -> dict[str, Quoted]:
    """Return how much the check with odd input covers: it is planned here, and run by itself."""
    return {
        "odd_cases": Quoted(value=float(fuzz.all_cases()), text=f"{fuzz.all_cases():,}"),
        "odd_functions": count(len(fuzz.targets())),
        "odd_seconds": quote(fuzz.SECONDS, 1),
    }


def identity_lines() -> list[list[str]]:
    """Return number, words and places of the identities, as their test file states them.

    Read, not imported: that file needs the tools of the tests, which a build of the book has not.
    """
    tree = ast.parse((CHECKS / "test_identities.py").read_text(encoding="utf-8"))
    stated = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("IDENTITIES", "TESTED"):
            stated[target.id] = ast.literal_eval(node.value)
    return [
        [
            str(number),
            what,
            ", ".join(
                f"{len(tests)} in {Path(file).stem.removeprefix('test_')}"
                for file, tests in stated["TESTED"][number].items()
            ),
        ]
        for number, what in stated["IDENTITIES"].items()
    ]


def plain_table(name: str, caption: str, head: dict[str, str]) -> Table:
    """Return a table that the checks keep as a file; `head` maps its columns to words."""
    lines = [[row[column] for column in head] for row in read_table(name)]
    return {"caption": caption, "head": list(head.values()), "rows": lines}


def benchmarks() -> dict:
    """Return the stored results of `make bench`."""
    return json.loads(BENCHMARKS.read_text(encoding="utf-8"))


def rounded(value: float) -> str:
    """Return a figure of a benchmark with two digits."""
    return quote(value, 2).text


def demand_table(found: dict) -> Table:
    """Return one line per demand: what was reached, its spread, and whether it is met."""
    lines = []
    for name, benchmark in found["benchmarks"].items():
        for quantity in benchmark["quantities"]:
            if not quantity["demand"]:
                continue
            if quantity["median"] is None:
                reached = "not measured"
            else:
                sign = "more than " if quantity["bound"] else ""
                spread = f"{rounded(quantity['low'])} to {rounded(quantity['high'])}"
                reached = f"{sign}{rounded(quantity['median'])} {quantity['unit']}".strip()
                reached += f" ({spread})" if quantity["low"] != quantity["high"] else ""
            wanted = f"{quantity['demand']['rule']} {rounded(quantity['demand']['value'])}"
            lines.append(
                [
                    f"{name}: {quantity['name']}",
                    reached,
                    wanted,
                    "✓ met" if quantity["met"] else "✗ not met",
                ]
            )
    head = ["What", "Median (range over the rounds)", "Demand", "Verdict"]
    return {"caption": "Speed and memory beside what was asked", "head": head, "rows": lines}


def program_table(found: dict) -> Table:
    """Return one line per program and benchmark: the time that each needed."""
    lines = []
    for name, benchmark in found["benchmarks"].items():
        for entry in benchmark["entries"]:
            if entry["median_seconds"] is None:
                time = f"{entry['status']}: {entry['message']}"
            else:
                time = f"{1e6 * entry['median_seconds']:,.3g} µs per {entry['unit']}"
                if entry["status"] != "ok":
                    time += f"; then {entry['status']}"
            lines.append([f"{name}: {entry['name']}", time, entry["clock"], entry["note"]])
    head = ["Program", "Median time", "Clock", "Note"]
    return {"caption": "Every program that was timed", "head": head, "rows": lines}


def peer_figure(found: dict) -> Drawing:
    """Draw how many times longer each peer takes, beside what was asked."""
    shown = [
        (f"{name}  {quantity['name']}", quantity)
        for name, benchmark in found["benchmarks"].items()
        for quantity in benchmark["quantities"]
        if quantity["demand"] and quantity["demand"]["rule"] == "≥" and " / " in quantity["name"]
        and quantity["median"]
    ]  # fmt: skip
    demands = [q for b in found["benchmarks"].values() for q in b["quantities"] if q["demand"]]
    place = np.arange(len(shown), dtype=float)
    reached = np.array([quantity["median"] for _, quantity in shown])
    wanted = np.array([quantity["demand"]["value"] for _, quantity in shown])
    least, most = int(np.argmin(reached / wanted)), int(np.argmax(reached))
    numbers = {
        "demands": count(len(demands)),
        "met": count(sum(bool(q["met"]) for q in demands)),
        "peers": count(len(shown)),
        "closest": quote(float(reached[least]), 2),
        "closest_demand": quote(float(wanted[least]), 2),
        "largest": quote(float(reached[most]), 2),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=6.4, height=0.36 * len(shown) + 1.3)
        ax.plot(reached, place, "o", color=POSITIVE, markersize=7, label="reached")
        ax.plot(
            wanted, place, "|", color=NEGATIVE, markersize=15, markeredgewidth=2.4, label="asked"
        )
        ax.axvline(1.0, color=NEUTRAL, linewidth=1.2, linestyle=":")
        ax.set_xscale("log")
        ax.set_yticks(place, [name for name, _ in shown], fontsize=9.5)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set_xlabel("times longer than the library, same work, same run")
        ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="How many times longer other programs take: dots are medians, bars what was asked.",
        alt=f"{n['peers']} comparisons on a logarithmic axis of how many times longer the other "
        f"program takes. The largest ratio is {n['largest']}; the one nearest to its demand is "
        f"{n['closest']} where {n['closest_demand']} was asked.",
        numbers=numbers,
        data={"reached": reached, "asked": wanted},
    )


def machine_text(found: dict) -> dict[str, Quoted]:
    """Return what the measurements were made on, in words."""
    machine = found["machine"]
    same = all(b.get("library") == library() for b in found["benchmarks"].values())
    code = "the code that this page describes" if same else "an earlier state of the code"
    return {
        "processor": Quoted(value=float(machine["cores"]), text=machine["processor"]),
        "cores": count(machine["cores"]),
        "memory": quote(machine["memory_gib"], 2),
        "timed": Quoted(value=float(same), text=code),
    }


def words(numbers: dict[str, Quoted], source: str) -> str:
    """Return numbers that belong to no picture, in the form of a figure's sidecar."""
    content = {key: {"value": q.value, "text": q.text} for key, q in numbers.items()}
    return json.dumps({"numbers": content, "source": source}, ensure_ascii=False, indent=1)


def main() -> int:
    """Compute everything; return 1 when a check failed, so that no page hides it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = make_figures.source_hash()
    rows = runner.verify_all(runner.read(CHECKS / "models.csv"))
    groups = by_law(rows)
    trials = trial_report.rows()
    levels = trial_report.level_cells()
    pairs = [twins.checked(index) for index in range(len(twins.COMPARISONS))]
    speed = benchmarks()
    tables = {
        "laws": law_table(groups),
        "trials": trial_report.table(trials),
        "levels": trial_report.level_table(levels),
        "levels-known": trial_report.level_known_table(),
        "twins": twin_table(pairs),
        "identities": {
            "caption": "Identities that hold whatever the numbers",
            "head": ["No.", "What holds", "Tests, by module"],
            "rows": identity_lines(),
        },
        "discrepancies": plain_table(
            "discrepancies.csv",
            "Where a source disagrees with itself",
            {
                "source": "Source",
                "what": "What",
                "printed": "Printed",
                "computed": "Computed",
                "remark": "Remark",
            },
        ),
        "demands": demand_table(speed),
        "programs": program_table(speed),
        "calibration-fit": calibration_report.fit_table(),
        "calibration-predictions": calibration_report.prediction_table(),
        "calibration-sensitivity": calibration_report.sensitivity_table(),
        "design-findings": design_report.findings_table(),
        "design-power": design_report.power_table(),
    }
    (FOLDER / "tables.json").write_text(json.dumps(tables, ensure_ascii=False), encoding="utf-8")
    make_figures.write("verification-errors", error_figure(groups), source, FOLDER)
    make_figures.write("verification-peers", peer_figure(speed), source, FOLDER)
    predictions, profiles = calibration_report.prediction_figure, calibration_report.profile_figure
    make_figures.write("calibration-predictions", predictions(), source, FOLDER)
    make_figures.write("calibration-profiles", profiles(), source, FOLDER)
    make_figures.write("design-power", design_report.figure(), source, FOLDER)
    (FOLDER / "design.json").write_text(words(design_report.numbers(), source), encoding="utf-8")
    numbers = twin_numbers(pairs) | odd_numbers() | machine_text(speed)
    numbers |= trial_report.numbers(trials) | trial_report.level_numbers(levels)
    numbers["identities"] = count(len(tables["identities"]["rows"]))
    (FOLDER / "verification.json").write_text(words(numbers, source), encoding="utf-8")
    failed = sum(row.verdict != "pass" for row in rows) + sum(not pair.passed for pair in pairs)
    failed += trial_report.missed(trials) + round(numbers["level_missed"].value)
    values = len(rows) + len(trials)
    print(f"{values} reference values, {len(pairs)} twins, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
