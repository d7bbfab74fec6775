"""Tables with a caption, header cells and row headers, in a region that scrolls sideways.

The region has a name and takes the keyboard's focus, so that a wide table can be read on a phone,
by keyboard and by screen reader.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from car_relapse.symbols import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx

#: The tables of evidence that the package ships, by the names of their files.
EVIDENCE = ("trials", "mechanisms", "kinetics", "landmarks")
_THEME_REGION = "pst-scrollable-table-container"


class scroll_region(nodes.General, nodes.Element):
    """A named region that scrolls sideways and takes the keyboard's focus."""


def _open_region(translator: Any, node: scroll_region) -> None:
    attributes = {"role": "region", "tabindex": "0", "aria-label": node["label"]}
    classes = f"wide-table {_THEME_REGION}"
    translator.body.append(translator.starttag(node, "div", CLASS=classes, **attributes))
    node["start"] = len(translator.body)


def _close_region(translator: Any, node: scroll_region) -> None:
    # The theme wraps every table in a scrolling box of its own, without a name; a box inside
    # this one would be a second stop for the keyboard.
    for index in range(node["start"], len(translator.body)):
        if translator.body[index] == f'<div class="{_THEME_REGION}">':
            translator.body[index] = "<div>"
    translator.body.append("</div>\n")


def _nothing(translator: Any, node: scroll_region) -> None:
    """Leave the table to stand alone where nothing scrolls."""


class TableDirective(SphinxDirective):
    """What directives share that make a table from rows of text."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged}

    def inline(self, text: str) -> nodes.paragraph:
        """Return one paragraph parsed as text of the page."""
        children, messages = self.state.inline_text(text, self.lineno)
        return nodes.paragraph("", "", *children, *messages)

    def table(
        self,
        caption: str,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        name: str = "",
        sources: Sequence[str] = (),
        heading: int = 0,
    ) -> nodes.Element:
        """Return a captioned table in its scroll region; the column `heading` heads the rows.

        The page is built anew when one of the files `sources` changes.
        """
        table = nodes.table(classes=["evidence"])
        table += nodes.title("", "", *self.inline(caption).children)
        group = nodes.tgroup(cols=len(head))
        table += group
        for index in range(len(head)):
            column = nodes.colspec(colwidth=1)
            if index == heading:
                column["stub"] = 1
            group += column
        group += nodes.thead("", self._row([plain(word) for word in head]))
        group += nodes.tbody("", *(self._row(row) for row in rows))
        self.set_source_info(table)
        if name:
            table["names"].append(nodes.fully_normalize_name(name))
            self.state.document.note_explicit_target(table, table)
        for file in sources:
            self.env.note_dependency(file)
        return scroll_region("", table, label=f"Table: {caption}")

    def _row(self, cells: Sequence[str]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", self.inline(cell)) for cell in cells))


class EvidenceDirective(TableDirective):
    """A table of the evidence, built anew when one of its files changes."""

    def evidence_table(
        self, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], name: str = ""
    ) -> nodes.Element:
        """Return a captioned table."""
        self.note_evidence()
        return self.table(caption, head, rows, name=name)

    def note_evidence(self) -> None:
        """Let the page be built anew when a table of the package changes."""
        for file in (resources.files("car_relapse") / "data").iterdir():
            self.env.note_dependency(str(file))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the scrolling region."""
    quiet = (_nothing, _nothing)
    app.add_node(
        scroll_region,
        html=(_open_region, _close_region),
        epub=(_open_region, _close_region),
        latex=quiet,
        text=quiet,
        man=quiet,
        texinfo=quiet,
    )
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
