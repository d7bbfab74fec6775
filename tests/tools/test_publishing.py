"""The published pages carry no widgets and no files of other hosts."""

from __future__ import annotations

from types import SimpleNamespace

import publishing
from docutils import nodes
from docutils.utils import new_document


def output(*mime_types: str) -> nodes.container:
    """One output of a cell in several forms, as myst-nb writes it."""
    bundle = nodes.container(nb_element="mime_bundle")
    bundle += [nodes.container(mime_type=mime) for mime in mime_types]
    return bundle


def test_a_widget_is_taken_out_with_all_its_forms_and_other_outputs_stay():
    page = new_document("page")
    cell_output = nodes.container(classes=["cell_output"])
    cell_output += [output(publishing.WIDGET_VIEW, "text/plain"), output("image/png", "text/plain")]
    page += cell_output
    publishing.drop_widgets(None, page)
    assert not list(page.findall(publishing.is_view))
    assert len(cell_output.children) == 1


def test_an_output_that_held_only_a_widget_leaves_no_empty_box():
    page = new_document("page")
    cell = nodes.container(classes=["cell"])
    cell_output = nodes.container(classes=["cell_output"])
    cell_output += output(publishing.WIDGET_VIEW)
    cell += cell_output
    page += cell
    publishing.drop_widgets(None, page)
    assert cell.children == []


def test_files_of_other_hosts_and_widget_state_are_dropped_from_a_page():
    state = SimpleNamespace(filename=None, attributes={"type": publishing.WIDGET_STATE})
    own = SimpleNamespace(filename="_static/site.js", attributes={})
    other = SimpleNamespace(filename="https://other.example/a.js", attributes={})
    context = {"script_files": [state, own, other, "//other.example/b.js"], "css_files": ["a.css"]}
    publishing.keep_own_files(None, "page", "page.html", context, None)
    assert context == {"script_files": [own], "css_files": ["a.css"]}


def test_what_no_page_loads_is_deleted_and_the_rest_stays(tmp_path):
    static = tmp_path / "_static"
    (static / "scripts").mkdir(parents=True)
    (static / "vendor" / "fontawesome").mkdir(parents=True)
    for name in ("fontawesome.js", "bootstrap.js", "bootstrap.js.map"):
        (static / "scripts" / name).touch()
    publishing.remove_unused_files(SimpleNamespace(outdir=tmp_path), None)
    assert [path.name for path in (static / "scripts").iterdir()] == ["bootstrap.js"]
    assert list((static / "vendor").iterdir()) == []


def test_the_bodies_of_exercises_lose_the_name_that_they_share():
    page = new_document("page")
    page += [nodes.section(ids=["exercise-content"]), nodes.section(ids=["exercise-content"])]
    page += nodes.section(ids=["a-real-section"])
    publishing.drop_repeated_names(None, page, "page")
    assert [section["ids"] for section in page.children] == [[], [], ["a-real-section"]]
