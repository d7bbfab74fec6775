"""Find a Chromium for the tests that need one: `python tools/browser.py` prints its path."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from env import apt_install

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# The first is needed by root in a container; the others keep Chromium from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Give the path of a Chromium that starts, or None. The system's own comes first."""
    for path in [*filter(None, map(shutil.which, NAMES)), *downloaded()]:
        try:
            started = subprocess.run([path, "--version"], capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        # Ubuntu's chromium-browser may be a stub that only asks for a snap.
        if started.returncode == 0:
            return path
    return None


def downloaded() -> list[str]:
    """Say where Playwright keeps the Chromium that it downloaded, if it did."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return [path] if Path(path).is_file() else []


def ensure() -> str | None:
    """Give the path of a Chromium, installed first if there was none; None if that failed."""
    found = installed()
    if found is None and apt_install("chromium"):
        found = installed()
    if found is None:
        download = [sys.executable, "-m", "playwright", "install", "chromium"]
        if subprocess.run(download, capture_output=True).returncode == 0:
            found = installed()
    return found


MISSING = (
    "No Chromium was found and none could be installed: install the package chromium "
    "(or google-chrome) and run make test again."
)

if __name__ == "__main__":
    path = ensure()
    sys.exit(MISSING) if path is None else print(path)
