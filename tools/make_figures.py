"""Write every figure of the book into figures/, with its words, numbers and data.

    python tools/make_figures.py           # draw all
    python tools/make_figures.py --check   # change nothing; exit 1 when a figure is stale

For each slug: `.svg` and `.png` (the picture), `.csv` (what is drawn) and `.json` (caption, alt
text, quoted numbers, and a hash of the code and data that made them).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from pathlib import Path

from car_relapse.figures import Drawing, builders
from car_relapse.figures.style import house_style

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "figures"
KINDS = (".svg", ".png", ".csv", ".json")


def source_hash() -> str:
    """Return a hash of the package's code and data: what every figure depends on."""
    digest = hashlib.sha256()
    package = ROOT / "src" / "car_relapse"
    for path in sorted(p for kind in ("*.py", "*.csv") for p in package.rglob(kind)):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def sidecar(drawing: Drawing, source: str) -> str:
    """Return the text of the .json file of one figure."""
    content = {
        "caption": drawing.caption,
        "alt": drawing.alt,
        "numbers": {
            key: {"value": float(f"{quoted.value:.12g}"), "text": quoted.text}
            for key, quoted in drawing.numbers.items()
        },
        "source": source,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def table(drawing: Drawing) -> str:
    """Return the text of the .csv file of one figure."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(drawing.data)
    for row in zip(*drawing.data.values(), strict=True):
        writer.writerow([f"{value:.10g}" for value in row])
    return stream.getvalue()


def write(slug: str, drawing: Drawing, source: str, folder: Path | None = None) -> None:
    """Write the four files of one figure, into figures/ or another folder."""
    stem = (folder or FOLDER) / slug
    metadata = {"Date": None, "Creator": "car_relapse"}
    with house_style():  # its salt makes the names inside the .svg the same every time
        drawing.figure.savefig(stem.with_suffix(".svg"), metadata=metadata)
        drawing.figure.savefig(
            stem.with_suffix(".png"), dpi=200, metadata={"Software": "car_relapse"}
        )
    stem.with_suffix(".csv").write_text(table(drawing), encoding="utf-8")
    stem.with_suffix(".json").write_text(sidecar(drawing, source), encoding="utf-8")


def stale(source: str) -> list[str]:
    """Return the slugs whose stored figure lacks a file or was made by other code or data."""
    found = []
    for slug in builders():
        files = [FOLDER / f"{slug}{kind}" for kind in KINDS]
        whole = all(path.is_file() for path in files)
        if not whole or json.loads(files[-1].read_text(encoding="utf-8"))["source"] != source:
            found.append(slug)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Draw or check all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; report stale figures")
    options = parser.parse_args(arguments)
    source = source_hash()
    if options.check:
        old = stale(source)
        for slug in old:
            print(f"figures/{slug} was made by other code or data; run 'make figures'")
        return 1 if old else 0
    for slug, build in builders().items():
        write(slug, build(), source)
        print(f"figures/{slug}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
