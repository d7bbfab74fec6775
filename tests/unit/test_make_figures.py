"""The figure tool: its hash, its files, and what its check says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from car_relapse.figures import Drawing, Quoted

SCRIPT = Path(__file__).parents[2] / "tools" / "make_figures.py"

spec = importlib.util.spec_from_file_location("make_figures_tool", SCRIPT)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


def drawing(third: float = 1 / 3) -> Drawing:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1], [0, third])
    return Drawing(
        figure=figure,
        caption="A line, µ.",
        alt="From 0 to 0.33.",
        numbers={"end": Quoted(value=third, text="0.33")},
        data={"x": np.array([0.0, 1.0]), "y": np.array([0.0, third])},
    )


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """Give a project with a package of two files and one figure."""
    package = tmp_path / "src" / "car_relapse" / "data"
    package.mkdir(parents=True)
    (package.parent / "model.py").write_text("X = 1\n", encoding="utf-8")
    (package / "table.csv").write_text("a\n1\n", encoding="utf-8")
    (tmp_path / "figures").mkdir()
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(tool, "builders", lambda: {"line": drawing})
    return tmp_path


def test_all_four_files_are_written_and_then_pass_the_check(project, capsys):
    assert tool.main([]) == 0
    assert {path.name for path in (project / "figures").iterdir()} == {
        "line.svg",
        "line.png",
        "line.csv",
        "line.json",
    }
    assert tool.main(["--check"]) == 0
    assert capsys.readouterr().out == "figures/line.svg\n"


def test_the_check_changes_nothing_and_names_what_to_do(project, capsys):
    assert tool.main(["--check"]) == 1
    assert list((project / "figures").iterdir()) == []
    assert capsys.readouterr().out == (
        "figures/line was made by other code or data; run 'make figures'\n"
    )


@pytest.mark.parametrize("name", ["model.py", "data/table.csv"])
def test_a_change_of_code_or_data_makes_figures_stale(project, name):
    tool.main([])
    path = project / "src" / "car_relapse" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert tool.stale(tool.source_hash()) == ["line"]


def test_a_file_that_moves_makes_figures_stale(project):
    before = tool.source_hash()
    package = project / "src" / "car_relapse"
    (package / "model.py").rename(package / "other.py")
    assert tool.source_hash() != before


def test_what_is_neither_code_nor_data_makes_no_figure_stale(project):
    before = tool.source_hash()
    (project / "src" / "car_relapse" / "py.typed").touch()
    assert tool.source_hash() == before


@pytest.mark.parametrize("kind", tool.KINDS)
def test_a_figure_that_lacks_a_file_is_stale(project, kind):
    tool.main([])
    (project / "figures" / f"line{kind}").unlink()
    assert tool.stale(tool.source_hash()) == ["line"]


def test_the_words_keep_their_letters_and_numbers_have_twelve_digits():
    text = tool.sidecar(drawing(), "hash")
    assert "µ" in text
    assert json.loads(text) == {
        "caption": "A line, µ.",
        "alt": "From 0 to 0.33.",
        "numbers": {"end": {"value": 0.333333333333, "text": "0.33"}},
        "source": "hash",
    }


def test_the_table_has_a_header_and_ten_digits():
    assert tool.table(drawing()) == "x,y\n0,0\n1,0.3333333333\n"


def test_columns_of_unequal_length_are_refused():
    odd = drawing()
    odd.data["x"] = np.array([0.0])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        tool.table(odd)
