"""The rules that every notebook keeps, one function each, which returns what breaks the rule.

The least anatomy of a notebook, in this order:

- the first cell's `# Title`, the only one, a claim of at most 12 words;
- `## Objectives`: a list of 3 to 6;
- the install cell (`tools/address.py`), then the imports;
- the chapter, with at least one cell tagged `nbval-check-output` and its figures labelled;
- `## Exercises`: 3 to 6, each an `{exercise}` directive or a `### Exercise ...` heading;
- `## Take-aways`: a list of 3 to 5;
- `## Further reading`: a list of 1 to 6.
"""

from __future__ import annotations

import ast
import json
import re
import runpy
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "address.py")))
STORAGE = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "notebooks.py")))

Notebook = nbformat.NotebookNode

# Called last in a cell, these leave a list of artists as the cell's text output.
# fmt: off
PLOTTING = {
    "annotate", "axhline", "axhspan", "axvline", "axvspan", "bar", "barh", "boxplot", "contour",
    "contourf", "errorbar", "fill", "fill_between", "fill_betweenx", "hist", "hist2d", "hlines",
    "imshow", "legend", "loglog", "pcolormesh", "plot", "plot_date", "scatter", "semilogx",
    "semilogy", "set", "set_title", "set_xlabel", "set_xlim", "set_xscale", "set_ylabel",
    "set_ylim", "set_yscale", "stackplot", "stairs", "stem", "step", "subplots", "text",
    "title", "violinplot", "vlines", "xlabel", "xlim", "xscale", "ylabel", "ylim", "yscale",
}
# fmt: on
NETWORK = {"aiohttp", "ftplib", "http", "httpx", "requests", "socket", "urllib", "urllib3"}
SHELL = ("os.system", "os.popen", "subprocess.")
MAGICS = {"matplotlib", "config"}  # they set how figures are drawn, and reach nothing outside
PATH = re.compile(r"(?:~|/(?:content|data|etc|home|mnt|opt|root|srv|tmp|usr|var|Users)\b)[\w./-]*/")


def tags(cell: Notebook) -> set[str]:
    return set(cell.metadata.get("tags", []))


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Notebook]]:
    """Yield every code cell after the install cell, with its number among all cells."""
    numbered = [(n, c) for n, c in enumerate(notebook.cells, 1) if c.cell_type == "code"]
    return iter(numbered[1:])


def parse(cell: Notebook) -> ast.Module:
    return ast.parse(TransformerManager().transform_cell(cell.source))


def called(tree: ast.AST) -> Iterator[str]:
    """Yield every function that the code calls or decorates with, by its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, ast.FunctionDef):
            yield from map(ast.unparse, node.decorator_list)


def prose(notebook: Notebook) -> Iterator[tuple[str, bool]]:
    """Yield every line of Markdown, with whether it can be a heading: not inside a fence."""
    for cell in notebook.cells:
        fence = ""
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if fence:
                yield line, False
                fence = "" if line.strip() == fence else fence
            else:
                mark = re.match(r"`{3,}|~{3,}|:{3,}", line)
                fence = mark[0] if mark else ""
                yield line, not mark


def sections(notebook: Notebook) -> dict[str, str]:
    """Return the prose below each `##` heading, by the heading in lower case."""
    found: dict[str, str] = {}
    heading = ""
    for line, free in prose(notebook):
        if free and (title := re.match(r"##\s+(.*?)\s*$", line)):
            heading = title[1].lower()
        found[heading] = found.get(heading, "") + line + "\n"
    return found


def items(text: str) -> int:
    return len(re.findall(r"^(?:[-*+]|\d+[.)])\s+\S", text, re.MULTILINE))


def outside(low: int, count: int, high: int, what: str) -> list[str]:
    return [] if low <= count <= high else [f"{what}: {count}, and {low} to {high} are asked for"]


# Each takes the notebook and returns one sentence for each fault.


def is_stored(notebook: Notebook) -> list[str]:
    return STORAGE.problems(notebook) + STORAGE.differences(notebook)


def installs_the_package_first(notebook: Notebook) -> list[str]:
    if ADDRESS.stamped(notebook, ADDRESS.read_address(ROOT)):
        return []
    return ["the first code cell is not the install cell; run `make address`"]


def has_the_anatomy(notebook: Notebook) -> list[str]:
    titles = [line for line, free in prose(notebook) if free and re.match(r"#\s", line)]
    # A target for links, `(label)=`, may stand above the title.
    if not re.match(r"(?:\([\w-]+\)=\n+)?#\s", notebook.cells[0].source):
        found = ["the first cell has no title"]
    else:
        found = outside(1, len(titles), 1, "titles")
        found += outside(1, len(titles[0].split()) - 1, 12, "words in the title")
    parts = sections(notebook)
    wanted = {"objectives": (3, 6), "take-aways": (3, 5), "further reading": (1, 6)}
    for name in (*wanted, "exercises"):
        if name not in parts:
            found.append(f"there is no section '## {name.capitalize()}'")
    for name, (low, high) in wanted.items():
        if name in parts:
            found += outside(low, items(parts[name]), high, f"items in {name}")
    if "exercises" in parts:
        exercise = r"^(?:#{3,}\s+Exercise\b|[`:]{3,}\{exercise(?:-start)?\})"
        count = len(re.findall(exercise, parts["exercises"], re.MULTILINE))
        found += outside(3, count, 6, "exercises")
    return found


def checks_a_number(notebook: Notebook) -> list[str]:
    # nbval compares nothing with a cell that was stored unrun, tagged or not.
    tagged = [(n, c) for n, c in code_cells(notebook) if "nbval-check-output" in tags(c)]
    found = [] if tagged else ["no cell is tagged nbval-check-output"]
    for number, cell in tagged:
        text = "".join(STORAGE._text(output) for output in cell.outputs)
        if not re.search(r"\d", re.sub(r"<Figure size .*?>", "", text)):
            found.append(f"cell {number} is tagged nbval-check-output and stores no number")
        if tags(cell) & {"nbval-ignore-output", "nbval-skip"}:
            found.append(f"cell {number} is tagged both to be checked and not to be")
    return found


def ends_cells_cleanly(notebook: Notebook) -> list[str]:
    found = []
    for number, cell in code_cells(notebook):
        body = parse(cell).body
        # nbval does not honour a trailing semicolon, so it would only look as if it hid the output.
        if re.search(r";\s*(?:#.*)?$", cell.source):
            found.append(f"cell {number} ends in a semicolon")
        if not body or not isinstance(body[-1], ast.Expr):
            continue
        last = body[-1].value
        if isinstance(last, ast.Call) and isinstance(last.func, ast.Attribute | ast.Name):
            name = getattr(last.func, "attr", getattr(last.func, "id", ""))
            if name in PLOTTING:
                found.append(f"cell {number} ends in a bare call of {name}")
    return found


def keeps_cells_short(notebook: Notebook) -> list[str]:
    lengths = {
        number: sum(bool(line.strip()) for line in cell.source.splitlines())
        for number, cell in code_cells(notebook)
    }
    found = [
        f"cell {n} has {length} lines, over 25" for n, length in lengths.items() if length > 25
    ]
    if lengths and (median := statistics.median(lengths.values())) > 6:
        found.append(f"its code cells have {median:g} lines at the median, over 6")
    return found


def tags_its_widgets(notebook: Notebook) -> list[str]:
    # A widget needs a kernel: on the published page it would stand there and not answer.
    found, names = [], {"ipywidgets"}
    for number, cell in code_cells(notebook):
        tree = parse(cell)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {a.asname or a.name for a in node.names if a.name == "ipywidgets"}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipywidgets"):
                names |= {a.asname or a.name for a in node.names}
        shows = any(name.split(".")[0] in names for name in called(tree))
        if shows and (missing := STORAGE.WIDGET_TAGS - tags(cell)):
            found.append(f"cell {number} makes a widget and lacks {', '.join(sorted(missing))}")
    return found


def reaches_nothing_outside(notebook: Notebook) -> list[str]:
    found = []
    for number, cell in code_cells(notebook):
        reasons = filter(None, map(_reach, ast.walk(parse(cell))))
        found += [f"cell {number} {reason}" for reason in reasons]
    stored = json.dumps([c.get("outputs", []) for c in notebook.cells])
    if path := PATH.search(stored):
        found.append(f"an output holds a path of one machine, {path[0]}")
    return found


def _reach(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        if module := next((m for m in modules if m and m.split(".")[0] in NETWORK), None):
            return f"imports {module}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if "://" in node.value:
            return f"names an address, {node.value}"
        if PATH.match(node.value):
            return f"names an absolute path, {node.value}"
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name.startswith(SHELL):
            return f"calls {name}"
        # What IPython makes of `!command` and `%magic`.
        if name.startswith("get_ipython()") and node.args[0].value not in MAGICS:
            return f"uses the shell or a magic, {node.args[0].value!r}"
    return ""


def describes_its_figures(notebook: Notebook) -> list[str]:
    found = []
    for number, cell in code_cells(notebook):
        shows = any("<Figure" in STORAGE._text(output) for output in cell.outputs)
        if not shows and "mystnb" not in cell.metadata:
            continue
        settings = cell.metadata.get("mystnb", {})
        figure, alt = settings.get("figure", {}), settings.get("image", {}).get("alt", "")
        caption = figure.get("caption", "")
        if not figure.get("name"):
            found.append(f"cell {number} shows a figure without a name")
        if not caption:
            found.append(f"cell {number} shows a figure without a caption")
        if len(caption.split()) > 25:
            found.append(f"cell {number}: the caption has {len(caption.split())} words, over 25")
        if not re.search(r"\d", alt):
            found.append(f"cell {number}: the alt text quotes no value: {alt!r}")
    return found


def numbers_its_equations(notebook: Notebook) -> list[str]:
    # A role is unreadable in JupyterLab, so the numbers are written.
    prose = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    shown = re.findall(r"^\$\$\n(.*?)\n\$\$$", "\n\n".join(prose), re.DOTALL | re.MULTILINE)
    found = [", ".join(re.findall(r"\\tag\{(\w+)\}", equation)) for equation in shown]
    wanted = [f"{n}" for n in range(1, len(shown) + 1)]
    faults = [] if found == wanted else [f"the displayed equations are numbered {found}"]
    # The site puts an equation with that sign into an environment that takes no number.
    faults += [f"write \\cr, not \\\\, in {e!r}" for e in shown if r"\\" in e]
    return faults


CHECKS: tuple[Callable[[Notebook], list[str]], ...] = (
    is_stored,
    installs_the_package_first,
    has_the_anatomy,
    checks_a_number,
    ends_cells_cleanly,
    keeps_cells_short,
    tags_its_widgets,
    reaches_nothing_outside,
    describes_its_figures,
    numbers_its_equations,
)
