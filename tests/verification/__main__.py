"""Report, row by row, how the package compares with a table of reference values.

    python -m tests.verification FILE.csv

Exits 1 when a row fails or none passes, 2 when the table cannot be read.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from .runner import read, verify_all


def main(arguments: list[str]) -> int:
    """Print one line per row and a summary."""
    if len(arguments) != 1:
        print(__doc__.strip())
        return 2
    try:
        rows = verify_all(read(Path(arguments[0])))
    except (OSError, ValueError) as error:
        print(error)
        return 2
    for row in rows:
        computed = "" if row.computed is None else f"{row.computed:.12g}"
        print(f"{row.verdict:12} {row.id:24} {row.published:>22} {computed:>20}  {row.remark}")
    tally = Counter(row.verdict for row in rows)
    print(f"{tally['pass']} pass, {tally['fail']} fail, {tally['not-covered']} not covered")
    # A table of which nothing could be verified has not passed.
    return 0 if tally["pass"] and not tally["fail"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
