"""In Binder's JupyterLab every notebook runs unchanged and every control moves a figure.

Each control has a label that can be read, and works with the mouse and by keyboard. Several
processes share the notebooks out, each with a server and a browser of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import controls
import image
import lab
import nbformat
import pytest
from playwright.sync_api import Browser, Page

NOTEBOOKS = sorted(path.stem for path in (image.ROOT / "notebooks").glob("*.ipynb"))
REPORTS = image.ROOT / "_build" / "binder"
LOG = REPORTS / f"server-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}.log"


def test_there_are_notebooks():
    assert NOTEBOOKS, "notebooks/ holds no notebook, so none was opened"


@pytest.fixture(scope="module")
def address(binder_python, checkout, tmp_path_factory) -> Iterator[str]:
    REPORTS.mkdir(parents=True, exist_ok=True)
    own = tmp_path_factory.mktemp("server")
    with lab.server(binder_python, checkout, own, LOG) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with lab.chromium() as program:
        yield program


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[tuple[Page, lab.Seen]]:
    with lab.window(chromium) as opened:
        yield opened


def visit(
    name: str, address: str, checkout: Path, page: Page, seen: lab.Seen, *, to_the_end: bool
) -> list[str]:
    """Open and run one notebook, move its controls, and say what did not work.

    Unless it goes to the end, it stops at the first control or button that has a fault.
    """
    seen.forget()
    notebook = json.loads((checkout / "notebooks" / f"{name}.ipynb").read_text())
    cells = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    screenshot = REPORTS / f"{name}.png"
    screenshot.unlink(missing_ok=True)
    try:
        lab.open_notebook(page, address, name, cells)
        lab.run_all_cells(page)
        found = list(lab.complaints(page))
        shown = controls.controls(page)
        found += [] if shown else ["the notebook shows no control"]
        looks = [partial(controls.faults, page, control) for control in shown]
        looks += [partial(controls.button_faults, page, one) for one in controls.buttons(page)]
        for look in looks:
            if found and not to_the_end:
                break
            found += look()
        found += lab.complaints(page)
    # Whatever stopped the visit is what is wrong with the notebook; the second visit, the picture
    # and the server's log need it as words.
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
    name: str, address: str, chromium, window, binder_python, checkout: Path, tmp_path: Path
):
    problems = visit(name, address, checkout, *window, to_the_end=False)
    if problems:
        window[0].goto("about:blank")  # so that the next notebook loads Lab anew
        # A busy machine may start a kernel or draw a control too late. What is wrong with the
        # notebook itself is wrong for a new server, window and kernel too.
        new_server = lab.server(binder_python, checkout, tmp_path, LOG)
        with new_server as fresh, lab.window(chromium) as (page, seen):
            problems = visit(name, fresh, checkout, page, seen, to_the_end=True)
    assert problems == [], "\n".join(problems)


PLANTED = """
%config InlineBackend.figure_formats = ["svg"]
from IPython.display import HTML, display
from ipywidgets import Button, Checkbox, IntSlider, interact
from matplotlib.figure import Figure

@interact(alive=(1, 9), dead=["first", "second"], bare=IntSlider(1, 1, 9, description=" "),
          choice=["a", "bb", "ccc"], tick=Checkbox(description="tick"))
def show(alive, dead, bare, choice, tick):
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([bare, alive, 3 * tick, len(choice)])
    return figure

display(HTML('<img src="https://example.org/picture.png">'))
""".strip()
PLANTED_BUTTONS = """
dumb, loud = Button(description="Dumb"), Button(description="Loud")
out = __import__("ipywidgets").Label("0")
loud.on_click(lambda _: setattr(out, "value", out.value + "1"))
display(dumb, loud, out)
""".strip()
UNREACHABLE = "c => c.querySelector('.noUi-handle').setAttribute('tabindex', '-1')"


def look_at_planted(chromium: Browser, address: str, cells: int):
    """Run the planted notebook; return the faults by control, its complaints, the hosts asked."""
    with lab.window(chromium) as (page, seen):
        lab.open_notebook(page, address, "planted", cells)
        lab.run_all_cells(page)
        found = {}
        for control in controls.controls(page):
            name = controls.describe(control) or "without a label"
            found[name] = controls.faults(page, control, seconds=10)
        alive = controls.controls(page)[0]
        alive.evaluate(UNREACHABLE)
        found["unreachable"] = controls.faults(page, alive, seconds=5)
        for button in controls.buttons(page):
            found[button.text_content()] = controls.button_faults(page, button, seconds=5)
        complaints = list(lab.complaints(page))
    return found, complaints, set(seen.elsewhere)


def test_a_dead_control_an_error_and_a_request_elsewhere_are_all_seen(
    address: str, chromium, binder_python, checkout: Path, tmp_path: Path
):
    sources = (PLANTED, PLANTED_BUTTONS, "1 / 0")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, checkout / "notebooks" / "planted.ipynb")
    found, complaints, elsewhere = look_at_planted(chromium, address, len(cells))
    if found.get("alive"):
        # As above: what a busy machine did not draw in time, it draws the second time.
        with lab.server(binder_python, checkout, tmp_path, LOG) as fresh:
            found, complaints, elsewhere = look_at_planted(chromium, fresh, len(cells))
    assert found == {
        **{"alive": [], "tick": [], "choice": [], "Loud": []},
        "dead": ["dead moves no figure with the mouse", "dead moves no figure by keyboard"],
        "without a label": ["a control has no visible label"],
        "unreachable": ["alive moves no figure by keyboard"],
        "Dumb": ["button Dumb says nothing with the mouse", "button Dumb says nothing by keyboard"],
    }
    assert "ZeroDivisionError" in complaints[0]
    assert elsewhere == {"https://example.org/picture.png"}
