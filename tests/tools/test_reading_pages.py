"""Minutes are counted from the words, and symbol tables are rows of the ledger."""

from __future__ import annotations

import re
from pathlib import Path

import ledger
import minutes
import pytest
from small_book import build_small_book, built_page

from car_relapse.parameters import ledger as all_rows
from car_relapse.symbols import symbol_table

ROOT = Path(__file__).resolve().parents[2]
WORDS = " ".join(["word"] * 300)
PAGE = f"""# Page

{WORDS}

| This page | {{minutes}}`index` to read, {{minutes}}`index exercises` for the exercises |
|---|---|

```python
{WORDS}
```

$$ x = y $$

```{{exercise}} One (recall, 4 minutes)
:label: ex-1
{WORDS}
```

```{{exercise}} Two (compute, 1 minute)
:label: ex-2
Do.
```

```{{solution}} ex-1
:label: sol-1
{WORDS}
```
"""
TERMS = """
```{glossary}
assumed
  Chosen.

computed
  Calculated.

fitted
  Chosen to match.

measured
  Observed.
```

```{bibliography}
```
"""
ENTRY = """@article{lamble2023relapse,
  author = {Lamble, Adam J. and others}, title = {{T}}, journal = {J}, year = {2023},
  doi = {10.1182/bloodadvances.2022007423}
}
"""


def build(root: Path, page: str, other: str = "# Other\n") -> tuple[str, str]:
    """Build a book of one page and return its HTML and the warnings."""
    (root / "book").mkdir(exist_ok=True)
    (root / "book" / "symbols.csv").write_text(
        "id,symbol,meaning,formula,unit,where\n"
        "survival-without-therapy,s,chance without therapy,$1-d/b$,dimensionless,eq-s\n",
        encoding="utf-8",
    )
    (root / "book" / "references.bib").write_text(ENTRY, encoding="utf-8")
    (root / "index.md").write_text(page, encoding="utf-8")
    (root / "other.md").write_text(f"---\norphan: true\n---\n{other}", encoding="utf-8")
    _, warned = build_small_book(
        root,
        ["sphinx_exercise", "sphinxcontrib.bibtex", "minutes", "ledger"],
        bibtex_bibfiles=["book/references.bib"],
        nitpicky=True,
    )
    return built_page(root), warned


class TestMinutes:
    def test_words_of_text_count_and_code_exercises_and_solutions_do_not(self, tmp_path):
        html, warned = build(tmp_path, PAGE)
        assert warned == ""
        assert '<span class="computed-number">2</span> to read' in html  # 300 words, no others

    def test_the_minutes_of_exercises_are_summed_from_their_titles(self, tmp_path):
        html, _ = build(tmp_path, PAGE)
        assert '<span class="computed-number">5</span> for the exercises' in html

    def test_an_exercise_without_minutes_is_a_warning(self, tmp_path):
        _, warned = build(tmp_path, PAGE.replace(", 1 minute)", ")"))
        assert "1 of 2 exercises of index state their minutes" in warned

    @pytest.mark.parametrize("asked", ["nowhere", "index pages"])
    def test_an_unknown_page_or_word_is_a_warning(self, tmp_path, asked):
        _, warned = build(tmp_path, PAGE.replace("`index exercises`", f"`{asked}`"))
        assert "must be the name of one page" in warned

    def test_minutes_follow_another_page_that_has_grown(self, tmp_path):
        page = "# Page\n\nIt takes {minutes}`other` min.\n"
        assert "number'>1<" in build(tmp_path, page)[0].replace('"', "'")
        grown = build(tmp_path, page, f"# Other\n\n{WORDS}\n")[0]
        assert "number'>2<" in grown.replace('"', "'")


class TestSymbols:
    def test_a_row_prints_what_the_ledger_says_and_links_to_it(self, tmp_path):
        page = "# Page\n\n```{symbols} loss.cd19\n:name: tbl-x\n```\n\n```{parameters} loss\n```\n"
        html, warned = build(tmp_path, page + TERMS)
        assert warned == ""
        table = html[html.index("<table") : html.index("</table>")]
        assert 'href="#par-loss-cd19"' in table
        assert r"\(u\)" in table
        assert r"\(1.147\times10^{-12}\)" in table
        assert "per division" in table
        assert 'href="#term-fitted"' in table
        assert 'id="par-loss-cd19"' in html
        assert 'id="tbl-x"' in html

    def test_a_derived_quantity_is_a_line_of_the_body(self, tmp_path):
        page = "# Page\n\n```{symbols} loss.cd19\n$P(a|b)$ | a chance | none | computed\n```\n"
        html, _ = build(tmp_path, page + TERMS)
        table = html[html.index("<table") : html.index("</table>")]
        assert r"\(P(a|b)\)" in table
        assert "<p>a chance</p>" in table
        assert 'href="#term-computed"' in table

    def test_a_known_derived_quantity_needs_only_its_symbol(self, tmp_path):
        page = "# Page\n\n```{symbols}\n$s$\n```\n\n```{derived-symbols}\n```\n\n"
        html, warned = build(tmp_path, page + "```{math}\n:label: eq-s\ns\n```\n" + TERMS)
        assert warned == ""
        assert re.search(
            'href="#sym-survival-without-therapy"[^>]*>(<span[^>]*>)?chance without', html
        )
        assert html.count(r"\(1-d/b\)") == 2  # in the table, and on the card

    @pytest.mark.parametrize(
        ("table", "complaint"),
        [
            ("```{symbols} loss.cd20\n```", "not a ledger key"),
            ("```{symbols}\n```", "name keys of the ledger"),
            ("```{symbols}\n$q$ | no unit\n```", "must be"),
            ("```{parameters} luck\n```", "no key of the ledger starts with"),
        ],
    )
    def test_what_cannot_be_shown_is_a_warning(self, tmp_path, table, complaint):
        _, warned = build(tmp_path, f"# Page\n\n{table}\n")
        assert complaint in warned

    def test_a_source_that_the_bibliography_lacks_is_a_warning(self, tmp_path):
        _, warned = build(tmp_path, "# Page\n\n```{parameters} stein\n```\n")
        assert "add the entry" in warned

    def test_the_symbol_table_of_a_notebook_links_to_the_rows(self, tmp_path):
        table = symbol_table("loss.cd19", "loss.common_mode")._repr_markdown_()
        page = f"# Page\n\n{table.replace('../book/parameters.md', 'other.md')}\n"
        rows = f"# Ledger\n\n```{{parameters}} loss\n```\n{TERMS}"
        html, warned = build(tmp_path, page, rows)
        assert warned == ""
        assert 'href="other.html#par-loss-cd19"' in html
        _, warned = build(tmp_path, page.replace("par-loss-common-mode", "par-loss-nothing"), rows)
        assert "par-loss-nothing" in warned


class TestTheLedgerItself:
    def test_every_source_is_in_the_bibliography(self):
        keys = ledger.bibliography_keys(ROOT / "book" / "references.bib")
        missing = {row.key: row.doi for row in all_rows().values() if row.doi.lower() not in keys}
        assert {key: doi for key, doi in missing.items() if doi} == {}

    def test_every_row_is_on_the_page_once(self):
        page = (ROOT / "book" / "parameters.md").read_text(encoding="utf-8")
        prefixes = re.findall(r"^```\{parameters\} (\S+)$", page, re.MULTILINE)
        assert sorted(prefixes) == sorted({key.partition(".")[0] for key in all_rows()})

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0079, "0.0079"),
            (24000.0, "24,000"),
            (-0.012, "\N{MINUS SIGN}0.012"),
            (0.0, "0"),
            (2.02e9, r"$2.02\times10^{9}$"),
            (1e11, "$10^{11}$"),
            (0.0139583, "0.0139583"),
        ],
    )
    def test_numbers_keep_the_digits_of_the_ledger(self, value, text):
        assert ledger.number_text(value) == text

    @pytest.mark.parametrize(
        ("unit", "text"),
        [
            ("1/division", "per division"),
            ("copies/µg DNA", "copies per µg DNA"),
            ("l/hour", "litres per hour"),
            ("cells", "cells"),
        ],
    )
    def test_units_are_words(self, unit, text):
        assert ledger.unit_text(unit) == text

    def test_a_page_of_the_book_takes_as_long_as_its_words(self):
        assert minutes.PageTime(words=351, exercises=()).reading == 3
        assert minutes.PageTime(words=350, exercises=()).reading == 2
