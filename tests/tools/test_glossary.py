"""Every glossary entry is used, and a bold term in a chapter is linked to its entry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERM = re.compile(r"\{term\}`([^`<]+?)(?:\s*<([^>]+)>)?`")
BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
# Words of the ledger's certainty are links that a directive makes.
MADE = {"computed"}


def entries(glossary: str) -> set[str]:
    """Return the terms of a glossary in lower case."""
    block = glossary.split("```{glossary}\n", 1)[1].split("```", 1)[0]
    return {line.strip().lower() for line in block.splitlines() if re.match(r"\S", line)}


def linked(text: str) -> set[str]:
    """Return the terms that a page links, in lower case."""
    return {(found[2] or found[1]).strip().lower() for found in TERM.finditer(text)}


def bold_without_link(text: str, terms: set[str]) -> list[str]:
    """Return what a page sets in bold as a term without a link to the glossary."""
    return [bold for bold in BOLD.findall(text) if bold.strip().lower() in terms]


def pages() -> dict[str, str]:
    """Return the text of every page and notebook but the glossary."""
    found = {}
    for path in [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        found[path.stem] = text
    return found


@pytest.fixture(scope="module")
def terms() -> set[str]:
    return entries((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))


def test_every_entry_is_linked_from_a_page(terms):
    used = set().union(*(linked(text) for text in pages().values())) | MADE
    assert sorted(terms - used) == []


def test_a_bold_term_is_a_link(terms):
    bare = {name: bold_without_link(text, terms) for name, text in pages().items()}
    assert {name: bold for name, bold in bare.items() if bold} == {}


def test_terms_stand_in_the_order_of_the_alphabet():
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    block = glossary.split("```{glossary}\n", 1)[1].split("```", 1)[0]
    order = [line.lower() for line in block.splitlines() if re.match(r"\S", line)]
    assert order == sorted(order)


def test_an_unlinked_bold_term_and_an_unused_entry_are_found():
    terms = entries("# G\n\n```{glossary}\nnadir\n  Low.\n\nPeak\n  High.\n```\n")
    assert terms == {"nadir", "peak"}
    assert bold_without_link("A **Nadir** and **{term}`peak`** and **x**", terms) == ["Nadir"]
    assert linked("{term}`peaks <Peak>`") == {"peak"}
