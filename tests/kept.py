"""Results of long checks, kept for the next who asks for them.

The tests and the build of the book ask for the same results: a claim's, say, is a test and stands
on a page. A result is kept in `_build/kept` under a hash of all that it follows from: the package,
the pinned versions, and the folders of the check. A result that speaks of a fault is not kept.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "_build" / "kept"
_TEXT = (".py", ".csv", ".txt", ".json", ".yaml")


@functools.cache
def fingerprint(*folders: Path) -> str:
    """Hash what a check follows from: the files of its folders, the package, the pins, Python."""
    digest = hashlib.sha256(sys.version.encode())
    for place in (ROOT / "src", ROOT / "requirements", *folders):
        for path in sorted(path for path in place.rglob("*") if path.suffix in _TEXT):
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def named(row: dict[str, str]) -> str:
    """Return a name of a row of a table, which changes with any of its cells."""
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:24]


def kept(
    name: str,
    folders: tuple[Path, ...],
    compute: Callable[[], dict[str, Any]],
    good: Callable[[dict[str, Any]], bool],
) -> dict[str, Any]:
    """Return what `compute` returned once, or call it; keep what it returns when that is good."""
    path = FOLDER / fingerprint(*folders) / f"{name}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    result = compute()
    if good(result):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may look for the file meanwhile: it is there whole, or not at all.
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(path)
    return result
