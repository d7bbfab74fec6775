"""What the verification page shows of the reference values on trials."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from car_relapse.figures.style import Quoted, percent, quote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.verification import trial_runner, type_one  # noqa: E402  # the tests are beside the tools

CHECKS = ROOT / "tests" / "verification"
VERDICTS = {"fail": "✗ fail", "not-covered": "not covered", "pass": "✓ pass"}


def rows() -> list[trial_runner.TrialRow]:
    """Return every reference value on trials, computed again."""
    return trial_runner.verify_all(trial_runner.read(CHECKS / "trials.csv"))


def missed(found: Sequence[trial_runner.TrialRow]) -> int:
    """Return how many values were missed, or not computed at all."""
    return sum(row.verdict != "pass" for row in found)


def numbers(found: Sequence[trial_runner.TrialRow]) -> dict[str, Quoted]:
    """Return what the text quotes of them."""
    counts = {"trial_rows": len(found), "trial_missed": missed(found)}
    return {key: Quoted(value=float(n), text=f"{n:,}") for key, n in counts.items()}


def _by_topic(found: Sequence[trial_runner.TrialRow]) -> dict[str, list[trial_runner.TrialRow]]:
    with (CHECKS / "trial_topics.csv").open(encoding="utf-8", newline="") as stream:
        topics = {row["method"]: row["topic"] for row in csv.DictReader(stream)}
    groups: dict[str, list[trial_runner.TrialRow]] = {topic: [] for topic in topics.values()}
    for row in found:
        groups[topics[row.method]].append(row)
    return groups


def _used(row: trial_runner.TrialRow) -> float:
    """Return the error of a row as a share of what is allowed."""
    if row.error is None:
        return -1.0
    return row.error / row.allowed if row.allowed else row.error


def _unbroken(error: float) -> str:
    """Return an error with two digits, in one piece at the end of a line."""
    return quote(error, 2).text.replace(" ", "\u00a0")


def table(found: Sequence[trial_runner.TrialRow]) -> dict[str, object]:
    """Return one line per topic: how many values, from where, the worst error, the verdict."""
    by_r = {row["id"]: "R" in row["derived_by"] for row in trial_runner.read(CHECKS / "trials.csv")}
    lines = []
    for topic, group in _by_topic(found).items():
        from_r = sum(by_r[row.id] for row in group)
        worst = max(group, key=_used)
        exact = worst.error is None or worst.error == 0
        lines.append(
            [
                topic,
                f"{from_r} + {len(group) - from_r}",
                "exact" if exact else _unbroken(worst.error),
                _unbroken(worst.allowed) if worst.allowed else "none",
                next(v for name, v in VERDICTS.items() if any(r.verdict == name for r in group)),
            ]
        )
        if all(row.verdict == "not-covered" for row in group):
            lines[-1][2:4] = ["–", "–"]
    head = ["Topic", "Values: by R + derived", "Error nearest its limit", "Limit", "Verdict"]
    return {
        "caption": "Designs and analyses of trials against values of other programs",
        "head": head,
        "rows": lines,
    }


def level_cells() -> list[type_one.Cell]:
    """Return every cell of the grid of null scenarios."""
    return [cell for part in type_one.PARTS for cell in type_one.cells(part)]


def level_numbers(cells: Sequence[type_one.Cell]) -> dict[str, Quoted]:
    """Return what the text quotes of them."""
    counts = {
        "level_cells": len(cells),
        "level_known": len(type_one.KNOWN),
        "level_missed": sum(not type_one.as_known(cell) for cell in cells),
        "level_trials": type_one.TRIALS,
    }
    return {key: Quoted(value=float(n), text=f"{n:,}") for key, n in counts.items()}


def level_table(cells: Sequence[type_one.Cell]) -> dict[str, object]:
    """Return one line per test: its scenarios, its level, and how often it rejects."""
    groups: dict[str, list[type_one.Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.test, []).append(cell)
    lines = []
    for test, group in groups.items():
        kept = [cell for cell in group if (cell.test, cell.scenario) not in type_one.KNOWN]
        shares = [percent(cell.share, 1).text for cell in sorted(kept, key=lambda cell: cell.share)]
        spread = " to ".join(dict.fromkeys((shares[0], shares[-1]))) if shares else "\u2013"
        bound = "at most " if group[0].trials is None else ""
        verdict = VERDICTS["pass" if all(map(type_one.as_known, group)) else "fail"]
        lines.append(
            [
                test,
                f"{len(kept)}" + (f" + {len(group) - len(kept)}" if len(kept) < len(group) else ""),
                bound + percent(group[0].level, 1).text,
                spread,
                verdict,
            ]
        )
    return {
        "caption": "How often tests reject where nothing differs",
        "head": ["Test", "Scenarios: kept + known not to", "Level, %", "Rejects, %", "Verdict"],
        "rows": lines,
    }


def level_known_table() -> dict[str, object]:
    """Return the cells that are known not to keep their level, with the reason."""
    return {
        "caption": "Where a test is known not to keep its level, and why",
        "head": ["Test", "Scenario", "Rejects, %", "Why"],
        "rows": [
            [row.test, row.scenario, percent(row.measured, 1).text, row.reason]
            for row in type_one.KNOWN.values()
        ],
    }
