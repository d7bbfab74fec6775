"""Directives of the data page: files to download, what their columns mean, how rows were read.

``evidence-downloads``   every table as a file, with its rows and columns counted
``data-dictionary x``    the columns of one table
``evidence-readings``    what each kind of reading means, and how many rows rest on it
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING, Any

from docutils import nodes
from scrolling import EVIDENCE, EvidenceDirective, plain
from sphinx import addnodes

from car_relapse import dictionary, evidence
from car_relapse.records import READINGS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HOLDS = {
    "trials": "cohorts of trials, registries and series",
    "mechanisms": "ways in which disease comes back",
    "kinetics": "numbers about cells over time",
    "landmarks": "published survival values and shares of relapses",
    "parameters": "the ledger: every default of the models",
    "calibration": "what the fit of the models found",
}


def rows_of(table: str) -> int:
    """Return the number of rows of one file."""
    path = resources.files("car_relapse") / "data" / f"{table}.csv"
    with path.open(encoding="utf-8") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1


def code_text(text: str) -> str:
    """Return a docstring's words as text of the page, its code marked as code."""
    parts = re.split(r"(`+)(.+?)\1", text)
    found = [plain(parts[0])]
    for word, after in zip(parts[2::3], parts[3::3], strict=True):
        found += [f"`{word.removeprefix('car_relapse.')}`", plain(after)]
    return "".join(found)


def explaining(region: nodes.Element) -> nodes.Element:
    """Mark a table whose second column holds sentences, which need room."""
    next(iter(region.findall(nodes.table)))["classes"].append("explains")
    return region


class EvidenceDownloads(EvidenceDirective):
    """Every table as a file."""

    def run(self) -> list[nodes.Node]:
        """Return the table of files."""
        rows = [
            ["", HOLDS[table], f"{rows_of(table)}", f"{len(dictionary.columns(table))}"]
            for table in dictionary.TABLES
        ]
        head = ["File", "What a row is", "Rows", "Columns"]
        name = self.options.get("name", "")
        region = self.evidence_table("Tables to download", head, rows, name)
        body = next(iter(region.findall(nodes.tbody)))
        for table, row in zip(dictionary.TABLES, list(body), strict=True):
            link = addnodes.download_reference(
                "",
                "",
                nodes.Text(f"{table}.csv"),
                reftarget=f"/src/car_relapse/data/{table}.csv",
                refdoc=self.env.docname,
                refexplicit=True,
            )
            row[0][:] = [nodes.paragraph("", "", link)]
        return [region]


class DataDictionary(EvidenceDirective):
    """The columns of one table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table of columns."""
        table = self.arguments[0]
        if table not in dictionary.TABLES:
            known = ", ".join(dictionary.TABLES)
            raise self.error(f"data-dictionary: {table!r} is no table; there are {known}")
        rows = [
            [
                f"`{column.name}`",
                code_text(column.meaning),
                plain(column.kind),
                code_text(column.unit),
                plain("; ".join(column.allowed)),
            ]
            for column in dictionary.columns(table)
        ]
        head = ["Column", "Meaning", "Type", "Unit", "Allowed words"]
        caption = f"Columns of {table}.csv"
        return [explaining(self.evidence_table(caption, head, rows, self.options.get("name", "")))]


class EvidenceReadings(EvidenceDirective):
    """What each kind of reading means, and how many rows rest on it."""

    def run(self) -> list[nodes.Node]:
        """Return the table of readings."""
        counts: dict[str, Counter[str]] = {}
        for table in EVIDENCE:
            held: Any = getattr(evidence, table)()
            found = held if isinstance(held, tuple) else held.values()
            counts[table] = Counter(row.reading for row in found)
        rows = [
            [word, meaning, *(f"{counts[table][word]}" for table in EVIDENCE)]
            for word, meaning in READINGS.items()
        ]
        head = ["How read", "What it means", *(f"Rows in {table}" for table in EVIDENCE)]
        name = self.options.get("name", "")
        return [explaining(self.evidence_table("How the rows were read", head, rows, name))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.setup_extension("scrolling")
    app.add_directive("evidence-downloads", EvidenceDownloads)
    app.add_directive("data-dictionary", DataDictionary)
    app.add_directive("evidence-readings", EvidenceReadings)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
