"""One symbol has one meaning in the whole book: in the ledger and in every symbol table."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from pathlib import Path

import ledger
import pytest

from car_relapse.parameters import ledger as all_rows

ROOT = Path(__file__).resolve().parents[2]
DIRECTIVE = re.compile(r"^`{3,}\{symbols\}([^\n]*)\n(.*?)^`{3,}$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\| *Symbol *\|[^\n]*\n\|[-| :]*\n((?:\|[^\n]*\n?)+)", re.MULTILINE)
ROLE = re.compile(r"\{[a-z:]+\}`([^`<]*?)(?: <[^`]*>)?`")
CITED = re.compile(r"\{cite:[a-z]\}`[^`]*`")
CELL = re.compile(r"\|(?=(?:[^$]*\$[^$]*\$)*[^$]*$)")  # a bar inside a formula divides nothing


def plain_symbol(text: str) -> str:
    r"""Write a symbol in one way: ``$\kappa_{\max}(t)$`` is ``\kappa_\max``."""
    symbol = re.sub(r"\((?:t|x)\)$", "", text.strip().strip("$").strip())
    return re.sub(r"\\mathrm|\\text|[{}\s]", "", symbol)


def plain_meaning(text: str) -> str:
    """Write a meaning without roles, citations and the spelling of spaces."""
    return " ".join(ROLE.sub(r"\1", CITED.sub("", text)).split()).rstrip(".;, ").lower()


def text_of(page: Path) -> str:
    """Return the words of a page; of a notebook, its cells of text and the symbols of its code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    words = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        words.append(source if cell["cell_type"] == "markdown" else computed_symbols(source))
    return "\n\n".join(words)


def computed_symbols(source: str) -> str:
    """Return the symbols that code hands to `symbol_table` as a symbol table of a page."""
    if "symbol_table" not in source:
        return ""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    given = [
        keyword.value
        for call in calls
        if ast.unparse(call.func).endswith("symbol_table")
        for keyword in call.keywords
        if keyword.arg == "computed"
    ]
    lines = []
    for mapping in given:
        assert isinstance(mapping, ast.Dict), "write `computed` out, so that its words can be read"
        for symbol, words in zip(mapping.keys, mapping.values, strict=True):
            meaning = ast.literal_eval(words.elts[0])
            lines.append(f"${ast.literal_eval(symbol)}$ | {meaning} | | computed")
    return "\n".join(["```{symbols}", *lines, "```\n"])


def table_rows(text: str) -> list[tuple[str, str]]:
    """Return symbol and meaning of every row that a page's symbol tables type."""
    lines = [line for match in DIRECTIVE.finditer(text) for line in match[2].splitlines()]
    rows = [CELL.split(line) for line in lines if line.startswith("$")]
    for match in TYPED.finditer(text):
        rows += [CELL.split(line.strip().strip("|")) for line in match[1].splitlines()]
    # A symbol alone takes its meaning from symbols.csv.
    return [(row[0], row[1]) for row in rows if len(row) > 1]


def clashes(pages: dict[str, str], derived: dict[str, ledger.Derived]) -> list[str]:
    """Return a line for every symbol with two meanings; `pages` are texts by name."""
    meanings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in all_rows().values():
        meanings[plain_symbol(row.symbol)][plain_meaning(row.name)].append(row.key)
    for entry in derived.values():
        meanings[plain_symbol(entry.symbol)][plain_meaning(entry.meaning)].append(ledger.SYMBOLS)
    for name, text in pages.items():
        for symbol, meaning in table_rows(text):
            meanings[plain_symbol(symbol)][plain_meaning(meaning)].append(name)
    return [
        f"${symbol}$ is "
        + "; and ".join(f"{meaning!r} ({', '.join(places)})" for meaning, places in found.items())
        for symbol, found in meanings.items()
        if len(found) > 1
    ]


def book() -> dict[str, str]:
    """Return the text of every page that people write."""
    pages = [*ROOT.glob("book/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    return {page.stem: text_of(page) for page in sorted(pages)}


def test_one_symbol_has_one_meaning_in_the_whole_book():
    found = clashes(book(), ledger.read_derived(ROOT))
    assert not found, "\n".join(found)


def test_no_page_types_what_the_ledger_knows():
    known = {plain_symbol(row.symbol) for row in all_rows().values()}
    typed = [
        f"{name}: {symbol.strip()}"
        for name, text in book().items()
        for symbol, _ in table_rows(text)
        if plain_symbol(symbol) in known
    ]
    assert typed == []


def test_two_rows_of_the_ledger_never_share_a_symbol():
    symbols = [plain_symbol(row.symbol) for row in all_rows().values()]
    assert sorted(symbols) == sorted(set(symbols))


GOOD = "```{symbols} loss.cd19\n$q$ | chance of {term}`nadir` | none | computed\n$s$\n```\n"


@pytest.mark.parametrize(
    ("planted", "symbol"),
    [
        ("```{symbols}\n$q$ | quantity of drug | mg | assumed\n```\n", "$q$"),
        ("```{symbols}\n$u$ | uptake | none | assumed\n```\n", "$u$"),
        ("```{symbols}\n$P(a|b)$ | one | none | x\n$P(a|b)$ | two | none | x\n```\n", "$P(a|b)$"),
        ("| Symbol | Meaning | Unit |\n|---|---|---|\n| $q$ | quarter | none |\n", "$q$"),
        ("| Symbol | Meaning |\n|---|---|\n| $K_{C}(t)$ | constant {cite:p}`a` |\n", "$K_C$"),
    ],
)
def test_a_second_meaning_is_found(planted, symbol):
    derived = ledger.read_derived(ROOT)
    assert clashes({"one": GOOD}, derived) == []
    found = clashes({"one": GOOD, "two": planted}, derived)
    assert [line for line in found if line.startswith(f"{symbol} is ")] == found != []


def test_the_same_meaning_in_other_dress_is_no_clash():
    same = "| Symbol | Meaning |\n|---|---|\n| $q(t)$ | Chance of the nadir. |\n"
    same = same.replace("the nadir", "{term}`nadir <x>` {cite:p}`a`")
    assert clashes({"one": GOOD, "two": same}, ledger.read_derived(ROOT)) == []


def test_symbols_that_a_notebook_computes_have_one_meaning_too(tmp_path):
    code = 'cr.symbol_table("loss.cd19", computed={r"\\pi": ("luck of the cell", 0.5, "none")})'
    cells = [{"cell_type": "code", "source": ["x = 1\n", code]}]
    page = tmp_path / "planted.ipynb"
    page.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    (found,) = clashes({"planted": text_of(page)}, ledger.read_derived(ROOT))
    assert "luck of the cell" in found
