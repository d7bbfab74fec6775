"""A kept result is used again until what it follows from changes; a fault is never kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests import kept


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Keep results apart from the real ones; give the folder of a check."""
    for name in ("src", "requirements", "checks"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "law.py").write_text("one")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "kept")
    kept.fingerprint.cache_clear()
    yield tmp_path / "checks"
    kept.fingerprint.cache_clear()


def ask(folder: Path, value: int, name: str = "check") -> int:
    result = kept.kept(name, (folder,), lambda: {"value": value}, lambda found: found["value"] > 0)
    return result["value"]


def test_a_result_is_used_again(folder):
    assert ask(folder, 1) == 1
    assert ask(folder, 2) == 1
    assert ask(folder, 2, name="another") == 2


@pytest.mark.parametrize("place", ["src/law.py", "src/data.csv", "requirements/pins.txt"])
def test_a_change_of_what_it_follows_from_asks_anew(folder, place):
    ask(folder, 1)
    (folder.parent / place).write_text("two")
    kept.fingerprint.cache_clear()
    assert ask(folder, 2) == 2


def test_a_change_of_the_check_itself_asks_anew(folder):
    ask(folder, 1)
    (folder / "test_it.py").write_text("assert")
    kept.fingerprint.cache_clear()
    assert ask(folder, 2) == 2


def test_a_fault_is_not_kept(folder):
    assert ask(folder, -1) == -1
    assert ask(folder, 2) == 2


def test_a_row_has_another_name_when_a_cell_changes():
    row = {"id": "a", "value": "1"}
    assert kept.named(row) == kept.named(dict(row))
    assert kept.named(row) != kept.named(row | {"value": "2"})
