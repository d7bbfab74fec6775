"""The bibliography: well formed, complete, and nothing in it that no page or table uses."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from pybtex.database import parse_file

from car_relapse import evidence

ROOT = Path(__file__).resolve().parents[2]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
FIELDS = {
    *("title", "journal", "year", "volume", "number", "pages", "doi", "eprint"),
    *("archiveprefix", "howpublished", "note"),
}
NOTES = re.compile(
    r"PMID \d+|PMC\d+|(?:ASH a|A)bstract \d+|BioModels BIOMD\d+|Preprint|DOI not checked"
    r"|Authors not seen|Journal and year not checked|Title in square brackets is a description"
)


@pytest.fixture(scope="module")
def entries():
    return dict(parse_file(str(BIBLIOGRAPHY)).entries)


def pages() -> list[Path]:
    return [*sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb"))]


def cited_in(text: str) -> set[str]:
    found = re.findall(r"\{cite(?::[a-z]+)?\}`([^`]+)`", text)
    return {key.strip() for keys in found for key in keys.split(",")}


def table_keys() -> set[str]:
    rows = [
        *evidence.trials().values(),
        *evidence.mechanisms().values(),
        *evidence.kinetics().values(),
        *evidence.landmarks(),
    ]
    return {row.bibkey for row in rows if row.bibkey}


def test_every_key_is_unique_and_in_the_style_of_the_tables():
    keys = re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY.read_text(encoding="utf-8"), re.MULTILINE)
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    assert [key for key in keys if not re.fullmatch(r"[a-z][a-z0-9_]*", key)] == []
    assert keys == sorted(keys)


def test_every_doi_is_well_formed_and_stands_once(entries):
    dois = [entry.fields["doi"] for entry in entries.values() if "doi" in entry.fields]
    assert [doi for doi in dois if not re.fullmatch(r"10\.\d{4,9}/\S+", doi)] == []
    assert [doi for doi, count in Counter(map(str.lower, dois)).items() if count > 1] == []


def test_every_entry_has_author_title_in_braces_and_year(entries):
    for key, entry in entries.items():
        assert entry.persons.get("author"), key
        assert re.fullmatch(r"\{.+\}", entry.fields["title"]), key
        assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"]), key
        assert set(entry.fields) <= FIELDS, key


def test_an_article_names_its_journal(entries):
    assert [k for k, e in entries.items() if e.type == "article" and not e.fields["journal"]] == []


def test_notes_are_only_those_that_the_page_explains(entries):
    for key, entry in entries.items():
        for note in filter(None, entry.fields.get("note", "").split("; ")):
            assert NOTES.fullmatch(note), (key, note)


def test_a_described_title_says_so_and_only_then(entries):
    for key, entry in entries.items():
        described = entry.fields["title"].startswith("{[")
        note = "Title in square brackets is a description" in entry.fields.get("note", "")
        assert described == note, key


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_citation_of_a_page_is_in_the_bibliography(page, entries):
    assert cited_in(page.read_text(encoding="utf-8")) - set(entries) == set()


def test_every_doi_of_the_ledger_is_in_the_bibliography(entries):
    with (ROOT / "src/car_relapse/data/parameters.csv").open(encoding="utf-8") as stream:
        wanted = {row["doi"] for row in csv.DictReader(stream) if row["doi"]}
    assert wanted - {entry.fields.get("doi") for entry in entries.values()} == set()


def test_no_entry_is_unused(entries):
    cited = set().union(*(cited_in(page.read_text(encoding="utf-8")) for page in pages()))
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
