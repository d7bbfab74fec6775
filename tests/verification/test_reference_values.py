"""The package reproduces published and derived reference values, and the runner is honest."""

from __future__ import annotations

import csv
import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from car_relapse.published import bozic2013, cartmath2021, leontriana2021

from . import runner
from .runner import COLUMNS, RANGES, checked, read, verify, verify_all
from .values import Log

TABLE = Path(__file__).parent / "models.csv"
ROOT = Path(__file__).resolve().parents[2]
ROWS = read(TABLE)

# Rows that the package does not reproduce, and why. There are none: statements that contradict
# their own papers were not made rows; they stand in discrepancies.csv.
NOT_REPRODUCED: dict[str, str] = {}

IN_NUMBERS = [raw for raw in ROWS if raw["id"] not in RANGES]


@pytest.mark.parametrize("raw", ROWS, ids=[raw["id"] for raw in ROWS])
def test_reference_value_is_reproduced(raw: dict[str, str]) -> None:
    row = checked(raw)
    if raw["id"] in NOT_REPRODUCED:
        assert row.verdict != "pass", f"reproduced after all; strike {raw['id']} from the list"
    else:
        assert row.verdict == "pass", f"{row.computed} instead of {row.published}: {row.remark}"


def test_every_exception_and_every_range_belongs_to_a_row() -> None:
    table = {raw["id"]: raw["tolerance"] for raw in ROWS}
    assert set(NOT_REPRODUCED) <= set(table)
    assert {key: words for key, (words, *_) in RANGES.items()} == {
        key: table[key] for key in RANGES
    }


@pytest.mark.parametrize("key", RANGES)
def test_a_range_excludes_what_lies_outside_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = next(raw for raw in ROWS if raw["id"] == key)
    words, low, high = RANGES[key]
    computed = verify(raw).computed
    assert computed is not None
    monkeypatch.setitem(RANGES, key, (words, low, computed))
    assert verify(raw).verdict == "fail"
    monkeypatch.setitem(RANGES, key, (words, computed, high))
    assert verify(raw).verdict == "fail"
    assert (
        verify(raw | {"tolerance": "about right", "published_value": "1"}).verdict == "not-covered"
    )


def test_every_model_that_the_package_holds_is_in_the_table() -> None:
    models = {raw["model"].split(" ")[0] for raw in ROWS}
    assert models >= {
        "birth_death",
        "birth_death_inhomogeneous",
        "luria_delbrueck",
        "luria_delbrueck_death",
        "luria_delbrueck_fixed_time",
        "stein2019",
        "composed",
        "antigen_density",
        "gates",
        "switching",
        "tce_pk",
        "tce_trimer",
        "relapse_time",
        "iwasa_nowak_michor",
        "komarova_wodarz",
        "durrett_moseley",
        "multi_antigen",
        "calibration",
        "kimmel2021",
        "leontriana2020",
        "leontriana2021",
        "leontriana2021_dual",
        "cartmath2021",
        "carrgo2020",
        "kara2024",
        "bozic2013",
    }


@pytest.mark.parametrize("raw", IN_NUMBERS[::7], ids=[raw["id"] for raw in IN_NUMBERS[::7]])
def test_a_wrong_reference_value_fails(raw: dict[str, str]) -> None:
    # The loosest tolerance of a printed value is a tenth of it, or its order of magnitude.
    factor = 4.0 if raw["tolerance"] == "order" else 1.2
    wrong = raw | {"published_value": str(float(raw["published_value"]) * factor + 0.1)}
    assert verify(wrong).verdict == "fail"


def _row_of(key: str) -> dict[str, str]:
    return next(raw for raw in ROWS if raw["id"] == key)


def test_every_reference_id_has_a_row_that_is_judged() -> None:
    known = (TABLE.parent / "ids.txt").read_text(encoding="utf-8").split()
    assert len(known) == len(set(known)) == 225
    assert sorted(raw["id"] for raw in ROWS) == sorted(known)


@pytest.mark.parametrize(
    ("published", "verdict"), [("64", "pass"), ("62", "fail"), ("633", "fail")]
)
def test_an_order_of_magnitude_is_a_factor_of_the_root_of_ten(published: str, verdict: str) -> None:
    row = verify(_row_of("CAL-CD20-lysis") | {"published_value": published})
    assert row.verdict == verdict
    assert row.error == pytest.approx(abs(math.log10(200 / float(published))))


def test_a_range_in_words_that_the_ledger_does_not_hold_is_not_covered() -> None:
    raw = _row_of("CAL-ALL-net")
    other = raw | {"quantity": raw["quantity"].replace("27.3", "28.3")}
    assert verify(other).verdict == "not-covered"
    assert verify(raw | {"published_value": "0.0691"}).verdict == "fail"


def test_a_number_below_the_smallest_float_is_judged_by_its_logarithm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = _row_of("KW-1drug") | {"published_value": "1.135483865314736e-4343"}
    assert verify(raw).verdict == "not-covered"
    for answer, verdict in ((-10000.0, "pass"), (-10000.1, "fail")):
        monkeypatch.setattr(runner, "_route", lambda *_, a=answer: lambda *_: Log(a))
        assert verify(raw).verdict == verdict


def test_every_row_names_what_of_the_package_it_went_through() -> None:
    for raw in ROWS:
        how = runner.functions_of(runner._route(raw["model"], raw["quantity"]))
        assert how, raw["id"]
        for name in how:
            module, _, thing = f"car_relapse.{name}".rpartition(".")
            assert hasattr(importlib.import_module(module), thing), name


def test_the_statements_that_contradict_their_papers_are_listed_with_what_the_equations_give() -> (
    None
):
    with (TABLE.parent / "discrepancies.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert all(all(row.values()) for row in table)
    assert len({row["key"] for row in table}) == len(table)
    computed = {row["key"]: float(row["computed"]) for row in table if row["check"] != "none"}
    tumour = leontriana2021.SingleParameters()
    mouse = cartmath2021.HDLM2
    doses = [(42.0, 1.5e6)]
    drugs = bozic2013.BozicParameters(
        birth_rate=1.0, death_rate=0.99, treated_birth_rate=1.0, treated_death_rate=1.03
    )
    recomputed = {
        "leontriana2021-fig4a": math.log10(tumour.tumour_start / leontriana2021.nadir(tumour)[1]),
        "barros2021-fig4a-day": cartmath2021.elimination_days(mouse, doses=doses)[0],
        "barros2021-fig4a-memory": cartmath2021.solve(mouse, [200.0], doses=doses).memory[0],
        "bozic2013-eq1": bozic2013.failure_probability(drugs, 1e11, law="nested"),
    }
    assert recomputed.keys() == computed.keys()
    for key, value in recomputed.items():
        assert value == pytest.approx(computed[key], rel=5e-3), key


@pytest.mark.parametrize(
    "change",
    [
        {"model": "unheard_of"},
        {"model": "birth_death_immigration"},
        {"quantity": "the weather"},
        {"tolerance": "about right"},
        {"inputs": "{}"},
        {"inputs": "not JSON"},
        {"inputs": "[1, 2]"},
        {"inputs": '{"b": -1, "d": 0.2, "n": 7, "n0": 3, "t": 5}'},
        {"published_value": "about a tenth"},
    ],
)
def test_what_is_not_understood_is_reported_as_not_covered(change: dict[str, str]) -> None:
    raw = next(r for r in ROWS if r["id"] == "BD-P3to7")
    assert verify(raw | change).verdict == "not-covered"


def _run(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.verification", str(path), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _table(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_command_reports_each_row_and_fails_on_a_wrong_one(tmp_path: Path) -> None:
    good, bad = ROWS[0], ROWS[1] | {"published_value": "0.5"}
    other = ROWS[2] | {"model": "unheard_of"}
    result = _run(_table(tmp_path / "mixed.csv", good, bad, other))
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "1 pass, 1 fail, 1 not covered"
    assert _run(_table(tmp_path / "good.csv", good)).returncode == 0


def test_the_command_writes_what_is_known_of_each_row(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    table = _table(tmp_path / "two.csv", _row_of("MA-bt"), _row_of("KIM-data-7"))
    assert _run(table, "--json", str(out)).returncode == 0
    exact, in_words = json.loads(out.read_text(encoding="utf-8"))
    raw = _row_of("MA-bt")
    assert exact["id"] == "MA-bt"
    assert exact["quantity"] == raw["quantity"]
    assert exact["published"] == raw["published_value"]
    assert exact["computed"] == pytest.approx(float(raw["published_value"]), rel=1e-12)
    assert 0 <= exact["error"] <= 1e-12
    assert exact["tolerance"] == raw["tolerance"]
    assert exact["verdict"] == in_words["verdict"] == "pass"
    assert exact["how"] == ["resistance.divisions_per_line"]
    assert in_words["error"] is None


@pytest.mark.parametrize("options", [("--json",), ("--xml", "out.xml")])
def test_the_command_explains_itself_when_it_is_not_understood(options: tuple[str, ...]) -> None:
    result = _run(TABLE, *options)
    assert result.returncode == 2
    assert "--json OUT.json" in result.stdout


def test_the_command_refuses_an_empty_table(tmp_path: Path) -> None:
    result = _run(_table(tmp_path / "empty.csv"))
    assert result.returncode == 2
    assert "no rows" in result.stdout


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("id,value\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs id,model"):
        read(path)


def test_all_rows_can_be_verified_at_once() -> None:
    assert {row.verdict for row in verify_all(ROWS[:3])} == {"pass"}
