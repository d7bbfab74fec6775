"""Stamp the repository's public address into the first code cell of every notebook.

The address is set once, as `repository.url` in `_config.yml`. A notebook that is opened alone, as
on Colab, cannot read that file, so the cell that installs the package carries a copy::

    python tools/address.py            # write it where it is missing or has changed
    python tools/address.py --check    # exit 1 when a notebook disagrees with _config.yml
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]

# The first line is how a stamped cell is known, so that a changed template replaces it.
MARK = "# Opened on its own (on Colab, say), this notebook first installs the book's package."

# `%pip` reports a failed install by itself and does not raise; the next cell's import then does.
FIRST_CELL = (
    MARK
    + """
from importlib.util import find_spec

if find_spec("car_relapse") is None:
    address = "{address}"
    if "NOT_SET" in address:
        raise ModuleNotFoundError("no car_relapse: run 'pip install .' in the folder of the book")
    print(f"Installing car_relapse from {{address}} ...")
    %pip install --quiet "car-relapse[notebooks] @ git+{{address}}"
"""
).rstrip()


class AddressError(Exception):
    """The address cannot be read, or what carries it disagrees with it."""


def read_address(root: Path) -> str:
    """Return `repository.url` of the book's configuration, without a trailing slash."""
    path = root / "_config.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    address = (config.get("repository") or {}).get("url")
    # It is pasted between quotes and after "git+", and the site's own address is derived from its
    # two parts, so nothing but a plain address of that form is let through.
    form = r"https://github\.com/[\w.-]+/[\w.-]+/?"
    fits = isinstance(address, str) and re.fullmatch(form, address)
    if not fits or address.rstrip("/").endswith(".git"):
        raise AddressError(
            f"_config.yml: repository.url is {address!r}; it must be the repository's public "
            "address, https://github.com/OWNER/NAME, without .git at the end"
        )
    return address.rstrip("/")


def first_cell(address: str) -> str:
    """Return the source of the cell that installs the package when it is missing."""
    return FIRST_CELL.format(address=address)


def stamped(notebook: nbformat.NotebookNode, address: str) -> bool:
    """Tell whether the first code cell is the install cell for `address`."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return bool(code) and code[0].source == first_cell(address)


def stamp(notebook: nbformat.NotebookNode, address: str) -> None:
    """Put the install cell for `address` where it belongs, replacing an older one."""
    places = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    at = places[0] if places else len(notebook.cells)
    if places and notebook.cells[at].source.startswith(MARK):
        notebook.cells[at].source = first_cell(address)
        return
    cell = nbformat.v4.new_code_cell(first_cell(address), id="install")
    notebook.cells.insert(at, cell)


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Stamp or check every notebook below `root`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if stale")
    check = parser.parse_args(argv).check
    try:
        address = read_address(root)
        paths = sorted((root / "notebooks").glob("*.ipynb"))
        if not paths:
            raise AddressError("notebooks/: there is no notebook to stamp")
        for path in paths:
            notebook = nbformat.reader.reads(path.read_text(encoding="utf-8"))
            if stamped(notebook, address):
                continue
            name = path.relative_to(root)
            if check:
                raise AddressError(
                    f"{name}: its first code cell does not install from {address}, "
                    "the repository.url of _config.yml; run `make address`"
                )
            stamp(notebook, address)
            nbformat.write(notebook, path)
            print(f"{name}: stamped with {address}")
    except AddressError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
