"""Citations read as English, and "CAR-T" and formulas with their full stops stay on one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_book import build_small_book, built_page

BIB = """
@article{three2020, author = {Able, Ann and Baker, Ben and Cole, Cy}, title = {T},
  journal = {J}, year = {2020}}
@article{some2021, author = {Dale, Di and others}, title = {T}, journal = {J}, year = {2021}}
"""

PAGE = """
Why CAR-T relapses
==================

A CAR-T cell in 29 % and *30* % and ``CAR-T 5 %`` code :cite:p:`three2020` :cite:p:`some2021`.

So :math:`q^n`. Then (:math:`r`), :math:`s` and the :math:`t`-th.

Of *one*, *two* and :math:`v`, *four*.

See `doi:10.1182/blood.2021 <https://doi.org/10.1182/blood.2021>`_ or `doi of it <https://a.b/c>`_.

.. bibliography::
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Build one page with the two extensions and return its HTML."""
    (tmp_path / "refs.bib").write_text(BIB, encoding="utf-8")
    (tmp_path / "index.rst").write_text(PAGE, encoding="utf-8")
    build_small_book(
        tmp_path,
        ["sphinxcontrib.bibtex", "citing", "typography"],
        bibtex_bibfiles=["refs.bib"],
        bibtex_reference_style="author_year_in_english",
    )
    return built_page(tmp_path)


def test_many_authors_are_the_first_and_others_however_the_entry_lists_them(page: str) -> None:
    assert "Able and others, 2020" in page
    assert "Dale and others, 2021" in page
    assert "et al" not in page.split("id=")[0] + page.split("<article")[0]


def test_the_term_is_kept_whole_in_headings_and_text_but_code_is_left_alone(page: str) -> None:
    assert '<h1>Why <span class="unbroken">CAR-T</span> relapses' in page
    assert 'A <span class="unbroken">CAR-T</span> cell' in page
    assert '<span class="pre">CAR-T</span>' in page
    assert "<title>Why CAR-T relapses" in page


def test_a_number_and_its_per_cent_sign_are_not_parted(page: str) -> None:
    assert "in 29\N{NO-BREAK SPACE}% and" in page
    assert "<em>30</em>\N{NO-BREAK SPACE}% and" in page
    assert '<span class="pre">5</span> <span class="pre">%</span>' in page


def test_a_formula_is_not_parted_from_the_marks_that_touch_it(page: str) -> None:
    kept = r'<span class="unbroken">{}<span class="math[^>]*>\\\({}\\\)</span>{}</span>'
    assert re.search("So " + kept.format("", r"q\^n", r"\.") + " Then", page)
    assert re.search("Then " + kept.format(r"\(", "r", r"\),") + " <span", page)
    assert re.search(r'\), *</span> <span class="math[^>]*>\\\(s\\\)</span> and', page)
    assert re.search(r'<span class="math[^>]*>\\\(t\\\)</span>-th', page)


def test_each_mark_of_a_paragraph_stays_where_it_was(page: str) -> None:
    assert r"Of one, two and \(v\), four." in re.sub(r"</?(?:span|em)[^>]*>", "", page)


def test_a_doi_may_be_broken_at_its_joints_and_leads_where_it_did(page: str) -> None:
    assert 'doi.org/10.1182/blood.2021">doi:10.1182/<wbr>blood.<wbr>2021<' in page
    assert 'href="https://a.b/c">doi of it<' in page
