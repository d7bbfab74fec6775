"""Symbol tables of notebooks: what they show, where they link, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

import car_relapse as cr

BIRTH, BURDEN = "leukaemia.birth_rate", "leukaemia.burden"
LOSSES = {"m": ("expected number of loss events", "$uN/s$", "dimensionless")}


def test_every_row_of_the_ledger_becomes_one_line_with_its_source():
    lines = repr(cr.symbol_table(*cr.ledger())).splitlines()
    assert len(lines) == 1 + len(cr.ledger())
    for row, line in zip(cr.ledger().values(), lines[1:], strict=True):
        cells = re.split(r" {2,}", line)
        assert cells[0] == row.symbol
        assert float(cells[2].replace(",", "")) == pytest.approx(row.value, rel=1e-5)
        assert cells[4:] == [row.certainty, *filter(None, [row.doi])]


def test_the_page_shows_a_link_to_the_row_of_the_ledger_and_one_to_the_source():
    row = cr.parameter(BIRTH)
    line = cr.symbol_table(BIRTH)._repr_markdown_().splitlines()[2]
    assert f"[{row.name}](../book/parameters.md#par-leukaemia-birth-rate)" in line
    assert f"(https://doi.org/{row.doi})" in line
    assert f"| ${row.symbol}$ |" in line
    assert "| per day | measured |" in line


def test_a_row_without_a_source_says_so_by_a_dash():
    line = cr.symbol_table(BURDEN)._repr_markdown_().splitlines()[2]
    assert line.endswith("| assumed | – |")
    assert "$10^{11}$" in line


def test_what_is_computed_follows_the_rows_of_the_ledger():
    table = cr.symbol_table(BIRTH, computed=LOSSES)
    assert [row.symbol for row in table.rows] == ["b", "m"]
    assert table._repr_markdown_().splitlines()[3] == (
        "| $m$ | expected number of loss events | $uN/s$ | none | computed | – |"
    )
    assert re.split(r" {2,}", repr(table).splitlines()[2]) == [
        *("m", "expected number of loss events", "uN/s", "none", "computed"),
    ]


def test_a_computed_number_is_rounded_as_those_of_the_ledger_are():
    table = cr.symbol_table(computed={"s": ("survival", np.float64(1 - 0.04 / 0.105), "none")})
    assert "0.619048" in repr(table)
    assert "| 0.619048 |" in table._repr_markdown_()


def test_every_row_of_a_page_has_as_many_cells_as_its_head_whatever_the_symbols():
    bars = {"P(a|b)": ("chance of a | given b", "$P(a|b)$", "none")}
    lines = cr.symbol_table(*cr.ledger(), computed=bars)._repr_markdown_().splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}
    assert r"$P(a\vert b)$" in lines[-1]


def test_an_unknown_key_is_refused_with_the_closest_ones():
    with pytest.raises(cr.LedgerError, match=r"'leukaemia.birthrate'.*leukaemia.birth_rate"):
        cr.symbol_table("leukaemia.birthrate")


def test_a_table_without_symbols_is_refused():
    with pytest.raises(cr.ParameterError, match="needs one at least"):
        cr.symbol_table()


@pytest.mark.parametrize(
    "computed", [{cr.parameter(BIRTH).symbol: ("another", 1.0, "none")}, {}], ids=["both", "key"]
)
def test_a_symbol_that_stands_twice_is_refused(computed):
    keys = (BIRTH,) if computed else (BIRTH, BIRTH)
    with pytest.raises(cr.ParameterError, match="'b' stands twice; one symbol has one meaning"):
        cr.symbol_table(*keys, computed=computed)


@pytest.mark.parametrize(
    ("computed", "message"),
    [
        ([("m", "events")], "computed is .*; it must be a dict"),
        ({"m": "events"}, "computed holds 'm': 'events'"),
        ({"m": ("events", 1.0)}, "each entry is symbol: "),
        ({"m": (1.0, "events", "none")}, "each entry is symbol: "),
        ({1: ("events", 1.0, "none")}, "computed holds 1"),
        ({"m": ("events", float("nan"), "none")}, "the value of m is nan; it must be a finite"),
        ({"m": ("events", None, "none")}, "the value of m is None; it must be a number"),
        ({"m": ("events", 1.0, None)}, "the unit of m is None; it must be a str"),
    ],
)
def test_what_is_computed_is_refused_when_it_is_no_such_entry(computed, message):
    with pytest.raises(cr.ParameterError, match=message):
        cr.symbol_table(computed=computed)
