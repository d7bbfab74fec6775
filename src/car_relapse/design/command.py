"""The command ``car-relapse design``: a scenario file in, a report out.

It prints nothing but what it was asked for: examples and the list of keys go to stdout, how far it
is and what is wrong to stderr. It ends with 0, or with 2 when a file or an argument is bad.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from car_relapse.design.plan import plan_trial
from car_relapse.design.scenario_file import example_text, examples, read_trial
from car_relapse.errors import CarRelapseError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="car-relapse",
        description="The library of the book Why CAR-T Relapses. A teaching model, not guidance "
        "for care.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    design = commands.add_parser(
        "design",
        help="design a trial from a scenario file",
        description="Reads a scenario file and writes a report: sizes by formula and by "
        "simulation, operating characteristics with errors, figures, and assumptions with their "
        "sources.",
    )
    what = design.add_mutually_exclusive_group(required=True)
    what.add_argument("scenario", nargs="?", help="scenario file, in YAML")
    what.add_argument(
        "--example", choices=examples(), help="print an example file with remarks, and end"
    )
    design.add_argument(
        "--out", default="design-report", metavar="FOLDER",
        help="where the report goes, design-report by default",
    )  # fmt: skip
    design.add_argument("--workers", type=int, metavar="N", help="processes to run on")
    design.add_argument(
        "--quick", action="store_true", help="simulate fewer trials, for a first look"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments after the name of the program; those of the command line by default.

    Returns
    -------
    int
        0, or 2 when a file is bad. Bad arguments end the program with 2, as argparse does.
    """
    asked = _parser().parse_args(arguments)
    try:
        if asked.example:
            sys.stdout.write(example_text(asked.example))
            return 0
        scenario = read_trial(asked.scenario)
        plan_trial(scenario, quick=asked.quick, workers=asked.workers, tell=_tell)
    except CarRelapseError as problem:
        sys.stderr.write(f"car-relapse design: {problem}\n")
        return 2
    return 0


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
