"""The built files fit together, and what a reader does with the site works."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import build_book
import pytest
import serve
import site_checks
from visits import SETTLED, Visitor

PAGES = site_checks.pages(serve.HTML)
NOTEBOOKS = [page for page in PAGES if page.parent.name == "notebooks"]
CONTENT = [page for page in PAGES if page.parent.name in ("book", "notebooks")]
CONFIG = build_book.read_config()
REPOSITORY = CONFIG["repository"]["url"]
BRANCH = CONFIG["repository"]["branch"]


def name(page) -> str:
    return str(page.relative_to(serve.HTML))


@pytest.mark.parametrize("page", PAGES, ids=name)
class TestEveryPage:
    def test_links_reach_a_file_and_an_anchor(self, page, site, prefix):
        assert site_checks.broken_links(page, site, prefix) == []

    def test_describes_its_images(self, page):
        assert site_checks.images_without_alt(page) == []

    def test_gives_no_name_to_two_elements(self, page):
        assert site_checks.repeated_ids(page) == []

    def test_loads_no_file_of_another_host(self, page):
        own = build_book.pages_address(REPOSITORY)
        assert site_checks.files_of_other_hosts(page, own) == []

    def test_holds_no_dead_widget(self, page):
        assert site_checks.widget_remains(page) == []

    def test_says_its_language_and_title(self, page):
        read = site_checks.read_page(page)
        assert read.lang == "en"
        assert "Why CAR-T Relapses" in read.title


@pytest.mark.parametrize("page", CONTENT, ids=name)
class TestEveryChapter:
    def test_has_one_title_and_skips_no_heading_level(self, page):
        assert site_checks.heading_jumps(page) == []

    def test_names_its_published_address(self, page):
        own = build_book.pages_address(REPOSITORY)
        assert site_checks.read_page(page).canonical == own + name(page)

    def test_can_be_downloaded(self, page, site):
        links = [link for _tag, link in site_checks.read_page(page).links]
        sources = [link for link in links if "_sources/" in link]
        assert sources
        assert all((page.parent / link).is_file() for link in sources)


@pytest.mark.parametrize("page", NOTEBOOKS, ids=name)
class TestEveryNotebook:
    def launch_links(self, page) -> list[str]:
        return [unquote(link) for tag, link in site_checks.read_page(page).links if tag == "a"]

    def path(self, page) -> str:
        return name(page).replace(".html", ".ipynb")

    def test_starts_on_binder_in_jupyterlab(self, page):
        owner_and_name = urlsplit(REPOSITORY).path.strip("/")
        wanted = f"https://mybinder.org/v2/gh/{owner_and_name}/{BRANCH}?urlpath=lab/tree/{self.path(page)}"
        assert wanted in self.launch_links(page)

    def test_starts_on_colab(self, page):
        owner_and_name = urlsplit(REPOSITORY).path.strip("/")
        wanted = f"https://colab.research.google.com/github/{owner_and_name}/blob/{BRANCH}/{self.path(page)}"
        assert wanted in self.launch_links(page)

    def test_downloads_as_the_notebook_in_the_repository(self, page, site):
        downloaded = json.loads((site / "_sources" / self.path(page)).read_text(encoding="utf-8"))
        stored = json.loads((build_book.ROOT / self.path(page)).read_text(encoding="utf-8"))
        assert [cell["source"] for cell in downloaded["cells"]] == [
            cell["source"] for cell in stored["cells"]
        ]


def test_the_bare_address_leads_to_the_front_page(site):
    assert site_checks.redirect_faults(site / "index.html") == []
    front = re.search(r"url=([^\"]+)", (site / "index.html").read_text(encoding="utf-8"))[1]
    assert (site / front).is_file()


def test_an_unknown_address_is_answered_with_the_books_own_page(address, prefix):
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(address + "book/no/such/page.html", timeout=10)
    body = answer.value.read().decode()
    assert answer.value.code == 404
    assert "not found" in body.lower()
    assert f'<a href="{prefix}">the front page</a>' in body
    answer.value.close()


def test_the_sitemap_lists_every_chapter_at_its_address(site):
    own = build_book.pages_address(REPOSITORY)
    tree = ElementTree.parse(site / "sitemap.xml")
    listed = {element.text for element in tree.iter() if element.tag.endswith("loc")}
    assert {own + name(page) for page in CONTENT} <= listed


def test_the_site_carries_no_icon_script_and_no_maps_of_the_theme(site):
    assert not list((site / "_static").rglob("fontawesome*"))
    assert not list((site / "_static").rglob("*.map"))


@pytest.fixture
def window(chromium, address):
    visitor = Visitor(chromium, 1280, address)
    yield visitor.page
    assert visitor.visit.elsewhere == []
    assert visitor.visit.errors == []
    visitor.close()


FRONT = "book/index.html"


def test_a_search_finds_pages(window, address):
    window.goto(address + FRONT)
    window.locator("button.search-button-field").click()
    window.locator("#pst-search-dialog input[name=q]").fill("relapse")
    window.keyboard.press("Enter")
    window.wait_for_url("**/search.html?q=relapse")
    window.wait_for_selector("#search-results .search li a")
    window.wait_for_function("document.querySelectorAll('#search-results .search li').length > 1")
    window.locator("#search-results .search li a").first.click()
    window.wait_for_selector("article h1")
    assert "search.html" not in window.url


def test_the_keyboard_opens_the_search(window, address):
    window.goto(address + FRONT)
    window.keyboard.press("Control+k")
    assert window.locator("#pst-search-dialog").is_visible()


def test_the_colour_mode_can_be_switched_and_is_kept(window, address):
    window.goto(address + FRONT)
    seen = {}
    for _press in range(3):
        window.locator("button.theme-switch-button").first.click()
        seen[window.evaluate("document.documentElement.dataset.mode")] = window.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
    assert set(seen) == {"light", "dark", "auto"}
    assert seen["light"] != seen["dark"]
    while window.evaluate("document.documentElement.dataset.mode") != "dark":
        window.locator("button.theme-switch-button").first.click()
    window.goto(address + name(CONTENT[-1]))
    assert window.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_table_of_any_width_scrolls_inside_the_page_on_a_phone(chromium, address):
    visitor = Visitor(chromium, 390, address)
    visitor.page.goto(address + FRONT)
    visitor.page.evaluate(
        """() => {
          const box = document.createElement('div');
          box.className = 'pst-scrollable-table-container';
          const cells = '<td>a-long-word</td>'.repeat(30);
          box.innerHTML = `<table class="table"><tr>${cells}</tr></table>`;
          document.querySelector('article section').append(box);
        }"""
    )
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    visitor.close()
    assert width <= 390


@pytest.mark.parametrize(
    ("page", "figure", "scrolls"),
    [("how-large", "endpoint-sizes", True), ("two-targets", "u-squared", False)],
)
def test_panels_side_by_side_scroll_on_a_phone_and_a_single_one_fits(
    chromium, address, page, figure, scrolls
):
    visitor = Visitor(chromium, 390, address)
    visitor.page.goto(f"{address}notebooks/{page}.html", wait_until="load")
    visitor.page.evaluate(SETTLED)
    shown = visitor.page.locator(f"figure#{figure}")
    assert shown.evaluate("f => f.scrollWidth > f.clientWidth") == scrolls
    assert shown.get_attribute("tabindex") == ("0" if scrolls else None)
    image = shown.locator("img")
    assert image.evaluate("i => i.clientWidth") > (600 if scrolls else 300)
    shown.evaluate("f => f.scrollTo(200, 0)")
    caption = shown.locator("figcaption").bounding_box()
    assert caption["x"] >= 0
    assert caption["x"] + caption["width"] <= 390
    visitor.close()


def test_the_contents_can_be_opened_on_a_phone(chromium, address):
    visitor = Visitor(chromium, 390, address)
    visitor.page.goto(address + FRONT)
    links = visitor.page.locator("nav.bd-docs-nav a:visible")
    assert links.count() == 0
    visitor.page.locator("button.primary-toggle").first.click()
    visitor.page.wait_for_selector("nav.bd-docs-nav a:visible")
    assert links.count() >= len(CONTENT)
    visitor.close()


def test_the_book_can_be_read_without_scripts(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + FRONT)
    assert page.locator("article h1").is_visible()
    assert page.locator("nav.bd-docs-nav a:visible").count() >= len(CONTENT)
    context.close()
