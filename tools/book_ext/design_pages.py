"""The page on the design command: its keys and its errors, from the reader itself.

``{design-keys}``    every section that a scenario file may hold, with its keys
``{design-errors}``  what the reader says of an example file with one mistake in it

Each line in the body of ``design-errors`` is one mistake, as ``right => wrong``: a text of the
example file, and what stands there instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from scrolling import TableDirective, plain
from sphinx.application import Sphinx

from car_relapse.design import example_text, parse_trial
from car_relapse.design.keys import Key, Section, sections
from car_relapse.errors import ScenarioError

SOURCE = "trial.yaml"


def code(text: str) -> str:
    """Set what docstrings set as code, in the way of this page's language.

    >>> code("``policy`` or `first`")
    '`policy` or `first`'
    """
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def places(section: Section) -> str:
    """Return where a section may stand, in words."""
    return ", ".join(f"`{place}`" for place in section.places if place) or "Top of the file"


class Pairs(TableDirective):
    """What directives share that make a list of terms with a paragraph each."""

    def pairs(self, rows: Iterable[tuple[str, str]]) -> nodes.definition_list:
        """Return a list; a table would break long keys on a phone."""
        return nodes.definition_list(
            "",
            *(
                nodes.definition_list_item(
                    "",
                    nodes.term("", "", *self.inline(term).children),
                    nodes.definition("", self.inline(words)),
                )
                for term, words in rows
            ),
        )


class DesignKeys(Pairs):
    """One list for each kind of section."""

    def run(self) -> list[nodes.Node]:
        """Return the lists, each under its places in a file."""
        found: list[nodes.Node] = []
        for section in sections():
            found.append(nodes.rubric("", "", *self.inline(places(section)).children))
            found.append(self.inline(code(section.says)))
            found.append(self.pairs((self.term(key), code(key.means)) for key in section.keys))
        return found

    @staticmethod
    def term(key: Key) -> str:
        """Return a key with what it holds."""
        default = key.default
        if default and default != "needed":
            default = f"`{default}` by default"
        return f"`{key.name}`: " + ", ".join(filter(None, (code(key.holds), default)))


def said(text: str, right: str, wrong: str) -> str:
    """Return what the reader says of a text with one mistake; raise ValueError if nothing."""
    if right not in text:
        raise ValueError(f"the example has no {right!r}")
    try:
        parse_trial(text.replace(right, wrong, 1), SOURCE)
    except ScenarioError as problem:
        return str(problem)
    raise ValueError(f"the reader takes {wrong!r} for {right!r}")


class DesignErrors(Pairs):
    """Mistakes, and what is said of them."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        text = example_text(self.arguments[0])
        rows = []
        for line in filter(str.strip, self.content):
            right, _, wrong = (part.strip() for part in line.partition(" => "))
            try:
                message = said(text, right, wrong)
            except ValueError as problem:
                raise self.error(f"design-errors: {problem}") from problem
            rows.append((f"`{wrong}`", plain(message)))
        return [self.pairs(rows)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.setup_extension("scrolling")
    app.add_directive("design-keys", DesignKeys)
    app.add_directive("design-errors", DesignErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
