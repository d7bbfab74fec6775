"""The library pages show every public module once, and their docstrings link what they cite."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from pathlib import Path

import library
import pytest

import car_relapse

PAGES = Path(__file__).resolve().parents[2] / "book" / "library"
SHOWN = re.compile(r"^```\{library\} (\S+)$", re.MULTILINE)


def public_modules() -> set[str]:
    """Name every module that no leading underscore hides; a package counts when it exports."""
    found = set()
    for module in pkgutil.walk_packages(car_relapse.__path__, "car_relapse."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            found.add(module.name)
    return found


def test_every_public_module_stands_on_exactly_one_page():
    shown = Counter(
        name for page in PAGES.glob("*.md") for name in SHOWN.findall(page.read_text("utf-8"))
    )
    # The figure modules are shown through the package that names them all; the published models
    # and what the packages on trials and their design gather, one by one.
    summed_up = {name for name in public_modules() if name.startswith("car_relapse.figures.")}
    one_by_one = {"car_relapse.published"} | {
        module.name
        for module in pkgutil.walk_packages(car_relapse.__path__, "car_relapse.")
        if module.ispkg
        and module.name.startswith(
            ("car_relapse.design", "car_relapse.protocol", "car_relapse.trial")
        )
    }
    wanted = public_modules() - summed_up - one_by_one | {"car_relapse.figures.style"}
    assert shown == dict.fromkeys(wanted, 1)


def test_every_library_page_is_in_the_table_of_contents():
    toc = (PAGES.parents[1] / "_toc.yml").read_text("utf-8")
    assert {page.stem for page in PAGES.glob("*.md")} == set(re.findall(r"book/library/(\S+)", toc))


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("(doi:10.1/x).", "(doi:10.1/x)."),
        ("doi: 10.1002/psp4.12388; more", "10.1002/psp4.12388>`__; more"),
        ("doi:10.1016/S0140-6736(20)31366-0", "10.1016/S0140-6736(20)31366-0>`__"),
        ("(doi:10.1214/aoms/1177730285)", "10.1214/aoms/1177730285>`__)"),
        ("is it (doi:10.2307/2533377)?", "10.2307/2533377>`__)?"),
    ],
)
def test_a_doi_becomes_a_link_without_the_sentence_around_it(text, linked):
    assert library.link_dois(text).endswith(linked)
