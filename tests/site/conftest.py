"""The built site, a server for it, and one Chromium for all the tests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "book_ext"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import browser
import serve


@pytest.fixture(scope="session")
def site() -> Path:
    """Give the folder of the built site."""
    if not (serve.HTML / "index.html").is_file():
        pytest.fail("There is no site to test: run make book first.")
    return serve.HTML


@pytest.fixture(scope="session")
def prefix() -> str:
    """Give the path below which the site is published."""
    return serve.site_prefix()


@pytest.fixture(scope="session")
def address(site: Path, prefix: str) -> Iterator[str]:
    """Serve the site for these tests; give its address, with a slash at the end."""
    server = serve.make_server(0, site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{prefix}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Start a Chromium."""
    from playwright.sync_api import sync_playwright

    path = browser.installed()
    if path is None:
        pytest.fail(browser.MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(browser.ARGUMENTS))
        yield running
        running.close()


# First, because what shares out the tests reads the marks in a hook of the same name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, in one process, the tests that share what was seen of a page."""
    for item in items:
        call = getattr(item, "callspec", None)
        page = call.params.get("page") if call else None
        name = f"{item.path.stem}/{page}" if isinstance(page, str) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(name))
