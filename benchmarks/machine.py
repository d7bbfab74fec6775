"""What the figures were measured on: the machine, without its name, the versions, the code."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import car_relapse

#: Everything whose version changes a figure.
PACKAGES = (
    "car-relapse",
    "numpy",
    "scipy",
    "numba",
    "copasi-basico",
    "python-copasi",
    "gillespy2",
    "rebop",
    "libroadrunner",
    "jax",
    "diffrax",
    "distributed",
    "lifelines",
    "scikit-survival",
    "statsmodels",
)


def processor() -> str:
    """Name the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def version(package: str) -> str | None:
    """Tell the installed version of a package; None when it is absent."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def library() -> str:
    """Hash the code that is measured: the library's modules, without its figures and tables."""
    digest = hashlib.sha256()
    folder = Path(car_relapse.__file__).parent
    parts = ("published", "trial")
    inner = [module for part in parts for module in (folder / part).rglob("*.py")]
    for module in sorted([*folder.glob("*.py"), *inner]):
        digest.update(module.relative_to(folder).as_posix().encode())
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def machine() -> dict[str, Any]:
    """Describe the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str | None]:
    """List the versions of Python and of `PACKAGES`."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def load() -> float:
    """Tell how many processes wanted a core in the last minute, on average."""
    return round(os.getloadavg()[0], 2)
