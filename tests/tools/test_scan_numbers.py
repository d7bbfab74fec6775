"""A planted number is found wherever a reader would see it, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import scan_numbers
from scan_numbers import naked_numbers, prose, read_allowed, scan, sentences

ALLOWED = read_allowed()


def found(markdown: str, tmp_path: Path, name: str = "page.md") -> list[str]:
    path = tmp_path / name
    path.write_text(markdown, encoding="utf-8")
    return [f"{n.place.rsplit(':', 1)[-1]}: {n.number}" for n in scan(path, ALLOWED, tmp_path)]


@pytest.mark.parametrize(
    "planted",
    [
        "It returned in 41 % of patients.",
        "# The chance is 0.3",
        "- One item says 17 days.",
        "1. A numbered item says 17 days.",
        "> A quotation says 17 days.",
        "| level | 17 copies |",
        "```{admonition} In 17 days\nNothing.\n```",
        "```{note}\nIt took 17 days.\n```",
        "````{grid}\n```{grid-item-card} Cards\n:link: x2\n\nIt took 17 days.\n```\n````",
        "```{exercise} Compute (compute, 5 minutes)\n:label: ex-1\nTake 17 days.\n```",
        "```{solution} ex-1\n:label: sol-1\n:class: dropdown\nIt is 17 days.\n```",
        "```{figure} x2.svg\n:alt: The curve falls for 17 days.\n\nLook at it.\n```",
        "```{figure} x2.svg\n:alt: The curve falls.\n\nIt falls for 17 days.\n```",
        "```{claim} claim-a-b2\nIt takes 17 days.\n```",
        "```{glossary}\nterm\n  It lasts 17 days.\n```",
        "About twenty of them relapsed.",
        "A million cells are left.",
        "Ten-fold is fine, 10-fold is not.",
        "It was $17$ days.",
        "From 10⁻¹² upwards.",
        "Half is ½ of it.",
        "The {term}`burden` was 17 times larger.",
        "The [page](other.md#part-2) says 17.",
        "Read by 3 people on day-3.",
        "Cited {cite:p}`key2020`. But here it is 17.",
        "**Bold lead.** It has 17 cells.",
        "As [doi:10.1/x](https://doi.org/10.1000/x) says, 17.",
        "Seen 17 times, says [12].",
    ],
)
def test_a_planted_number_is_found(planted: str, tmp_path: Path) -> None:
    assert len(found(planted, tmp_path)) >= 1


@pytest.mark.parametrize(
    "sound",
    [
        "In 23 of 25 it was lost {cite:p}`key2020`.",
        "{cite:t}`key2020` found 23 of 25.",
        "| level | 17 copies {cite:p}`key2020` |",
        "It is {num}`stein-curve.level_day_28` copies, and $N = 10^{11}$ cells.",
        "```{computed-figure} slug-2\n:name: fig-2\n```",
        "```python\nx = 17\n```",
        "```{code-block} python\nx = 17\n```",
        "```{math}\n:label: eq-2\nx = 17\n```",
        "$$\nx = 17\n$$",
        "Call `f(17)` or ``g(`17`)``.",
        "(sec-part-2)=",
        "% a comment with 17",
        "<!-- a comment\nwith 17 -->",
        "A receptor with 4-1BB against CD19, CD22 or IL13Rα2 in ZUMA-1, PLAT-02 and NCT03241940.",
        "Exon 2 is skipped in a phase 1 trial of 2019 with 95 % intervals.",
        "```{exercise} Classify (recall, 5 minutes)\n:label: ex-1\nName it.\n```",
        "See {numref}`fig-2`, {eq}`eq-3` and {ref}`part 4 <sec-4>`.",
        "The [page](other-2.md#part-3) says so.",
        "1. One, two and ten cells, ten-fold.",
        "Licence CC BY 4.0, version 0.1.0, Python 3.11.",
    ],
)
def test_a_computed_cited_or_allowed_number_is_not(sound: str, tmp_path: Path) -> None:
    assert found(sound, tmp_path) == []


def test_the_place_is_the_line_and_text_after_a_block_is_read_again(tmp_path: Path) -> None:
    code, formula = "```python\nx = 1\n```", "```{math}\n2\n```"
    page = f"One.\n\n{code}\n\nIt is 17.\n\n````{{note}}\n{formula}\nIt is 18.\n````"
    assert found(page, tmp_path) == ["7: 17", "13: 18"]


def test_a_notebook_is_read_cell_by_cell_and_a_doi_link_is_its_citation(tmp_path: Path) -> None:
    cited = "In 68 of 420 ([doi:10.1182/x.2](https://doi.org/10.1182/x.2)).\n"
    cells = [
        {"cell_type": "markdown", "source": [cited, "In 17 of 18."]},
        {"cell_type": "code", "source": ["x = 17"]},
        {"cell_type": "markdown", "source": ["| [A](b.md) | necessary | 7 |"]},
    ]
    path = tmp_path / "sample.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    places = [str(naked) for naked in scan(path, ALLOWED, tmp_path)]
    assert places == [
        "sample.ipynb:cell 1:2: 17: In 17 of 18.",
        "sample.ipynb:cell 1:2: 18: In 17 of 18.",
    ]


def test_in_a_page_a_doi_link_is_no_citation(tmp_path: Path) -> None:
    assert found("In 68 ([doi:10.1182/x.2](https://doi.org/10.1182/x.2)).", tmp_path) == ["1: 68"]


def test_the_command_prints_and_fails(tmp_path: Path, capsys) -> None:
    path = tmp_path / "page.md"
    path.write_text("It is 17.\n", encoding="utf-8")
    assert scan_numbers.main([str(path)]) == 1
    assert f"{path}:1: 17: It is 17." in capsys.readouterr().out
    path.write_text("It is computed.\n", encoding="utf-8")
    assert scan_numbers.main([str(path)]) == 0


def test_a_pattern_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "allowed.toml"
    for text in ("[[allow]]\npattern = 'x'", "[[allow]]\npattern = 'x'\nreason = ' '"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="must have a pattern and a reason"):
            read_allowed(path)


def test_the_parts() -> None:
    assert sentences("1. **The denominator.** One gives 30. Two do not.") == [
        "**The denominator.",
        "One gives 30.",
        "Two do not.",
    ]
    assert naked_numbers("1,234.5 and −3", []) == ["1,234.5", "−3"]
    assert list(prose("a\n```{figure} x\n:alt: b\n:name: c\n\nd\n```\n")) == [
        (1, "a"),
        (3, "b"),
        (5, ""),
        (6, "d"),
    ]
