"""A document as data: sections of paragraphs and tables, numbers that are computed, blanks.

What a paragraph says is a template, so that no number is typed where one is computed:

- ``{key}`` is a value, computed from the design and formatted once;
- ``[[key|hint]]`` is a blank, which only the reader can fill;
- ``{@key}`` is a reference.

`Document.flow` lists headings, paragraphs and tables in their order, numbered; every writer writes
that list, so that all files of a document say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from car_relapse.errors import ParameterError

__all__ = ["Blank", "Document"]

Kind = Literal["text", "bullet", "notice"]

_PARTS = re.compile(
    r"\{@(?P<cite>\w+)\}|\{(?P<value>\w+)\}|\[\[(?P<blank>\w+)\|(?P<hint>[^\]]+)\]\]"
)
_LONGEST_ANSWER = 2000


@dataclass(frozen=True)
class Value:
    """Something computed from the design."""

    key: str
    """What it is."""
    text: str
    """How it is printed, with its unit."""


@dataclass(frozen=True)
class Blank:
    """Something that only the reader can fill."""

    key: str
    """Its name."""
    hint: str
    """What belongs here."""
    answer: str | None = None
    """What the reader has put there; None while it is open."""

    @property
    def text(self) -> str:
        """The answer, or the words that ask for it."""
        return f"[FILL IN: {self.hint}]" if self.answer is None else self.answer


@dataclass(frozen=True)
class Citation:
    """A reference, named in the text."""

    key: str
    """Which reference."""
    text: str
    """Its short name, as in "Chan 2025"."""


Run = str | Value | Blank | Citation
Line = tuple[Run, ...]


@dataclass(frozen=True)
class Reference:
    """A source that the document names."""

    key: str
    """Its name in templates."""
    short: str
    """Its name in the text."""
    full: str
    """Its entry in the list of references."""
    doi: str = ""
    """Its DOI; empty for none."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    runs: Line
    """What it says."""
    kind: Kind = "text"
    """``text``, ``bullet`` or ``notice`` (set off from the text)."""


@dataclass(frozen=True)
class Table:
    """A table with one row of headings."""

    caption: Line
    """What it shows."""
    header: tuple[Line, ...]
    """Heading of each column."""
    rows: tuple[tuple[Line, ...], ...]
    """Cells, row by row, as many in each as there are headings."""


@dataclass(frozen=True)
class Section:
    """A section, which may hold sections of its own."""

    title: str
    """Its heading, without number."""
    blocks: tuple[Paragraph | Table | Section, ...]
    """What stands in it."""


@dataclass(frozen=True)
class Heading:
    """A heading in the flow of a document."""

    level: int
    """1 for a section, 2 for a section within it."""
    text: str
    """Number and title."""


@dataclass(frozen=True)
class Numbered:
    """A table in the flow of a document."""

    label: str
    """Its number, as in "Table 2"."""
    table: Table
    """What it holds."""


Item = Heading | Paragraph | Numbered


@dataclass(frozen=True, kw_only=True)
class Document:
    """A protocol as data."""

    title: Line
    """Title."""
    notice: Line
    """What every reader must know first; every writer puts it on the first page."""
    sections: tuple[Section, ...]
    """The text."""
    references: tuple[Reference, ...]
    """The sources that the text names, in order of first mention."""

    def flow(self) -> Iterator[Item]:
        """Yield all that follows the title and the notice, numbered, in order."""
        tables = iter(range(1, 10_000))

        def walk(
            blocks: Sequence[Paragraph | Table | Section], level: int, number: str
        ) -> Iterator[Item]:
            count = 0
            for block in blocks:
                if isinstance(block, Section):
                    count += 1
                    own = f"{number}{count}"
                    yield Heading(level, f"{own}{'.' if level == 1 else ''} {block.title}")
                    yield from walk(block.blocks, level + 1, f"{own}.")
                elif isinstance(block, Table):
                    yield Numbered(f"Table {next(tables)}", block)
                else:
                    yield block

        yield from walk(self.sections, 1, "")
        yield Heading(1, f"{len(self.sections) + 1}. References")
        for source in self.references:
            where = f" doi:{source.doi}" if source.doi else ""
            yield Paragraph((source.full + where,), "bullet")

    def lines(self) -> Iterator[Line]:
        """Yield every line of text: title, notice, paragraphs, captions and cells."""
        yield self.title
        yield self.notice
        for item in self.flow():
            if isinstance(item, Paragraph):
                yield item.runs
            elif isinstance(item, Numbered):
                yield from lines_in(item.table)

    @property
    def blanks(self) -> tuple[Blank, ...]:
        """Every blank, filled or not, once, in order."""
        found: dict[str, Blank] = {}
        for line in self.lines():
            for run in line:
                if isinstance(run, Blank):
                    found.setdefault(run.key, run)
        return tuple(found.values())

    @property
    def values(self) -> Mapping[str, str]:
        """Every computed value that the text prints, by its key."""
        return {r.key: r.text for line in self.lines() for r in line if isinstance(r, Value)}

    def filled(self, answers: Mapping[str, str]) -> Document:
        """Return the document with some of its blanks filled.

        Parameters
        ----------
        answers : mapping of str to str
            What to put into which blank, by `Blank.key`.

        Raises
        ------
        ParameterError
            When there is no such blank, or an answer is no line of text.
        """
        keys = [b.key for b in self.blanks]
        if not isinstance(answers, Mapping):
            raise ParameterError(
                f"answers is {answers!r:.100}; it must map blanks to text; write "
                "{'sponsor': 'A hospital'}"
            )
        for key, answer in answers.items():
            if key not in keys:
                close = get_close_matches(str(key), keys, n=1)
                meant = f"did you mean {close[0]!r}?" if close else "see blanks for the names"
                raise ParameterError(
                    f"answers names {key!r}; the document has no such blank; {meant}"
                )
            if (
                not isinstance(answer, str)
                or not answer.strip()
                or not answer.isprintable()
                or len(answer) > _LONGEST_ANSWER
            ):
                raise ParameterError(
                    f"answers gives {key} as {answer!r:.60}; it must be one printable line of at "
                    f"most {_LONGEST_ANSWER} characters; write one, or leave the blank open"
                )

        def line(runs: Line) -> Line:
            return tuple(
                replace(r, answer=answers.get(r.key, r.answer)) if isinstance(r, Blank) else r
                for r in runs
            )

        def block(item: Paragraph | Table | Section) -> Paragraph | Table | Section:
            if isinstance(item, Section):
                return replace(item, blocks=tuple(block(b) for b in item.blocks))
            if isinstance(item, Paragraph):
                return replace(item, runs=line(item.runs))
            return Table(
                caption=line(item.caption),
                header=tuple(line(h) for h in item.header),
                rows=tuple(tuple(line(c) for c in row) for row in item.rows),
            )

        sections = tuple(
            replace(s, blocks=tuple(block(b) for b in s.blocks)) for s in self.sections
        )
        return replace(self, title=line(self.title), notice=line(self.notice), sections=sections)


def lines_in(block: Paragraph | Table | Section) -> Iterator[Line]:
    """Yield every line of text within a block."""
    if isinstance(block, Section):
        for inner in block.blocks:
            yield from lines_in(inner)
    elif isinstance(block, Table):
        yield block.caption
        yield from block.header
        for row in block.rows:
            yield from row
    else:
        yield block.runs


def plain(line: Line) -> str:
    """Return a line as plain text, as every writer prints it."""
    return "".join(run if isinstance(run, str) else run.text for run in line)


class Writer:
    """Turns templates into lines, and remembers which references they name."""

    def __init__(self, values: Mapping[str, str], references: Mapping[str, Reference]) -> None:
        self._values = values
        self._references = references
        self.cited: dict[str, Reference] = {}

    def line(self, template: str) -> Line:
        """Return the runs of a template."""
        runs: list[Run] = []
        place = 0
        for match in _PARTS.finditer(template):
            if match.start() > place:
                runs.append(template[place : match.start()])
            place = match.end()
            if key := match["value"]:
                runs.append(Value(key, self._values[key]))
            elif key := match["blank"]:
                runs.append(Blank(key, match["hint"]))
            else:
                source = self._references[match["cite"]]
                self.cited.setdefault(source.key, source)
                runs.append(Citation(source.key, source.short))
        if place < len(template):
            runs.append(template[place:])
        return tuple(runs)

    def text(self, *templates: str) -> tuple[Paragraph, ...]:
        """Return paragraphs of text."""
        return tuple(Paragraph(self.line(t)) for t in templates)

    def bullets(self, *templates: str) -> tuple[Paragraph, ...]:
        """Return the items of a list."""
        return tuple(Paragraph(self.line(t), "bullet") for t in templates)

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
        """Return a table."""
        return Table(
            caption=self.line(caption),
            header=tuple(self.line(h) for h in header),
            rows=tuple(tuple(self.line(c) for c in row) for row in rows),
        )
