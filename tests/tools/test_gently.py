"""What runs gently gives way to every session, and ends with whoever started it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import gently

TOOL = Path(gently.__file__)


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, TOOL, *command], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_command_and_its_session_are_nice():
    assert run("nice").strip() == str(gently.LEAST)
    if gently.GROUP.exists():
        assert run("cat", str(gently.GROUP)).split()[-1] == str(gently.LEAST)


def test_the_exit_code_is_that_of_the_command():
    assert subprocess.run([sys.executable, TOOL, "sh", "-c", "exit 7"]).returncode == 7
    assert subprocess.run([sys.executable, TOOL], stderr=subprocess.DEVNULL).returncode == 1


def test_it_ends_with_its_parent(tmp_path):
    mark = tmp_path / "process"
    inner = f"echo $$ > {mark}; exec sleep 60"
    starts = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    gentle = [sys.executable, str(TOOL), "sh", "-c", inner]
    parent = subprocess.Popen([sys.executable, "-c", starts, *gentle])
    while not (mark.exists() and mark.read_text().strip()):
        time.sleep(0.05)
    process = Path("/proc") / mark.read_text().strip()
    assert process.exists()
    parent.kill()
    parent.wait()
    for _ in range(100):
        # One that nobody has buried yet is dead all the same.
        if not process.exists() or ") Z " in (process / "stat").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the command outlived its parent")
