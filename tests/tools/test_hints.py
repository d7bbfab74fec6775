"""A page carries the meaning of what it links to, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import hints
import pytest
from pybtex.database import parse_string
from small_book import build_small_book, built_page

BIB = """
@article{able2020, author = {Able, Ann and others}, title = {{On $\\alpha$ \\& more?}},
  journal = {J. Med.}, year = {2020}, doi = {10.1000/a_b<c>}, note = {DOI not checked}}
@article{baker2021, author = {Baker, Ben}, title = {{Two}}, journal = {K}, year = {2021}}
"""
GLOSSARY = """# Words

```{glossary}
nadir
  Lowest number $n$, see {term}`peak`, and not {term}`nadir`.

peak
  Highest number.

unused
  Nobody asks.
```
"""
REFERENCES = "# References\n\n```{bibliography}\n```\n"
INDEX = """# Index

A {term}`nadir` {cite:p}`able2020`, again a {term}`nadir`, and
[a DOI](https://doi.org/10.1000/A_b%3Cc%3E); [elsewhere](https://doi.org/10.1/none).
Also {cite:p}`baker2021` once.

```{toctree}
book/glossary
book/references
plain
```
"""


FILES = {
    "index.md": INDEX,
    "plain.md": "# Plain\n\nNo link.\n",
    "book/glossary.md": GLOSSARY,
    "book/references.md": REFERENCES,
    "refs.bib": BIB,
}


def build(root: Path, **changed: str) -> None:
    """Build a small book, or build it again with changed files."""
    for name, text in (changed or FILES).items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    _, warned = build_small_book(
        root,
        ["sphinxcontrib.bibtex", "hints"],
        bibtex_bibfiles=["refs.bib"],
        bibtex_tooltips=False,
    )
    assert warned == ""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    """Build the book once, and give a function that returns one of its pages."""
    root = tmp_path_factory.mktemp("book")
    build(root)
    return lambda name: built_page(root, name)


def hints_in(html: str) -> dict[str, str]:
    """Return the hints of a page by the address that they explain."""
    found = re.findall(
        r'<div class="hint" role="tooltip" id="[^"]+" data-for="([^"]+)" hidden>(.*?)</div>',
        html, re.DOTALL,
    )  # fmt: skip
    return {address: text.strip() for address, text in found}


def test_a_page_carries_what_it_links_to_once_and_no_more(page):
    found = hints_in(page("index"))
    assert next(iter(found)) == "book/glossary.html#term-nadir"
    assert len(found) == 4  # one term, two references, one DOI
    assert "Nobody asks" not in "".join(found.values())


def test_a_term_says_its_definition_with_its_formula_and_without_links(page):
    text = hints_in(page("index"))["book/glossary.html#term-nadir"]
    assert text.startswith("<p><strong>nadir</strong>: Lowest number")
    assert r"\(n\)" in text
    assert text.count("Lowest") == 1
    assert "<a" not in text
    assert "peak" in text


def test_a_page_whose_only_formula_is_in_a_hint_loads_what_sets_it(page):
    assert "MathJax" in page("index")
    assert "MathJax" not in page("plain")


def test_a_doi_link_says_the_reference_whatever_its_case_and_escapes(page):
    found = hints_in(page("index"))
    doi = next(text for address, text in found.items() if "doi.org" in address)
    assert "Able and others, 2020." in doi
    assert "10.1/none" not in "".join(found)


def test_a_page_without_such_links_carries_nothing(page):
    assert 'class="hint' not in page("plain")


def test_the_glossary_explains_its_own_links(page):
    assert "#term-peak" in hints_in(page("book/glossary"))


def test_an_entry_does_not_explain_itself(page):
    assert "#term-nadir" not in hints_in(page("book/glossary"))
    assert hints_in(page("book/references")) == {}


def test_names_of_hints_are_the_same_in_every_build_and_unique(page):
    first = re.findall('id="(hint-[0-9a-f]+)"', page("index"))
    assert first == [hints.hint_id(address) for address in hints_in(page("index"))]
    assert len(first) == len(set(first))


def test_a_changed_definition_reaches_the_pages_that_show_it(tmp_path):
    build(tmp_path)
    build(tmp_path, **{"book/glossary.md": GLOSSARY.replace("Lowest", "Smallest")})
    assert "Smallest number" in (tmp_path / "html/index.html").read_text(encoding="utf-8")


class TestReference:
    entries = parse_string(BIB, "bibtex").entries

    def test_it_is_short_and_its_marks_are_text(self):
        text = hints.reference_html(self.entries["able2020"])
        assert text.startswith("<p><strong>Able and others, 2020.</strong> On ")
        assert "&amp; more? <em>J. Med.</em>" in text
        assert "doi:10.1000/a_b&lt;c&gt;" in text
        assert "(DOI not checked)" in text

    @pytest.mark.parametrize(
        ("authors", "text"),
        [
            ("Able, Ann", "Able"),
            ("Able, Ann and Baker, Ben", "Able and Baker"),
            ("Able, Ann and others", "Able and others"),
            ("Able, Ann and Baker, Ben and Cole, Cy", "Able and others"),
            ("de la Cruz, Ana", "de la Cruz"),
            ("{World Health Organization}", "World Health Organization"),
        ],
    )
    def test_authors_are_named_as_citations_name_them(self, authors, text):
        entry = parse_string(
            f"@article{{x, author = {{{authors}}}, title = {{T}}, year = {{2020}}}}", "bibtex"
        ).entries["x"]
        assert hints.authors_text(entry) == text
