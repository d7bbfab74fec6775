"""How the notebooks ran, from what `tools/notebook_runs.py` found out.

``{notebook-runs}`` is a table with one row for each notebook of the book, also for one that
failed or was not run; ``{notebook-versions}`` one of the versions that the runs met.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from scrolling import TableDirective, plain
from sphinx.application import Sphinx

REPORT = "_build/verification/notebook-runs.json"
FOLDER = "notebooks/"


class RunsDirective(TableDirective):
    """What both tables share."""

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the report."""
        path = Path(self.env.srcdir) / REPORT
        if not path.is_file():
            raise self.error(f"{REPORT} is not there; build the book with `make book`")
        return json.loads(path.read_text(encoding="utf-8"))["rows"]

    def shown(self, caption: str, head: list[str], rows: list[list[str]]) -> list[nodes.Node]:
        """Return the table."""
        name = self.options.get("name", "")
        sources = [str(Path(self.env.srcdir) / REPORT)]
        return [self.table(caption, head, rows, name=name, sources=sources)]


class NotebookRuns(RunsDirective):
    """One row for each notebook of the book."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        found = {f"{FOLDER}{row['name']}": row for row in self.rows()}
        pages = sorted(page for page in self.env.found_docs if page.startswith(FOLDER))
        head = ["Notebook", "What came of it", "Cells of code", "Seconds", "Slowest cell"]
        rows = [self.line(page, found.get(page)) for page in pages]
        return self.shown("Every notebook, run for this site", head, rows)

    @staticmethod
    def line(page: str, row: dict[str, Any] | None) -> list[str]:
        """Return the cells of one notebook."""
        name = f"{{doc}}`/{page}`"
        if row is None:
            return [name, "✗ not run", "", "", ""]
        if not row["passed"]:
            return [name, f"✗ failed: {plain(row['message'])}", "", "", ""]
        slowest = f"{row['slowest_seconds']} s, cell {row['slowest']}"
        return [name, "✓ ran to its end", str(row["cells"]), str(row["seconds"]), slowest]


class NotebookVersions(RunsDirective):
    """The versions that the notebooks met; more than one where runs differ."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        found: dict[str, list[str]] = {}
        for row in self.rows():
            for name, version in row.get("versions", {}).items():
                seen = found.setdefault(name, [])
                seen += [version] if version not in seen else []
        rows = [[plain(name), plain(", ".join(seen))] for name, seen in found.items()]
        return self.shown("Versions that the notebooks met", ["Package", "Version"], rows)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.setup_extension("scrolling")
    app.add_directive("notebook-runs", NotebookRuns)
    app.add_directive("notebook-versions", NotebookVersions)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
