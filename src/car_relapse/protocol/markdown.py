"""A document as Markdown: one paragraph a line, pipe tables, blanks in bold."""

from __future__ import annotations

import re
from collections.abc import Iterable

from car_relapse.errors import require_instance
from car_relapse.protocol.document import (
    Blank,
    Document,
    Heading,
    Item,
    Line,
    Numbered,
    Paragraph,
    Table,
)

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_<>|])")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _line(line: Line) -> str:
    parts = []
    for run in line:
        if isinstance(run, str):
            parts.append(_escaped(run))
        elif isinstance(run, Blank) and run.answer is None:
            parts.append(f"**{_escaped(run.text)}**")
        else:
            parts.append(_escaped(run.text))
    return "".join(parts)


def _row(cells: tuple[Line, ...]) -> str:
    return "| " + " | ".join(_line(c) for c in cells) + " |"


def _table(label: str, table: Table) -> list[str]:
    rule = "|" + "---|" * len(table.header)
    return [
        f"{label}. {_line(table.caption)}",
        "\n".join([_row(table.header), rule, *map(_row, table.rows)]),
    ]


def markdown_of(items: Iterable[Item], *, headings: bool = True) -> str:
    """Return items of a document's flow as Markdown; headings are bold lines when not wanted."""
    parts: list[str] = []
    after_bullet = False
    for item in items:
        bullet = isinstance(item, Paragraph) and item.kind == "bullet"
        if isinstance(item, Heading):
            text = _escaped(item.text)
            new = [f"{'#' * (item.level + 1)} {text}" if headings else f"**{text}**"]
        elif isinstance(item, Numbered):
            new = _table(item.label, item.table)
        else:
            mark = {"bullet": "- ", "notice": "> "}.get(item.kind, "")
            new = [mark + _line(item.runs)]
        if bullet and after_bullet:  # items of one list stand together
            parts[-1] += "\n" + new.pop(0)
        parts += new
        after_bullet = bullet
    return "\n\n".join(parts)


def to_markdown(document: Document) -> str:
    """Return a document as the text of a Markdown file.

    Parameters
    ----------
    document : Document
        The protocol.
    """
    require_instance("document", document, Document, "give what draft returns")
    head = f"# {_line(document.title)}\n\n> {_line(document.notice)}\n\n"
    return head + markdown_of(document.flow()) + "\n"
