"""Every take-away is a claim, every claim has one test, and every test belongs to a claim."""

from __future__ import annotations

import ast
from pathlib import Path

import claims_report
import pytest
import stated_claims

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "claims").glob("*.py"))


def test_every_take_away_is_a_claim() -> None:
    assert stated_claims.problems(ROOT) == []


def test_every_claim_has_a_test_and_every_test_a_claim() -> None:
    tested = claims_report.registry.load()
    assert claims_report.mismatches(stated_claims.stated(ROOT), tested) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_tests_of_claims_run_where_pytest_is_not_installed(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {
        name.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {name.split(".")[0] for name in imported} & {"pytest", "hypothesis"} == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_test_function_of_a_claim_is_registered(file: Path) -> None:
    """A test without its decorator would run here and be on no page."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bare = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not any(
            ast.unparse(mark).startswith(("data_claim(", "model_claim("))
            for mark in node.decorator_list
        )
    ]
    assert bare == []
