"""The notebook stage notices a wrong number in a tagged cell, and a cell over its budget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import check

SLOW = check.notebook_tool.slow
CHECKED = {"tags": ["nbval-check-output"]}


def plant(path: Path, source: str, stored: str | None, metadata: dict) -> None:
    """Write a notebook of one cell that was stored with what it printed, or unrun."""
    cell = new_code_cell(source, metadata=metadata)
    if stored is not None:
        cell.execution_count = 1
        cell.outputs = [new_output("stream", name="stdout", text=stored)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=[cell], metadata=kernel), path)


def run_nbval(folder: Path, stored: str | None, metadata: dict) -> subprocess.CompletedProcess[str]:
    """Run nbval on a notebook that prints 0.0067 and was stored with `stored`, or unrun."""
    plant(folder / "number.ipynb", "print(0.0067)", stored, metadata)
    options = ["--nbval-lax", "--nbval-current-env", "--color=no", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "number.ipynb"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_right_number_passes(tmp_path):
    done = run_nbval(tmp_path, "0.0067\n", CHECKED)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_wrong_number_in_a_tagged_cell_fails(tmp_path):
    done = run_nbval(tmp_path, "0.0068\n", CHECKED)
    assert done.returncode == 1, done.stdout
    assert "Cell outputs differ" in done.stdout
    assert "0.0068" in done.stdout


@pytest.mark.parametrize(("stored", "metadata"), [("0.0068\n", {}), (None, CHECKED)])
def test_without_the_tag_or_the_stored_output_nbval_compares_nothing(tmp_path, stored, metadata):
    # Why checks.checks_a_number exists. If nbval grows stricter, that check can go.
    assert run_nbval(tmp_path, stored, metadata).returncode == 0


FINE = "print(0.0067)"


def stage(folder: Path, monkeypatch, **cells: tuple[str, str]) -> check.Outcome:
    """Run the notebook stage on planted notebooks: each the code of a cell, and what it stores."""
    monkeypatch.setattr(check, "ROOT", folder)
    monkeypatch.setattr(check, "LOGS", folder)
    monkeypatch.setattr(check.build_book, "BUILD", folder / "_build")
    (folder / "tools").symlink_to(Path(check.__file__).parent)
    (folder / "notebooks").mkdir()
    for name, (source, stored) in cells.items():
        plant(folder / "notebooks" / f"{name}.ipynb", source, stored, CHECKED)
    return check.notebook_cells(check.Log("planted"))


def test_the_stage_counts_cells_and_runs_one_that_was_late_once_more(tmp_path, monkeypatch):
    # Alone, the second time: the machine may have been busy with something else.
    answers = [["Cell 0 took 11.0 s"], [], []]
    monkeypatch.setattr(check.notebook_tool, "slow", lambda _: answers.pop(0))
    ran = stage(tmp_path, monkeypatch, one=(FINE, "0.0067\n"), two=(FINE, "0.0067\n"))
    log = (tmp_path / "planted.log").read_text()
    assert (ran.passed, ran.failed, answers) == (2, 0, []), log
    kept = sorted(path.name for path in check.build_book.checked_runs().iterdir())
    assert kept == ["one.ipynb", "two.ipynb"]
    assert log.count("$ ") == 2


def test_the_stage_fails_for_a_wrong_number_and_for_a_cell_over_its_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(check.notebook_tool, "slow", lambda s: SLOW(s, cell_budget=1.0))
    ran = stage(
        tmp_path,
        monkeypatch,
        sleeping=("import time\ntime.sleep(1.5)\nprint(1)", "1\n"),
        wrong=(FINE, "0.0068\n"),
    )
    log = (tmp_path / "planted.log").read_text()
    assert ran.failed == 2, log
    assert "notebooks.sleeping.ipynb: Cell 0 took 1." in log
    assert "a cell may take 1 s" in log
    assert "Cell outputs differ" in log


def test_a_notebook_of_many_quick_cells_can_be_too_slow_as_a_whole():
    cells = dict.fromkeys(map(str, range(13)), 5.0)
    assert SLOW(cells) == ["its cells took 65.0 s, and a notebook may take 60 s"]
    cells.popitem()
    assert SLOW(cells) == []
