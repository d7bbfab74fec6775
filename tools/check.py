"""Run the project's checks in stages: `python tools/check.py [stage ...]`, all of them by default.

`coverage` runs only when it is named.

Each stage prints one line: its name, how many checks ran, how long they took, and how it ended.
What its tools printed is kept in `_build/logs/`; the end of it is shown when the stage fails.
A stage that ran nothing has failed, and a skipped test has not run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import browser
import build_book

import notebooks as notebook_tool

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "_build" / "logs"
TAIL = 80  # lines shown of a failed stage
TWO = ("-n", "2", "--dist")  # two processes; how they share out the tests follows
# Takes of the processor what everything else leaves.
GENTLY = (sys.executable, ROOT / "tools" / "gently.py")


@dataclass
class Outcome:
    """How many checks of a stage passed and failed, and a remark for its line."""

    passed: int = 0
    failed: int = 0
    remark: str = ""

    def __add__(self, other: Outcome) -> Outcome:
        remark = " ".join(filter(None, (self.remark, other.remark)))
        return Outcome(self.passed + other.passed, self.failed + other.failed, remark)


class Log:
    """The file that a stage's tools write to."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.path = LOGS / f"{stage}.log"
        self.path.write_text("", encoding="utf-8")

    def write(self, text: str) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def run(self, *command: str | Path) -> int:
        """Run a command from the project's folder; return its exit code."""
        words = [str(word) for word in command]
        self.write("$ " + " ".join(words))
        with self.path.open("a", encoding="utf-8") as file:
            return subprocess.run(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            ).returncode

    def tail(self) -> str:
        """Give the last lines."""
        return "\n".join(self.path.read_text(encoding="utf-8").splitlines()[-TAIL:])


def count(report: Path) -> Outcome:
    """Add up a JUnit report. A report that was not written is one failure."""
    if not report.is_file():
        return Outcome(failed=1)
    outcome = Outcome()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        ran, failures, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        failed = failures + errors
        outcome += Outcome(passed=max(0, ran - failed - skipped), failed=failed)
    return outcome


# Plugins that load much in each process of a stage, whether its tests need it or not.
HEAVY = ("hypothesispytest", "nbval")


def pytest(
    log: Log,
    *arguments: str | Path,
    needs: tuple[str, ...] = (),
    before: tuple[str | Path, ...] = (),
) -> Outcome:
    """Run pytest, with the heavy plugins that the tests need, and count what ran.

    Words that go `before` the command say how it runs.
    """
    report = LOGS / f"{log.stage}.xml"
    report.unlink(missing_ok=True)
    plugins = [word for name in HEAVY if name not in needs for word in ("-p", f"no:{name}")]
    options = ("-q", "--timeout=300", "--color=no", f"--junitxml={report}", *plugins)
    code = log.run(*before, sys.executable, "-m", "pytest", *options, *arguments)
    outcome = count(report)
    # Exit codes 0 and 5 are "all passed" and "nothing collected"; any other ends in a failure,
    # also one that the report does not show, such as a crash of the runner.
    if code not in (0, 5) and not outcome.failed:
        outcome += Outcome(failed=1)
    return outcome


def listed_files() -> list[str]:
    """List every file of the project that git knows or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted({name for name in listing.stdout.splitlines() if (ROOT / name).is_file()})


# Not ours to spell: other people's files, names and titles.
NOT_SPELLED = (
    "assets/vendor/",
    "assets/fonts/",
    "book/references.bib",
    "LICENSE",
    "requirements/constraints.txt",
)
# American words and their British forms. Only prose is held to them: code says `color` to others.
WORDS = ROOT / "tools" / "words.txt"


def lint(log: Log) -> Outcome:
    """Look at style, types and spelling."""
    binary = (".woff", ".woff2", ".png", ".ico", ".gz", ".npz")
    files = [
        name
        for name in listed_files()
        if not name.startswith(NOT_SPELLED) and not name.endswith(binary) and ROOT / name != WORDS
    ]
    prose = [name for name in files if name.endswith(".md")]
    tools = {
        "ruff check": ("ruff", "check", "--no-cache", "."),
        "ruff format": ("ruff", "format", "--no-cache", "--check", "."),
        "types": ("mypy",),
        "spelling": ("codespell", *files),
        "British spelling": ("codespell", f"--dictionary={WORDS}", *prose),
    }
    here = Path(sys.executable).parent
    failing = [name for name, tool in tools.items() if log.run(here / tool[0], *tool[1:])]
    return Outcome(max(0, len(files) - len(failing)), len(failing), ", ".join(failing))


def unit(log: Log, *options: str) -> Outcome:
    """Test the package and the tools by themselves, and the examples in their docstrings."""
    return pytest(
        log,
        *(*TWO, "loadscope"),
        "--doctest-modules",
        # Two folders each have one: pytest loads both, but cannot look for doctests in both.
        "--ignore-glob=*/conftest.py",
        "src",
        "tools/build_book.py",
        "tools/claims_report.py",
        "tools/scan_numbers.py",
        "tests/unit",
        "tests/tools",
        *options,
        needs=("hypothesispytest",),
    )


def coverage(log: Log) -> Outcome:
    """Run the unit tests once more, slower, and say how much of the package they reach."""
    report = LOGS / "coverage.json"
    report.unlink(missing_ok=True)
    packages = ("--cov=car_relapse", "--cov-branch")
    reports = ("--cov-report=term-missing", f"--cov-report=json:{report}")
    outcome = unit(log, *packages, *reports)
    if report.is_file():
        totals = json.loads(report.read_text(encoding="utf-8"))["totals"]
        outcome.remark = f"{totals['percent_covered_display']} %"
    return outcome


def fuzz(log: Log) -> Outcome:
    """Call the public functions ten thousand times with extreme and with bad input."""
    # Each of its tests is many cases, and the two processes share them out one by one. A case that
    # computes without end is stopped by its own clock, which stands still while others compute.
    return pytest(log, *TWO, "worksteal", "--timeout=0", "tests/fuzz", before=GENTLY)


def verification(log: Log) -> Outcome:
    """Compare the package with published and analytic values."""
    return pytest(log, *TWO, "worksteal", "tests/verification", needs=("hypothesispytest",))


def figures(log: Log) -> Outcome:
    """Compare the figures with the data and the words that belong to them."""
    return pytest(log, *TWO, "loadgroup", "tests/figures")


def claims(log: Log) -> Outcome:
    """Test every take-away, and look for numbers that are neither computed nor cited."""
    return pytest(log, *TWO, "worksteal", "tests/claims", "tests/book")


def seconds_of_cells(report: Path) -> dict[str, dict[str, float]]:
    """Return how long each cell of each notebook took, by nbval's names for them."""
    seconds: dict[str, dict[str, float]] = {}
    cases = ElementTree.parse(report).getroot().iter("testcase") if report.is_file() else ()
    for case in cases:
        cells = seconds.setdefault(case.get("classname", ""), {})
        cells[case.get("name", "")] = float(case.get("time", 0))
    return seconds


def run_cells(log: Log, *files: str | Path, processes: int = 2) -> tuple[Outcome, dict[str, list]]:
    """Run notebooks cell by cell; return what came of it, and what each broke of its budget."""
    # Whole notebooks are shared out: a cell needs the kernel of those above it. Only the cells
    # are timed, not the start of the kernel.
    options = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=60")
    # The book shows these very runs.
    keep = ("-p", "tools.keep_runs", f"--keep-runs={build_book.checked_runs()}")
    share = ("-n", f"{processes}", "--dist", "loadfile", "-o", "junit_duration_report=call")
    ran = pytest(log, *options, *keep, *share, *files, needs=("nbval",))
    seconds = seconds_of_cells(LOGS / f"{log.stage}.xml")
    late = {name: notebook_tool.slow(cells) for name, cells in seconds.items()}
    return ran, {name: faults for name, faults in late.items() if faults}


def notebook_cells(log: Log, folder: str = "notebooks") -> Outcome:
    """Run every notebook, compare what it prints, and hold it to its budget of time."""
    ran, late = run_cells(log, folder)
    if late:
        # Other work on the machine can make a cell late once; one that is slow is so again, alone.
        files = [f"{name.removesuffix('.ipynb').replace('.', '/')}.ipynb" for name in late]
        _, late = run_cells(log, *files, processes=1)
    for name, faults in late.items():
        log.write("\n".join(f"{name}: {fault}" for fault in faults))
    return ran + Outcome(failed=len(late))


def notebooks(log: Log) -> Outcome:
    """Run every notebook within its budget, and look at how it is written."""
    return notebook_cells(log) + pytest(log, *TWO, "worksteal", "tests/notebooks")


def book(log: Log) -> Outcome:
    """Build the site; a warning is a failure."""
    code = log.run(sys.executable, ROOT / "tools" / "build_book.py")
    pages = build_book.pages()
    return Outcome(passed=len(pages)) if code == 0 else Outcome(failed=1)


def in_browser(tests: str, *options: str) -> Callable[[Log], Outcome]:
    """Make a stage of tests that need a Chromium."""

    def stage(log: Log) -> Outcome:
        if browser.ensure() is None:
            log.write(browser.MISSING)
            return Outcome(failed=1)
        return pytest(log, *options, tests)

    return stage


IMAGE = (sys.executable, ROOT / "tests" / "binder" / "image.py")


def binder(log: Log) -> Outcome:
    """Make what Binder would, and use every notebook in it."""
    # Before the tests, whose time is limited, and before two processes would both make it.
    if log.run(*IMAGE):
        return Outcome(failed=1)
    # Three processes for two cores: each waits much.
    # A notebook is opened twice when it had a fault the first time, which takes longer than others.
    return in_browser("tests/binder", "-n", "3", "--dist", "loadgroup", "--timeout=600")(log)


STAGES: dict[str, Callable[[Log], Outcome]] = {
    "lint": lint,
    "fuzz": fuzz,
    "verification": verification,
    "claims": claims,
    "notebooks": notebooks,
    "book": book,
    "unit": unit,
    "figures": figures,
    # Two processes, each with a Chromium; what asks about one page stays in one of them.
    "site": in_browser("tests/site", *TWO, "loadgroup"),
    "binder": binder,
}
ON_REQUEST: dict[str, Callable[[Log], Outcome]] = {"coverage": coverage}
# Runs beside the others when there are any, with what they leave of the processor: it computes
# much and waits for nothing, while they start things, wait, and install.
BESIDE = "fuzz"
# Once the results that its pages show are kept, the site is built, mostly in one thread, while the
# stages go on that do not look at it.
BUILDS, NEEDS_IT = "book", "site"


def run_stage(name: str, stage: Callable[[Log], Outcome]) -> Outcome:
    """Run one stage and print its line, and the end of its log when it failed."""
    log = Log(name)
    start = time.monotonic()
    try:
        outcome = stage(log)
    except Exception:  # the stages after this one must still run
        log.write(traceback.format_exc())
        outcome = Outcome(failed=1)
    seconds = time.monotonic() - start
    total = outcome.passed + outcome.failed
    if not total:
        log.write("Nothing ran, and a stage that ran nothing has failed.")
        outcome = Outcome(failed=1)
    end = "FAILED" if outcome.failed else "ok"
    print(
        f"{name:<13}{total:6d} checks {seconds:7.1f} s   {end:<7}{outcome.remark}".rstrip(),
        flush=True,
    )
    if outcome.failed:
        print(f"--- the end of {log.path.relative_to(ROOT)} ---\n{log.tail()}\n---", flush=True)
    return outcome


def beside(chosen: list[str]) -> Outcome:
    """Run what goes beside the other stages."""
    if "binder" in chosen:
        # Most of it is waiting for packages. Its stage finds it made, or waits for it.
        Log("image").run(*GENTLY, *IMAGE)
    return run_stage(BESIDE, STAGES[BESIDE]) if BESIDE in chosen else Outcome()


def main(names: list[str]) -> int:
    """Run the named stages, or all, in order; return 1 when any failed."""
    stages = {**STAGES, **ON_REQUEST} if names else STAGES
    unknown = [name for name in names if name not in stages]
    if unknown:
        print(
            f"There is no stage {', '.join(unknown)}; there are {', '.join(stages)}.",
            file=sys.stderr,
        )
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    chosen = [name for name in stages if not names or name in names]
    total = Outcome()
    several = len(chosen) > 1
    pool = ThreadPoolExecutor(max_workers=2)
    company = pool.submit(beside, chosen if several else [])
    building: Future[Outcome] | None = None
    for name in chosen:
        if name == NEEDS_IT and building is not None:
            building.result()  # its line comes before that of who waits for it
        if name == BUILDS and several:
            building = pool.submit(run_stage, name, stages[name])
        elif name != BESIDE or not several:
            total += run_stage(name, stages[name])
    total += company.result()
    total += Outcome() if building is None else building.result()
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        os._exit(130)  # at once: what runs beside ends with this process
