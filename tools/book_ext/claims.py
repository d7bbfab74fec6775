"""Take-aways as claims: numbered, anchored, and linked to the test that could refute them.

- directive ``{claim} claim-<page>-<what>``: one take-away; its text is the directive's content.
- directive ``{claims-list}``: the claims of the book, page by page, with their last results.

What is known of a claim is in `_build/verification/claims.json`, which `tools/claims_report.py`
writes. An id without a test, or one that stands twice, is a warning. In a notebook a claim is a
list item that ends in a link to its row; it gets the same anchor and the same look.
"""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from scrolling import plain
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from car_relapse.parameters import parameter

REPORT = "_build/verification/claims.json"
PAGE = "book/claims"
LEDGER = "book/parameters"
LIST = "claims"
logger = logging.getLogger(__name__)


def read_report(root: Path) -> dict[str, Any]:
    """Return the report; raise FileNotFoundError with a remedy when there is none."""
    path = root / REPORT
    if not path.is_file():
        raise FileNotFoundError(f"{REPORT} is not there; run tools/claims_report.py")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


class claim_mark(nodes.Inline, nodes.TextElement):
    """The id of a claim, which becomes a link to its row."""


class Claim(SphinxDirective):
    """One take-away."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a list of one item; the items of a page are joined when it has been read."""
        id = self.arguments[0]
        try:
            known = {entry["id"] for entry in read_report(Path(self.env.srcdir))["claims"]}
        except FileNotFoundError as error:
            raise self.error(str(error)) from None
        if id not in known:
            raise self.error(
                f"{id} is a claim without a test; write one in tests/claims and run "
                "tools/claims_report.py"
            )
        self.env.note_dependency(str(Path(self.env.srcdir) / REPORT))
        children, messages = self.state.inline_text(" ".join(self.content), self.lineno)
        words = nodes.paragraph("", "", *children, nodes.Text(" "), claim_mark(id, id))
        item = nodes.list_item("", words)
        item["names"].append(nodes.fully_normalize_name(id))
        self.set_source_info(item)
        # An id that stands twice is a warning of this call.
        self.state.document.note_explicit_target(item, item)
        return [nodes.enumerated_list("", item, classes=[LIST], enumtype="arabic"), *messages]


class JoinClaims(SphinxTransform):
    """Join the claims of a page into one numbered list, and mark those of a notebook."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        for found in list(self.document.findall(nodes.enumerated_list)):
            if LIST not in found["classes"]:
                self._mark(found)
                continue
            index = found.parent.index(found)
            before = found.parent[index - 1] if index else None
            if isinstance(before, nodes.enumerated_list) and LIST in before["classes"]:
                before.extend(found.children)
                found.parent.remove(found)

    def _mark(self, found: nodes.enumerated_list) -> None:
        """Give the items of a notebook's list the anchors and the look of claims."""
        for item in found:
            links = [
                link
                for link in item.findall(addnodes.pending_xref)
                if link["reftarget"] == PAGE
                and (link.get("reftargetid") or "").startswith("claim-")
            ]
            for link in links:
                id = link["reftargetid"]
                item["names"].append(id)
                self.document.note_explicit_target(item, item)
                link.replace_self(claim_mark(id, id))
                found["classes"] = [LIST]


class LinkMarks(SphinxPostTransform):
    """Make the id of each claim a link to its row on the claims page."""

    default_priority = 200

    def run(self, **_: Any) -> None:
        for mark in list(self.document.findall(claim_mark)):
            id = mark.astext()
            if PAGE not in self.env.found_docs:
                logger.warning("%s is not in the book: %s cannot link to it", PAGE, id)
                continue
            uri = self.app.builder.get_relative_uri(self.env.docname, PAGE)
            link = nodes.reference(
                id, id, refuri=f"{uri}#{id}", internal=True, classes=["claim-mark"],
                reftitle="The test of this claim",
            )  # fmt: skip
            mark.replace_self(link)


def varied_text(keys: list[str], linked: bool) -> str:
    """Return names and symbols of ledger rows; each leads to its row where the ledger is a page."""
    rows = [parameter(key) for key in keys]
    # The name is the link: some readers of screens pass over a formula.
    names = [plain(row.name) for row in rows]
    if linked:
        anchors = [re.sub(r"[._]", "-", f"par-{key}") for key in keys]
        names = [f"[{name}](#{anchor})" for name, anchor in zip(names, anchors, strict=True)]
    return "; ".join(f"{name} ${row.symbol}$" for name, row in zip(names, rows, strict=True))


def share_text(entry: dict[str, Any]) -> str:
    """Return in how many draws a model claim held."""
    return (
        f"In {100 * entry['share']:.0f} % of {entry['draws']} draws "
        f"(standard error {100 * entry['standard_error']:.1f} %); "
        f"{100 * entry['at_least']:.0f} % asked."
    )


def breakable(name: str) -> nodes.raw:
    """Return code that may be broken after its underscores and full stops."""
    words = "".join(f"{sign}<wbr>" if sign in "_/." else sign for sign in escape(name))
    return nodes.raw("", f'<code class="literal">{words}</code>', format="html")


class ClaimsList(SphinxDirective):
    """The claims of the book: one list for each page that makes claims."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        try:
            report = read_report(root)
        except FileNotFoundError as error:
            raise self.error(str(error)) from None
        for problem in report["problems"]:
            logger.warning("%s", problem, location=(self.env.docname, self.lineno))
        self.env.note_dependency(str(root / REPORT))
        found: list[nodes.Node] = []
        for page, entries in groupby(report["claims"], key=lambda entry: entry["page"]):
            found += self._of_page(page, list(entries))
        return found

    def _of_page(self, page: str, entries: list[dict[str, Any]]) -> list[nodes.Node]:
        title = nodes.rubric("", "")
        title += self._link(page, "/" + page, domain="std", type="doc", explicit=False)
        file = nodes.paragraph("", "Tested in ", breakable(entries[0]["file"]), nodes.Text("."))
        items = nodes.definition_list("", classes=["claims-list"])
        for entry in entries:
            term = nodes.term("", "", *self._inline(entry["text"]), ids=[entry["id"]])
            about = nodes.definition("", *self._about(entry, page))
            items += nodes.definition_list_item("", term, about)
        return [title, file, items]

    def _about(self, entry: dict[str, Any], page: str) -> list[nodes.paragraph]:
        """Say what kind of claim it is, where it stands, and what its test found."""
        verdict = "✓ holds" if entry["passed"] else "✗ fails"
        place = self._link(entry["id"], entry["id"], type="claim-place", page=page)
        first = nodes.paragraph("", f"{verdict}, by {entry['kind']}. ", classes=["claim-id"])
        first += place
        found = [first]
        if not entry["passed"]:
            found.append(nodes.paragraph("", entry["message"]))
        if entry["share"] is not None:
            varied = varied_text(entry["varies"], LEDGER in self.env.found_docs)
            texts = (share_text(entry), f"Varied: {varied}.")
            found += [nodes.paragraph("", "", *self._inline(text)) for text in texts]
        found.append(nodes.paragraph("", "Test: ", breakable(entry["test"])))
        return found

    def _inline(self, text: str) -> list[nodes.Node]:
        """Parse text as text of the page."""
        children, messages = self.state.inline_text(text, self.lineno)
        return [*children, *messages]

    def _link(
        self, text: str, target: str, *, type: str, domain: str = "", page: str = "",
        explicit: bool = True,
    ) -> addnodes.pending_xref:  # fmt: skip
        return addnodes.pending_xref(
            "", nodes.inline("", text), refdomain=domain, reftype=type, reftarget=target,
            refpage=page, refexplicit=explicit, refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip


def _link_place(
    app: Sphinx, env: Any, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.reference | None:
    """Link a row of the claims page to the place where its claim stands."""
    if node["reftype"] != "claim-place":
        return None
    uri = app.builder.get_relative_uri(node["refdoc"], node["refpage"])
    return nodes.reference("", "", text, refuri=f"{uri}#{node['reftarget']}", internal=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and what joins and links the claims."""
    app.add_node(claim_mark)
    app.add_directive("claim", Claim)
    app.add_directive("claims-list", ClaimsList)
    app.add_transform(JoinClaims)
    app.add_post_transform(LinkMarks)
    app.connect("missing-reference", _link_place)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
