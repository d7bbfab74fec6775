"""The package reproduces published and derived reference values, and the runner is honest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .runner import COLUMNS, read, verify, verify_all

TABLE = Path(__file__).parent / "models.csv"
ROOT = Path(__file__).resolve().parents[2]
ROWS = read(TABLE)


@pytest.mark.parametrize("raw", ROWS, ids=[raw["id"] for raw in ROWS])
def test_reference_value_is_reproduced(raw: dict[str, str]) -> None:
    row = verify(raw)
    assert row.verdict == "pass", f"{row.computed} instead of {row.published}: {row.remark}"


def test_every_model_of_the_first_slice_is_in_the_table() -> None:
    models = {raw["model"].split(" ")[0] for raw in ROWS}
    assert models == {
        "birth_death",
        "birth_death_inhomogeneous",
        "luria_delbrueck",
        "luria_delbrueck_death",
        "luria_delbrueck_fixed_time",
        "stein2019",
        "composed",
    }


@pytest.mark.parametrize("raw", ROWS[::7], ids=[raw["id"] for raw in ROWS[::7]])
def test_a_wrong_reference_value_fails(raw: dict[str, str]) -> None:
    wrong = raw | {"published_value": str(float(raw["published_value"]) * 1.02 + 0.02)}
    assert verify(wrong).verdict == "fail"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "unheard_of"},
        {"quantity": "the weather"},
        {"tolerance": "about right"},
        {"inputs": "{}"},
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
