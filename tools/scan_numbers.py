"""Find numbers in the text that nobody computed and nobody cited.

    python tools/scan_numbers.py [FILE ...]

It prints file, line, number and sentence, and returns 1 when it finds any. Without FILE it reads
every page in `book/` and the Markdown of every notebook. A number may stand in the text when it is
computed as the site is built (a role such as ``{num}``), when its sentence carries a citation (a
``{cite}`` role; in a notebook a link to a DOI), or when a pattern of `tools/allowed_numbers.toml`
names it with a reason. Numbers in words count from eleven. Code and formulas are not text, but a
formula that is a bare number is one outside of exercises and solutions. A number that stands in
the key of a computed number of its sentence (``{num}`x.level_day_28` `` on day 28) is computed with
it, and a figure's alternative text is cited when its caption is. A sentence is a line, or a part of
one that ends in a full stop; a row of a table is one sentence.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = ROOT / "tools" / "allowed_numbers.toml"

# Directives whose content is no prose, and those whose argument is a title that readers see.
NO_PROSE = {
    *("bibliography", "code", "code-block", "code-cell", "computed-figure", "design-errors"),
    *("eval-rst", "include", "library", "literalinclude", "math", "mermaid", "toctree"),
}
TITLED = {
    *("admonition", "attention", "caution", "danger", "dropdown", "exercise", "grid-item-card"),
    *("hint", "important", "list-table", "note", "tab-item", "table", "tip", "topic", "warning"),
    *("card", "csv-table", "prf:theorem", "seealso", "sidebar"),
}
FENCE = re.compile(r"^\s*(?P<marks>`{3,}|:{3,}|~{3,})\s*(?P<rest>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^\s*:(?P<key>[\w-]+):\s*(?P<value>.*)$")
READ_OPTIONS = {"alt", "caption"}
ARITHMETIC = {"exercise", "solution"}  # a bare number may be a formula here
KEYS = {"pattern", "reason", "notebooks_only"}

CITED = re.compile(r"\{cite(?::[a-z]+)?\}`[^`]+`")
DOI_LINK = re.compile(r"\]\(https?://doi\.org/10\.\d{4,9}/[^\s]+\)")
# What holds no prose number, with what is left of it in the sentence.
NOT_PROSE = (
    (re.compile(r"<!--.*?-->"), " "),
    (re.compile(r"\{(?:num|minutes|cite(?::[a-z]+)?|eq|numref|ref|doc|download)\}`[^`]*`"), " "),
    (re.compile(r"\{math\}`[^`]*`"), " "),
    (re.compile(r"\{[\w:-]+\}`([^`<]*?)(?:\s*<[^`]*>)?`"), r"\1"),
    (re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)"), " "),
    (re.compile(r"(?<!\\)\$\$.+?\$\$"), " "),
    (re.compile(r"(?<!\\)\$(?! )(?:\\.|[^$\\])+?(?<! )\$"), " "),
    # The target of a link, and a link whose words are a DOI.
    (re.compile(r"\[doi:10\.[^\]]*\](?=\()"), " "),
    (re.compile(r"\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"), "] "),
    (re.compile(r"<https?://[^>]*>|https?://\S+"), " "),
    (re.compile(r"\{#[^}]*\}|<[a-z/][^>]*>"), " "),
)
BARE_FORMULA = re.compile(r"(?<!\\)\$(?! )([0-9.,]+)(?:\\[,%]|[ %])*\$")
DIGITS = re.compile(r"[0-9]+")
COMPUTED_KEY = re.compile(r"\{num\}`[\w-]+\.([^`]*)`")
SENTENCE_END = re.compile(r"(?<=[.?!])[\"”’)*_]*\s+(?=[\"“‘(*_\[]*[A-Z0-9])")
WORDS = (
    "eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty|sixty"
    "|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?"
)
NUMBER = re.compile(
    rf"[−+-]?[0-9](?:[0-9.,\N{{NO-BREAK SPACE}}]*[0-9])?|[¼½¾⁰¹²³⁴-⁹₀-₉]+|\b(?:{WORDS})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Naked:
    """A number that is neither computed nor cited nor allowed."""

    place: str
    """File and line; in a notebook also the cell."""
    number: str
    """The number as it stands."""
    sentence: str
    """The sentence."""

    def __str__(self) -> str:
        """Return the place, the number and the sentence on one line."""
        return f"{self.place}: {self.number}: {self.sentence}"


@dataclass(frozen=True)
class Allowed:
    """A pattern whose numbers need neither computation nor citation."""

    pattern: re.Pattern[str]
    reason: str
    notebooks_only: bool = False


def read_allowed(path: Path = ALLOWED) -> list[Allowed]:
    """Read the list of allowed patterns; each must state its reason."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["allow"]
    for row in rows:
        if not {"pattern", "reason"} <= set(row) <= KEYS or not row["reason"].strip():
            raise ValueError(f"{path.name}: {row} must have a pattern and a reason")
    return [Allowed(**row | {"pattern": re.compile(row["pattern"])}) for row in rows]


@dataclass
class Block:
    """A fenced block that is open."""

    marks: str
    name: str  # of its directive; empty for code
    in_options: bool = True

    @property
    def is_prose(self) -> bool:
        """Whether readers see its content as text."""
        return bool(self.name) and self.name not in NO_PROSE


@dataclass(frozen=True)
class Line:
    """A line that readers see as text."""

    number: int
    text: str
    in_exercise: bool = False


def has_cited_caption(lines: list[str], start: int, marks: str) -> bool:
    """Whether the block that opens before line `start` cites a source in its content."""
    for line in lines[start:]:
        if line.strip() == marks:
            return False
        if not OPTION.match(line) and CITED.search(line):
            return True
    return False


def prose(markdown: str) -> Iterator[Line]:
    """Yield the lines that readers see as text; no code and no formula."""
    inside: list[Block] = []
    in_formula = in_comment = False
    lines = markdown.splitlines()
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if fence and inside and fence["marks"].startswith(inside[-1].marks) and not fence["rest"]:
            inside.pop()
            continue
        if not all(block.is_prose for block in inside):
            continue
        in_exercise = any(block.name in ARITHMETIC for block in inside)
        if fence:
            directive = DIRECTIVE.match(fence["rest"])
            inside.append(Block(fence["marks"], directive["name"] if directive else ""))
            if directive and directive["name"] in TITLED and directive["argument"]:
                yield Line(number, directive["argument"])
            continue
        if inside and inside[-1].in_options:
            option = OPTION.match(line)
            if option:
                cited = has_cited_caption(lines, number, inside[-1].marks)
                if option["key"] in READ_OPTIONS and not cited:
                    yield Line(number, option["value"])
                continue
            inside[-1].in_options = False
        if in_comment or line.strip().startswith("<!--"):
            in_comment = "-->" not in line
            continue
        if line.strip().startswith("$$") or in_formula:
            in_formula ^= line.count("$$") % 2 == 1
            continue
        if re.match(r"^\s*(%|\([\w:-]+\)=\s*$)", line):
            continue
        yield Line(number, line, in_exercise)


def sentences(line: str) -> list[str]:
    """Split a line of prose into sentences; a row of a table is one."""
    # The number or dash of a list item, the signs of a heading or a quotation.
    line = re.sub(r"^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+)?", "", line).strip()
    return [line] if line.startswith("|") else SENTENCE_END.split(line)


def naked_numbers(
    sentence: str,
    allowed: Iterable[Allowed],
    *,
    is_notebook: bool = False,
    in_exercise: bool = False,
) -> list[str]:
    """Return the numbers of one sentence that need a source and have none.

    >>> naked_numbers("It fell in 5 of 7 patients.", [])
    ['5', '7']
    >>> naked_numbers("It fell in 5 of 7 patients {cite:p}`someone2020`.", [])
    []
    >>> naked_numbers("It is {num}`figure.share` % here, and $n = 3$ there.", [])
    []
    """
    if CITED.search(sentence) or (is_notebook and DOI_LINK.search(sentence)):
        return []
    computed = {digits for key in COMPUTED_KEY.findall(sentence) for digits in DIGITS.findall(key)}
    if not in_exercise:
        sentence = BARE_FORMULA.sub(r" \1 ", sentence)
    for pattern, left in NOT_PROSE:
        sentence = pattern.sub(left, sentence)
    for allow in allowed:
        if is_notebook or not allow.notebooks_only:
            sentence = allow.pattern.sub(" ", sentence)
    return [match[0] for match in NUMBER.finditer(sentence) if match[0] not in computed]


def scan_markdown(
    markdown: str, place: str, allowed: Iterable[Allowed], *, is_notebook: bool = False
) -> list[Naked]:
    """Return every naked number of a page, or of one cell of a notebook."""
    allowed = list(allowed)
    return [
        Naked(f"{place}:{line.number}", number, sentence)
        for line in prose(markdown)
        for sentence in sentences(line.text)
        for number in naked_numbers(
            sentence, allowed, is_notebook=is_notebook, in_exercise=line.in_exercise
        )
    ]


def scan(path: Path, allowed: Iterable[Allowed], root: Path = ROOT) -> list[Naked]:
    """Return every naked number of a file."""
    allowed = list(allowed)
    place = str(path.relative_to(root) if path.is_relative_to(root) else path)
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return scan_markdown(text, place, allowed)
    found = []
    for index, cell in enumerate(json.loads(text)["cells"], 1):
        if cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            found += scan_markdown(source, f"{place}:cell {index}", allowed, is_notebook=True)
    return found


def files(root: Path = ROOT) -> list[Path]:
    """List every page and notebook."""
    return [*sorted((root / "book").rglob("*.md")), *sorted((root / "notebooks").glob("*.ipynb"))]


def main(names: list[str]) -> int:
    """Print what was found; return 1 when it is anything."""
    allowed = read_allowed()
    paths = [Path(name).resolve() for name in names] or files()
    found = [naked for path in paths for naked in scan(path, allowed)]
    for naked in found:
        print(naked)
    print(f"{len(found)} numbers neither computed nor cited in {len(paths)} files", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
