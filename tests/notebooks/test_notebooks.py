"""Every notebook of the book keeps every rule of checks.py."""

from __future__ import annotations

from pathlib import Path

import checks
import nbformat
import pytest

NOTEBOOKS = sorted((checks.ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS, "notebooks/ holds no notebook, so nothing was checked"


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook(path: Path, check):
    notebook = nbformat.reader.reads(path.read_text(encoding="utf-8"))
    faults = check(notebook)
    assert not faults, "\n".join([path.name, *faults])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_file_is_as_the_tool_stores_it(path: Path):
    assert checks.STORAGE.check(path) == []
