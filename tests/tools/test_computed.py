"""Computed numbers and figures on a page: what they write, and what they say when they cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path

import computed
import pytest
from docutils import nodes
from small_book import build_small_book
from sphinx import addnodes

CAPTION = "Growth, then decay: *two* phases."
ALT = "The curve rises to 24,000 on day 9.3 and falls to 61."
PAGE = """# Page

It peaks on day {num}`demo.peak_day` at {num}`demo.level`.

```{computed-figure} demo
:name: fig-demo
```

See {ref}`the curve <fig-demo>`.
"""


def project(root: Path, page: str) -> Path:
    """Write a book of one page and one figure; return its folder."""
    folder = root / "figures"
    folder.mkdir()
    numbers = {
        "peak_day": {"value": 9.3, "text": "9.3"},
        "level": {"value": 24000.4, "text": "24,000"},
    }
    sidecar = {"caption": CAPTION, "alt": ALT, "numbers": numbers, "source": "hash"}
    (folder / "demo.json").write_text(json.dumps(sidecar), encoding="utf-8")
    (folder / "demo.csv").write_text("day,level\n0,1\n", encoding="utf-8")
    (folder / "demo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', encoding="utf-8"
    )
    (root / "index.md").write_text(page, encoding="utf-8")
    return root


def build(root: Path):
    """Build the book; return the application and the warnings."""
    return build_small_book(root, ["computed"], html_theme="basic", nitpicky=True, numfig=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(project(tmp_path_factory.mktemp("book"), PAGE))


@pytest.fixture
def tree(built) -> nodes.document:
    return built[0].env.get_doctree("index")


@pytest.fixture
def html(built) -> str:
    return (Path(built[0].outdir) / "index.html").read_text(encoding="utf-8")


def test_a_number_is_read_as_it_is_printed(tmp_path):
    assert computed.read_number(project(tmp_path, PAGE), "demo.level") == "24,000"


def test_an_unknown_figure_is_refused_with_the_names_of_those_there_are(tmp_path):
    root = project(tmp_path, PAGE)
    with pytest.raises(KeyError, match=r"no computed figure is called 'dome'; there are demo;"):
        computed.read_sidecar(root, "dome")
    with pytest.raises(KeyError, match="no computed figure is called 'dome'"):
        computed.read_number(root, "dome.level")


@pytest.mark.parametrize("target", ["demo.leval", "demo.", "demo"])
def test_an_unknown_number_is_refused_with_the_names_of_those_there_are(tmp_path, target):
    message = rf"figure 'demo' has no number '{target[5:]}'; it has peak_day, level"
    with pytest.raises(KeyError, match=message):
        computed.read_number(project(tmp_path, PAGE), target)


def test_a_good_page_builds_without_a_warning(built):
    assert built[1] == ""


def test_the_role_writes_the_printed_number(tree, html):
    found = [n for n in tree.findall(nodes.inline) if "computed-number" in n["classes"]]
    assert [node.astext() for node in found] == ["9.3", "24,000"]
    assert "It peaks on day 9.3 at 24,000." in re.sub(r"<[^>]+>", "", html)


def test_the_directive_writes_one_figure_with_its_words_and_its_data(tree):
    (figure,) = tree.findall(nodes.figure)
    assert figure["names"] == ["fig-demo"]
    assert "computed-figure" in figure["classes"]
    image, caption, legend = figure.children
    assert (image["uri"], image["alt"], image["width"]) == ("figures/demo.svg", ALT, "100%")
    assert isinstance(caption, nodes.caption)
    assert caption.astext() == "Growth, then decay: two phases."
    (link,) = legend.findall(addnodes.download_reference)
    assert link["reftarget"] == "/figures/demo.csv"
    assert link.astext() == "Data of this figure (demo.csv)"


def test_the_page_shows_picture_alt_text_caption_and_download(built, html):
    (image,) = re.findall(r"<img[^>]*>", html)
    assert f'alt="{ALT}"' in image
    assert 'src="_images/demo.svg"' in image
    assert "two</em> phases." in html
    (address,) = re.findall(r'<a [^>]*download=""[^>]* href="([^"]+)"', html)
    assert (Path(built[0].outdir) / address).read_text(encoding="utf-8") == "day,level\n0,1\n"
    assert 'href="#fig-demo"' in html


def test_a_page_is_built_anew_when_its_sidecar_changes(built):
    depends = {Path(str(path)).name for path in built[0].env.dependencies["index"]}
    assert "demo.json" in depends


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("Day {num}`demo.peek_day`.", "figure 'demo' has no number 'peek_day'; it has peak_day"),
        ("Day {num}`dome.peak_day`.", "no computed figure is called 'dome'; there are demo"),
        ("```{computed-figure} dome\n```", "no computed figure is called 'dome'; there are demo"),
    ],
)
def test_an_unknown_name_on_a_page_is_a_warning_with_its_place(tmp_path, page, message):
    _, told = build(project(tmp_path, f"# Page\n\n{page}\n"))
    assert message in told
    assert "index.md:3" in told


def test_a_figure_takes_no_words_of_its_own(tmp_path):
    page = "# Page\n\n```{computed-figure} demo\nAnother caption.\n```\n"
    _, told = build(project(tmp_path, page))
    assert "computed-figure" in told
