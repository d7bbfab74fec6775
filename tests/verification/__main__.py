"""Report, row by row, how the package compares with a table of reference values.

    python -m tests.verification FILE.csv [--json OUT.json]

The table is one of laws and models (`runner`) or one of trials (`trial_runner`); its columns say
which. With ``--json``, everything known about each row is also written to a file: its id, model or
method, quantity, published and computed value, the error reached and the tolerance, the verdict,
and the functions of the package that the row went through.

Exits 1 when a row fails or none passes, 2 when the table cannot be read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from . import runner, trial_runner


def write_json(rows: Iterable[runner.Row | trial_runner.TrialRow], path: Path) -> None:
    """Write the rows for other programs to read."""
    path.write_text(
        json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )


def _shown(computed: trial_runner.Value | None) -> str:
    if isinstance(computed, list):
        return f"[{', '.join(_shown(item) for item in computed)}]"
    if computed is None or isinstance(computed, str):
        return computed or ""
    return f"{computed:.12g}"


def _verify(path: Path) -> list[runner.Row] | list[trial_runner.TrialRow]:
    with path.open(encoding="utf-8") as stream:
        if stream.readline().strip() == ",".join(trial_runner.COLUMNS):
            return trial_runner.verify_all(trial_runner.read(path))
    return runner.verify_all(runner.read(path))


def main(arguments: list[str]) -> int:
    """Print one line per row and a summary."""
    match arguments:
        case [table]:
            out = None
        case [table, "--json", written]:
            out = Path(written)
        case _:
            print(__doc__.strip())
            return 2
    try:
        rows = _verify(Path(table))
        if out is not None:
            write_json(rows, out)
    except (OSError, ValueError) as error:
        print(error)
        return 2
    for row in rows:
        computed = _shown(row.computed)
        print(f"{row.verdict:12} {row.id:24} {row.published:>22} {computed:>20}  {row.remark}")
    tally = Counter(row.verdict for row in rows)
    print(f"{tally['pass']} pass, {tally['fail']} fail, {tally['not-covered']} not covered")
    # A table of which nothing could be verified has not passed.
    return 0 if tally["pass"] and not tally["fail"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
