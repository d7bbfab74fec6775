"""The figures of the book, drawn once for all tests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from car_relapse import figures


@pytest.fixture(scope="session")
def drawings() -> Mapping[str, figures.Drawing]:
    """Give every figure at its defaults, by slug."""
    return figures.registry()


@pytest.fixture(params=list(figures.builders()))
def slug(request) -> str:
    """Give the name of one figure after the other."""
    return request.param


@pytest.fixture
def drawing(drawings, slug) -> figures.Drawing:
    """Give one figure after the other."""
    return drawings[slug]


# First, because what shares out the tests reads the marks in a hook of the same name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, in one process, the tests that share a drawing."""
    for item in items:
        call = getattr(item, "callspec", None)
        slug = call.params.get("slug") if call else None
        item.add_marker(pytest.mark.xdist_group(slug or item.path.stem))
