"""A plugin of pytest that keeps what the notebooks showed while nbval compared them.

    python -m pytest -p tools.keep_runs --keep-runs FOLDER --nbval-lax notebooks

When every cell of a notebook has passed, the notebook goes into FOLDER with the outputs of that
run, and with the seconds of its cells, by their numbers, in the metadata. `notebook_runs.py` takes
such a run for the site, and need not make one of its own.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbCell


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the folder."""
    parser.addoption("--keep-runs", type=Path, help="where runs of notebooks are kept")


def pytest_configure(config: pytest.Config) -> None:
    """Keep runs when there is a folder for them."""
    if config.option.keep_runs:
        config.pluginmanager.register(Keeper(config.option.keep_runs))


class Keeper:
    """Collects the cells that passed, and writes a notebook when it has all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[Path, dict[int, float]] = defaultdict(dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        """Note how long a cell took that did what it should."""
        if not isinstance(item, IPyNbCell) or call.when != "call" or call.excinfo is not None:
            return
        cells = item.parent.nb.cells
        number = next(n for n, cell in enumerate(cells, 1) if cell is item.cell)
        item.cell.outputs = item.test_outputs
        item.cell.execution_count = item.cell_num + 1
        seconds = self.seconds[item.path]
        seconds[number] = call.duration
        if len(seconds) == sum(cell.cell_type == "code" for cell in cells):
            self.write(item.path, item.parent.nb, seconds)

    def write(self, path: Path, notebook: nbformat.NotebookNode, seconds: dict[int, float]) -> None:
        """Write a run, whole or not at all."""
        notebook.metadata["seconds"] = {str(number): taken for number, taken in seconds.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{path.name}.part"
        nbformat.write(notebook, part)
        part.replace(self.folder / path.name)
