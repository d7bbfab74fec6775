"""The files in figures/ are those that the code draws now, and the check of that can fail."""

from __future__ import annotations

import json
import re
import shutil

import make_figures
import pytest
import sidecars

from car_relapse import figures


def draw(slug, drawing, folder):
    """Write one figure anew into a folder."""
    make_figures.write(slug, drawing, make_figures.source_hash(), folder)
    return folder


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Give a folder in which one figure was written anew."""
    return draw("jackpots", figures.jackpots(), tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """Give the tool a copy of the stored figures that a test may spoil."""
    shutil.copytree(make_figures.FOLDER, tmp_path / "figures")
    monkeypatch.setattr(make_figures, "FOLDER", tmp_path / "figures")
    return tmp_path / "figures"


def test_stored_figures_are_those_that_exist():
    stored = {
        path.stem for kind in make_figures.KINDS for path in make_figures.FOLDER.glob(f"*{kind}")
    }
    assert stored == set(figures.builders())


def test_no_stored_figure_is_stale():
    assert make_figures.stale(make_figures.source_hash()) == []


def test_a_stored_figure_agrees_with_one_drawn_now(slug, drawing, tmp_path):
    redrawn = draw(slug, drawing, tmp_path)
    assert sidecars.differences(slug, make_figures.FOLDER, redrawn) == []


def test_drawing_twice_writes_the_same_bytes(fresh, tmp_path):
    again = draw("jackpots", figures.jackpots(), tmp_path)
    for kind in make_figures.KINDS:
        name = f"jackpots{kind}"
        assert (again / name).read_bytes() == (fresh / name).read_bytes(), name


def test_a_planted_stale_hash_is_noticed(copies, capsys):
    assert make_figures.main(["--check"]) == 0
    path = copies / "jackpots.json"
    path.write_text(re.sub('"source": ".', '"source": "x', path.read_text("utf-8")), "utf-8")
    assert make_figures.main(["--check"]) == 1
    assert "figures/jackpots was made by other code or data" in capsys.readouterr().out


@pytest.mark.parametrize("kind", make_figures.KINDS)
def test_a_missing_file_is_noticed(copies, kind):
    (copies / f"jackpots{kind}").unlink()
    assert make_figures.stale(make_figures.source_hash()) == ["jackpots"]


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (("numbers", "median", "value"), 3.0 * (1 + 1e-8), "value of median"),
        (("numbers", "median", "text"), "4.0", "text of median: 4.0 is now 3"),
        (("caption",), "A caption.", "caption"),
        (("alt",), "A text of 2 words, 3 or 4.", "alt"),
    ],
)
def test_a_planted_wrong_number_or_word_is_noticed(copies, fresh, place, wrong, message):
    path = copies / "jackpots.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = wrong
    path.write_text(json.dumps(content), encoding="utf-8")
    (found,) = sidecars.differences("jackpots", copies, fresh)
    assert found.startswith(message)


def test_a_number_that_has_gone_is_noticed(copies, fresh):
    path = copies / "jackpots.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["numbers"]["median"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert sidecars.differences("jackpots", copies, fresh) == ["names of the numbers"]


def test_a_planted_wrong_value_in_the_data_is_noticed(copies, fresh):
    path = copies / "jackpots.csv"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    cells[1] = f"{float(cells[1]) * (1 + 1e-7):.12g}"
    path.write_text("\n".join([header, ",".join(cells), *rest]), encoding="utf-8")
    assert sidecars.differences("jackpots", copies, fresh) == ["data column exact"]


def test_a_planted_shorter_or_renamed_table_is_noticed(copies, fresh):
    path = copies / "jackpots.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:-1]), encoding="utf-8")
    assert len(sidecars.differences("jackpots", copies, fresh)) == 3
    path.write_text("\n".join(["a,b,c", *lines[1:]]), encoding="utf-8")
    assert sidecars.differences("jackpots", copies, fresh) == ["columns of the data"]


def test_a_planted_other_picture_is_noticed(copies, fresh):
    path = copies / "jackpots.svg"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'd="M (\d+)', r'd="M 1\1', text, count=1), encoding="utf-8")
    assert sidecars.differences("jackpots", copies, fresh) == ["points of the picture"]
    shutil.copy(copies / "pre-existence.svg", path)
    assert sidecars.differences("jackpots", copies, fresh) == ["elements of the picture"]
    path.write_text(text, encoding="utf-8")
    shutil.copy(copies / "cohort-outcome.png", copies / "jackpots.png")
    assert sidecars.differences("jackpots", copies, fresh) == ["size of the .png"]
