"""Notebooks state their minutes in typed numbers, because JupyterLab knows no role: they agree."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
from minutes import PageTime, page_time

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ROW = re.compile(
    r"^\| (?:\[.*?\]\((?P<page>[^)]+)\)|This notebook) \|[^|]*\| (?P<minutes>[^|]*) \|$"
)
OWN = re.compile(r"(\d+) to read, (\d+) for the exercises")
TOLERANCE = 1  # minutes; a sentence more in a chapter need not touch every notebook that names it


def time_of(page: Path) -> PageTime:
    """Count the words of a page as the build counted them."""
    name = page.relative_to(ROOT).with_suffix(".doctree")
    with (ROOT / "_build" / ".doctrees" / name).open("rb") as stream:
        return page_time(pickle.load(stream))


def stated(notebook: Path) -> list[tuple[Path, str]]:
    """Give the rows of the table "Before you start" that name a page, and the minutes there."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = "".join(line for cell in cells for line in [*cell["source"], "\n"]).splitlines()
    found = [match for line in lines if (match := ROW.match(line))]
    return [
        ((notebook.parent / row["page"]).resolve() if row["page"] else notebook, row["minutes"])
        for row in found
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestEveryNotebook:
    def test_states_its_own_minutes(self, notebook):
        assert [text for page, text in stated(notebook) if page == notebook and OWN.match(text)]

    def test_states_minutes_that_the_words_agree_with(self, notebook):
        for page, text in stated(notebook):
            time = time_of(page)
            if page != notebook:
                assert abs(int(text) - time.reading) <= TOLERANCE, (page.stem, text, time)
                continue
            reading, exercises = map(int, OWN.match(text).groups())
            assert abs(reading - time.reading) <= TOLERANCE, time
            assert exercises == sum(time.exercises), time
