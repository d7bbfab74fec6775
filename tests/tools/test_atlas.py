"""The atlas's directives: what they write into a cell, and what a built page holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import atlas_cells as cells
import data_page
import pytest
import trial_entries
import trial_table
from scrolling import plain
from small_book import build_small_book, built_page

from car_relapse import dictionary, evidence
from car_relapse.records import READINGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = """# Atlas

```{trial-facts} NCT03233854
:name: tbl-facts
```

```{trial-facts} scri_car19x22
```

```{trial-table}
:name: tbl-every-row
```

```{relapse-phenotypes}
```

```{evidence-sources}
```

```{evidence-downloads}
```

```{evidence-readings}
```

{dictionaries}

{entries}

See {ref}`the facts <tbl-facts>` and {ref}`every row <tbl-every-row>`.

```{bibliography}
```
"""
PAGE = PAGE.replace(
    "{dictionaries}",
    "\n".join(f"```{{data-dictionary}} {table}\n```\n" for table in dictionary.TABLES),
).replace(
    "{entries}",
    "\n".join(
        f"## Group {group}\n\n```{{trial-entries}} {group}\n```\n" for group in trial_entries.GROUPS
    ),
)
TABLES = 7 + len(dictionary.TABLES)


def trial(key: str) -> evidence.Trial:
    return evidence.trials()[key]


def build(folder: Path, page: str) -> tuple[str, str]:
    """Build one page and return its HTML and the warnings."""
    (folder / "index.md").write_text(page, encoding="utf-8")
    shutil.copytree(
        ROOT / "src/car_relapse/data", folder / "src/car_relapse/data", dirs_exist_ok=True
    )
    _, warned = build_small_book(
        folder,
        ["sphinxcontrib.bibtex", "atlas"],
        bibtex_bibfiles=[str(ROOT / "book/references.bib")],
        bibtex_reference_style="author_year",
        html_theme="pydata_sphinx_theme",
        nitpicky=True,
        numfig=True,
    )
    return built_page(folder), warned


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[str, str]:
    return build(tmp_path_factory.mktemp("page"), PAGE)


def article(built: tuple[str, str]) -> str:
    return built[0].split("<article", 1)[1].split("</article>", 1)[0]


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Closed forms at the ends of the range: 1 - 0.025^(1/n) and 0.025^(1/n).
    [(0, 10, 0, 100 * (1 - 0.025**0.1)), (6, 6, 100 * 0.025 ** (1 / 6), 100)],
)
def test_exact_intervals_agree_with_the_closed_form(count, total, low, high):
    assert cells.exact_interval(count, total) == pytest.approx((low, high))


def test_a_share_prints_count_percent_and_interval():
    assert cells.share_text(13, 15) == "13 of 15 (87 %; 60–98)"


def test_empty_cells_tell_unreported_from_unread():
    assert cells.missing(trial("auto3_amelia")) == "not reported"
    assert cells.missing(trial("scri_car19x22")) == "not found"
    assert cells.missing(trial("pan2023_sequential")) == "not found"
    assert cells.missing(trial("nci_bicistronic_successor")) == "not found"


def test_background_knowledge_is_marked_and_checked_knowledge_is_not():
    assert cells.words_text(trial("nci_1922_shalabi"), "costim") == "4-1BB †"
    assert cells.words_text(trial("nci_1922_shalabi"), "nct") == "NCT03448393"
    assert cells.words_text(trial("scri_car19x22"), "construct") == "not found"
    assert cells.words_text(trial("scri_car19x22"), "antigens") == "CD19, CD22 †"


def test_computed_counts_are_marked():
    assert cells.response_text(trial("stanford_adult_1922_ball")).endswith("‡")
    assert not cells.response_text(trial("auto3_amelia")).endswith("‡")
    assert cells.count_text(trial("stanford_adult_1922_lbcl"), "crs_ge3") == "1 ‡"
    assert cells.count_text(trial("auto3_amelia"), "n_infused") == "15"


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
    assert cells.relapse_text(trial(key)).startswith(text)


def test_12_month_values_name_their_endpoint_and_the_printed_interval():
    text = cells.event_free_text(trial("nci_1922_shalabi"))
    assert text == "RFS in responders 57.7 % (22.1–81.9)"
    assert cells.event_free_text(trial("auto3_amelia")) == "EFS 32 %"
    assert cells.event_free_text(trial("dai2020")) == "not reported"
    assert cells.survival_text(trial("auto3_amelia")) == "OS 60 %"
    assert cells.survival_text(trial("dai2020")) == "not reported"


def test_characters_of_the_markup_are_escaped():
    assert plain("[a] <b> *c*") == r"\[a\] \<b\> \*c\*"


def test_a_row_without_a_publication_cites_none():
    assert cells.cite_text("") == "no publication"
    assert cells.cite_text("cordoba2021auto3") == "{cite:p}`cordoba2021auto3`"


def test_every_row_has_a_disease_that_the_filter_knows():
    assert {t.disease for t in evidence.trials().values() if not cells.diseases(t)} == set()


@pytest.mark.parametrize(
    ("key", "diseases"),
    [
        ("auto3_amelia", ("leukaemia",)),
        ("stanford_ped_1922", ("leukaemia", "lymphoma")),
        ("mcw_lv2019", ("lymphoma", "chronic lymphocytic leukaemia")),
        ("juliet", ("lymphoma",)),
        ("mei2021_bm38", ("multiple myeloma",)),
    ],
)
def test_diseases_are_read_off_the_row(key, diseases):
    assert cells.diseases(trial(key)) == diseases


def test_every_row_stands_in_one_group_of_entries_and_no_group_is_empty():
    groups = {trial_entries.group(t) for t in evidence.trials().values()}
    assert groups == set(trial_entries.GROUPS)


def test_anchors_of_entries_differ():
    anchors = [cells.anchor(key) for key in evidence.trials()]
    assert len(set(anchors)) == len(anchors)


def test_an_entry_tells_every_survival_value_and_its_setting():
    text = trial_entries.survival(trial("eliana_primary"))
    assert text.startswith("EFS at 6 months 73 % (60–82); OS at 6 months 90 % (81–95)")
    assert "share" not in text
    assert "median OS 31 months (10.6–not reached)" in trial_entries.survival(
        trial("wangn2020_cocktail_all")
    )
    assert "interquartile range" in trial_entries.survival(trial("goff2019_egfrviii"))
    assert trial_entries.survival(trial("dai2020")) == "not reported"


def test_an_entry_names_reports_of_the_same_patients():
    words = dict(trial_entries.lines(trial("tong2020_tancar7")))
    assert "<trial-zhang2022-tancar7>" in words["Shares patients with"]


def test_filters_offer_each_word_that_a_row_holds_and_no_other():
    form = trial_table.filters()
    held = [trial_table.row_words(t) for t in evidence.trials().values()]
    for name in held[0]:
        select = re.search(rf'<select name="{name}">(.*?)</select>', form).group(1)
        offered = set(re.findall(r'<option value="([^"]+)"', select))
        assert offered == {word for row in held for word in row[name].split(";")}, name


def test_code_in_a_meaning_is_marked_as_code():
    assert data_page.code_text("As ``a_b`` or `car_relapse.x` <c>.") == r"As `a_b` or `x` \<c\>."


def test_the_page_builds_without_a_warning(built):
    assert built[1] == ""


def test_every_table_has_a_caption_header_cells_and_row_headers(built):
    tables = re.findall(r"<table.*?</table>", article(built), re.DOTALL)
    assert len(tables) == TABLES
    for table in tables:
        assert "<caption>" in table
        assert '<th class="head' in table
        for row in re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], re.DOTALL):
            assert row.count("<th") == 1
            assert '<th class="stub">' in row


def test_every_table_stands_in_one_named_region_that_takes_focus(built):
    regions = re.findall(r'<div [^>]*class="wide-table[^>]*>', article(built))
    assert len(regions) == TABLES
    labels = [re.search(r'aria-label="([^"]+)"', region).group(1) for region in regions]
    assert len(set(labels)) == TABLES
    assert all('role="region"' in region and 'tabindex="0"' in region for region in regions)
    assert article(built).count("pst-scrollable-table-container") == TABLES


def table_of_trials(built: tuple[str, str]) -> list[str]:
    table = re.search(r'<table class="[^"]*trial-table.*?</table>', article(built), re.DOTALL)
    return re.findall(r"<tr.*?</tr>", table.group().split("<tbody>")[1], re.DOTALL)


def test_the_table_holds_every_row_with_words_to_filter_and_numbers_to_sort(built):
    rows = table_of_trials(built)
    assert len(rows) == len(evidence.trials())
    numbers = sum(number is not None for _, _, number in trial_table.COLUMNS)
    for row, one in zip(rows, evidence.trials().values(), strict=True):
        assert f'data-antigen="{";".join(one.antigens)}"' in row
        assert row.count("data-order=") == row.count("data-number=") == numbers
        assert row.count("<td") + row.count("<th") == len(trial_table.COLUMNS)
        assert f'href="#{cells.anchor(one.key)}"' in row


def test_a_number_is_sorted_by_its_value_and_a_missing_one_comes_last(built):
    (amelia,) = [row for row in table_of_trials(built) if "AMELIA" in row]
    assert 'data-order="86.6667"' in amelia
    assert amelia.count('data-order="-1"') == amelia.count('class="missing" data-number') == 5


def test_only_a_page_with_the_table_loads_its_scripts(built, tmp_path):
    for file in trial_table.SCRIPTS:
        assert file in built[0]
        assert file not in build(tmp_path, "# Page\n")[0]


def test_the_form_is_hidden_until_a_script_shows_it(built):
    assert re.search(r'<form class="trial-filters"[^>]* hidden>', article(built))


def test_every_row_has_an_entry_that_can_be_linked(built):
    for key in evidence.trials():
        assert f'id="{cells.anchor(key)}"' in article(built), key


def test_every_file_can_be_downloaded_and_is_the_packages_own(built):
    files = re.findall(r'href="(_downloads/[^"]+)"', article(built))
    assert [Path(file).name for file in files] == [f"{table}.csv" for table in dictionary.TABLES]


def test_readings_are_explained_and_counted(built):
    rows = re.search(r"How the rows were read</.*?</table>", article(built), re.DOTALL).group()
    for word, meaning in READINGS.items():
        assert word in rows
        assert meaning in rows
    first = [t for t in evidence.trials().values() if t.reading == "read in the abstract"]
    assert f"<p>{len(first)}</p>" in rows


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
    assert 'href="#tbl-every-row"' in article(built)


def test_an_unknown_trial_is_an_error_that_names_it(tmp_path):
    _, warned = build(tmp_path, "# Page\n\n```{trial-facts} NCT00000000\n```\n")
    assert "'NCT00000000' is neither a key nor a number of a trial" in warned


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("trial-entries", "'drugs' is no group of rows; there are leukaemia-several"),
        ("data-dictionary", "'drugs' is no table; there are trials"),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_those_that_exist(tmp_path, directive, message):
    _, warned = build(tmp_path, f"# Page\n\n```{{{directive}}} drugs\n```\n")
    assert message in warned
