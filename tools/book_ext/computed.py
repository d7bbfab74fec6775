"""Numbers and figures that the pages take from a JSON file instead of from a typist.

The files lie in figures/, or, for what is computed when the site is built, in _build/verification/.

- role ``{num}`slug.key` ``: the printed form of one number of one figure;
- directive ``{computed-figure} slug``: the picture, with its generated caption and alt text and
  a link to its data.

An unknown slug or key is a warning, which the build turns into a failure.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure
from sphinx.util.docutils import SphinxRole

FOLDERS = ("figures", "_build/verification")


def folder_of(root: Path, slug: str) -> str:
    """Return the folder that holds a figure; raise KeyError with a remedy when none does."""
    for folder in FOLDERS:
        if (root / folder / f"{slug}.json").is_file():
            return folder
    known = ", ".join(sorted(p.stem for f in FOLDERS for p in (root / f).glob("*.json")))
    raise KeyError(
        f"no computed figure is called {slug!r}; there are {known}; see tools/make_figures.py"
    )


def read_sidecar(root: Path, slug: str) -> dict[str, Any]:
    """Return the sidecar of one figure; raise KeyError with a remedy when there is none."""
    path = root / folder_of(root, slug) / f"{slug}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_number(root: Path, target: str) -> str:
    """Return the printed form of ``slug.key``; raise KeyError with a remedy when unknown."""
    slug, _, key = target.partition(".")
    numbers = read_sidecar(root, slug)["numbers"]
    if key not in numbers:
        raise KeyError(f"figure {slug!r} has no number {key!r}; it has {', '.join(numbers)}")
    text: str = numbers[key]["text"]
    return text


class NumberRole(SphinxRole):
    """Insert a computed number and make the page depend on its sidecar."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        slug, root = self.text.partition(".")[0], Path(self.env.srcdir)
        try:
            text = read_number(root, self.text)
        except KeyError as error:
            return [], [self.inliner.reporter.error(error.args[0], line=self.lineno)]
        self.env.note_dependency(str(root / folder_of(root, slug) / f"{slug}.json"))
        return [nodes.inline(text, text, classes=["computed-number"])], []


class ComputedFigure(Figure):
    """Insert a generated figure with its generated words."""

    has_content = False
    option_spec = {"name": directives.unchanged}  # noqa: RUF012  # docutils' own protocol

    def run(self) -> list[nodes.Node]:
        slug = self.arguments[0]
        env = self.state.document.settings.env
        root = Path(env.srcdir)
        try:
            folder, sidecar = folder_of(root, slug), read_sidecar(root, slug)
        except KeyError as error:
            raise self.error(error.args[0]) from None
        env.note_dependency(str(root / folder / f"{slug}.json"))
        self.arguments[0] = f"/{folder}/{slug}.svg"
        self.options |= {"alt": sidecar["alt"], "width": "100%", "figclass": ["computed-figure"]}
        self.content = StringList([sidecar["caption"]], source=f"{folder}/{slug}.json")
        found = super().run()
        figure = next((node for node in found if isinstance(node, nodes.figure)), None)
        if figure is not None:
            figure += _data_link(folder, slug)
        return found


def _data_link(folder: str, slug: str) -> nodes.legend:
    link = addnodes.download_reference(
        "", "", reftarget=f"/{folder}/{slug}.csv", refdoc="", refexplicit=True
    )
    link += nodes.Text(f"Data of this figure ({slug}.csv)")
    return nodes.legend("", nodes.paragraph("", "", link))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role and the directive."""
    app.add_role("num", NumberRole())
    app.add_directive("computed-figure", ComputedFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
