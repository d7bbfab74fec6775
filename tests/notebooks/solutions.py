"""Run the code of a notebook's solutions after the notebook's own."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

_EXERCISE = re.compile(r"^### Exercise (\d+)", re.MULTILINE)
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def _own_code(cells: list[dict[str, Any]]) -> list[str]:
    """Return the cells that a solution may build on: not the install cell, figures or widgets."""
    code = [cell for cell in cells if cell["cell_type"] == "code"][1:]
    return [
        re.sub(r"^%.*$", "", "".join(cell["source"]), flags=re.MULTILINE)
        for cell in code
        if "mystnb" not in cell["metadata"]
        and "remove-output" not in cell["metadata"].get("tags", [])
    ]


def printed(slug: str) -> dict[int, str]:
    """Return what the code of each solution of a notebook prints, by number of the exercise."""
    cells = json.loads((NOTEBOOKS / f"{slug}.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in _own_code(cells):
            exec(compile(source, slug, "exec"), names)
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    parts = _EXERCISE.split(text.partition("## Exercises")[2])
    found = {}
    for number, part in zip(parts[1::2], parts[2::2], strict=True):
        for source in _CODE.findall(part):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(source, f"{slug}, exercise {number}", "exec"), names)
            found[int(number)] = found.get(int(number), "") + out.getvalue()
    return found
