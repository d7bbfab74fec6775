"""Each check of a page fails on a page that has the defect, and only then."""

from __future__ import annotations

import http.server
import threading

import pytest
import site_checks
from visits import Visitor

GOOD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title></head>
<body><main><article><h1 id="top">A page</h1><h2 id="more">More</h2>
<p><a href="#more">one</a> <a href="other.html#there">two</a> <a href="/book/other.html">three</a>
<img src="dot.svg" alt="A dot"></p></article></main></body></html>"""
OTHER = '<!doctype html><html lang="en"><title>Other</title><p id="there">There.</p></html>'
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>'


@pytest.fixture
def plant(tmp_path):
    """Write a small site whose page is GOOD with one replacement, and give the page's path."""

    def write(old: str = "", new: str = ""):
        assert old in GOOD
        (tmp_path / "page.html").write_text(GOOD.replace(old, new, 1) if old else GOOD)
        (tmp_path / "other.html").write_text(OTHER)
        (tmp_path / "dot.svg").write_text(DOT)
        site_checks.read_page.cache_clear()
        return tmp_path / "page.html"

    yield write
    site_checks.read_page.cache_clear()


CHECKS = {
    "links": lambda path: site_checks.broken_links(path, path.parent, "/book/"),
    "hosts": lambda path: site_checks.files_of_other_hosts(path, "https://own.example/"),
    "images": site_checks.images_without_alt,
    "ids": site_checks.repeated_ids,
    "headings": site_checks.heading_jumps,
    "widgets": site_checks.widget_remains,
}

DEFECTS = [
    ("links", 'href="#more"', 'href="#less"'),
    ("links", "other.html#there", "other.html#nowhere"),
    ("links", "other.html#there", "missing.html"),
    ("links", "/book/other.html", "/book/missing.html"),
    ("links", "/book/other.html", "/elsewhere/other.html"),
    ("links", 'src="dot.svg"', 'src="no.svg"'),
    ("hosts", 'src="dot.svg"', 'src="https://other.example/dot.svg"'),
    ("hosts", "<title>", '<script src="//other.example/a.js"></script><title>'),
    ("images", ' alt="A dot"', ""),
    ("ids", 'id="more"', 'id="top"'),
    ("headings", "<h2", "<h3"),
    ("headings", "<h2", "<h1"),
    (
        "widgets",
        "</main>",
        '<script type="application/vnd.jupyter.widget-state+json"></script></main>',
    ),
]


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_page_has_no_fault(plant, check):
    assert CHECKS[check](plant()) == []


@pytest.mark.parametrize(("check", "old", "new"), DEFECTS)
def test_a_defect_is_found(plant, check, old, new):
    assert CHECKS[check](plant(old, new))


def test_a_bare_redirect_is_found(tmp_path):
    page = tmp_path / "index.html"
    page.write_text('<meta http-equiv="Refresh" content="0; url=book/index.html" />')
    assert len(site_checks.redirect_faults(page)) >= 4


@pytest.fixture
def visit(chromium, plant):
    """Open a planted page in the browser and report."""

    def open_page(old: str = "", new: str = ""):
        folder = plant(old, new).parent

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args) -> None:
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        visitor = Visitor(chromium, 390, f"http://127.0.0.1:{server.server_port}/")
        visitor.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        try:
            return visitor.open("page.html")
        finally:
            visitor.close()
            server.shutdown()
            server.server_close()
            thread.join()

    return open_page


def test_a_good_page_opens_without_a_fault(visit):
    seen = visit()
    assert (seen.status, seen.overflow, seen.unrendered_maths) == (200, 0, 0)
    assert seen.console == seen.errors == seen.failed == seen.elsewhere == []
    assert seen.violations == {"light": [], "dark": []}


def test_a_request_to_another_host_is_noticed_and_stopped(visit):
    assert visit("<title>", '<script src="https://other.example/a.js"></script><title>').elsewhere


def test_a_missing_file_is_noticed(visit):
    assert visit('src="dot.svg"', 'src="no.svg"').failed


def test_a_script_error_is_noticed(visit):
    assert visit("</main>", "<script>throw new Error('planted')</script></main>").errors


def test_a_console_error_is_noticed(visit):
    assert visit("</main>", "<script>console.error('planted')</script></main>").console


def test_a_page_wider_than_the_phone_is_noticed(visit):
    assert visit("</main>", '<div style="width: 900px">wide</div></main>').overflow > 0


def test_mathematics_that_stays_source_is_noticed(visit):
    assert visit("</main>", '<p class="math">\\(x^2\\)</p></main>').unrendered_maths == 1


def test_mathematics_that_mathjax_could_not_read_is_noticed(visit):
    formula = "<mjx-container><mjx-merror>no such command</mjx-merror></mjx-container>"
    assert visit("</main>", f'<p class="math">{formula}</p></main>').unrendered_maths == 1
    formula = "<mjx-container><mjx-math>x</mjx-math></mjx-container>"
    assert visit("</main>", f'<p class="math">{formula}</p></main>').unrendered_maths == 0


def test_text_of_low_contrast_is_noticed(visit):
    faults = visit(
        "</main>", '<p style="color: #ddd; background: #fff">faint</p></main>'
    ).violations["light"]
    assert any(fault.startswith("color-contrast") for fault in faults)


MANY = "<p>dark text on white</p>" * 20


@pytest.mark.parametrize(
    ("style", "planted", "mode"),
    [
        ("p { color: #ddd }", "<p>faint</p>", "light"),
        ('[data-theme="dark"] p { color: #ddd }', "<p>faint</p>", "dark"),
        (".faint { color: #ddd }", f"{MANY}<p class='faint'>faint</p>{MANY}", "light"),
        (".box { background: #333 }", f"{MANY}<div class='box'><p>faint</p></div>{MANY}", "light"),
        (".box { opacity: 0.3 }", f"{MANY}<div class='box'><p>faint</p></div>{MANY}", "light"),
    ],
    ids=["everywhere", "in dark mode", "one of many", "its background", "its opacity"],
)
def test_text_of_low_contrast_is_noticed_wherever_it_stands(visit, style, planted, mode):
    other = {"light": "dark", "dark": "light"}[mode]
    seen = visit("</main>", f"<style>{style}</style>{planted}</main>").violations
    assert any(fault.startswith("color-contrast") for fault in seen[mode])
    if "data-theme" in style:
        assert seen[other] == []


@pytest.mark.parametrize(("where", "mode"), [("", "light"), ('[data-theme="dark"] ', "dark")])
def test_a_link_much_like_the_words_around_it_is_noticed(visit, where, mode):
    style = f"p {{ color: #111 }} {where}.alike a {{ color: #322; text-decoration: none }}"
    many = '<p>Some <a href="#a">links</a> stand out.</p>' * 20
    hidden = '<p class="alike">One <a href="#b">link</a> hides among words.</p>'
    seen = visit("</main>", f"<style>{style}</style>{many}{hidden}{many}</main>").violations
    assert any(fault.startswith("link-in-text-block") for fault in seen[mode])
