"""Run the notebooks for the site, two at a time, and say how that went.

    python tools/notebook_runs.py CACHE CHECKED

Runs go into the CACHE of the site's build, which then runs nothing itself; a notebook whose code
is there already is not run again, nor is one that has just passed nbval (`keep_runs.py` put that
run into CHECKED). What the page *How the notebooks ran* shows is written into
`_build/verification/notebook-runs.json`. `make book` calls this before it builds the site. A
notebook that fails is not put into the cache: the build runs it again, shows why, and fails.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

import notebooks

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "_build" / "verification" / "notebook-runs.json"
PROCESSES = 2
PACKAGES = ("car-relapse", "numpy", "scipy", "matplotlib", "ipywidgets", "ipykernel", "jupyterlab")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Row = dict[str, Any]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a notebook meets."""
    return {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def run(path: Path) -> tuple[nbformat.NotebookNode | None, Row]:
    """Run a notebook; return it with its outputs (None when it failed), and its row."""
    for attempt in ("first", "second"):
        notebook = nbformat.read(path, as_version=4)
        try:
            seconds = notebooks.execute(notebook, path.parent)
        except notebooks.NotebookError as problem:
            why = [line for line in COLOUR.sub("", str(problem)).splitlines() if line.strip()]
            # Now and then a client sleeps through a kernel's answer, or a kernel dies at its start.
            if attempt == "first" and any("timed out" in line or "died" in line for line in why):
                continue
            return None, {"name": path.stem, "passed": False, "message": why[-1] if why else ""}
        break
    return notebook, row_of(path, seconds)


def row_of(path: Path, seconds: Mapping[int, float]) -> Row:
    """Return the row of a run that reached its end."""
    slowest = max(seconds, key=lambda number: seconds[number], default=0)
    return {
        "name": path.stem,
        "passed": True,
        "cells": len(seconds),
        "seconds": round(sum(seconds.values()), 1),
        "slowest": slowest,
        "slowest_seconds": round(seconds.get(slowest, 0.0), 1),
        "versions": versions(),
    }


def code(notebook: nbformat.NotebookNode) -> list[Any]:
    """Return the cells that run, without what they showed."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell.source, cell.metadata) for cell in cells]


def checked(path: Path, folder: Path) -> tuple[nbformat.NotebookNode, Row] | None:
    """Return the run that passed nbval, and its row, when it was one of this very code."""
    if not (folder / path.name).is_file():
        return None
    notebook = nbformat.read(folder / path.name, as_version=4)
    if code(notebook) != code(nbformat.read(path, as_version=4)):
        return None
    seconds = notebook.metadata.pop("seconds")
    return notebook, row_of(path, {int(number): taken for number, taken in seconds.items()})


def kept(cache: Any, path: Path) -> Row | None:
    """Return the row of a run that the cache holds."""
    try:
        record = cache.match_cache_notebook(nbformat.read(path, as_version=4))
    except KeyError:
        return None
    row = record.data.get("row")
    return row and {**row, "name": path.stem}


def run_all(paths: Sequence[Path], cache_folder: Path, checked_folder: Path) -> list[Row]:
    """Run what the cache lacks and nbval did not, and return the rows in the order of the paths."""
    cache = get_cache(cache_folder)
    rows = {path: kept(cache, path) for path in paths}
    lacking = [path for path, row in rows.items() if row is None]
    found = {path: checked(path, checked_folder) for path in lacking}
    wanted = [path for path, passed in found.items() if passed is None]
    with ProcessPoolExecutor(PROCESSES) as pool:
        ran = zip(wanted, pool.map(run, wanted), strict=True)
        taken = ((path, passed) for path, passed in found.items() if passed is not None)
        for path, (notebook, row) in chain(taken, ran):
            rows[path] = row
            print(f"{path.name}: {outcome(row)}", flush=True)
            if notebook is not None:
                data = {"execution_seconds": row["seconds"], "row": row}
                bundle = CacheBundleIn(notebook, str(path), data=data)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return [row for row in rows.values() if row is not None]


def outcome(row: Row) -> str:
    """Say in a few words what came of a run."""
    if not row["passed"]:
        return f"failed: {row['message']}"
    return f"{row['seconds']} s, slowest cell {row['slowest_seconds']} s"


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows, with the numbers that the text quotes."""
    ran = [row for row in rows if row["passed"]]
    numbers = {
        "total": len(rows),
        "passed": len(ran),
        "failed": len(rows) - len(ran),
        "seconds": round(sum(row["seconds"] for row in ran)),
        "longest": round(max((row["seconds"] for row in ran), default=0)),
        "notebook_budget": notebooks.NOTEBOOK_BUDGET,
        "cell_budget": notebooks.CELL_BUDGET,
    }
    quoted = {key: {"value": number, "text": str(number)} for key, number in numbers.items()}
    return {"numbers": quoted, "rows": list(rows)}


def main(arguments: list[str]) -> int:
    """Run the notebooks and write the report; the build tells of failures."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    rows = run_all(paths, *map(Path, arguments))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report(rows), ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{sum(row['passed'] for row in rows)} of {len(paths)} notebooks ran")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
