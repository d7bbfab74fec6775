"""A notebook that keeps the rules passes every check; one planted fault fails the check for it."""

from __future__ import annotations

import checks
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

CHECKED = {"tags": ["nbval-check-output"]}
WIDGET = {"tags": ["nbval-ignore-output", "remove-output"]}
FIGURE = {
    "mystnb": {
        "figure": {"name": "decay", "caption": "Half of the cells are gone each day."},
        "image": {"alt": "A curve falls from 1 to 0.007 in 10 days."},
    }
}


def bullets(count: int) -> str:
    return "\n".join(f"- Item {n}." for n in range(count))


def code(source: str, *outputs, metadata: dict | None = None):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata or {})


def stdout(text: str):
    return new_output("stream", name="stdout", text=text)


def picture():
    return new_output("execute_result", data={"text/plain": "<Figure size 400x300 with 1 Axes>"})


TITLE, OBJECTIVES, INSTALL, IMPORTS, NUMBER, SHOWN, TRY, EXERCISES, TAKE_AWAYS, READING = range(10)


@pytest.fixture
def notebook():
    """Make the smallest notebook that keeps every rule."""
    address = checks.ADDRESS.read_address(checks.ROOT)
    exercises = "\n".join(f"### Exercise {n}: recall\n\nHow many?\n" for n in range(1, 4))
    cells = [
        new_markdown_cell("(decay)=\n# Cells that die at a constant rate vanish"),
        new_markdown_cell(f"## Objectives\n\n{bullets(3)}"),
        code(checks.ADDRESS.first_cell(address)),
        code(
            "import numpy as np\nfrom ipywidgets import interact\n\nfrom car_relapse import figures"
        ),
        code("print(f'{np.exp(-5):.4f}')", stdout("0.0067\n"), metadata=CHECKED),
        code("figures.decay(0.5)", picture(), metadata=FIGURE),
        code("interact(figures.decay, rate=(0.1, 2.0))", metadata=WIDGET),
        new_markdown_cell(f"## Exercises\n\n{exercises}"),
        new_markdown_cell(f"## Take-aways\n\n{bullets(3)}"),
        new_markdown_cell(f"## Further reading\n\n{bullets(1)}"),
    ]
    return checks.STORAGE.normalise(nbformat.v4.new_notebook(cells=cells))


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_notebook_that_keeps_the_rules_passes(notebook, check):
    assert check(notebook) == []


def test_a_stored_picture_is_found(notebook):
    notebook.cells[SHOWN].outputs[0].data["image/png"] = "aGVsbG8="
    assert any("outputs" in fault for fault in checks.is_stored(notebook))


def test_stored_widget_state_is_found(notebook):
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    assert any("metadata" in fault for fault in checks.is_stored(notebook))


def test_a_stored_error_is_found(notebook):
    notebook.cells[NUMBER].outputs = [
        new_output("error", ename="ValueError", evalue="no such rate", traceback=[])
    ]
    assert any("ValueError: no such rate" in fault for fault in checks.is_stored(notebook))


def test_two_cells_with_one_identifier_are_found(notebook):
    notebook.cells[NUMBER].id = notebook.cells[SHOWN].id
    assert any("id" in fault for fault in checks.is_stored(notebook))


@pytest.mark.parametrize("change", ["another address", "no cell"])
def test_a_missing_or_stale_install_cell_is_found(notebook, change):
    if change == "no cell":
        del notebook.cells[INSTALL]
    else:
        notebook.cells[INSTALL].source = checks.ADDRESS.first_cell("https://example.org/a/b")
    assert checks.installs_the_package_first(notebook)


@pytest.mark.parametrize(
    ("place", "source", "fault"),
    [
        (TITLE, "No title", "no title"),
        (TITLE, "# " + "word " * 13, "words in the title: 13"),
        (READING, f"## Further reading\n\n{bullets(1)}\n\n# Another", "titles: 2"),
        (OBJECTIVES, f"## Objectives\n\n{bullets(2)}", "items in objectives: 2"),
        (OBJECTIVES, f"## Objectives\n\n{bullets(7)}", "items in objectives: 7"),
        (OBJECTIVES, bullets(3), "'## Objectives'"),
        (EXERCISES, "## Exercises\n\n### Exercise 1\n\n### Exercise 2", "exercises: 2"),
        (EXERCISES, "## Exercises\n\n" + "```{exercise}\n```\n" * 7, "exercises: 7"),
        (EXERCISES, "### Exercise 1", "'## Exercises'"),
        (TAKE_AWAYS, f"## Take-aways\n\n{bullets(6)}", "items in take-aways: 6"),
        (TAKE_AWAYS, f"## Summary\n\n{bullets(3)}", "'## Take-aways'"),
        (READING, f"## Further reading\n\n{bullets(7)}", "items in further reading: 7"),
        (READING, f"```\n## Further reading\n\n{bullets(3)}\n```", "'## Further reading'"),
    ],
)
def test_a_part_that_is_missing_or_out_of_bounds_is_found(notebook, place, source, fault):
    notebook.cells[place].source = source
    assert any(fault in found for found in checks.has_the_anatomy(notebook))


@pytest.mark.parametrize(
    ("outputs", "tags", "fault"),
    [
        ([], CHECKED["tags"], "stores no number"),
        ([stdout("few are left\n")], CHECKED["tags"], "stores no number"),
        ([picture()], CHECKED["tags"], "stores no number"),
        ([stdout("0.0067\n")], [], "no cell is tagged"),
        ([stdout("0.0067\n")], [*CHECKED["tags"], "nbval-ignore-output"], "tagged both"),
    ],
)
def test_a_number_that_nbval_would_not_compare_is_found(notebook, outputs, tags, fault):
    notebook.cells[NUMBER].outputs = outputs
    notebook.cells[NUMBER].metadata["tags"] = tags
    assert any(fault in found for found in checks.checks_a_number(notebook))


@pytest.mark.parametrize(
    "source",
    [
        "axes.plot(x, y)",
        "plt.hist(x)",
        "plot(x)",
        "x = 1;",
        "figure;  # hide",
        "x\nax.set_title('a')",
    ],
)
def test_a_cell_that_leaves_a_stray_text_output_is_found(notebook, source):
    notebook.cells[SHOWN].source = source
    assert checks.ends_cells_cleanly(notebook)


@pytest.mark.parametrize("source", ["figure", "plt.show()", "_ = ax.plot(x)", "# only a remark;-)"])
def test_a_cell_that_ends_cleanly_is_let_through(notebook, source):
    notebook.cells[SHOWN].source = source
    assert checks.ends_cells_cleanly(notebook) == []


@pytest.mark.parametrize(("lines", "fault"), [(26, "over 25"), (7, "median")])
def test_long_cells_are_found(notebook, lines, fault):
    for place in (IMPORTS, NUMBER, SHOWN, TRY):
        notebook.cells[place].source = "x = 1\n" * lines
    assert any(fault in found for found in checks.keeps_cells_short(notebook))


@pytest.mark.parametrize(
    "source",
    [
        "interact(f, x=3)",
        "import ipywidgets as w\nw.FloatSlider()",
        "from ipywidgets import widgets\nwidgets.VBox([])",
        "import ipywidgets\n\n\n@ipywidgets.interact\ndef show(x=3): ...",
    ],
)
@pytest.mark.parametrize("missing", WIDGET["tags"])
def test_a_widget_that_would_be_published_dead_is_found(notebook, source, missing):
    notebook.cells[TRY].source = source
    notebook.cells[TRY].metadata["tags"] = [tag for tag in WIDGET["tags"] if tag != missing]
    faults = checks.tags_its_widgets(notebook)
    assert len(faults) == 1
    assert missing in faults[0]


@pytest.mark.parametrize(
    "source",
    [
        "!ls",
        "files = !ls",
        "%pip install numpy",
        "%%bash\nls",
        "import os\nos.system('ls')",
        "import subprocess\nsubprocess.run(['ls'])",
        "from urllib.request import urlopen",
        "import requests",
        "pd.read_csv('https://example.org/a.csv')",
        "open('/home/me/a.csv')",
        "open('~/a.csv')",
    ],
)
def test_code_that_leaves_the_notebook_is_found(notebook, source):
    notebook.cells[NUMBER].source = source
    assert checks.reaches_nothing_outside(notebook)


def test_an_output_that_shows_a_path_of_the_author_is_found(notebook):
    notebook.cells[NUMBER].outputs = [stdout("/home/me/book/a.csv: 3 rows\n")]
    assert "/home/me/book/" in checks.reaches_nothing_outside(notebook)[0]


@pytest.mark.parametrize("source", ["%matplotlib inline", "unit = 'cells/day'", "ratio = a / b"])
def test_code_that_stays_inside_is_let_through(notebook, source):
    notebook.cells[NUMBER].source = source
    assert checks.reaches_nothing_outside(notebook) == []


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "without a name"),
        ({"figure": {"name": "decay"}, "image": {"alt": "It falls to 0."}}, "without a caption"),
        ({"figure": {"name": "decay", "caption": "word " * 26}}, "26 words"),
        ({"figure": {"name": "decay", "caption": "It falls."}}, "quotes no value"),
        ({"figure": {"name": "decay"}, "image": {"alt": "It falls."}}, "quotes no value"),
    ],
)
def test_a_figure_that_a_reader_cannot_find_or_hear_is_found(notebook, settings, fault):
    notebook.cells[SHOWN].metadata = nbformat.from_dict({"mystnb": settings} if settings else {})
    assert any(fault in found for found in checks.describes_its_figures(notebook))


@pytest.mark.parametrize("tag", ["", r" \tag{2}"])
def test_an_equation_without_its_number_is_found(notebook, tag):
    notebook.cells[OBJECTIVES].source += f"\n\n$$\ns = 1{tag}\n$$\n\nSo $s$ is $$1$$."
    assert checks.numbers_its_equations(notebook)


def test_a_line_break_that_the_site_cannot_number_is_found(notebook):
    lines = r"\begin{aligned} a \\ b \end{aligned} \tag{1}"
    notebook.cells[OBJECTIVES].source += f"\n\n$$\n{lines}\n$$"
    assert checks.numbers_its_equations(notebook)


def test_equations_numbered_in_their_order_pass(notebook):
    for place, number in ((OBJECTIVES, 1), (READING, 2)):
        notebook.cells[place].source += f"\n\n$$\ns = 1 \\tag{{{number}}}\n$$"
    assert checks.numbers_its_equations(notebook) == []
