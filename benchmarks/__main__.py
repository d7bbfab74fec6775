"""`python -m benchmarks [name ...]`: run all benchmarks, or the named ones, and judge them."""

from __future__ import annotations

import argparse
import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import library, load, machine, versions
from benchmarks.results import RESULTS, record, store, table, unmet

#: By name, the module with its ``run``.
BENCHMARKS = {
    "R1": "r1",
    "R1n": "r1n",
    "R1r": "r1r",
    "R2": "r2",
    "R3": "r3",
    "R4": "r4",
    "survival": "survival_states",
    "batch": "many_patients",
    "S": "scale",
    "C": "cold",
    "M": "memory",
}
#: Fewer rounds do not make a result worth keeping.
KEPT_FROM = 5


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, print, store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=KEPT_FROM)
    parser.add_argument("--output", type=Path, help="write here, whatever the number of rounds")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: "
                     f"{', '.join(BENCHMARKS)}")  # fmt: skip
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; give at least 1")
    about = {"machine": machine(), "versions": versions()}
    say(f"{about['machine']['processor']}, {about['machine']['cores']} cores, "
        f"Python {about['versions']['python']}, numpy {about['versions']['numpy']}; "
        f"{options.rounds} rounds; medians, and lowest .. highest in brackets\n")  # fmt: skip
    records: dict[str, Any] = {}
    for name in options.names or BENCHMARKS:
        context = {
            "date": datetime.now(UTC).date().isoformat(),
            "rounds": options.rounds,
            "load_before": load(),
            "library": library(),
        }
        result = importlib.import_module(f"benchmarks.{BENCHMARKS[name]}").run(options.rounds)
        records[name] = {**context, **record(name, result)}
        say(table(name, records[name]) + "\n")
    missed = unmet(records.items())
    say(f"NOT MET: {'; '.join(missed)}" if missed else "All demands are met.")
    if options.output:
        say(store(records, about, options.output))
    elif options.rounds >= KEPT_FROM:
        say(store(records, about))
    else:
        say(f"Not kept: {RESULTS.name} takes {KEPT_FROM} rounds or more.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
