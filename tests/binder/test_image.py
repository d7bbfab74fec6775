"""What Binder installs is enough, agrees with itself and with its base, and is no more."""

from __future__ import annotations

import json
from pathlib import Path

import image
import pytest

pytestmark = pytest.mark.xdist_group("image")  # what they ask for is asked for once

BUILD_AND_TEST_TOOLS = {
    *("axe-playwright-python", "coverage", "hatchling", "hypothesis", "jupyter-book", "mypy"),
    *("myst-nb", "nbval", "playwright", "pytest", "ruff", "sphinx", "sphinx-book-theme"),
}


@pytest.fixture(scope="module")
def packages(binder_python) -> dict[str, str]:
    script = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    listed = json.loads(image.run(binder_python, "-c", script))
    return {image.normalised(name): version for name, version in listed.items()}


def test_what_is_installed_agrees_with_itself(binder_python):
    assert image.run(binder_python, "-m", "pip", "check").strip() == "No broken requirements found."


def test_every_pin_is_installed_as_it_is_pinned(checkout, packages):
    pinned = image.pins((checkout / "requirements.txt").read_text())
    assert pinned
    assert {name: packages.get(name) for name in pinned} == pinned


# Kernels before 7 have no subshells. With the base image's 7.0.1 every control fell silent for good
# in 4 of 10 fresh Labs, with 6.31.0 in 0 of 6; ipython/ipykernel#1529 tells of messages lost so.
# And what a subshell draws is drawn beside the cells that still run, while matplotlib's settings
# belong to all (jupyterlab/jupyterlab#19719).
REPLACED = {"ipykernel"}


def test_a_pin_replaces_nothing_that_the_base_image_carries_but_the_kernel(checkout):
    pinned, base = image.pins((checkout / "requirements.txt").read_text()), image.base_pins()
    shared = pinned.keys() & base.keys()
    # The server and the widgets' halves have to fit together; if they are not in the base's list,
    # the list was not read.
    assert shared >= {"jupyterlab", "ipykernel", "ipywidgets", "jupyterlab-widgets"}
    assert {name for name in shared if pinned[name] != base[name]} == REPLACED


def test_a_control_is_answered_by_the_thread_that_runs_the_cells(binder_python):
    script = (
        "from ipykernel.kernelbase import Kernel;"
        "print(getattr(Kernel, '_supports_kernel_subshells', False))"
    )
    assert image.run(binder_python, "-c", script).strip() == "False"


def test_nothing_that_builds_or_tests_the_book_is_installed(packages):
    assert "jupyterlab" in packages
    assert packages.keys() & BUILD_AND_TEST_TOOLS == set()


def test_the_package_is_installed_whole_and_not_linked_to_the_checkout(
    checkout, binder_python, packages, tmp_path
):
    assert packages["car-relapse"] == image.package_version(checkout)
    script = "import car_relapse; print(car_relapse.__file__)"
    installed = Path(image.run(binder_python, "-c", script, cwd=tmp_path).strip()).parent
    assert installed.is_relative_to(binder_python.parents[1])
    source = checkout / "src" / "car_relapse"
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    assert files
    # Its tables are files like any other, and missed only when they are asked for.
    assert [file for file in files if not (installed / file).is_file()] == []
