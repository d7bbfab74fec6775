"""In Binder's JupyterLab every notebook runs unchanged and every control moves a figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import image
import lab
import nbformat
import pytest

NOTEBOOKS = sorted(path.stem for path in (image.ROOT / "notebooks").glob("*.ipynb"))
REPORTS = image.ROOT / "_build" / "binder"
LOG = REPORTS / "server.log"


def test_there_are_notebooks():
    assert NOTEBOOKS, "notebooks/ holds no notebook, so none was opened"


@pytest.fixture(scope="module")
def address(binder_python, checkout, tmp_path_factory) -> Iterator[str]:
    REPORTS.mkdir(parents=True, exist_ok=True)
    own = tmp_path_factory.mktemp("server")
    with lab.server(binder_python, checkout, own, LOG) as address:
        yield address


def visit(name: str, address: str, checkout: Path) -> list[str]:
    """Open and run one notebook, move its controls, and say what did not work."""
    notebook = json.loads((checkout / "notebooks" / f"{name}.ipynb").read_text())
    cells = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    screenshot = REPORTS / f"{name}.png"
    screenshot.unlink(missing_ok=True)
    with lab.page() as (page, seen):
        try:
            lab.open_notebook(page, address, name, cells)
            lab.run_all_cells(page)
            found = list(lab.complaints(page))
            controls = lab.controls(page).all()
            found += [] if controls else ["the notebook shows no control"]
            still = [lab.describe(c) for c in controls if not lab.moves_the_figure(page, c)]
            found += [f"{control} moves no figure" for control in still]
            found += lab.complaints(page)
        except Exception as failure:
            found = [f"{failure}"]
        if found:
            page.screenshot(path=screenshot)
            log = LOG.read_text().splitlines()[-25:]
            found += [f"see {screenshot}; the server's log ends", *log]
    found += [f"{request} was asked of another host" for request in seen.elsewhere]
    found += [text for text in seen.console if "nsatisfied version" in text]
    return found + [str(error) for error in seen.errors]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_runs_and_answers(
    name: str, address: str, binder_python, checkout: Path, tmp_path: Path
):
    problems = visit(name, address, checkout)
    if problems:
        # A kernel now and then stops answering (ipython/ipykernel#1471). What is wrong with the
        # notebook itself is wrong for a new server and kernel too.
        with lab.server(binder_python, checkout, tmp_path, LOG) as fresh:
            problems = visit(name, fresh, checkout)
    assert problems == [], "\n".join(problems)


PLANTED = """
%config InlineBackend.figure_formats = ["svg"]
from IPython.display import HTML, display
from ipywidgets import interact
from matplotlib.figure import Figure

@interact(alive=(1, 9), dead=["first", "second"])
def show(alive, dead):
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([0, alive])
    return figure

display(HTML('<img src="https://example.org/picture.png">'))
""".strip()


def look_at_planted(address: str, cells: int):
    """Run the planted notebook: what moves its figure, its complaints, the hosts that it asked."""
    with lab.page() as (page, seen):
        lab.open_notebook(page, address, "planted", cells)
        lab.run_all_cells(page)
        moved = {
            lab.describe(control): lab.moves_the_figure(page, control, seconds=10)
            for control in lab.controls(page).all()
        }
        complaints = list(lab.complaints(page))
    return moved, complaints, set(seen.elsewhere)


def test_a_dead_control_an_error_and_a_request_elsewhere_are_all_seen(
    address: str, binder_python, checkout: Path, tmp_path: Path
):
    cells = [nbformat.v4.new_code_cell(source) for source in (PLANTED, "1 / 0")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, checkout / "notebooks" / "planted.ipynb")
    moved, complaints, elsewhere = look_at_planted(address, len(cells))
    if not moved.get("alive"):
        # As above: a kernel that stopped answering moves nothing, and a new one does.
        with lab.server(binder_python, checkout, tmp_path, LOG) as fresh:
            moved, complaints, elsewhere = look_at_planted(fresh, len(cells))
    assert moved == {"alive": True, "dead": False}
    assert "ZeroDivisionError" in complaints[0]
    assert elsewhere == {"https://example.org/picture.png"}
