"""The atlas's directives: what they write into a cell, and what a built page holds."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from car_relapse import evidence

ROOT = Path(__file__).resolve().parents[2]
PAGE = """# Atlas

```{trial-facts} NCT03233854
:name: tbl-facts
```

```{trial-facts} scri_car19x22
```

```{trial-overview}
:name: tbl-overview
```

```{relapse-phenotypes}
```

```{evidence-sources}
```

See {ref}`the facts <tbl-facts>` and {ref}`leukaemia <tbl-overview-b-all>`.

```{bibliography}
```
"""


def load_atlas():
    spec = importlib.util.spec_from_file_location("atlas", ROOT / "tools/book_ext/atlas.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["atlas"] = module
    spec.loader.exec_module(module)
    return module


atlas = load_atlas()


def trial(key: str) -> evidence.Trial:
    return evidence.trials()[key]


def build(folder: Path, page: str) -> tuple[str, str]:
    """Build one page and return its HTML and the warnings."""
    from io import StringIO

    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    (folder / "index.md").write_text(page, encoding="utf-8")
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            srcdir=folder,
            confdir=None,
            outdir=folder / "out",
            doctreedir=folder / "trees",
            buildername="html",
            confoverrides={
                "extensions": ["myst_parser", "sphinxcontrib.bibtex", "atlas"],
                "bibtex_bibfiles": [str(ROOT / "book/references.bib")],
                "bibtex_reference_style": "author_year",
                "html_theme": "pydata_sphinx_theme",
                "nitpicky": True,
                "numfig": True,
            },
            status=None,
            warning=warnings,
        )
        app.build()
    return (folder / "out/index.html").read_text(encoding="utf-8"), warnings.getvalue()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[str, str]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return build(tmp_path_factory.mktemp("page"), PAGE)


def article(built: tuple[str, str]) -> str:
    return built[0].split("<article", 1)[1].split("</article>", 1)[0]


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Closed forms at the ends of the range: 1 - 0.025^(1/n) and 0.025^(1/n).
    [(0, 10, 0, 100 * (1 - 0.025**0.1)), (6, 6, 100 * 0.025 ** (1 / 6), 100)],
)
def test_exact_intervals_agree_with_the_closed_form(count, total, low, high):
    assert atlas.exact_interval(count, total) == pytest.approx((low, high))


def test_a_share_prints_count_percent_and_interval():
    assert atlas.share_text(13, 15) == "13 of 15 (87 %; 60–98)"


def test_empty_cells_tell_unreported_from_unread():
    assert atlas.missing(trial("auto3_amelia")) == "not reported"
    assert atlas.missing(trial("scri_car19x22")) == "not found"
    assert atlas.missing(trial("pan2023_sequential")) == "not found"
    assert atlas.missing(trial("nci_bicistronic_successor")) == "not found"


def test_background_knowledge_is_marked_and_checked_knowledge_is_not():
    assert atlas.words_text(trial("nci_1922_shalabi"), "costim") == "4-1BB †"
    assert atlas.words_text(trial("nci_1922_shalabi"), "nct") == "NCT03448393"
    assert atlas.words_text(trial("scri_car19x22"), "construct") == "not found"
    assert atlas.words_text(trial("scri_car19x22"), "antigens") == "CD19, CD22 †"


def test_computed_counts_are_marked():
    assert atlas.response_text(trial("stanford_adult_1922_ball")).endswith("‡")
    assert not atlas.response_text(trial("auto3_amelia")).endswith("‡")
    assert atlas.count_text(trial("stanford_adult_1922_lbcl"), "crs_ge3") == "1 ‡"
    assert atlas.count_text(trial("auto3_amelia"), "n_infused") == "15"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("wangt2023_coadmin", "43: 24 antigens kept, 16 one lost or dim, 1 all lost, 2 unknown"),
        ("lamble2023_phenotype", "166: 83 antigens kept, 68 all lost, 12 lineage switch, 3"),
        ("tang2022_bcma_cd38", "3 in all, rest not reported"),
        ("mcw_lv2019", "0 all lost, rest not reported"),
        ("auto3_amelia", "not reported"),
        ("scri_car19x22", "not found"),
    ],
)
def test_relapses_are_told_as_far_as_the_row_knows_them(key, text):
    assert atlas.relapse_text(trial(key)).startswith(text)


def test_12_month_values_name_their_endpoint_and_the_printed_interval():
    text = atlas.event_free_text(trial("nci_1922_shalabi"))
    assert text == "RFS in responders 57.7 % (22.1–81.9)"
    assert atlas.event_free_text(trial("auto3_amelia")) == "EFS 32 %"
    assert atlas.event_free_text(trial("dai2020")) == "not reported"
    assert atlas.survival_text(trial("auto3_amelia")) == "OS 60 %"
    assert atlas.survival_text(trial("dai2020")) == "not reported"


def test_characters_of_the_markup_are_escaped():
    assert atlas.plain("[a] <b> *c*") == r"\[a\] \<b\> \*c\*"


def test_a_row_without_a_publication_cites_none():
    assert atlas.cite_text("") == "no publication"
    assert atlas.cite_text("cordoba2021auto3") == "{cite:p}`cordoba2021auto3`"


def test_every_multi_antigen_trial_stands_in_exactly_one_group():
    groups = [name for name, _ in atlas._GROUPS]
    assert all(atlas.disease_group(t) in groups for t in evidence.multi_antigen_trials())


def test_the_page_builds_without_a_warning(built):
    assert built[1] == ""


def test_every_table_has_a_caption_header_cells_and_row_headers(built):
    tables = re.findall(r"<table.*?</table>", article(built), re.DOTALL)
    assert len(tables) == 7
    for table in tables:
        assert "<caption>" in table
        assert '<th class="head' in table
        for row in re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], re.DOTALL):
            assert row.count("<th") == 1
            assert '<th class="stub">' in row


def test_every_table_stands_in_one_named_region_that_takes_focus(built):
    regions = re.findall(r'<div [^>]*class="wide-table[^>]*>', article(built))
    assert len(regions) == 7
    labels = [re.search(r'aria-label="([^"]+)"', region).group(1) for region in regions]
    assert len(set(labels)) == 7
    assert all('role="region"' in region and 'tabindex="0"' in region for region in regions)
    assert article(built).count("pst-scrollable-table-container") == 7


def test_every_trial_of_the_table_is_in_the_overview(built):
    for one in evidence.multi_antigen_trials():
        if one.nct:
            assert one.nct in article(built), one.key


def test_citations_in_cells_reach_the_bibliography(built):
    assert "Cordoba" in article(built).rsplit("</table>", 1)[1]
    assert 'href="#id' in article(built)


def test_references_are_items_of_their_list(built):
    assert 'role="doc-biblioentry"' not in built[0]
    assert article(built).count('role="listitem"') == len(
        set(re.findall(r'class="citation" id="(\w+)"', article(built)))
    )


def test_named_tables_can_be_referred_to(built):
    assert 'href="#tbl-facts"' in article(built)
    assert 'href="#tbl-overview-b-all"' in article(built)


def test_an_unknown_trial_is_an_error_that_names_it(tmp_path):
    _, warnings = build(tmp_path, "# Page\n\n```{trial-facts} NCT00000000\n```\n")
    assert "'NCT00000000' is neither a key nor a number of a trial" in warnings
