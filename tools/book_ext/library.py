"""The library pages: the docstrings of the package, module by module.

Directive ``{library} car_relapse.survival`` shows one module: its docstring, then everything that
its ``__all__`` names. A module that says nothing of what is public is an error, and a DOI in a
docstring becomes a link.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, switch_source_input

# A DOI may hold brackets and dots, but the ones that end a sentence are not part of it.
DOI = re.compile(r"\bdoi:\s*(10\.\d{4,9}/[^\s`]*[^\s`.,;:?!)\]])")


def link_dois(text: str) -> str:
    """Turn every ``doi:10...`` into a link to its resolver.

    >>> link_dois("(Stein 2019, doi:10.1002/psp4.12388).")
    '(Stein 2019, `doi:10.1002/psp4.12388 <https://doi.org/10.1002/psp4.12388>`__).'
    """
    return DOI.sub(r"`doi:\1 <https://doi.org/\1>`__", text)


class Library(SphinxDirective):
    """Show the docstrings of one module of the package."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise self.error(f"there is no module {name!r} to document: {error}") from error
        if not getattr(module, "__all__", None):
            raise self.error(f"{name} has no __all__, which says what of it is public")
        # The directives that read docstrings speak reStructuredText, whatever the page speaks.
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
        content = StringList(lines, source=f"{name} (docstrings)")
        holder = nodes.container()
        with switch_source_input(self.state, content):
            self.state.nested_parse(content, self.content_offset, holder)
        return holder.children


def _link_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = [link_dois(line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the links."""
    app.add_directive("library", Library)
    app.connect("autodoc-process-docstring", _link_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
