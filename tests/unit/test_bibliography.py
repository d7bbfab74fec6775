"""The bibliography: well formed, complete, and nothing in it that no page or table uses."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from bibliography import RULES, Entries, cited_in, linked_dois
from pybtex.database import parse_file, parse_string

from car_relapse import evidence

ROOT = Path(__file__).resolve().parents[2]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
SOUND = """@article{able2020,
  author = {Able, Ann and others},
  title = {{A title}},
  journal = {A Journal},
  year = {2020},
  doi = {10.1000/a.b},
  note = {PMID 12; DOI not checked}
}

@misc{baker2021,
  author = {{A Journal report}},
  title = {{[What it is about]}},
  year = {2021},
  note = {Title in square brackets is a description; Authors not seen; No DOI seen}
}
"""


@pytest.fixture(scope="module")
def entries() -> Entries:
    return dict(parse_file(str(BIBLIOGRAPHY)).entries)


def pages() -> list[Path]:
    return [*sorted((ROOT / "book").rglob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb"))]


def table_rows() -> list[evidence.Sourced]:
    return [
        *evidence.trials().values(),
        *evidence.mechanisms().values(),
        *evidence.kinetics().values(),
        *evidence.landmarks(),
    ]


def table_keys() -> set[str]:
    return {row.bibkey for row in table_rows() if row.bibkey}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_entry_breaks_a_rule(rule, entries):
    assert rule(BIBLIOGRAPHY.read_text(encoding="utf-8"), entries) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_citation_of_a_page_is_in_the_bibliography(page, entries):
    assert cited_in(page.read_text(encoding="utf-8")) - set(entries) == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_doi_that_a_notebook_links_to_is_in_the_bibliography(page, entries):
    known = {entry.fields["doi"].lower() for entry in entries.values() if "doi" in entry.fields}
    linked = linked_dois(page.read_text(encoding="utf-8"))
    assert {doi.lower() for doi in linked} - known == set()


def test_every_doi_of_the_ledger_is_in_the_bibliography(entries):
    with (ROOT / "src/car_relapse/data/parameters.csv").open(encoding="utf-8") as stream:
        wanted = {row["doi"] for row in csv.DictReader(stream) if row["doi"]}
    assert wanted - {entry.fields.get("doi") for entry in entries.values()} == set()


def test_no_entry_is_unused(entries):
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    cited = set().union(*map(cited_in, texts))
    # A notebook cites by a link to the DOI, as Jupyter knows no citation.
    linked = {doi.lower() for text in texts for doi in linked_dois(text)}
    cited |= {k for k, entry in entries.items() if entry.fields.get("doi", "").lower() in linked}
    assert set(entries) - cited - table_keys() == set()


def test_people_who_share_a_name_are_told_apart(entries):
    shahs = {
        key: str(entry.persons["author"][0])
        for key, entry in entries.items()
        if entry.persons["author"][0].last_names == ["Shah"]
    }
    assert shahs["shah2019mechanisms"] == "Shah, Nirali N."
    assert shahs["shah2020lv2019"] == "Shah, Nirav N."
    assert shahs["shahbd2021zuma3"] == "Shah, Bijal D."


def broken(text: str) -> set[str]:
    """Return the names of the rules that a bibliography breaks."""
    found = dict(parse_string(text, "bibtex").entries)
    return {rule.__name__ for rule in RULES if rule(text, found)}


def test_a_sound_bibliography_breaks_no_rule():
    assert broken(SOUND) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("able2020", "zoe2020", "untidy_keys"),
        ("able2020", "Able-2020", "untidy_keys"),
        ("  year = {2020},\n  doi", "  pages = {1},\n  year = {2020},\n  doi", "untidy_fields"),
        ("  journal =", "  url =", "untidy_fields"),
        ("10.1000/a.b", "https://doi.org/10.1000/a.b", "bad_dois"),
        ("10.1000/a.b", "10.1000/a.b.", "bad_dois"),
        ("  doi = {10.1000/a.b},\n", "", "silent_about_their_doi"),
        ("; No DOI seen", "", "silent_about_their_doi"),
        ("  author = {Able, Ann and others},\n", "", "incomplete"),
        ("{{A title}}", "{A title}", "incomplete"),
        ("{2020}", "{n.d.}", "incomplete"),
        ("  journal = {A Journal},\n", "", "incomplete"),
        ("PMID 12", "read somewhere", "unexplained_notes"),
        ("{{A title}}", "{{[A title]}}", "wrong_about_their_title"),
        ("Title in square brackets is a description; ", "", "wrong_about_their_title"),
        ("Authors not seen; ", "", "wrong_about_their_authors"),
        ("{{A Journal report}}", "{Baker, Ben}", "wrong_about_their_authors"),
    ],
)
def test_a_broken_entry_breaks_its_rule(old, new, rule):
    assert old in SOUND
    assert rule in broken(SOUND.replace(old, new, 1))


def test_a_doi_that_stands_twice_is_found():
    copy = SOUND.split("\n\n")[0].replace("able2020", "able2021")
    assert "bad_dois" in broken(SOUND.replace("@misc", f"{copy}\n\n@misc"))


def test_citations_and_links_are_read():
    assert cited_in("As {cite:p}`a2020, b2021` and {cite:t}`c` say.") == {"a2020", "b2021", "c"}
    text = "See [doi](https://doi.org/10.1000/a.b)."
    assert linked_dois(text) == {"10.1000/a.b"}
    assert linked_dois("[x](https://doi.org/10.1000/S1(23)4-5)).") == {"10.1000/S1(23)4-5"}
