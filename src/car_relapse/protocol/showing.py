"""Parts of a protocol as a notebook shows them, and both files as links that need no server."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass

from car_relapse.errors import ParameterError, require_instance
from car_relapse.protocol.document import Document, Heading, Item, Numbered, plain
from car_relapse.protocol.drafting import file_name
from car_relapse.protocol.markdown import markdown_of, to_markdown
from car_relapse.protocol.word import to_docx

__all__ = ["Downloads", "Part", "downloads", "part"]

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass(frozen=True)
class Part:
    """One section of a protocol, shown by a notebook as the document prints it."""

    items: tuple[Item, ...]
    """Headings, paragraphs and tables, in order."""

    def _repr_markdown_(self) -> str:
        # A heading would become one of the page that shows the part.
        return markdown_of(self.items, headings=False)

    def __repr__(self) -> str:
        lines = []
        for item in self.items:
            if isinstance(item, Heading):
                lines.append(item.text)
            elif isinstance(item, Numbered):
                rows = (item.table.header, *item.table.rows)
                lines.append(f"{item.label}. {plain(item.table.caption)}")
                lines += [" | ".join(plain(cell) for cell in row) for row in rows]
            else:
                lines.append(plain(item.runs))
        return "\n".join(lines)


def part(document: Document, title: str) -> Part:
    """Return one section of a protocol.

    Parameters
    ----------
    document : Document
        The protocol.
    title : str
        Title of the section, without number.

    Raises
    ------
    ParameterError
        When no section has that title.
    """
    require_instance("document", document, Document, "give what draft returns")
    found: list[Item] = []
    level, titles = 0, []
    for item in document.flow():
        if isinstance(item, Heading):
            name = item.text.partition(" ")[2]
            titles.append(name)
            if name == title and not found:
                level = item.level
            elif level and item.level <= level:
                level = 0
        if level:
            found.append(item)
    if not found:
        raise ParameterError(
            f"title is {title!r:.90}; the document has no such section; choose one of "
            f"{'; '.join(titles)}"
        )
    return Part(tuple(found))


@dataclass(frozen=True)
class Downloads:
    """Both files of a protocol as links that hold what they lead to."""

    document: Document
    """The protocol."""
    name: str
    """Name of the files, without ending."""

    def _repr_html_(self) -> str:
        markdown = to_markdown(self.document).encode()
        return (
            "<p>"
            + self._link("md", "text/markdown;charset=utf-8", markdown)
            + " and "
            + self._link("docx", _DOCX, to_docx(self.document))
            + "</p>"
        )

    def _link(self, ending: str, kind: str, content: bytes) -> str:
        file = html.escape(f"{self.name}.{ending}")
        data = base64.b64encode(content).decode()
        size = f"{len(content) / 1000:.0f} kB"
        return f'<a download="{file}" href="data:{kind};base64,{data}">{file} ({size})</a>'

    def __repr__(self) -> str:
        return f"{self.name}.md and {self.name}.docx"


def downloads(document: Document, name: str) -> Downloads:
    """Return links to a protocol as Markdown and as DOCX, which a notebook shows.

    The links hold the files themselves, so they work on a page without server or kernel.

    Parameters
    ----------
    document : Document
        The protocol.
    name : str
        Name of the files, without ending: letters, digits, hyphens and underscores.

    Raises
    ------
    ParameterError
        When the name is no plain file name.
    """
    require_instance("document", document, Document, "give what draft returns")
    return Downloads(document, file_name(name))
