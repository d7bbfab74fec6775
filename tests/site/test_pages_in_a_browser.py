"""Every page opens whole, alone, and readable, on a desk and on a phone, in light and in dark."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import serve
import site_checks
from visits import Known, Visitor

PAGES = [str(page.relative_to(serve.HTML)) for page in site_checks.pages(serve.HTML)]
# The page at the bare address sends the reader on at once: test_site.py reads its file instead.
PAGES = [page for page in PAGES if page != "index.html"]
# The small ones first: kinds of text that are known from them are not measured on the large ones.
PAGES.sort(key=lambda page: (serve.HTML / page).stat().st_size)
WIDTHS = (1280, 390)


class Visits:
    """Every page opened once at each width; the tests below share what was seen."""

    def __init__(self, chromium, address: str, known: Known) -> None:
        self.visitors = {width: Visitor(chromium, width, address, known) for width in WIDTHS}
        self.seen = {}

    def __call__(self, page: str, width: int):
        """Say what was seen of a page at a width."""
        if (page, width) not in self.seen:
            self.seen[page, width] = self.visitors[width].open(page)
        return self.seen[page, width]


@pytest.fixture(scope="module")
def visits(chromium, address, tmp_path_factory) -> Iterator[Visits]:
    own = tmp_path_factory.getbasetemp()
    several = "PYTEST_XDIST_WORKER" in os.environ  # each has a folder in one that all share
    known = Known((own.parent if several else own) / "known-kinds-of-text")
    shared = Visits(chromium, address, known)
    yield shared
    for visitor in shared.visitors.values():
        visitor.close()


def test_there_are_pages():
    assert PAGES, "the site has no page, so nothing was checked"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
class TestEveryPage:
    def test_opens(self, visits, page, width):
        assert visits(page, width).status == 200

    def test_asks_no_other_host_for_anything(self, visits, page, width):
        assert visits(page, width).elsewhere == []

    def test_gets_every_file_it_asks_for(self, visits, page, width):
        assert visits(page, width).failed == []

    def test_reports_no_error(self, visits, page, width):
        visit = visits(page, width)
        assert visit.errors == []
        assert visit.console == []

    def test_shows_its_mathematics(self, visits, page, width):
        assert visits(page, width).unrendered_maths == 0

    def test_is_no_wider_than_the_window(self, visits, page, width):
        assert visits(page, width).overflow <= 0

    @pytest.mark.parametrize("mode", ["light", "dark"])
    def test_passes_the_accessibility_engine(self, visits, page, width, mode):
        assert visits(page, width).violations[mode] == []
