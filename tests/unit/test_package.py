"""The package loads its names when they are used, and offers the same ones to readers and tools."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import car_relapse

SOURCE = Path(car_relapse.__file__)


def test_every_name_that_is_offered_can_be_loaded():
    for name in car_relapse.__all__:
        assert getattr(car_relapse, name) is not None
        assert name in dir(car_relapse)


def test_type_checkers_see_the_names_that_users_see():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module.removeprefix("car_relapse."), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    offered = {(module, name) for module, names in car_relapse._NAMES.items() for name in names}
    assert seen == offered


def test_the_version_is_that_of_the_installed_package():
    assert car_relapse.__version__[0].isdigit()


def test_an_unknown_name_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = car_relapse.nothing


def test_a_cohort_starts_without_what_it_does_not_need():
    script = (
        "import sys, car_relapse as cr;"
        "cr.simulate(cr.default_population(), 128, seed=1);"
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    slow = {"scipy.integrate", "scipy.optimize", "scipy.special", "scipy.stats", "matplotlib"}
    assert not loaded & (slow | {"pandas", "numba", "distributed", "multiprocessing"})
