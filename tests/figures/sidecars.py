"""What tells a stored figure from one that is drawn now."""

from __future__ import annotations

import csv
import json
import math
import re
import struct
from pathlib import Path

NUMBERS = 1e-9
"""Relative difference allowed to a quoted number."""
DATA = 1e-8
"""Relative difference allowed to a drawn value; the table stores ten digits."""
DRAWN = 0.02
"""Difference allowed to a coordinate of the picture, points."""

# Names inside the picture, hashes of coordinates to the last bit; a glyph's name is kept.
_NAME = re.compile(r'(?<=["#])[a-zA-Z][0-9a-f]{10}\b')
_COORDINATE = re.compile(r"(?<![#\w-])-?\d+(?:\.\d+)?(?:e-?\d+)?")


def close(stored: float, fresh: float, relative: float) -> bool:
    """Whether two numbers agree; a rounding error beside a sum of order one is no difference."""
    return math.isclose(stored, fresh, rel_tol=relative, abs_tol=1e-13)


def words_and_numbers(stored: dict, fresh: dict) -> list[str]:
    """Return how two .json files differ, apart from the hash of their source."""
    found = [key for key in ("caption", "alt") if stored[key] != fresh[key]]
    if list(stored["numbers"]) != list(fresh["numbers"]):
        return [*found, "names of the numbers"]
    for key, number in stored["numbers"].items():
        now = fresh["numbers"][key]
        if number["text"] != now["text"]:
            found.append(f"text of {key}: {number['text']} is now {now['text']}")
        if not close(number["value"], now["value"], NUMBERS):
            found.append(f"value of {key}: {number['value']} is now {now['value']}")
    return found


def columns(path: Path) -> dict[str, list[float]]:
    """Return the columns of a .csv file."""
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}


def tables(stored: Path, fresh: Path) -> list[str]:
    """Return how two .csv files differ."""
    old, new = columns(stored), columns(fresh)
    if list(old) != list(new):
        return ["columns of the data"]
    found = []
    for name, values in old.items():
        same = len(values) == len(new[name]) and all(
            close(a, b, DATA) for a, b in zip(values, new[name], strict=True)
        )
        if not same:
            found.append(f"data column {name}")
    return found


def pictures(stored: Path, fresh: Path) -> list[str]:
    """Return how two .svg files differ: another element, or a point that has moved."""
    old, new = (_NAME.sub("", p.read_text(encoding="utf-8")) for p in (stored, fresh))
    if _COORDINATE.sub("", old) != _COORDINATE.sub("", new):
        return ["elements of the picture"]
    pairs = zip(_COORDINATE.findall(old), _COORDINATE.findall(new), strict=True)
    return (
        ["points of the picture"] if any(abs(float(a) - float(b)) > DRAWN for a, b in pairs) else []
    )


def png_size(path: Path) -> tuple[int, int]:
    """Return width and height of a .png file."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", head[16:24])


def differences(slug: str, stored: Path, fresh: Path) -> list[str]:
    """Return how the stored files of one figure differ from those drawn now."""

    def pair(kind: str) -> tuple[Path, Path]:
        return stored / f"{slug}{kind}", fresh / f"{slug}{kind}"

    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in pair(".json"))
    found = words_and_numbers(old, new) + tables(*pair(".csv")) + pictures(*pair(".svg"))
    sizes = [png_size(path) for path in pair(".png")]
    return found if sizes[0] == sizes[1] else [*found, "size of the .png"]
