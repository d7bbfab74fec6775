"""One clean checkout and one environment serve every test of Binder."""

from __future__ import annotations

from pathlib import Path

import image
import pytest


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """Export the tree, without anything that is not part of it."""
    return image.export(tmp_path_factory.mktemp("binder") / "checkout")


@pytest.fixture(scope="session")
def binder_python(checkout) -> Path:
    """Install what Binder would, and return the interpreter."""
    return image.binder(checkout)
