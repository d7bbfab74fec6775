"""The page of runs shows what ran for this site, and also what failed or was not run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import notebook_runs
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from small_book import build_small_book, built_page

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}


def write(folder: Path, name: str, *codes: str) -> Path:
    path = folder / f"{name}.ipynb"
    cells = [new_code_cell(code) for code in codes]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), path)
    return path


def test_runs_are_kept_with_their_times_and_versions_and_a_failure_is_not(tmp_path):
    good = write(tmp_path, "good", "print(1)", "import time\ntime.sleep(0.3)", "2")
    bad = write(tmp_path, "bad", "1 / 0")
    rows = notebook_runs.run_all([bad, good], tmp_path / "cache", tmp_path / "checked")
    assert rows[0] == {
        "name": "bad",
        "passed": False,
        "message": "ZeroDivisionError: division by zero",
    }
    assert (rows[1]["name"], rows[1]["passed"], rows[1]["cells"]) == ("good", True, 3)
    assert rows[1]["slowest"] == 2
    assert rows[1]["seconds"] >= rows[1]["slowest_seconds"] >= 0.3
    assert rows[1]["versions"] == notebook_runs.versions()
    cache = notebook_runs.get_cache(tmp_path / "cache")
    assert notebook_runs.kept(cache, good) == rows[1]
    assert notebook_runs.kept(cache, bad) is None
    _, merged = cache.merge_match_into_notebook(nbformat.read(good, as_version=4))
    assert merged.cells[0].outputs[0].text == "1\n"


def test_what_the_cache_holds_is_not_run_again(tmp_path, monkeypatch):
    path = write(tmp_path, "one", "1")
    row = {"name": "one", "passed": True, "seconds": 1.0, "slowest_seconds": 1.0}
    monkeypatch.setattr(notebook_runs, "kept", lambda cache, path: row)
    monkeypatch.setattr(notebook_runs, "run", None)
    assert notebook_runs.run_all([path], tmp_path / "cache", tmp_path / "checked") == [row]


def test_the_site_takes_the_run_that_nbval_compared_and_no_other(tmp_path, monkeypatch):
    good = write(tmp_path, "good", "import time\ntime.sleep(0.3)", "print(6 * 7)", "'seven'")
    # Both ran once and printed 1, as far as the files say.
    for name in ("wrong", "changed"):
        write(tmp_path, name, "# NBVAL_CHECK_OUTPUT\nprint(2)", "print(3)")
        notebook = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4)
        notebook.cells[0].execution_count = 1
        printed = "1\n" if name == "wrong" else "2\n"
        notebook.cells[0].outputs = [new_output("stream", name="stdout", text=printed)]
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    checked = tmp_path / "checked"
    nbval = ("-p", "tools.keep_runs", f"--keep-runs={checked}", "--nbval-lax")
    command = (sys.executable, "-m", "pytest", "-q", *nbval, "--nbval-current-env", tmp_path)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 6 passed" in done.stdout
    assert {path.name for path in checked.iterdir()} == {"good.ipynb", "changed.ipynb"}

    write(tmp_path, "changed", "print(2)", "print(4)")
    assert notebook_runs.checked(tmp_path / "changed.ipynb", checked) is None
    assert notebook_runs.checked(tmp_path / "wrong.ipynb", checked) is None
    monkeypatch.setattr(notebook_runs, "run", None)
    (row,) = notebook_runs.run_all([good], tmp_path / "cache", checked)
    assert (row["name"], row["passed"], row["cells"], row["slowest"]) == ("good", True, 3, 1)
    assert 0.3 <= row["slowest_seconds"] <= row["seconds"]
    cache = notebook_runs.get_cache(tmp_path / "cache")
    _, merged = cache.merge_match_into_notebook(nbformat.read(good, as_version=4))
    assert merged.cells[1].outputs[0].text == "42\n"
    assert merged.cells[2].outputs[0].data["text/plain"] == "'seven'"
    assert [cell.execution_count for cell in merged.cells] == [1, 2, 3]


@pytest.mark.parametrize(("message", "runs"), [("A cell timed out", 2), ("ValueError: no", 1)])
def test_a_kernel_that_did_not_answer_is_asked_once_more(tmp_path, monkeypatch, message, runs):
    calls = []

    def fail(*_):
        calls.append(1)
        raise notebook_runs.notebooks.NotebookError(message)

    monkeypatch.setattr(notebook_runs.notebooks, "execute", fail)
    assert notebook_runs.run(write(tmp_path, "one", "1"))[1]["passed"] is False
    assert len(calls) == runs


PAGE = "# Runs\n\n```{notebook-runs}\n```\n\n```{notebook-versions}\n```\n"
ROWS = [
    {
        **{"name": "fine", "passed": True, "cells": 3, "seconds": 4.5},
        **{"slowest": 2, "slowest_seconds": 1.25, "versions": {"Python": "3.11.0", "numpy": "2"}},
    },
    {"name": "broken", "passed": False, "message": "ValueError: a_b is *bad*"},
]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Lay out a book of three notebooks, of which two were run."""
    (tmp_path / "index.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    for name in ("fine", "broken", "forgotten"):
        title = f"---\norphan: true\n---\n# The {name} one\n"
        (tmp_path / "notebooks" / f"{name}.md").write_text(title, encoding="utf-8")
    return tmp_path


def test_a_failed_and_a_forgotten_notebook_show_as_such(book):
    report = book / "_build" / "verification" / "notebook-runs.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps(notebook_runs.report(ROWS)), encoding="utf-8")
    _, warned = build_small_book(book, ["runs"])
    assert warned == ""
    text = re.sub(r"<[^>]+>", "", built_page(book))
    lines = " ".join(text.split())
    assert "The fine one ✓ ran to its end 3 4.5 1.25 s, cell 2" in lines
    assert "The broken one ✗ failed: ValueError: a_b is *bad*" in lines
    assert "The forgotten one ✗ not run" in lines
    assert "Python 3.11.0" in lines


def test_without_a_report_the_page_says_how_to_make_one(book):
    _, warned = build_small_book(book, ["runs"])
    assert "notebook-runs.json is not there; build the book with `make book`" in warned


def test_the_numbers_that_the_text_quotes_are_those_of_the_rows():
    numbers = notebook_runs.report(ROWS)["numbers"]
    assert {key: number["text"] for key, number in numbers.items()} == {
        **{"total": "2", "passed": "1", "failed": "1", "seconds": "4", "longest": "4"},
        **{"notebook_budget": "60", "cell_budget": "10"},
    }
