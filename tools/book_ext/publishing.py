"""Keep the published pages light, free of other hosts' files, and free of dead controls."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

# What the theme copies and no page names: its icon script and fonts, and maps for its developers.
UNUSED = (
    "scripts/fontawesome.js*",
    "scripts/*.map",
    "styles/*.map",
    "vendor/fontawesome",
    "vendor/*/README.md",
    "fonts/README.md",
)


def is_from_elsewhere(file: Any) -> bool:
    """Whether a style sheet or script would be asked of another host."""
    name = getattr(file, "filename", file)
    return isinstance(name, str) and name.startswith(("http://", "https://", "//"))


def is_widget_state(file: Any) -> bool:
    """Whether a script is the saved state of notebook widgets."""
    return getattr(file, "attributes", {}).get("type") == WIDGET_STATE


def keep_own_files(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop from a page what it would load from another host, and widget state."""
    for kind in ("css_files", "script_files"):
        context[kind] = [
            file
            for file in context.get(kind, [])
            if not is_from_elsewhere(file) and not is_widget_state(file)
        ]


def drop_widgets(app: Sphinx, doctree: nodes.document) -> None:
    """Take notebook widgets out of a page: without a kernel a slider moves and nothing answers."""
    for view in list(doctree.findall(lambda node: is_view(node))):
        bundle = view.parent
        cell_output = bundle.parent
        if cell_output is None:
            continue
        cell_output.remove(bundle)
        if not cell_output.children and cell_output.parent is not None:
            cell_output.parent.remove(cell_output)


def is_view(node: nodes.Node) -> bool:
    """Whether a node is the widget alternative among the forms of one output."""
    return isinstance(node, nodes.Element) and node.get("mime_type") == WIDGET_VIEW


def drop_repeated_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Unname the bodies of exercises and solutions, which sphinx-exercise names all alike."""
    for section in doctree.findall(nodes.section):
        if section["ids"] in (["exercise-content"], ["solution-content"]):
            section["ids"] = []


def remove_unused_files(app: Sphinx, exception: Exception | None) -> None:
    """Delete what was copied into `_static` and is loaded by no page."""
    for pattern in UNUSED:
        for path in (Path(app.outdir) / "_static").glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("doctree-read", drop_widgets)
    app.connect("doctree-resolved", drop_repeated_names)
    app.connect("html-page-context", keep_own_files, priority=900)
    app.connect("build-finished", remove_unused_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
