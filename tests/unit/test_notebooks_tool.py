"""The notebook tool stores text alone, the same way every time, and refuses what it should."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SCRIPT = Path(__file__).parents[2] / "tools" / "notebooks.py"

spec = importlib.util.spec_from_file_location("notebooks_tool", SCRIPT)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

FIGURE = "from matplotlib.figure import Figure\nFigure()"
SLIDER = "from ipywidgets import FloatSlider\nFloatSlider()"
WIDGET_TAGS = sorted(tool.WIDGET_TAGS)


def write(folder: Path, *codes: str | tuple[str, dict]) -> Path:
    """Write a notebook of code cells, each with metadata or without; return its path."""
    cells = [new_markdown_cell("# A title")]
    for code in codes:
        source, metadata = (code, {}) if isinstance(code, str) else code
        cells.append(new_code_cell(source, metadata=metadata))
    path = folder / "one.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> str:
    """Run a notebook with text, a picture and a widget; return the file that is stored."""
    folder = tmp_path_factory.mktemp("stored")
    path = write(folder, "print(1)\nprint(2)", FIGURE, (SLIDER, {"tags": WIDGET_TAGS}), "2 + 2")
    assert tool.main([str(path)]) == 0
    return path.read_text()


@pytest.fixture
def path(tmp_path, stored) -> Path:
    """Copy the stored notebook, to be changed."""
    copy = tmp_path / "one.ipynb"
    copy.write_text(stored)
    return copy


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def labelled(name: str) -> dict:
    return {"mystnb": {"figure": {"name": name}, "image": {"width": "80%"}}}


def test_a_run_stores_text_and_drops_pictures_and_widgets(path):
    printed, shown, slider, result = (cell.outputs for cell in read(path).cells[1:])
    assert printed[0].text == "1\n2\n"
    assert dict(shown[0].data) == {"text/plain": "<Figure size 640x480 with 0 Axes>"}
    assert slider == []
    assert dict(result[0].data) == {"text/plain": "4"}
    assert "image/png" not in path.read_text()
    assert "widget-state" not in path.read_text()


def test_a_stored_notebook_passes_its_own_check(path):
    assert tool.check(path) == []
    assert tool.main(["--check", str(path)]) == 0


def test_a_second_run_writes_the_same_bytes(path, stored):
    tool.main([str(path)])
    assert path.read_text() == stored


def test_cells_count_from_one_whatever_was_run_before(path):
    notebook = read(path)
    notebook.cells[1].execution_count = 17
    nbformat.write(notebook, path)
    tool.main(["--captions", str(path)])
    assert [cell.execution_count for cell in read(path).cells[1:]] == [1, 2, 3, 4]


def test_identifiers_are_kept_and_missing_ones_follow_from_the_text():
    cells = [new_code_cell("a", id="mine"), new_code_cell("b"), new_code_cell("b")]
    notebook = new_notebook(cells=cells)
    del cells[1]["id"], cells[2]["id"]
    first, second = tool.normalise(notebook), tool.normalise(notebook)
    identifiers = [cell.id for cell in first.cells]
    assert identifiers[0] == "mine"
    assert len(set(identifiers)) == 3
    assert identifiers == [cell.id for cell in second.cells]


def test_metadata_of_one_machine_are_dropped_and_the_authors_kept():
    metadata = {"tags": ["a"], "execution": {"iopub.status.busy": "now"}, "colab": {}}
    notebook = new_notebook(
        cells=[new_code_cell("1", metadata=metadata)],
        metadata={
            "title": "T",
            "widgets": {},
            "language_info": {"name": "python", "version": "3.9"},
        },
    )
    stored = tool.normalise(notebook)
    assert stored.cells[0].metadata == {"tags": ["a"]}
    assert stored.metadata == {**tool.METADATA, "title": "T"}


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (new_output("stream", name="stderr", text="mind\n"), "cell 1 writes to stderr: mind"),
        (new_output("stream", text="<object at 0x7fd02cf92e80>"), "memory address, 0x7fd02cf92e80"),
        (new_output("stream", text="a 0.33333333333"), "prints 0.33333333333: round it"),
        (new_output("display_data", data={tool.WIDGET: {}}), "nbval-ignore-output, remove-output"),
    ],
)
def test_an_output_that_cannot_be_stored_is_a_problem(output, complaint):
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[output])])
    (problem,) = tool.problems(notebook)
    assert complaint in problem


@pytest.mark.parametrize(
    "text",
    ["1.2345678", "0.00012345678", "1000000000000", "1e-12", "10.1016/j.cnsns.2020.105570"],
)
def test_a_rounded_number_is_no_problem(text):
    cell = new_code_cell("1", outputs=[new_output("stream", text=text)])
    assert tool.problems(new_notebook(cells=[cell])) == []


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ((SLIDER, {"tags": ["remove-output"]}), "nbval-ignore-output"),
    ],
)
def test_a_notebook_with_a_problem_is_named_and_left_as_it_was(tmp_path, capsys, code, complaint):
    path = write(tmp_path, code)
    before = path.read_bytes()
    assert tool.main([str(path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("one.ipynb: ")
    assert complaint in message
    assert path.read_bytes() == before


def test_a_hung_cell_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tool, "CELL_TIMEOUT", 1)
    assert tool.main([str(write(tmp_path, "import time\ntime.sleep(60)"))]) == 1
    assert "timed out" in capsys.readouterr().err.lower()


def test_an_attached_file_is_a_problem():
    cell = new_markdown_cell("![](attachment:a.png)", attachments={"a.png": {"image/png": "aA=="}})
    assert "attached file" in tool.problems(new_notebook(cells=[cell]))[0]


@pytest.fixture
def figure(monkeypatch):
    """Put one figure into the registry, to be changed."""
    figure = SimpleNamespace(caption="It falls.", alt="It falls from 1 to 0.")
    monkeypatch.setattr(tool, "registry", lambda: {"decay": figure})
    return figure


def test_captions_come_from_the_registry_without_a_run(tmp_path, figure):
    path = write(tmp_path, ("raise SystemExit", labelled("decay")))
    assert tool.main(["--captions", str(path)]) == 0
    assert read(path).cells[1].metadata["mystnb"] == {
        "figure": {"name": "decay", "caption": "It falls."},
        "image": {"width": "80%", "alt": "It falls from 1 to 0."},
    }


def test_a_caption_that_no_longer_agrees_with_the_package_is_found(tmp_path, figure):
    path = write(tmp_path, (FIGURE, labelled("decay")))
    tool.main(["--captions", str(path)])
    assert tool.check(path) == []
    figure.alt = "It falls from 1 to 0.5."
    assert tool.check(path) == ["cell 2: caption or alt text is not that of car_relapse.figures"]


@pytest.mark.usefixtures("figure")
@pytest.mark.parametrize("mode", ["--captions", "--check"])
def test_a_label_that_the_package_does_not_know_is_named(tmp_path, capsys, mode):
    path = write(tmp_path, (FIGURE, labelled("growth")))
    assert tool.main([mode, str(path)]) == 1
    assert "no figure is labelled 'growth'" in capsys.readouterr().err


def put_a_picture(notebook):
    notebook["cells"][2]["outputs"][0]["data"]["image/png"] = "aA=="


def put_widget_state(notebook):
    notebook["metadata"]["widgets"] = {}


def put_another_count(notebook):
    notebook["cells"][1]["execution_count"] = 4


def take_an_identifier(notebook):
    del notebook["cells"][1]["id"]


def nothing(notebook):
    """Leave the notebook; that it was written with another indent is the fault."""


@pytest.mark.parametrize(
    ("plant", "complaint"),
    [
        (put_a_picture, "outputs"),
        (put_widget_state, "metadata"),
        (put_another_count, "execution_count"),
        (take_an_identifier, "'id' is a required property"),
        (nothing, "laid out"),
    ],
)
def test_the_check_says_what_is_not_as_stored_and_changes_nothing(path, capsys, plant, complaint):
    notebook = json.loads(path.read_text())
    plant(notebook)
    path.write_text(json.dumps(notebook, indent=4))
    before = path.read_bytes()
    assert tool.main(["--check", str(path)]) == 1
    assert complaint in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_tree_without_notebooks_fails(tmp_path, capsys):
    assert tool.main(["--check"], tmp_path) == 1
    assert "there is no notebook" in capsys.readouterr().err
