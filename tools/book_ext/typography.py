"""Keep "CAR-T", and a number and its per cent sign, on one line."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

TERM = re.compile(r"(CAR-T)")
PERCENT = re.compile(r"(?<=\d) (?=%)")
NO_BREAK = "\N{NO-BREAK SPACE}"
LEFT_ALONE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


class Unbroken(SphinxPostTransform):
    """Wrap the term in an inline element of class `unbroken`, which the style sheet keeps whole."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            parent = text.parent
            if isinstance(parent, LEFT_ALONE) or "unbroken" in parent.get("classes", []):
                continue
            words = PERCENT.sub(NO_BREAK, text.astext())
            # A computed number is a node of its own, and the sign starts the next one.
            before = parent[parent.index(text) - 1] if parent.index(text) else None
            if words.startswith(" %") and before is not None and before.astext()[-1:].isdigit():
                words = NO_BREAK + words[1:]
            parts = TERM.split(words)
            if words == text.astext() and len(parts) == 1:
                continue
            parent.replace(
                text,
                [
                    nodes.inline(part, part, classes=["unbroken"])
                    if TERM.fullmatch(part)
                    else nodes.Text(part)
                    for part in parts
                    if part
                ],
            )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_post_transform(Unbroken)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
