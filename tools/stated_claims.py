"""Find the claims that the pages and the notebooks state, without building the book.

In a page a claim is a directive ``{claim} claim-<page>-<what>``. In a notebook, which Jupyter must
be able to show too, it is a list item that ends in a link to its row on the claims page:
``1. Text. [claim-<notebook>-<what>](../book/claims.md#claim-<notebook>-<what>)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

# Parts of the book whose pages look something up and take nothing away.
WITHOUT_TAKEAWAYS = ("Trials", "Reference")
HEADING = re.compile(r"^## +(.*?)\s*$", re.MULTILINE)
CLAIM = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{claim\} *(?P<id>\S*) *\n(?P<text>.*?)^(?P=fence) *$\n?",
    re.MULTILINE | re.DOTALL,
)
ITEM = re.compile(
    r"^\d+\. +(?P<text>.*?) +\[(?P<id>claim-[^\]\s]+)\]\(\.\./book/claims\.md#(?P<link>[^)\s]+)\)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Stated:
    """One claim where the book states it."""

    id: str
    """Its id."""
    page: str
    """The page, as the table of contents names it."""
    text: str
    """What it says, in the page's markup."""


def pages(root: Path) -> dict[str, str]:
    """Return every page of the table of contents, with the part of the book it stands in."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))

    def below(entries: list[dict[str, Any]], part: str) -> Iterator[tuple[str, str]]:
        for entry in entries:
            yield entry["file"], part
            yield from below(entry.get("sections", []), part)

    found = {contents["root"]: ""}
    for part in contents["parts"]:
        found |= dict(below(part["chapters"], part.get("caption", "")))
    return found


def source(root: Path, page: str) -> tuple[str, bool]:
    """Return the Markdown of a page, and whether it is a notebook."""
    path = root / f"{page}.ipynb"
    if not path.is_file():
        return (root / f"{page}.md").read_text(encoding="utf-8"), False
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return "\n\n".join(words) + "\n", True


def section(markdown: str, title: str) -> str | None:
    """Return what stands under a second-level heading; None when there is no such heading."""
    heads = list(HEADING.finditer(markdown))
    for head, after in zip_longest(heads, heads[1:]):
        if head[1] == title:
            return markdown[head.end() : after.start() if after else len(markdown)]
    return None


def stated(root: Path) -> list[Stated]:
    """Return every claim of every page, in the order of the book."""
    found = []
    for page in pages(root):
        markdown, is_notebook = source(root, page)
        for match in (ITEM if is_notebook else CLAIM).finditer(markdown):
            found.append(Stated(match["id"], page, " ".join(match["text"].split())))
    return found


def problems(root: Path) -> list[str]:
    """Say which take-aways are no claims, and which claims have an id that does not fit."""
    found = []
    for page, part in pages(root).items():
        markdown, is_notebook = source(root, page)
        pattern = ITEM if is_notebook else CLAIM
        takeaways = section(markdown, "Take-aways")
        if takeaways is None:
            if part and part not in WITHOUT_TAKEAWAYS:
                found.append(f"{page}: it has no section 'Take-aways'")
            takeaways = ""
        elif not pattern.search(takeaways):
            found.append(f"{page}: no take-away is a claim")
        else:
            for line in pattern.sub("", takeaways).splitlines():
                # A label of the section that follows stands at the end of this one.
                if line.strip() and not re.fullmatch(r"\([a-z0-9-]+\)=", line.strip()):
                    found.append(f"{page}: this take-away is no claim: {line.strip()}")
        outside = len(list(pattern.finditer(markdown))) - len(list(pattern.finditer(takeaways)))
        if outside:
            found.append(f"{page}: {outside} claims stand outside the section 'Take-aways'")
        for match in pattern.finditer(markdown):
            if not match["id"].startswith(f"claim-{slug(page)}-"):
                found.append(f"{page}: {match['id']!r} does not begin with claim-{slug(page)}-")
            if not match["text"].strip():
                found.append(f"{page}: {match['id']} says nothing")
            if match.groupdict().get("link", match["id"]) != match["id"]:
                found.append(f"{page}: {match['id']} links to the row of {match['link']}")
    return found


def slug(page: str) -> str:
    """Return the name of a page without its folder."""
    return page.rsplit("/", 1)[-1]
