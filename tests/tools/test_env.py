"""The environment is installed once and again only when something that decides it changed."""

from __future__ import annotations

from importlib.util import find_spec

import env
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Lay out a project of three requirement files and an environment that looks made."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements.txt").write_text("# to run\nnumpy==1.0\n.\n")
    (tmp_path / "requirements" / "book.txt").write_text(
        "-r ../requirements.txt\nsphinx==2.0 # why\n"
    )
    (tmp_path / "requirements" / "test.txt").write_text("-r book.txt\n\npytest==3.0\n")
    (tmp_path / "requirements" / "constraints.txt").write_text("six==1.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    monkeypatch.setattr(env, "ROOT", tmp_path)
    monkeypatch.setattr(env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(env, "BENCH", tmp_path / ".venv-bench")
    monkeypatch.setattr(env, "CONSTRAINTS", tmp_path / "requirements" / "constraints.txt")
    return tmp_path


def test_a_set_contains_the_sets_before_it_but_not_the_package_itself(project):
    lines = env.requirement_lines(project / "requirements" / "test.txt")
    assert lines == ["numpy==1.0", "sphinx==2.0", "pytest==3.0"]


def test_an_installed_set_is_not_installed_again(project):
    assert not env.is_installed("book")
    env.stamp("book").write_text(env.fingerprint("book"))
    assert env.is_installed("book")
    assert not env.is_installed("test")


def test_the_test_set_counts_as_the_book_set_too(project):
    env.stamp("test").write_text(env.fingerprint("test"))
    assert env.is_installed("book")


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements/constraints.txt", "pyproject.toml"]
)
def test_a_changed_file_makes_the_set_due_again(project, file):
    env.stamp("book").write_text(env.fingerprint("book"))
    with (project / file).open("a") as opened:
        opened.write("more==1.0\n")
    assert not env.is_installed("book")


def test_a_failing_command_is_told_with_what_it_printed(project, capsys):
    with pytest.raises(env.EnvironmentProblem, match="no such luck"):
        env.run("sh", "-c", "echo no such luck; exit 3")


def test_a_python_without_ensurepip_is_told_in_one_sentence(project, monkeypatch, capsys):
    monkeypatch.setattr(env, "has_ensurepip", lambda: False)
    monkeypatch.setattr(env, "apt_install", lambda *packages: False)
    assert env.main("book") == 1
    said = capsys.readouterr().err.strip()
    assert "install the package python3" in said
    assert said.count("\n") == 0


def test_the_benchmarks_have_an_environment_and_pins_to_themselves(project):
    (project / "requirements" / "bench.txt").write_text("rebop==1.0\n")
    (project / "requirements" / "bench-constraints.txt").write_text("xarray==1.0\n")
    (project / ".venv-bench" / "bin").mkdir(parents=True)
    env.python("bench").touch()
    env.stamp("bench").write_text(env.fingerprint("bench"))
    assert env.is_installed("bench")
    assert not env.is_installed("book")
    (project / "requirements" / "constraints.txt").write_text("six==2.0\n")
    assert env.is_installed("bench")
    (project / "requirements" / "bench-constraints.txt").write_text("xarray==2.0\n")
    assert not env.is_installed("bench")


def test_opening_a_notebook_reads_no_grammar_of_web_addresses():
    # See the pin of jsonschema in requirements/book.txt.
    assert find_spec("rfc3987_syntax") is None
