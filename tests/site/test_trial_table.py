"""The table of trials is filtered and sorted by keyboard alone, and no other host is asked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from visits import Visitor

from car_relapse import evidence

PAGE = "book/trial-table.html"
ROWS = "table.trial-table tbody tr"
STATUS = ".trial-filters [role=status]"
ALL = len(evidence.trials())
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.name || ''"


@pytest.fixture
def visitor(chromium, address):
    visitor = Visitor(chromium, 1280, address)
    visitor.page.goto(address + PAGE)
    visitor.page.wait_for_selector(".trial-filters")
    yield visitor
    assert visitor.visit.elsewhere == []
    assert visitor.visit.errors == []
    assert visitor.visit.console == []
    visitor.close()


def shown(page) -> int:
    return page.locator(ROWS).count()


def tab_to(page, name: str) -> None:
    """Press Tab until the element of that name has the focus."""
    for _press in range(200):
        if re.search(name, page.evaluate(FOCUSED)):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reached {name!r}")


def column(page, heading: str) -> list[float]:
    """Give the numbers that the rows shown are sorted by in one column."""
    heads = page.locator("table.trial-table thead th").all_inner_texts()
    (index,) = [i for i, text in enumerate(heads) if text.strip() == heading]
    cells = page.locator(f"{ROWS} > :nth-child({index + 1})")
    return [float(value) for value in cells.evaluate_all("c => c.map(e => e.dataset.order)")]


def test_every_row_is_there_and_counted(visitor):
    assert shown(visitor.page) == ALL
    assert visitor.page.locator(STATUS).inner_text() == f"{ALL} of {ALL} rows shown."


def test_typing_in_the_search_leaves_the_rows_that_hold_the_words(visitor):
    page = visitor.page
    tab_to(page, "^q$")
    page.keyboard.type("amelia")
    assert shown(page) == 1
    assert "AMELIA" in page.locator(ROWS).inner_text()
    assert page.locator(STATUS).inner_text() == f"1 of {ALL} rows shown."
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    assert shown(page) == ALL


def test_filters_act_together_and_the_button_shows_every_row_again(visitor):
    page = visitor.page
    tab_to(page, "^targets$")
    page.keyboard.type("two")
    two = {t.key for t in evidence.trials().values() if len(t.antigens) == 2}
    assert shown(page) == len(two)
    tab_to(page, "^construct$")
    page.keyboard.type("bicistronic")
    both = [k for k in two if evidence.trials()[k].construct == "bicistronic"]
    assert shown(page) == len(both)
    assert "targets=2" in page.url
    assert "construct=bicistronic" in page.url
    for _press in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "reset":
            break
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelectorAll('{ROWS}').length === {ALL}")
    assert "?" not in page.url


def test_enter_on_a_heading_sorts_and_says_so(visitor):
    page = visitor.page
    before = column(page, "Infused")
    tab_to(page, "^Infused: sort")
    heading = page.locator("table.trial-table thead th", has_text="Infused")
    assert heading.get_attribute("aria-sort") is None
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    down = column(page, "Infused")
    assert down == sorted(before, reverse=True) != before
    assert page.locator(STATUS).inner_text().endswith("sorted by Infused, descending.")
    tab_to(page, "^Infused: sort")
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert column(page, "Infused") == sorted(before)


def test_every_sort_button_has_a_name_that_reads_well(visitor):
    buttons = visitor.page.locator("table.trial-table thead [role=button]")
    names = buttons.evaluate_all("b => b.map(e => e.getAttribute('aria-label'))")
    assert len(names) == visitor.page.locator("table.trial-table thead th").count()
    assert not [name for name in names if "&" in name or not name.endswith("this column")]


def test_an_address_brings_back_filters_and_order(visitor, address):
    page = visitor.page
    page.goto(address + PAGE + "?targets=2&disease=leukaemia&sort=7.desc")
    page.wait_for_selector(f"{STATUS}:not(:empty)")
    held = column(page, "Complete response (95 % interval)")
    assert 0 < len(held) < ALL
    assert held == sorted(held, reverse=True)
    assert page.locator("select[name=targets]").input_value() == "2"


@pytest.mark.parametrize("question", ["targets=nine", "sort=99.desc", "sort=7.sideways", "sort="])
def test_a_broken_address_shows_every_row(visitor, address, question):
    visitor.page.goto(f"{address}{PAGE}?{question}")
    visitor.page.wait_for_selector(f"{STATUS}:not(:empty)")
    assert shown(visitor.page) == ALL


def test_head_and_first_column_stay_in_sight_on_a_phone(chromium, address):
    visitor = Visitor(chromium, 390, address)
    page = visitor.page
    page.goto(address + PAGE)
    region = page.locator("div.wide-table:has(table.trial-table)")
    region.focus()
    for _press in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('div.wide-table').scrollLeft > 0")
    left = region.bounding_box()["x"]
    first = page.locator(f"{ROWS} th").first.bounding_box()
    assert first["x"] == pytest.approx(left, abs=3)
    assert first["width"] < 195
    visitor.close()


def test_the_whole_table_can_be_read_without_scripts(chromium, address):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + PAGE)
    assert shown(page) == ALL
    assert not page.locator(".trial-filters").is_visible()
    context.close()


def test_a_row_leads_to_its_entry(visitor):
    page = visitor.page
    link = page.locator(f"{ROWS} th a", has_text="AMELIA")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trial-entries.html#trial-auto3-amelia")
    assert "AMELIA" in page.locator("#trial-auto3-amelia h3").inner_text()


def test_the_files_of_the_data_page_are_those_of_the_package(visitor, address):
    page = visitor.page
    page.goto(address + "book/trial-data.html")
    links = page.locator('a[href$="trials.csv"]')
    text = page.request.get(address + "book/" + links.first.get_attribute("href")).text()
    assert text.startswith("key,nct,")
    assert text.count("auto3_amelia") == 1
