"""The package reproduces the reference values on trials, and their runner is honest."""

from __future__ import annotations

import csv
import importlib
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import trial_runner
from .trial_runner import COLUMNS, checked, read, routes_of, verify
from .values import Sampled, data

FOLDER = Path(__file__).parent
TABLE = FOLDER / "trials.csv"
ROOT = Path(__file__).resolve().parents[2]
ROWS = read(TABLE)


@pytest.mark.parametrize("raw", ROWS, ids=[raw["id"] for raw in ROWS])
def test_reference_value_is_reproduced(raw: dict[str, str]) -> None:
    row = checked(raw)
    assert row.verdict == "pass", f"{row.computed} instead of {row.published}: {row.remark}"


def test_every_reference_id_has_a_row() -> None:
    known = (FOLDER / "ids_trials.txt").read_text(encoding="utf-8").splitlines()
    assert len(known) == len(set(known)) == 462
    assert [raw["id"] for raw in ROWS] == known
    methods = {raw["method"] for raw in ROWS}
    assert methods >= trial_runner.SIMULATED


def test_every_route_is_used_and_no_row_has_two() -> None:
    used = Counter(len(routes_of(raw["method"], raw["quantity"])) for raw in ROWS)
    assert set(used) == {1}
    for method, words, _ in trial_runner.ROUTES:
        hits = [r for r in ROWS if r["method"] == method and r["quantity"].startswith(words)]
        assert hits, f"no row has method {method!r} and a quantity that starts with {words!r}"


def test_every_row_names_what_of_the_package_it_went_through() -> None:
    for method, words, route in trial_runner.ROUTES:
        how = trial_runner.runner.functions_of(route)
        own = ("trial.", "incidence.", "proportions.")
        assert any(name.startswith(own) for name in how), (method, words)
        for name in how:
            module, _, thing = f"car_relapse.{name}".rpartition(".")
            assert hasattr(importlib.import_module(module), thing), name


def _made(monkeypatch: pytest.MonkeyPatch, answer: Any, **cells: str) -> trial_runner.TrialRow:
    """Judge an answer as if a route had given it."""

    def route(_: dict[str, Any], __: str) -> Any:
        return answer

    monkeypatch.setattr(trial_runner, "ROUTES", [("made up", "all", route)])
    raw = dict.fromkeys(COLUMNS, "") | {"method": "made up", "quantity": "all", "inputs": "{}"}
    return verify(raw | cells)


@pytest.mark.parametrize(
    ("tolerance", "value", "good", "bad"),
    [
        ("1e-6", "2.5", 2.5000009, 2.5000011),
        ("1e-6", "0.0025", 0.0025000024, 0.0025000026),
        ("1e-6", "0", 9e-7, 1.1e-6),
        ("1e-9", "25.50536373", 25.505363734, 25.505363736),
        ("1e-9", "2.550536373", 2.5505363739, 2.5505363741),
        ("1e-6", "inf", math.inf, 1e300),
        ("1e-6", "inf", math.inf, -math.inf),
        ("1e-6", "2.0", 2.0, math.nan),
        ("1e-6", "[1.0, 2.0]", [1.0, 2.0], [1.0, 2.1]),
        ("1e-6", "[1.0, 2.0]", np.array([1.0, 2.0]), np.array([2.0, 1.0])),
        ("exact", "ESDU", "ESDU", "ESDD"),
        ("exact", "12", 12, 11),
        ("exact", "12", 12.0, 12 + 1e-9),
        ("exact", "0.8048254966", 0.80482549664, 0.80482549672),
        ("integers exact; EN,PET 1e-6", "[3, 4.5]", [3, 4.5000009], [3, 4.5000011]),
        ("integers exact; EN,PET 1e-6", "[3, 4.5]", [3, 4.5], [4, 4.5]),
        ("1e-9 exact DP; MC engine within 4 MC SE", "1.5", 1.5, 1.50001),
        ("1e-8 same formula; other variance formulas within 5%", "1.5", 1.5, 1.50001),
        ("1e-8 vs cmprsk formula; own-derived variance within 5%", "1.5", 1.5, 1.50001),
        ("LCL 1e-4; NB clinfun UCL is another", "[0.2, 0.4]", [0.20001, 0.4], [0.2, 0.4002]),
        ("3%", "200.0", 205.9, 206.1),
        ("0.003", "0.5", 0.5014, 0.5016),
        ("0.0080 (4 MC SE; plus own MC SE)", "0.05", 0.0579, 0.0581),
        ("0.0080 (4 MC SE; plus own MC SE)", "0.05", Sampled(0.0599, 0.0015),
         Sampled(0.0601, 0.0015)),
        ("0.02 (4 MC SE)", "[0.5]", Sampled([0.519], [0.0]), Sampled([0.521], [0.0])),
        ("0.005 (published rounded value 0.77)", "0.773", 0.7739, 0.7751),
    ],
)  # fmt: skip
def test_a_tolerance_is_read_as_it_says(
    tolerance: str, value: str, good: Any, bad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = {"tolerance": tolerance, "value": value}
    assert _made(monkeypatch, good, **cells).verdict == "pass"
    assert _made(monkeypatch, bad, **cells).verdict == "fail"


def test_a_simulated_value_is_held_to_an_absolute_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_runner, "SIMULATED", {"made up"})
    for answer, verdict in ((0.0529, "pass"), (0.0531, "fail")):
        assert _made(monkeypatch, answer, tolerance="0.003", value="0.05").verdict == verdict


@pytest.mark.parametrize(
    ("answer", "cells"),
    [
        (1.0, {"tolerance": "about right"}),
        (1.0, {"quantity": "nothing"}),
        (1.0, {"method": "unheard of"}),
        (1.0, {"inputs": "not JSON"}),
        ([1.0], {}),
        (None, {}),
        (True, {}),
        (1.0, {"value": "[1.0, 1.0]"}),
        (1.0, {"value": "[1.0]"}),
    ],
)
def test_what_is_not_understood_is_not_covered(
    answer: Any, cells: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _made(monkeypatch, answer, **({"tolerance": "1e-6", "value": "1.0"} | cells))
    assert row.verdict == "not-covered"


def test_a_row_with_two_routes_is_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = next(raw for raw in ROWS if raw["method"] == "Simon two-stage")
    route = (raw["method"], raw["quantity"], lambda *_: 1.0)
    monkeypatch.setattr(trial_runner, "ROUTES", [route, route])
    row = verify(raw)
    assert row.verdict == "not-covered"


def test_a_row_without_a_route_is_not_covered() -> None:
    assert verify(ROWS[0] | {"method": "unheard of"}).verdict == "not-covered"


def test_data_sets_are_as_large_as_they_say() -> None:
    patients = data("data/cr_200.csv")
    assert set(patients) == {"id", "arm", "burden", "time", "cause", "sct_time"}
    assert Counter(patients["arm"].tolist()) == {0.0: 100, 1.0: 100}
    assert data("data/cr_small.csv")["time"].size == 24
    assert np.isinf(data("data/interval_40.csv")["right"]).any()
    with pytest.raises(ValueError, match="read-only"):
        patients["time"][0] = 0.0


def _table(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_command_tells_the_tables_apart_and_writes_what_is_known(tmp_path: Path) -> None:
    unknown = ROWS[0] | {"method": "unheard of"}
    out = tmp_path / "rows.json"
    command = [sys.executable, "-m", "tests.verification"]
    command += [str(_table(tmp_path / "one.csv", unknown)), "--json", str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "0 pass, 0 fail, 1 not covered"
    (row,) = json.loads(out.read_text(encoding="utf-8"))
    assert row["method"] == "unheard of"
    assert row["verdict"] == "not-covered"


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("id,value\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs id,method"):
        read(path)
