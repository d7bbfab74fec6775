"""nbval, called as the notebook stage calls it, notices a wrong number in a tagged cell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

CHECKED = {"tags": ["nbval-check-output"]}


def run_nbval(folder: Path, stored: str | None, metadata: dict) -> subprocess.CompletedProcess[str]:
    """Run nbval on a notebook that prints 0.0067 and was stored with `stored`, or unrun."""
    cell = new_code_cell("print(0.0067)", metadata=metadata)
    if stored is not None:
        cell.execution_count = 1
        cell.outputs = [new_output("stream", name="stdout", text=stored)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), folder / "number.ipynb")
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
