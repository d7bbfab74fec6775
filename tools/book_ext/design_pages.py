"""The page on the design command: its keys and its errors, from the reader itself.

``{design-keys}``    every section that a scenario file may hold, as one table each
``{design-errors}``  what the reader says of an example file with one mistake in it

Each line in the body of ``design-errors`` is one mistake, as ``right => wrong``: a text of the
example file, and what stands there instead.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from scrolling import TableDirective
from sphinx.application import Sphinx

from car_relapse.design import example_text, parse_trial
from car_relapse.design.keys import Section, sections
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
    return ", ".join(f"`{place}`" for place in section.places if place) or "top of the file"


class DesignKeys(TableDirective):
    """One table for each kind of section."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        head = ("Key", "Holds", "Default", "Means")
        return [
            self.table(
                f"{section.says} ({places(section)})",
                head,
                [
                    [f"`{key.name}`", code(key.holds), key.default, code(key.means)]
                    for key in section.keys
                ],
            )
            for section in sections()
        ]


def said(text: str, right: str, wrong: str) -> str:
    """Return what the reader says of a text with one mistake; raise ValueError if nothing."""
    if right not in text:
        raise ValueError(f"the example has no {right!r}")
    try:
        parse_trial(text.replace(right, wrong, 1), SOURCE)
    except ScenarioError as problem:
        return str(problem)
    raise ValueError(f"the reader takes {wrong!r} for {right!r}")


class DesignErrors(TableDirective):
    """Mistakes, and what is said of them."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        text = example_text(self.arguments[0])
        rows = []
        for line in filter(str.strip, self.content):
            right, _, wrong = (part.strip() for part in line.partition(" => "))
            try:
                message = said(text, right, wrong)
            except ValueError as problem:
                raise self.error(f"design-errors: {problem}") from problem
            rows.append([f"`{wrong}`", f"`{message}`"])
        return [self.table(self.options["caption"], ("In the file", "What is said"), rows)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.setup_extension("scrolling")
    app.add_directive("design-keys", DesignKeys)
    app.add_directive("design-errors", DesignErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
