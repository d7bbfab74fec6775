"""What Binder would put into the image of this checkout, made here without a container engine.

    python tests/binder/image.py

makes the two environments, which the tests then find; without it the first test makes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPO2DOCKER = "jupyter-repo2docker==2026.4.0"
LOCK = ROOT / "_build" / "image.lock"

# Binder builds for 3.11 whatever Python runs these tests.
BASE_LOCK = (
    "lib/python3*/site-packages/repo2docker/buildpacks/conda/environment.py-3.11-linux-64.lock"
)


class ImageProblem(Exception):
    """The image's content cannot be made on this machine."""


def run(*command: str | Path, cwd: Path = ROOT, timeout: int = 900) -> str:
    """Return what the command prints; show all of it when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageProblem(f"`{' '.join(words)}` did not run: {error}") from None
    if done.returncode:
        raise ImageProblem(f"{done.stdout}\n`{' '.join(words)}` failed, see above")
    return done.stdout


def export(folder: Path) -> Path:
    """Copy the files that a commit of the tree as it is now would hold, and no others."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():  # one that was deleted is still listed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def digest(*parts: str | bytes) -> str:
    """Return one hash of all the parts."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()


def environment(folder: Path, fingerprint: str, *install: str | Path, cwd: Path = ROOT) -> Path:
    """Make a virtual environment with `pip install ...`, unless it was made so before.

    Returns its interpreter. What it was made from is kept beside it, written last, so that one
    whose installation was broken off is made again.
    """
    python, stamp = folder / "bin" / "python", folder / "installed"
    fingerprint = digest(fingerprint, sys.version)
    if stamp.is_file() and stamp.read_text() == fingerprint and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "venv", folder)
    # Compiled when they are imported: most of what is installed never is.
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", *install, cwd=cwd)
    stamp.write_text(fingerprint)
    return python


def repo2docker() -> Path:
    """Return the interpreter of an environment that holds repo2docker, and nothing of ours."""
    return environment(ROOT / ".venv-repo2docker", REPO2DOCKER, REPO2DOCKER)


def pins(text: str) -> dict[str, str]:
    """Return the exact pins in a requirements file, by the normalised name of the package."""
    found = re.findall(r"^([\w.-]+)==([\w.!+]+)", text, re.MULTILINE)
    return {normalised(name): version for name, version in found}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def base_pins() -> dict[str, str]:
    """Return the Python packages that Binder's image holds before ours are installed."""
    (lock,) = repo2docker().parents[1].glob(BASE_LOCK)
    # Lines end in name-version-build.conda#hash; the build of a Python package names Python.
    packages = re.findall(
        r"/([^/\s]+)-([^-/]+)-[^-/]*py[^-/]*\.(?:conda|tar\.bz2)", lock.read_text()
    )
    return {normalised(name): version for name, version in packages}


def binder(checkout: Path) -> Path:
    """Return the interpreter of an environment with what Binder would install from `checkout`.

    Packages come at the versions of Binder's base image, where it has them, and else at those of
    the project's constraints, so that a new release elsewhere does not change the result.
    """
    requirements = (checkout / "requirements.txt").read_text()
    others = pins((checkout / "requirements" / "constraints.txt").read_text()) | base_pins()
    own = pins(requirements)
    constraints = "\n".join(f"{n}=={v}" for n, v in sorted(others.items()) if n not in own)
    folder = ROOT / ".venv-binder"
    file = checkout.parent / "binder-constraints.txt"
    file.write_text(constraints + "\n")
    metadata = (checkout / "pyproject.toml").read_text()
    fingerprint = digest(requirements, metadata, constraints)
    install = ("-r", "requirements.txt", "-c", file)
    python = environment(folder, fingerprint, *install, cwd=checkout)

    # The last step of the Dockerfile, again whenever the package itself has changed.
    contents: list[str | bytes] = []
    for path in sorted((checkout / "src").rglob("*")):
        if path.is_file():
            contents += [str(path.relative_to(checkout)), path.read_bytes()]
    package, stamp = digest(fingerprint, *contents), folder / "package-installed"
    if not stamp.is_file() or stamp.read_text() != package:
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", ".", cwd=checkout)
        stamp.write_text(package)
    return python


def package_version(checkout: Path) -> str:
    """Return the version that the checkout's package declares."""
    return tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]


def prepare() -> None:
    """Make the environments before several processes ask for them."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock, tempfile.TemporaryDirectory() as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds them made
        binder(export(Path(folder) / "checkout"))


if __name__ == "__main__":
    prepare()
