"""A planted claim that is untested, refuted or doubled turns the checks and the build red."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import MappingProxyType

import claims_report
import pytest
import stated_claims
from claims_report import registry
from small_book import build_small_book
from stated_claims import Stated

PAGE = """# Two ways

## Take-aways

```{claim} claim-two-ways-first
The first has *emphasis*.
```

```{claim} claim-two-ways-second
The second
has two lines.
```

## After

Text.
"""
NOTEBOOK = (
    "## Take-aways\n\n"
    "1. From a notebook. [claim-sample-third](../book/claims.md#claim-sample-third)\n"
)
CLAIMS = "# Claims\n\n```{claims-list}\n```\n"
TOC = """
root: book/index
parts:
  - caption: The two mechanisms
    chapters: [{file: book/two-ways}, {file: notebooks/sample}]
  - caption: Reference
    chapters: [{file: book/claims}]
"""
TEST = """
from tests.claims.registry import data_claim, model_claim

@data_claim("claim-two-ways-first")
def test_first() -> None:
    assert FIRST, "the table says otherwise"

@model_claim("claim-two-ways-second", varies=("leukaemia.burden", "loss.cd19"), at_least=SHARE)
def test_second(ledger) -> bool:
    return ledger["leukaemia.burden"] < 2e11
"""
THIRD = """
from tests.claims.registry import data_claim

@data_claim("claim-sample-third")
def test_third() -> None:
    pass
"""


@pytest.fixture(autouse=True)
def no_claims(monkeypatch):
    """Register the planted claims only."""
    monkeypatch.setattr(registry, "CLAIMS", {})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Lay out a book of one chapter and one notebook, with a test for each claim."""
    files = {
        "_toc.yml": TOC,
        "book/index.md": "# Front\n\n```{toctree}\ntwo-ways\nclaims\n/notebooks/sample\n```\n",
        "book/two-ways.md": PAGE,
        "book/claims.md": CLAIMS,
        "notebooks/sample.md": f"# Sample\n\n{NOTEBOOK}",
        "tests/claims/test_two_ways.py": TEST.replace("FIRST", "True").replace("SHARE", "0.5"),
        "tests/claims/test_sample.py": THIRD,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    cell = {"cell_type": "markdown", "source": [NOTEBOOK]}
    (tmp_path / "notebooks/sample.ipynb").write_text(json.dumps({"cells": [cell]}))
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def report(project: Path) -> dict:
    """Run the planted tests and store the report where the pages look for it."""
    content = claims_report.report(
        stated_claims.stated(project), registry.load(project / "tests" / "claims")
    )
    path = project / "_build" / "verification" / "claims.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return content


def build(project: Path) -> tuple[Path, str]:
    """Build the planted book; return the folder of its pages and what was warned of."""
    (project / "notebooks/sample.ipynb").unlink()  # its Markdown twin stands for it
    _, warned = build_small_book(project, ["sphinx.ext.mathjax", "claims"], root_doc="book/index")
    return project / "html", warned


def test_a_sound_book_has_no_problem_and_no_warning(project: Path) -> None:
    assert stated_claims.problems(project) == []
    found = report(project)
    assert found["problems"] == []
    assert [c["id"] for c in found["claims"]] == [
        "claim-two-ways-first",
        "claim-two-ways-second",
        "claim-sample-third",
    ]
    assert found["claims"][1]["held"] > 64
    out, warned = build(project)
    assert warned == ""
    page = (out / "book/two-ways.html").read_text()
    claims = (out / "book/claims.html").read_text()
    assert page.count("<ol") == 1
    assert len(re.findall(r'<li id="claim-two-ways-(first|second)">', page)) == 2
    assert 'href="claims.html#claim-two-ways-first"' in page
    assert "<em>emphasis</em>" in page
    assert "tests/<wbr>claims/<wbr>test_<wbr>two_<wbr>ways.<wbr>py" in claims
    assert re.search(r'<dt[^>]* id="claim-two-ways-first">', claims)
    assert 'href="two-ways.html#claim-two-ways-first"' in claims
    assert r"\(N\)" in claims
    assert "standard error" in claims
    notebook = (out / "notebooks/sample.html").read_text()
    assert '<li id="claim-sample-third">' in notebook
    assert 'href="../book/claims.html#claim-sample-third"' in notebook


def test_where_the_ledger_is_a_page_the_varied_symbols_lead_to_its_rows(project: Path) -> None:
    rows = ("leukaemia-burden", "loss-cd19")
    labels = "".join(f"\n(par-{row})=\n## {row}\n\nText.\n" for row in rows)
    (project / "book/parameters.md").write_text(f"# Ledger\n{labels}", encoding="utf-8")
    change(project / "book/index.md", "claims\n", "claims\nparameters\n")
    report(project)
    out, warned = build(project)
    assert warned == ""
    for row in rows:
        assert f'href="parameters.html#par-{row}"' in (out / "book/claims.html").read_text()


def test_a_claim_without_a_test_is_a_problem_and_a_warning(project: Path) -> None:
    (project / "tests/claims/test_sample.py").unlink()
    change(project / "tests/claims/test_two_ways.py", "claim-two-ways-first", "claim-two-ways-oops")
    problems = report(project)["problems"]
    assert any("claim-two-ways-first of book/two-ways has no test" in p for p in problems)
    assert any("claim-two-ways-oops, which no page states" in p for p in problems)
    assert "claim-two-ways-first is a claim without a test" in build(project)[1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("assert True", "assert False", "the table says otherwise"),
        ("at_least=0.5", "at_least=1.0", "100% was asked"),
        ("2e11", "1e11", "at the ledger's defaults"),
    ],
)
def test_a_refuted_claim_fails_its_test_the_report_and_the_build(
    project: Path, old: str, new: str, words: str
) -> None:
    change(project / "tests/claims/test_two_ways.py", old, new)
    (refuted,) = report(project)["problems"]
    assert "is refuted" in refuted
    assert words in refuted
    id = refuted.split()[0]
    result = registry.CLAIMS[id].check()
    assert not result.passed
    assert f"{id} is refuted" in build(project)[1]


def test_the_function_that_pytest_runs_fails_when_the_claim_does() -> None:
    @registry.data_claim("claim-planted-wrong")
    def test_planted() -> None:
        raise AssertionError("planted")

    with pytest.raises(AssertionError, match="claim-planted-wrong: planted"):
        test_planted()


def test_a_claim_that_stands_twice_is_a_problem_and_a_warning(project: Path) -> None:
    change(project / "book/two-ways.md", "claim-two-ways-second", "claim-two-ways-first")
    problems = report(project)["problems"]
    assert "claim-two-ways-first stands 2 times" in problems
    assert "claim-two-ways-first" in build(project)[1]


def test_two_tests_of_one_claim_are_refused(project: Path) -> None:
    change(project / "tests/claims/test_sample.py", "claim-sample-third", "claim-two-ways-first")
    with pytest.raises(ValueError, match="has two tests"):
        report(project)


def test_a_test_in_the_file_of_another_page_is_a_problem() -> None:
    @registry.data_claim("claim-planted-place")
    def test_planted() -> None:
        pass

    found = [Stated("claim-planted-place", "book/elsewhere", "Text.")]
    (problem,) = claims_report.mismatches(found, MappingProxyType(registry.CLAIMS))
    assert "not in test_elsewhere.py" in problem


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("## Take-aways", "## Summary", "no section 'Take-aways'"),
        ("\n## After", "1. Another.\n\n## After", "is no claim: 1. Another."),
        ("claim-two-ways-first\n", "claim-other-first\n", "does not begin with claim-two-ways-"),
        ("The first has *emphasis*.\n", "", "says nothing"),
    ],
)
def test_a_take_away_that_is_no_claim_is_a_problem(
    project: Path, old: str, new: str, words: str
) -> None:
    change(project / "book/two-ways.md", old, new)
    assert any(words in problem for problem in stated_claims.problems(project))


def test_a_claim_of_a_notebook_links_to_its_own_row(project: Path) -> None:
    change(project / "notebooks/sample.ipynb", "md#claim-sample-third", "md#claim-sample-other")
    assert any("links to the row of" in problem for problem in stated_claims.problems(project))


def test_a_model_claim_varies_only_what_has_a_range_and_says_how_often() -> None:
    with pytest.raises(ValueError, match="no range in the ledger"):
        registry.model_claim("claim-a-b", varies=("leukaemia.death_rate",), at_least=0.5)
    with pytest.raises(ValueError, match="it is a share"):
        registry.model_claim("claim-a-b", varies=("loss.cd19",), at_least=1.5)
    with pytest.raises(TypeError, match="takes"):
        registry.data_claim("claim-a-b")(lambda fixture: None)
    with pytest.raises(ValueError, match="no id of a claim"):
        registry.data_claim("two-ways")(lambda: None)


def test_samples_stay_in_their_ranges_and_are_the_same_on_every_run() -> None:
    varies = ("loss.cd19", "leukaemia.birth_rate", "loss.common_mode", "stein.memory_rate")
    sets = registry.samples("claim-a-b", varies, 128)
    assert sets == registry.samples("claim-a-b", varies, 128)
    assert sets != registry.samples("claim-a-c", varies, 128)
    for key in varies:
        row = registry.parameter(key)
        low, high = registry.plausible(row)
        values = [values[key] for values in sets]
        assert low <= min(values)
        assert max(values) <= high
        assert low < row.value < high
    # Four decades, evenly: about a quarter of the draws in the lowest one.
    lowest = sum(values["loss.cd19"] < 1e-12 for values in sets)
    assert 16 <= lowest <= 48


def test_the_standard_error_is_binomial_and_never_zero() -> None:
    whole = registry.Result(passed=True, held=128, draws=128)
    half = registry.Result(passed=True, held=64, draws=128)
    assert whole.share == 1
    assert 0 < whole.standard_error < 0.01
    assert half.standard_error == pytest.approx(0.5 / 128**0.5)
