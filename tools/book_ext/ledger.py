"""The parameter ledger of `car_relapse` on the pages of the book.

``{symbols} leukaemia.birth_rate loss.cd19``  the symbol table of an equation
``{parameters} leukaemia``                    every row of the ledger whose key starts so
``{derived-symbols}``                         what follows from the ledger (book/symbols.csv)

Each line in the body of ``symbols`` is one derived quantity, as
``$m$ | expected number of loss events | events | computed``, or its symbol alone, ``$m$``, when
`book/symbols.csv` has it; its formula then stands in the place of a value. Symbol tables link to
the rows of the ledger's page; a row has the anchor ``par-leukaemia-birth-rate``, a derived
quantity ``sym-`` and its id.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from pybtex.database import parse_file
from scrolling import TableDirective

from car_relapse.errors import LedgerError
from car_relapse.parameters import ledger, parameter
from car_relapse.symbols import anchor, number_text, plain, unit_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sphinx.application import Sphinx

    from car_relapse.parameters import Parameter

SYMBOLS = "book/symbols.csv"
CERTAINTIES = ("measured", "fitted", "assumed", "computed")
_FIELDS = 4
_POWER = re.compile(r"\b\d(?:\.\d+)?e-?\d+\b")


@dataclass(frozen=True)
class Derived:
    """A quantity that the book computes from parameters: one row of `book/symbols.csv`."""

    id: str
    """Name of its anchor, after ``sym-``."""
    symbol: str
    """Symbol in LaTeX, without dollar signs."""
    meaning: str
    """What it is, as text of a page."""
    formula: str
    """How it follows from others, as text of a page; may be empty."""
    unit: str
    """Its unit, written as in the ledger."""
    where: str
    """Label of the equation in which it appears first."""


def read_derived(root: Path) -> dict[str, Derived]:
    """Return the derived quantities of the book by symbol."""
    with (root / SYMBOLS).open(encoding="utf-8", newline="") as stream:
        cells = list(csv.reader(stream))[1:]
    columns = len(fields(Derived))
    for row in cells:
        if len(row) != columns:
            raise ValueError(f"{SYMBOLS}: {row} must have {columns} cells; quote cells with commas")
    rows = [Derived(*row) for row in cells]
    found = {row.symbol: row for row in rows}
    if len(found) < len(rows):
        raise ValueError(f"{SYMBOLS} gives one symbol two meanings; choose another symbol")
    return found


def prose(text: str) -> str:
    r"""Return words of the ledger as text of a page, with powers of ten set as such.

    >>> prose("of 1e12 cells_a")
    'of $10^{12}$ cells\\_a'
    """
    return _POWER.sub(lambda found: number_text(float(found[0])), plain(text))


def certainty_text(certainty: str) -> str:
    """Return a word of certainty, linked to the glossary when it is one of the four."""
    return f"{{term}}`{certainty}`" if certainty in CERTAINTIES else certainty


@cache
def _dois_of(path: Path, changed: int) -> Mapping[str, str]:
    entries = parse_file(str(path)).entries.items()
    return {entry.fields["doi"].lower(): key for key, entry in entries if "doi" in entry.fields}


def bibliography_keys(path: Path) -> Mapping[str, str]:
    """Return the key of each entry of a bibliography that has a DOI, by that DOI in lower case."""
    return _dois_of(path, path.stat().st_mtime_ns)


class LedgerDirective(TableDirective):
    """What directives share that read the ledger and `book/symbols.csv`."""

    def note_sources(self) -> None:
        """Build the page anew when one of the tables changes."""
        for path in self.sources():
            self.env.note_dependency(path)

    def sources(self) -> list[str]:
        """Return the files from which the directives read."""
        root = Path(self.env.srcdir)
        data = resources.files("car_relapse") / "data" / "parameters.csv"
        return [str(data), str(root / SYMBOLS), str(root / "book" / "references.bib")]

    def target(self, node: nodes.Element, name: str) -> nodes.Element:
        """Make a node the target of a label."""
        node["names"].append(name)
        node["ids"].append(name)
        self.state.document.note_explicit_target(node, node)
        return node


class Symbols(LedgerDirective):
    """The symbol table of an equation."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "name": directives.unchanged,
        "caption": directives.unchanged,
    }
    CAPTION = "What the symbols mean"

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.derived = read_derived(Path(self.env.srcdir))
        keys = self.arguments[0].split() if self.arguments else []
        lines = [line for line in self.content if line.strip()]
        if not keys and not lines:
            raise self.error("symbols: name keys of the ledger, or give lines of derived symbols")
        try:
            rows = [self.ledger_row(parameter(key)) for key in keys]
        except LedgerError as error:
            raise self.error(f"symbols: {error}") from error
        rows += [self.derived_row(line) for line in lines]
        head = ("Symbol", "Meaning", "Value", "Unit", "Certainty")
        caption = self.options.get("caption", self.CAPTION)
        name = self.options.get("name", "")
        # A formula is no name for a row: some readers of screens pass over it.
        region = self.table(caption, head, rows, name=name, sources=self.sources(), heading=1)
        # The region's only child is the table, an element; a child might be text to the type.
        region.children[0]["classes"].append("symbols")  # type: ignore[index]
        return [region]

    @staticmethod
    def ledger_row(row: Parameter) -> list[str]:
        """Return the cells of one row of the ledger."""
        meaning = f"{{ref}}`{row.name} <{anchor(row.key)}>`"
        unit = plain(unit_text(row.unit))
        return [
            f"${row.symbol}$",
            meaning,
            number_text(row.value),
            unit,
            certainty_text(row.certainty),
        ]

    def derived_row(self, line: str) -> list[str]:
        """Return the cells of one derived quantity."""
        # A bar between dollar signs belongs to a formula, as in P(a | b).
        cells = [cell.strip() for cell in re.split(r"\|(?=(?:[^$]*\$[^$]*\$)*[^$]*$)", line)]
        symbol = cells[0].strip("$")
        known = self.derived.get(symbol)
        if len(cells) == 1 and known:
            meaning, unit, certainty = known.meaning, plain(unit_text(known.unit)), "computed"
        elif len(cells) == _FIELDS:
            meaning, unit, certainty = cells[1:]
        else:
            raise self.error(
                f"symbols: {line!r} must be 'symbol | meaning | unit | certainty', or one symbol "
                f"of {SYMBOLS}"
            )
        value = "\N{EN DASH}"
        if known:
            meaning, value = f"[{meaning}](#sym-{known.id})", known.formula or value
        return [f"${symbol}$", meaning, value, unit, certainty_text(certainty)]


class Parameters(LedgerDirective):
    """Every row of the ledger whose key starts with a prefix, one card for each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list of cards."""
        prefix = self.arguments[0]
        rows = [row for key, row in ledger().items() if key.startswith(f"{prefix}.")]
        if not rows:
            raise self.error(f"parameters: no key of the ledger starts with {prefix!r}")
        self.note_sources()
        self.keys = bibliography_keys(Path(self.env.srcdir) / "book" / "references.bib")
        return [nodes.definition_list("", *map(self.card, rows), classes=["parameters"])]

    def card(self, row: Parameter) -> nodes.definition_list_item:
        """Return one row of the ledger."""
        term = nodes.term("", "", *self.inline(f"${row.symbol}$ {plain(row.name)}").children)
        self.target(term, anchor(row.key))
        return nodes.definition_list_item(
            "", term, nodes.definition("", *map(self.inline, self.lines(row)))
        )

    def lines(self, row: Parameter) -> list[str]:
        """Return what a card says, line by line."""
        unit = "" if row.unit == "dimensionless" else f" {unit_text(row.unit)}"
        lines = [
            f"**{number_text(row.value)}**{plain(unit)}{_range_text(row)}, "
            f"{certainty_text(row.certainty)}: {prose(row.setting)}."
        ]
        if row.doi:
            lines.append(f"{{cite:t}}`{self.key_of(row)}`, {prose(row.place_in_source)}.")
        if row.note:
            lines.append(prose(row.note))
        name = anchor(row.key)
        lines.append(f"{{ref}}`{row.key} <{name}>`")
        return lines

    def key_of(self, row: Parameter) -> str:
        """Return the bibliography's key for the source of a row."""
        if row.doi.lower() not in self.keys:
            raise self.error(
                f"ledger row {row.key!r} cites doi:{row.doi}, which no entry of "
                "book/references.bib has; add the entry"
            )
        return self.keys[row.doi.lower()]


def _range_text(row: Parameter) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" ({number_text(row.low)} to {number_text(row.high)})"


class DerivedSymbols(LedgerDirective):
    """The quantities that the book computes from the ledger."""

    def run(self) -> list[nodes.Node]:
        """Return the list of cards."""
        self.note_sources()
        rows = read_derived(Path(self.env.srcdir)).values()
        return [nodes.definition_list("", *map(self.card, rows), classes=["parameters"])]

    def card(self, row: Derived) -> nodes.definition_list_item:
        """Return one quantity."""
        term = nodes.term("", "", *self.inline(f"${row.symbol}$ {row.meaning}").children)
        self.target(term, f"sym-{row.id}")
        unit = "without unit" if row.unit == "dimensionless" else plain(unit_text(row.unit))
        equal = f"Equals {row.formula}; {unit}." if row.formula else f"Counted in {unit}."
        text = f"{equal} First in equation {{eq}}`{row.where}`."
        return nodes.definition_list_item("", term, nodes.definition("", self.inline(text)))


def _offer_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """Let links of Markdown reach the rows, as in ``[words](parameters.md#par-loss-cd19)``."""
    # MyST finds headings by itself, and nothing else on another page.
    terms = [term for term in doctree.findall(nodes.term) if term["ids"]]
    anchors = {name: term for term in terms for name in term["names"] if name.startswith("par-")}
    if anchors:
        slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
        slugs |= {name: (term.line or 0, name, term.astext()) for name, term in anchors.items()}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.connect("doctree-read", _offer_anchors)
    app.setup_extension("scrolling")
    app.add_directive("symbols", Symbols)
    app.add_directive("parameters", Parameters)
    app.add_directive("derived-symbols", DerivedSymbols)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
