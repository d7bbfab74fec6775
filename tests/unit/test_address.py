"""The address is set once, reaches every notebook, and installs the package only when it must."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SCRIPT = Path(__file__).parents[2] / "tools" / "address.py"
ADDRESS = "https://github.com/someone/book"

spec = importlib.util.spec_from_file_location("address_tool", SCRIPT)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

STUB_PIP = """
import json, os, pathlib, sys
pathlib.Path(os.environ["PIP_CALLED_WITH"]).write_text(json.dumps(sys.argv[1:]))
"""

# Hides the package however it is installed, as on a machine that never had it.
HIDE_PACKAGE = """
import sys
from importlib.machinery import PathFinder


class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "car_relapse" else super().find_spec(name, path, target)


sys.meta_path[:] = [Hiding if finder is PathFinder else finder for finder in sys.meta_path]
"""


def run_cell(folder: Path, address: str, *, package: bool):
    """Run the install cell in IPython; return the process and what pip was called with."""
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()  # else the real pip, a regular package, goes first
    (folder / "pip" / "__main__.py").write_text(STUB_PIP)
    if package:
        (folder / "car_relapse.py").touch()
    else:
        (folder / "sitecustomize.py").write_text(HIDE_PACKAGE)
    (folder / "cell.ipy").write_text(tool.first_cell(address))
    called = folder / "called.json"
    own = {"PYTHONPATH": str(folder), "IPYTHONDIR": str(folder), "PIP_CALLED_WITH": str(called)}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", str(folder / "cell.ipy")],
        env={**os.environ, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, json.loads(called.read_text()) if called.exists() else None


def test_without_the_package_the_cell_says_so_and_installs_it(tmp_path):
    done, called = run_cell(tmp_path, ADDRESS, package=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Installing car_relapse from {ADDRESS} ...\n")
    assert called == ["install", "--quiet", f"car-relapse[notebooks] @ git+{ADDRESS}"]


def test_with_the_package_the_cell_does_and_prints_nothing(tmp_path):
    done, called = run_cell(tmp_path, ADDRESS, package=True)
    assert (done.returncode, done.stdout, called) == (0, "", None), done.stderr


def test_an_address_that_is_not_set_fails_in_words_before_any_install(tmp_path):
    unset = "https://github.com/OWNER_NOT_SET/book"
    done, called = run_cell(tmp_path, unset, package=False)
    assert done.returncode != 0
    assert "run 'pip install .' in the folder of the book" in done.stdout + done.stderr
    assert called is None
    assert f"Installing car_relapse from {unset}" not in done.stdout


def test_the_cell_is_short_enough_to_be_read_past():
    assert len(tool.first_cell(ADDRESS).splitlines()) <= 10


@pytest.fixture
def book(tmp_path):
    """Make a tree with two notebooks that have no install cell."""
    write_config(tmp_path, ADDRESS)
    (tmp_path / "notebooks").mkdir()
    for name in ("one", "two"):
        cells = [new_markdown_cell("# A title"), new_code_cell("import car_relapse")]
        nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def write_config(root: Path, address: object) -> None:
    (root / "_config.yml").write_text(json.dumps({"repository": {"url": address}}))


def sources(book: Path, name: str = "one") -> list[str]:
    notebook = nbformat.read(book / "notebooks" / f"{name}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells]


def test_the_install_cell_goes_before_the_first_code_cell_of_every_notebook(book):
    assert tool.main([], book) == 0
    for name in ("one", "two"):
        assert sources(book, name) == ["# A title", tool.first_cell(ADDRESS), "import car_relapse"]


def test_stamping_twice_changes_nothing_more(book):
    tool.main([], book)
    once = (book / "notebooks" / "one.ipynb").read_bytes()
    assert tool.main([], book) == 0
    assert (book / "notebooks" / "one.ipynb").read_bytes() == once


def test_a_new_address_replaces_the_old_one_everywhere(book):
    tool.main([], book)
    write_config(book, "https://github.com/fork/book/")
    tool.main([], book)
    for name in ("one", "two"):
        text = "".join(sources(book, name))
        assert "https://github.com/fork/book" in text
        assert ADDRESS not in text


def test_a_notebook_without_code_gets_the_install_cell_at_its_end(book):
    path = book / "notebooks" / "one.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A title")]), path)
    tool.main([], book)
    assert sources(book) == ["# A title", tool.first_cell(ADDRESS)]


def test_the_check_names_the_file_and_the_remedy_and_changes_nothing(book, capsys):
    tool.main([], book)
    write_config(book, "https://github.com/fork/book")
    before = (book / "notebooks" / "one.ipynb").read_bytes()
    assert tool.main(["--check"], book) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("notebooks/one.ipynb: ")
    assert "make address" in complaint
    assert (book / "notebooks" / "one.ipynb").read_bytes() == before


def test_the_check_passes_once_stamped(book):
    tool.main([], book)
    assert tool.main(["--check"], book) == 0


def test_a_tree_without_notebooks_fails(tmp_path, capsys):
    write_config(tmp_path, ADDRESS)
    assert tool.main(["--check"], tmp_path) == 1
    assert "no notebook" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    [
        None,
        3,
        "",
        "git@host:a/b",
        "http://a/b",
        'https://a/"b',
        "https://github.com/alice",
        "https://github.com/alice/book.git",
        "https://gitlab.com/alice/group/book",
    ],
)
def test_an_address_that_could_not_be_installed_from_is_refused(book, capsys, address):
    write_config(book, address)
    assert tool.main([], book) == 1
    assert "repository.url" in capsys.readouterr().err
