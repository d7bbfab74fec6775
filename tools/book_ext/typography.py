"""Keep "CAR-T", a number and its per cent sign, and a formula and its full stop, on one line.

A long DOI may be broken after a stroke or a full stop: otherwise the line ends wherever it is full.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

TERM = re.compile(r"(CAR-T)")
PERCENT = re.compile(r"(?<=\d) (?=%)")
TOUCHING = (re.compile(r"\S*\Z"), re.compile(r"\A\S*"))  # what touches a formula before and after
NO_BREAK = "\N{NO-BREAK SPACE}"
DOI = re.compile(r"doi:10\.")
JOINTS = re.compile(r"(?<!doi:10\.)(?<=[/.])(?=\w)")
LEFT_ALONE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


def _place(node: nodes.Node) -> int:
    """Return where a node stands in its parent: the node itself, not one with the same words.

    `Element.index` and `Element.replace` compare texts by what they say, and a paragraph may hold
    two that say no more than a full stop.
    """
    return next(i for i, child in enumerate(node.parent.children) if child is node)


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
            at = _place(text)
            before = parent[at - 1] if at else None
            if words.startswith(" %") and before is not None and before.astext()[-1:].isdigit():
                words = NO_BREAK + words[1:]
            parts = TERM.split(words)
            if words == text.astext() and len(parts) == 1:
                continue
            parent[at : at + 1] = [
                nodes.inline(part, part, classes=["unbroken"])
                if TERM.fullmatch(part)
                else nodes.Text(part)
                for part in parts
                if part
            ]


class UnbrokenFormulas(SphinxPostTransform):
    """Wrap a formula, and what touches it on either side, in one element of that class."""

    default_priority = 899
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            whole = nodes.inline(classes=["unbroken"])
            parent, at = formula.parent, _place(formula)
            before, after = parent[at - 1] if at else None, parent[at + 1 : at + 2]
            left = self._cut(before, TOUCHING[0])
            right = self._cut(after[0] if after else None, TOUCHING[1])
            if left or right:
                parent[at] = whole
                whole += [nodes.Text(left), formula, nodes.Text(right)]

    @staticmethod
    def _cut(node: nodes.Node | None, touching: re.Pattern[str]) -> str:
        """Take out of a text what touches the formula beside it, and return that."""
        if not isinstance(node, nodes.Text):
            return ""
        found = touching.search(node.astext())
        part = found[0] if found else ""
        # A word with several parts may well be broken; a bracket or a full stop may not.
        if not part or any(letter.isalnum() for letter in part):
            return ""
        node.parent[_place(node)] = nodes.Text(touching.sub("", node.astext(), count=1))
        return part


class BreakableAddresses(SphinxPostTransform):
    """Allow a line to end at the joints of a DOI. The mark is no letter and is not copied."""

    default_priority = 898
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for link in self.document.findall(nodes.reference):
            for text in [child for child in link.children if isinstance(child, nodes.Text)]:
                if not DOI.match(text.astext()):
                    continue
                start, *parts = JOINTS.split(text.astext())
                broken: list[nodes.Node] = [nodes.Text(start)]
                for part in parts:
                    broken += [nodes.raw("", "<wbr>", format="html"), nodes.Text(part)]
                link.replace(text, broken)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_post_transform(BreakableAddresses)
    app.add_post_transform(UnbrokenFormulas)
    app.add_post_transform(Unbroken)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
