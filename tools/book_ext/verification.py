"""Tables of the verification page, from what `tools/verification_report.py` found out.

Directive ``{verification-table} laws`` shows one table of `_build/verification/tables.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from scrolling import TableDirective, plain
from sphinx.application import Sphinx

TABLES = "_build/verification/tables.json"


class VerificationTable(TableDirective):
    """Show one table of the report."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        path = Path(self.env.srcdir) / TABLES
        if not path.is_file():
            raise self.error(f"{TABLES} is not there; build the book with `make book`")
        tables = json.loads(path.read_text(encoding="utf-8"))
        name = self.arguments[0]
        if name not in tables:
            raise self.error(f"{TABLES} has no table {name!r}; it has {', '.join(tables)}")
        found = tables[name]
        rows = [[plain(cell) for cell in row] for row in found["rows"]]
        name = self.options.get("name", "")
        return [
            self.table(plain(found["caption"]), found["head"], rows, name=name, sources=[str(path)])
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.setup_extension("scrolling")
    app.add_directive("verification-table", VerificationTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
