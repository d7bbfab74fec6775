"""The command ``car-relapse design``: a scenario file in, a report out.

It prints nothing but what it was asked for: examples and the list of keys go to stdout, how far it
is and what is wrong to stderr. It ends with 0, or with 2 when a file or an argument is bad.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from car_relapse.design.keys import Section, sections
from car_relapse.design.plan import plan_trial
from car_relapse.design.report import write_report
from car_relapse.design.scenario_file import example_text, examples, file_text, parse_trial
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
    what.add_argument("--keys", action="store_true", help="print what a file may hold, and end")
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
        if asked.keys:
            sys.stdout.write("\n".join(map(_text, sections())))
            return 0
        file = Path(asked.scenario)
        text = file_text(file)
        scenario = parse_trial(text, file.name, file.parent)
        plan = plan_trial(scenario, quick=asked.quick, workers=asked.workers, tell=_tell)
        report = write_report(plan, asked.out, source=text)
    except CarRelapseError as problem:
        sys.stderr.write(f"car-relapse design: {problem}\n")
        return 2
    _tell(f"report: {report}")
    return 0


def _text(section: Section) -> str:
    lines = [", ".join(place or "(top of the file)" for place in section.places)]
    lines += [f"    {section.says}"]
    for key in section.keys:
        needed = f", {key.default}" if key.default else ""
        lines += [f"  {key.name}: {key.holds}{needed}", f"      {key.means}"]
    return "\n".join(lines).replace("``", "") + "\n"


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
