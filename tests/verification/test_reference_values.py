"""The package reproduces published and derived reference values, and the runner is honest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .runner import COLUMNS, RANGES, read, verify, verify_all

TABLE = Path(__file__).parent / "models.csv"
ROOT = Path(__file__).resolve().parents[2]
ROWS = read(TABLE)

# Rows that the package does not reproduce, and why. There are none: the statements that their own
# papers contradict (see the docstrings of car_relapse.published) were not made rows.
NOT_REPRODUCED: dict[str, str] = {}

IN_NUMBERS = [raw for raw in ROWS if raw["id"] not in RANGES]


@pytest.mark.parametrize("raw", ROWS, ids=[raw["id"] for raw in ROWS])
def test_reference_value_is_reproduced(raw: dict[str, str]) -> None:
    row = verify(raw)
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
    # The loosest tolerance of a printed value is a tenth of it.
    wrong = raw | {"published_value": str(float(raw["published_value"]) * 1.2 + 0.1)}
    assert verify(wrong).verdict == "fail"


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


def _run(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.verification", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _table(path: Path, *rows: dict[str, str]) -> Path:
    import csv

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
