"""The rules of the bibliography, one function each, which returns what breaks the rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from urllib.parse import unquote

from pybtex.database import Entry

Entries = Mapping[str, Entry]

ORDER = (
    *("author", "title", "journal", "howpublished", "year", "volume", "number", "pages"),
    *("doi", "eprint", "archiveprefix", "note"),
)
NOTES = re.compile(
    r"PMID \d+|PMC\d+|(?:ASH a|A)bstract \d+|BioModels BIOMD\d+|Preprint|DOI not checked"
    r"|No DOI seen|Authors not seen|Journal and year not checked"
    r"|Title in square brackets is a description"
)
DOI = re.compile(r"10\.\d{4,9}/\S*[^\s.,;]")


def notes(entry: Entry) -> list[str]:
    return [note for note in entry.fields.get("note", "").split("; ") if note]


def untidy_keys(text: str, entries: Entries) -> list[str]:
    """Find keys that stand twice, are out of order or are not in the style of the tables."""
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)
    twice = [key for key, count in Counter(keys).items() if count > 1]
    styled = [key for key in keys if not re.fullmatch(r"[a-z][a-z0-9_]*", key)]
    return twice + styled + [second for first, second in pairwise(keys) if first > second]


def untidy_fields(text: str, entries: Entries) -> list[str]:
    """Find entries with an unknown field, or with fields out of order."""
    bodies = re.findall(r"^@\w+\{([^,]+),\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    found = [key for key in entries if key not in dict(bodies)]
    for key, body in bodies:
        fields = re.findall(r"^  (\w+) = \{", body, re.MULTILINE)
        known = len(fields) == len(body.splitlines()) and set(fields) <= set(ORDER)
        if not known or fields != sorted(fields, key=ORDER.index):
            found.append(key)
    return found


def bad_dois(text: str, entries: Entries) -> list[str]:
    """Find DOIs that are malformed or stand twice."""
    dois = [entry.fields["doi"] for entry in entries.values() if "doi" in entry.fields]
    twice = [doi for doi, count in Counter(map(str.lower, dois)).items() if count > 1]
    return twice + [doi for doi in dois if not DOI.fullmatch(doi)]


def silent_about_their_doi(text: str, entries: Entries) -> list[str]:
    """Find entries without a DOI that do not say so, or that say it and have one."""
    return [
        key
        for key, entry in entries.items()
        if ("doi" in entry.fields) == ("No DOI seen" in notes(entry))
        or ("doi" not in entry.fields and "DOI not checked" in notes(entry))
    ]


def incomplete(text: str, entries: Entries) -> list[str]:
    """Find entries without author, title in braces or year, and articles without a journal."""
    return [
        key
        for key, entry in entries.items()
        if not entry.persons.get("author")
        or not re.fullmatch(r"\{.+\}", entry.fields.get("title", ""))
        or not re.fullmatch(r"(19|20)\d\d", entry.fields.get("year", ""))
        or (entry.type == "article" and not entry.fields.get("journal"))
    ]


def unexplained_notes(text: str, entries: Entries) -> list[str]:
    """Find notes that the bibliography page does not explain."""
    return [
        f"{key}: {note}"
        for key, entry in entries.items()
        for note in notes(entry)
        if not NOTES.fullmatch(note)
    ]


def wrong_about_their_title(text: str, entries: Entries) -> list[str]:
    """Find described titles that do not say so, and titles that say so and are none."""
    said = "Title in square brackets is a description"
    return [
        key
        for key, entry in entries.items()
        if entry.fields.get("title", "").startswith("{[") != (said in notes(entry))
    ]


def wrong_about_their_authors(text: str, entries: Entries) -> list[str]:
    """Find entries whose author is a journal's report and that do not say so, or the reverse."""
    return [
        key
        for key, entry in entries.items()
        if bool(re.search(r" report\}?$|ASH abstract \d+\}?$", author(entry)))
        != ("Authors not seen" in notes(entry))
    ]


def author(entry: Entry) -> str:
    people = entry.persons.get("author") or [""]
    return str(people[0])


RULES: tuple[Callable[[str, Entries], list[str]], ...] = (
    untidy_keys,
    untidy_fields,
    bad_dois,
    silent_about_their_doi,
    incomplete,
    unexplained_notes,
    wrong_about_their_title,
    wrong_about_their_authors,
)


def cited_in(text: str) -> set[str]:
    """Return every key that a page cites."""
    found = re.findall(r"\{cite(?::[a-z]+)?\}`([^`]+)`", text)
    return {key.strip() for keys in found for key in keys.split(",")}


def linked_dois(text: str) -> set[str]:
    """Return every DOI that a notebook links to."""
    # A DOI may hold pairs of brackets, as those of The Lancet do; some write those as %28 and %29.
    pattern = r"\(https?://doi\.org/(10\.\d{4,9}/(?:\([^()\s]*\)|[^()\s])+)\)"
    return {unquote(doi) for doi in re.findall(pattern, text)}
