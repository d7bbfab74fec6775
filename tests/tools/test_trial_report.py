"""The verification page counts every reference value on trials, and hides none that was missed."""

from __future__ import annotations

from dataclasses import replace

import trial_report

from tests.verification import trial_runner
from tests.verification.type_one import Cell

TABLE = trial_runner.read(trial_report.CHECKS / "trials.csv")


def _row(raw, verdict, **known):
    return trial_runner.TrialRow(
        id=raw["id"],
        method=raw["method"],
        quantity=raw["quantity"],
        published=raw["value"],
        tolerance=raw["tolerance"],
        verdict=verdict,
        remark="",
        how=(),
        **{"computed": None, "error": None, "allowed": None} | known,
    )


def test_every_value_is_counted_once_and_tells_where_it_is_from():
    rows = [_row(raw, "pass", error=0.0, allowed=1e-6) for raw in TABLE]
    table = trial_report.table(rows)
    counts = [line[1].split(" + ") for line in table["rows"]]
    by_r = sum("R" in raw["derived_by"] for raw in TABLE)
    assert sum(int(n) for n, _ in counts) == by_r > 100
    assert sum(int(n) for _, n in counts) == len(TABLE) - by_r
    assert {line[-1] for line in table["rows"]} == {"✓ pass"}
    assert {line[2] for line in table["rows"]} == {"exact"}
    assert trial_report.numbers(rows)["trial_rows"].text == str(len(TABLE))
    assert trial_report.missed(rows) == 0


def test_one_missed_value_shows_in_its_topic():
    rows = [_row(raw, "pass", error=1e-9, allowed=1e-6) for raw in TABLE]
    rows[0] = replace(rows[0], verdict="fail", error=3e-6)
    rows[-1] = replace(rows[-1], verdict="not-covered", error=None, allowed=None)
    lines = trial_report.table(rows)["rows"]
    shown = [cell.replace("\u00a0", " ") for cell in lines[0][2:]]
    assert shown == ["3.0 × 10⁻⁶", "1.0 × 10⁻⁶", "✗ fail"]
    assert [line[-1] for line in lines].count("not covered") == 1
    assert trial_report.missed(rows) == 2
    assert trial_report.numbers(rows)["trial_missed"].text == "2"


def test_levels_are_told_by_test_and_a_cell_that_is_off_is_counted() -> None:
    made = [
        Cell(test="one", scenario=f"s{i}", level=0.05, share=share, trials=4000)
        for i, share in enumerate((0.048, 0.055))
    ]
    exact = Cell(test="two", scenario="s", level=0.05, share=0.031, trials=None)
    off = Cell(test="three", scenario="s", level=0.05, share=0.09, trials=4000)
    rows = trial_report.level_table([*made, exact, off])["rows"]
    assert rows[0] == ["one", "2", "5.0", "4.8 to 5.5", "✓ pass"]
    assert rows[1] == ["two", "1", "at most 5.0", "3.1", "✓ pass"]
    assert rows[2][-1] == "✗ fail"
    numbers = trial_report.level_numbers([*made, exact, off])
    assert (numbers["level_cells"].value, numbers["level_missed"].value) == (4, 1)
    assert all(len(row) == 4 and row[3] for row in trial_report.level_known_table()["rows"])
