"""What must hold on a built site, as functions that return the faults they find."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKING = {
    "href": ("a", "link", "area"),
    "src": ("img", "script", "iframe", "source", "embed", "video", "audio"),
}
VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}


@dataclass
class Page:
    """What one page says that the checks below look at."""

    lang: str | None = None
    title: str = ""
    ids: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    images: list[dict[str, str | None]] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    canonical: str | None = None


class PageReader(HTMLParser):
    """Collects a Page."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attrs)
        page = self.page
        if tag == "html":
            page.lang = attributes.get("lang")
        for name in {attributes.get("id"), attributes.get("name") if tag == "a" else None} - {
            None,
            "",
        }:
            page.ids.append(name)
        for attribute, tags in LINKING.items():
            if tag in tags and attributes.get(attribute) is not None:
                page.links.append((tag, attributes[attribute]))
        if tag == "img":
            page.images.append(attributes)
        # The theme repeats the title in a block that is shown in print only.
        if re.fullmatch("h[1-6]", tag) and "article" in self.open:
            page.headings.append(int(tag[1]))
        if tag == "link" and attributes.get("rel") == "canonical":
            page.canonical = attributes.get("href")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "title" and "svg" not in self.open:
            self.page.title += data


@cache
def read_page(path: Path) -> Page:
    """Read the page in a file."""
    reader = PageReader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def pages(folder: Path) -> list[Path]:
    """List every page of the site, in a stable order."""
    return sorted(
        path for path in folder.rglob("*.html") if "_static" not in path.relative_to(folder).parts
    )


def broken_links(path: Path, folder: Path, prefix: str) -> list[str]:
    """Find links to files or anchors of the site that are not there.

    Absolute paths are looked up below `prefix`, where the site is published: the page for unknown
    addresses uses them, because it can be shown at any depth.
    """
    faults = []
    for _tag, link in read_page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = unquote(parts.path)
        if target.startswith("/"):
            if not target.startswith(prefix):
                faults.append(f"{link}: outside the site ({prefix})")
                continue
            file = folder / target[len(prefix) :]
        elif target:
            file = path.parent / target
        else:
            file = path
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            faults.append(f"{link}: no such file")
        elif (
            parts.fragment
            and file.suffix == ".html"
            and unquote(parts.fragment) not in read_page(file.resolve()).ids
        ):
            faults.append(f"{link}: no such anchor")
    return faults


def files_of_other_hosts(path: Path, own: str) -> list[str]:
    """Find scripts, styles, images and frames that a page would ask of another host."""
    loaded = [link for tag, link in read_page(path).links if tag not in ("a", "area")]
    return [
        link
        for link in loaded
        if (urlsplit(link).netloc or link.startswith("//")) and not link.startswith(own)
    ]


def images_without_alt(path: Path) -> list[str]:
    """Find images without a description. An empty one marks decoration, and is allowed."""
    return [str(image.get("src")) for image in read_page(path).images if image.get("alt") is None]


def repeated_ids(path: Path) -> list[str]:
    """Find names that two elements share, so that a link reaches only the first."""
    ids = read_page(path).ids
    return sorted({name for name in ids if ids.count(name) > 1})


def heading_jumps(path: Path) -> list[str]:
    """Find places where the outline skips a level, and more or less than one title."""
    levels = read_page(path).headings
    faults = [f"{levels.count(1)} top headings"] if levels.count(1) != 1 else []
    return faults + [f"h{a} to h{b}" for a, b in pairwise(levels) if b > a + 1]


def widget_remains(path: Path) -> list[str]:
    """Find traces of notebook widgets, which answer nothing on a page without a kernel."""
    text = path.read_text(encoding="utf-8")
    return [
        trace for trace in ("widget-state", "vnd.jupyter.widget", "require.min.js") if trace in text
    ]


def redirect_faults(path: Path) -> list[str]:
    """Find what the page at the site's bare address lacks."""
    page = read_page(path)
    text = path.read_text(encoding="utf-8")
    links = [link for tag, link in page.links if tag == "a"]
    target = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text)
    needs = {
        "a doctype": text.lower().startswith("<!doctype html>"),
        "a language": bool(page.lang),
        "a title": bool(page.title.strip()),
        "a redirect": target is not None,
        "a link for browsers that do not follow it": target is not None and target[1] in links,
    }
    return [f"no {what}" for what, there in needs.items() if not there]
