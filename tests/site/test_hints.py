"""Terms and references say what they mean on hover, on focus and on a first tap."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from visits import AXE, RUN_AXE, SETTLED, Visitor

PAGE = "book/two-ways.html"
TERM = '.bd-article a[href="glossary.html#term-antigen-negative-relapse"]'
CITATION = '.bd-article a[href^="bibliography.html#"]:text("Lamble")'
SAYS = {
    TERM: "Relapse whose cells have lost the targeted antigen",
    CITATION: "doi:10.1182/bloodadvances.2022007423",
}
SHOWN = ".hint:not([hidden])"


@pytest.fixture
def visitor(chromium, address) -> Iterator[Visitor]:
    """Open a window of a desk on the page."""
    visitor = Visitor(chromium, 1280, address)
    visitor.page.goto(address + PAGE, wait_until="load")
    visitor.page.evaluate(SETTLED)
    yield visitor
    visitor.close()


@pytest.fixture
def page(visitor):
    """Give the page without what happens around it."""
    return visitor.page


@pytest.mark.parametrize("link", SAYS)
class TestALink:
    def test_shows_its_hint_on_hover(self, page, link):
        page.locator(link).first.hover()
        page.wait_for_selector(SHOWN)
        assert SAYS[link] in page.locator(SHOWN).inner_text()

    def test_shows_its_hint_on_focus_and_hides_it_after(self, page, link):
        page.locator(link).first.focus()
        assert SAYS[link] in page.locator(SHOWN).inner_text()
        page.locator(link).first.blur()
        page.wait_for_selector(SHOWN, state="detached")

    def test_escape_hides_the_hint_and_leaves_the_focus(self, page, link):
        page.locator(link).first.focus()
        page.keyboard.press("Escape")
        assert page.locator(SHOWN).count() == 0
        assert page.locator(link).first.evaluate("link => link === document.activeElement")

    def test_is_described_by_its_hint(self, page, link):
        name = page.locator(link).first.get_attribute("aria-describedby")
        assert SAYS[link] in page.locator(f"#{name}").text_content()
        assert page.locator(f"#{name}").get_attribute("role") == "tooltip"

    def test_has_no_second_tooltip_of_the_browser(self, page, link):
        assert page.locator(link).first.get_attribute("title") is None


def test_the_pointer_may_move_onto_the_hint_and_it_stays(page):
    page.locator(TERM).first.hover()
    page.wait_for_selector(SHOWN)
    page.locator(SHOWN).hover()
    page.wait_for_timeout(600)
    assert page.locator(SHOWN).count() == 1
    page.mouse.move(5, 5)
    page.wait_for_selector(SHOWN, state="detached")


def test_only_one_hint_is_shown_at_a_time(page):
    page.locator(TERM).first.focus()
    page.locator(CITATION).first.hover()
    page.wait_for_function("() => document.querySelector('.hint:not([hidden]) em')")
    assert page.locator(SHOWN).count() == 1


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_an_open_hint_passes_the_accessibility_engine(page, mode):
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    page.evaluate(AXE)
    page.locator(CITATION).first.focus()
    assert page.locator(SHOWN).count() == 1
    assert page.evaluate(RUN_AXE, [mode, {}]) == []


def test_hints_ask_no_other_host_for_anything(visitor):
    for link in SAYS:
        visitor.page.locator(link).first.hover()
        visitor.page.wait_for_timeout(300)
    assert visitor.visit.elsewhere == []


def test_formulas_in_hints_are_set(page, address):
    page.goto(f"{address}book/antigen-leaves.html", wait_until="load")
    page.evaluate(SETTLED)
    assert page.locator(".hint .math").count() > 0
    assert page.locator(".hint .math:not(:has(mjx-container))").count() == 0


@pytest.fixture
def phone(chromium, address) -> Iterator[object]:
    """Open the page on a touch screen of a phone's width."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(address + PAGE, wait_until="load")
    page.evaluate(SETTLED)
    yield page
    context.close()


def test_the_first_tap_shows_and_the_second_follows_the_link(phone):
    phone.locator(TERM).first.tap()
    phone.wait_for_selector(SHOWN)
    assert phone.url.endswith(PAGE)
    phone.locator(TERM).first.tap()
    phone.wait_for_url("**/glossary.html#term-antigen-negative-relapse")


def test_a_tap_elsewhere_hides_the_hint(phone):
    phone.locator(TERM).first.tap()
    phone.wait_for_selector(SHOWN)
    phone.touchscreen.tap(195, 830)
    phone.wait_for_selector(SHOWN, state="detached")


def test_every_hint_fits_the_window_of_a_phone(phone):
    for link in phone.locator("a[aria-describedby]").all():
        if not link.is_visible():
            continue
        link.focus()
        box = phone.locator(SHOWN).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 844


@pytest.mark.parametrize("page_of", ["notebooks/persistence.html", "notebooks/antigen-loss.html"])
def test_a_notebooks_doi_links_have_the_reference(page, address, page_of):
    page.goto(address + page_of, wait_until="load")
    links = page.locator('.bd-article a[href^="https://doi.org/"]')
    assert links.count() > 2
    bare = [link.get_attribute("href") for link in links.all()
            if not link.get_attribute("aria-describedby")]  # fmt: skip
    assert bare == []
    links.first.focus()
    assert page.locator(f"{SHOWN} strong").count() == 1


def test_a_page_carries_only_the_hints_that_it_uses(page):
    unused = page.evaluate(
        "() => [...document.querySelectorAll('.hint')]"
        ".filter(hint => !document.querySelector(`a[aria-describedby='${hint.id}']`))"
        ".map(hint => hint.dataset.for)"
    )
    assert unused == []


def test_it_works_from_a_file_without_a_server(chromium, site):
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto((site / PAGE).as_uri(), wait_until="load")
    page.locator(TERM).first.focus()
    assert SAYS[TERM] in page.locator(SHOWN).inner_text()
    context.close()


def test_without_scripts_nothing_is_shown_and_the_link_works(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + PAGE)
    assert page.locator(".hint").first.is_hidden()
    page.locator(TERM).first.click()
    page.wait_for_url("**/glossary.html#term-antigen-negative-relapse")
    context.close()
