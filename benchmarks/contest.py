"""Measure several programs at the same work, in turns, each in a process of its own.

Machines change speed while a benchmark runs. So every program does a share of the work in every
round, and what is compared are figures of the same round: the ratio, not the figure, is the
result. A program that fails or outlasts its limit is stopped, with all that it started, and
recorded; it is never left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OK, FAILED, TOO_LONG = "ok", "failed", "too long"
# One thread each: what is compared is the work of one core.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One program, and the share of the work that it does in each round."""

    name: str
    """What the table calls it."""
    target: str
    """``module:function``. The function is called once with ``units`` and `options`; it builds
    or compiles what it needs and returns another, which does the work of one round for a seed
    and returns its answers as a dictionary of numbers; or it returns that function and a second
    one that makes the answers of what the first returns, outside the measured time."""
    units: int
    """Patients, outcomes or calls in one round."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the function."""
    own: bool = False
    """Whether it is this library."""
    clock: str = "cpu"
    """``cpu``: processor time of the process and what it started; ``wall``: elapsed time."""
    at_least: float = 0.0
    """The work is repeated within a round until it has taken so long, seconds."""
    limit: float = 120.0
    """Elapsed time allowed for building, and again for each round, seconds."""
    note: str = ""
    """What a reader must know to read the figure fairly."""


@dataclass(kw_only=True)
class Entry:
    """What one program reached."""

    name: str
    """What the table calls it."""
    own: bool
    """Whether it is this library."""
    unit: str
    """What one unit of work is: ``patient``, ``outcome`` or ``call``."""
    clock: str
    """``cpu`` or ``wall``."""
    seconds: list[float] = field(default_factory=list)
    """Time for one unit of work in each round, seconds."""
    units: int = 0
    """Units of work in one round."""
    build_seconds: float | None = None
    """Elapsed time for imports, building and compiling, before the first round."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What it computed, per round."""
    status: str = OK
    """``ok``, ``failed`` or ``too long``."""
    limit: float | None = None
    """Elapsed time that it was allowed, seconds."""
    message: str = ""
    """Why it failed."""
    note: str = ""
    """What a reader must know to read the figure fairly."""

    @property
    def median(self) -> float | None:
        """Median time for one unit of work over the rounds, seconds."""
        return statistics.median(self.seconds) if self.seconds else None


class _Stopped(Exception):
    """The program failed or outlasted its limit."""


class Process:
    """A worker process in a process group of its own."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contestant.target],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            start_new_session=True,
        )

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send one line and wait for the line that answers it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        end = time.monotonic() + self.contestant.limit
        try:
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise _Stopped(FAILED, self.last_words()) from error
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise _Stopped(TOO_LONG, f"stopped after {self.contestant.limit:g} s")
                part = os.read(self.process.stdout.fileno(), 1 << 20)
                if not part:
                    raise _Stopped(FAILED, self.last_words())
                line += part
        return dict(json.loads(line))

    def last_words(self) -> str:
        """Give the end of what the process wrote to its standard error."""
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - 2000))
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it ended without a word"

    def stop(self) -> None:
        """End the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                with contextlib.suppress(OSError):  # bytes that the process never read
                    pipe.close()


def contest(
    contestants: Sequence[Contestant], rounds: int, unit: str, *, seed: int = 1
) -> dict[str, Entry]:
    """Let all contestants do their share of the work in every round.

    Parameters
    ----------
    contestants : sequence of Contestant
        With names of their own.
    rounds : int
        How often each does its share.
    unit : str
        What one unit of work is.
    seed : int
        Seed of the first round; each further round has the next one.

    Returns
    -------
    dict of str to Entry
        By name, in the order given.
    """
    entries = {
        c.name: Entry(
            name=c.name,
            own=c.own,
            unit=unit,
            clock=c.clock,
            units=c.units,
            limit=c.limit,
            note=c.note,
        )
        for c in contestants
    }
    running: dict[str, Process] = {}

    def ask(name: str, question: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return running[name].ask(question)
        except _Stopped as why:
            entries[name].status, entries[name].message = why.args
            running.pop(name).stop()
            return None

    try:
        for c in contestants:
            running[c.name] = Process(c)
            built = ask(c.name, {"units": c.units, **c.options})
            entries[c.name].build_seconds = built["wall"] if built else None
        for number in range(rounds):
            # Each round starts with another contestant, so that none is always first.
            turn = number % len(contestants)
            for c in [*contestants[turn:], *contestants[:turn]]:
                if c.name not in running:
                    continue
                said = ask(c.name, {"seed": seed + number, "at_least": c.at_least})
                if said is not None:
                    entries[c.name].seconds.append(said[c.clock] / (c.units * said["times"]))
                    entries[c.name].answers.append(said["answers"])
    finally:
        for process in running.values():
            process.stop()
    return entries


def ratios(slower: Entry, faster: Entry) -> list[float]:
    """Divide the time of one program by the time of another, round by round."""
    return [a / b for a, b in zip(slower.seconds, faster.seconds, strict=False)]


def rates(entry: Entry) -> list[float]:
    """Units of work per second, round by round."""
    return [1.0 / s for s in entry.seconds]
