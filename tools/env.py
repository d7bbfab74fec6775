"""Create the project's own environments, once: `python tools/env.py book`, `test` or `bench`.

`book` and `test` share `.venv`; `bench`, with the programs that the library is compared with,
has `.venv-bench` to itself.

Runs on a bare Python 3.11 or later, so it uses the standard library alone. What was installed is
recorded as a hash of the requirement files; nothing is installed again until that hash changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BENCH = ROOT / ".venv-bench"
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
SETS = ("book", "test")  # each contains the one before it
APART = "bench"  # shares nothing with them


class EnvironmentProblem(Exception):
    """The machine lacks something that this script cannot supply."""


def folder(name: str) -> Path:
    """Name the environment of a set."""
    return BENCH if name == APART else VENV


def python(name: str) -> Path:
    """Name the interpreter of a set."""
    return folder(name) / "bin" / "python"


def constraints(name: str) -> Path:
    """Name the file that pins everything a set pulls in."""
    return CONSTRAINTS.with_name("bench-constraints.txt") if name == APART else CONSTRAINTS


def requirement_lines(file: Path) -> list[str]:
    """List every requirement that `file` names, with the files it includes.

    The package itself (a line that is a path) is left out: it is installed editable, last.
    """
    lines: list[str] = []
    for raw in file.read_text(encoding="utf-8").splitlines():
        line = raw.split(" #")[0].strip()
        if line.startswith("-r "):
            lines += requirement_lines(file.parent / line[3:].strip())
        elif line and not line.startswith(("#", ".", "-e", "file:")):
            lines.append(line)
    return lines


def fingerprint(name: str) -> str:
    """Hash all that decides what ends up in the environment."""
    parts = [
        maker(name),
        *requirement_lines(ROOT / "requirements" / f"{name}.txt"),
        constraints(name).read_text(encoding="utf-8"),
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stamp(name: str) -> Path:
    """Name the file that records the fingerprint of an installed set."""
    return folder(name) / f"installed-{name}"


def is_installed(name: str) -> bool:
    """Whether the set, or a larger one, is installed as the files now ask."""
    larger_sets = (name,) if name == APART else SETS[SETS.index(name) :]
    return any(
        stamp(larger).is_file()
        and python(larger).exists()
        and stamp(larger).read_text(encoding="utf-8") == fingerprint(larger)
        for larger in larger_sets
    )


def run(*command: str | Path) -> None:
    """Run a command, quietly; show what it printed only when it fails."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise EnvironmentProblem(
            f"{done.stdout}\nThis command failed: {' '.join(str(part) for part in command)}"
        )


def apt_install(*packages: str) -> bool:
    """Install Debian or Ubuntu packages when this user may; say whether it worked."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"Installing {' '.join(packages)} with apt-get ...", flush=True)
    # Debian's own answers, so that no package stops to ask.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    return subprocess.run(install, **quiet).returncode == 0


def has_ensurepip() -> bool:
    """Whether this Python can make an environment with pip in it (Debian ships that apart)."""
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode
        == 0
    )


def create(name: str) -> None:
    """Make an empty environment, with the system package that it may need."""
    if not has_ensurepip():
        version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if not (apt_install(version) or apt_install("python3-venv")) or not has_ensurepip():
            raise EnvironmentProblem(
                f"This Python cannot make environments: install the package {version} "
                f"(sudo apt-get install {version}) and run the command again."
            )
    run(sys.executable, "-m", "venv", "--clear", folder(name))
    made_by(name).write_text(maker(name), encoding="utf-8")


def maker(name: str) -> str:
    """Say which Python and folder an environment belongs to: it works with no other."""
    return f"{sys.version}\n{folder(name)}"


def made_by(name: str) -> Path:
    """Name the file that records what made the environment; it is absent during an install."""
    return folder(name) / "made-by"


def install(name: str) -> None:
    """Install one set and the package itself."""
    if sys.version_info < (3, 11):  # noqa: UP036 (an older one may well run this file)
        raise EnvironmentProblem(
            f"Python 3.11 or later is needed and this is {sys.version.split()[0]}: "
            "name another with make PYTHON=python3.11."
        )
    print(
        f"Installing the pinned packages of requirements/{name}.txt into {folder(name).name} ...",
        flush=True,
    )
    made = made_by(name)
    if not made.is_file() or made.read_text(encoding="utf-8") != maker(name):
        create(name)
    made.unlink()  # an interrupted install starts afresh next time
    wanted = folder(name) / "wanted.txt"
    wanted.write_text("\n".join(requirement_lines(ROOT / "requirements" / f"{name}.txt")) + "\n")
    pip = [python(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Compiled when they are imported: much of what is installed never is.
    run(*pip, "--no-compile", "--constraint", constraints(name), "--requirement", wanted)
    # The build back end is among the pins, so nothing is downloaded for this.
    run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp(name).write_text(fingerprint(name), encoding="utf-8")
    made.write_text(maker(name), encoding="utf-8")


def main(name: str) -> int:
    """Install the set unless it is installed; say what is missing if it cannot be."""
    if is_installed(name):
        return 0
    try:
        install(name)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in (*SETS, APART):
        sys.exit(f"usage: python tools/env.py {'|'.join((*SETS, APART))}")
    sys.exit(main(sys.argv[1]))
