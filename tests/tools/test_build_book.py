"""One line says where the book lives, and cached runs serve only the code that made them."""

from __future__ import annotations

import os
import sys

import build_book
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Lay out a project with one source file, one data file and one file of pins."""
    (tmp_path / "src" / "package" / "data").mkdir(parents=True)
    (tmp_path / "src" / "package" / "model.py").write_text("rate = 1\n")
    (tmp_path / "src" / "package" / "data" / "table.csv").write_text("key,value\n")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "book.txt").write_text("sphinx==1\n")
    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    monkeypatch.setattr(build_book, "ROOT", tmp_path)
    monkeypatch.setattr(build_book, "HTML", tmp_path / "_build" / "html")
    return tmp_path


@pytest.mark.parametrize(
    "file",
    [
        "src/package/model.py",
        "src/package/data/table.csv",
        "requirements.txt",
        "requirements/book.txt",
    ],
)
def test_a_change_in_code_data_or_pins_asks_for_new_runs(project, file):
    before = build_book.execution_key()
    assert build_book.execution_key() == before
    (project / file).write_text("changed\n")
    assert build_book.execution_key() != before


def test_compiled_files_ask_for_no_new_runs(project):
    before = build_book.execution_key()
    (project / "src" / "package" / "__pycache__").mkdir()
    (project / "src" / "package" / "__pycache__" / "model.pyc").write_bytes(b"\0")
    assert build_book.execution_key() == before


def test_the_repository_line_decides_every_address(project):
    config = {
        "repository": {"url": "https://github.com/Someone/the-book"},
        "html": {},
        "execute": {},
        "sphinx": {"local_extensions": {"own": "tools/book_ext"}, "config": {}},
    }
    derived = build_book.derived_config(config)
    assert derived["html"]["baseurl"] == "https://someone.github.io/the-book/"
    assert derived["sphinx"]["config"]["ogp_site_url"] == "https://someone.github.io/the-book/"
    assert derived["sphinx"]["config"]["notfound_urls_prefix"] == "/the-book/"
    assert derived["sphinx"]["local_extensions"]["own"] == str(project / "tools/book_ext")


def test_no_other_setting_repeats_an_address_that_depends_on_the_repository():
    text = (build_book.ROOT / "_config.yml").read_text(encoding="utf-8")
    name = build_book.read_config()["repository"]["url"].rsplit("/", 1)[1]
    assert text.count(name) == 1


def test_the_traceback_of_a_failed_notebook_is_shown(project, capsys):
    reports = build_book.HTML / "reports" / "notebooks"
    reports.mkdir(parents=True)
    (reports / "persistence.err.log").write_text("ValueError: planted")
    build_book.print_tracebacks()
    shown = capsys.readouterr().out
    assert "notebooks/persistence.err.log" in shown
    assert "ValueError: planted" in shown


def test_a_build_is_repeated_once_when_a_kernel_did_not_answer(monkeypatch, tmp_path):
    monkeypatch.setattr(build_book, "HTML", tmp_path / "html")
    answers = [(1, "nbclient.exceptions.CellTimeoutError: A cell timed out"), (0, "")]
    monkeypatch.setattr(build_book, "stream", lambda *_: answers.pop(0))
    assert build_book.build([], {}) == 0
    assert answers == []


@pytest.mark.parametrize(
    ("said", "runs"), [("CellTimeoutError", 2), ("WARNING: undefined label", 1)]
)
def test_a_build_that_goes_on_failing_fails(said, runs, monkeypatch, tmp_path):
    monkeypatch.setattr(build_book, "HTML", tmp_path / "html")
    calls = []

    def stream(*_):
        calls.append(1)
        return 1, said

    monkeypatch.setattr(build_book, "stream", stream)
    assert build_book.build([], {}) == 1
    assert len(calls) == runs


def test_what_a_command_says_is_shown_and_kept(capsys):
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    code, said = build_book.stream([sys.executable, "-c", script], dict(os.environ))
    assert code == 3
    assert sorted(said.split()) == ["err", "out"]
    assert "err" in capsys.readouterr().out
