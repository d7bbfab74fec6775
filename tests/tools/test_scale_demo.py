"""The scale demonstration: equal hashes end well, different ones do not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import scale_demo

from car_relapse.cohort import default_population, simulate
from car_relapse.scaleout import cohort_hash, simulate_in_processes

SMALL = ["--patients", "1536", "--chunk", "128", "--rounds", "1", "--seed", "5"]
SCRIPT = Path(scale_demo.__file__)


def test_every_way_makes_the_cohort_that_the_library_makes():
    # As a shell starts what runs in the background: with Ctrl-C ignored.
    background = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    run = subprocess.run(
        [*background, sys.executable, "-W", "error", str(SCRIPT), *SMALL],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[-1] == "all hashes are equal"
    hashes = re.findall(r"\b[0-9a-f]{64}\b", run.stdout)
    assert set(hashes) == {cohort_hash(simulate(default_population(), 1536, seed=5))}
    assert len(hashes) == 6
    assert len(re.findall(r"killing worker process \d+", run.stdout)) == 1
    assert "stopped; resuming from the checkpoint" in run.stdout
    assert len(re.findall(r"efficiency at 2 workers, .*: \d+\.\d+ by the clock", run.stdout)) == 2
    assert "1,536 of 1,536 patients (100 %)" in run.stderr
    assert "from the checkpoint" in run.stderr


def test_one_different_bit_ends_with_exit_code_1(monkeypatch, capsys):
    def other(population, n, *, seed, **options):
        return simulate_in_processes(population, n, seed=seed + 1, **options)

    monkeypatch.setattr(scale_demo, "simulate_in_processes", other)
    assert scale_demo.main(SMALL) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "HASHES DIFFER: 2 kinds of cohort"
