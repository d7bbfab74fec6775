"""The data dictionary: every column of every shipped table, read off the records."""

from __future__ import annotations

import csv
from importlib import resources
from typing import get_args

import pytest

from car_relapse import dictionary, records
from car_relapse.errors import EvidenceError


@pytest.mark.parametrize("table", dictionary.TABLES)
def test_every_column_is_explained_in_the_order_of_the_file(table):
    path = resources.files("car_relapse") / "data" / f"{table}.csv"
    header = next(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    found = dictionary.columns(table)
    assert [column.name for column in found] == header
    assert all(column.meaning and column.kind for column in found)


def test_every_table_of_the_package_has_a_dictionary():
    data = resources.files("car_relapse") / "data"
    assert {f.name for f in data.iterdir()} == {f"{t}.csv" for t in dictionary.TABLES}


@pytest.mark.parametrize(
    ("table", "name", "kind", "unit", "allowed"),
    [
        ("trials", "key", "text", "", ()),
        ("trials", "antigens", "names, separated by ;", "", ()),
        ("trials", "n_cr", "whole number or empty", "patients", ()),
        ("trials", "n_relapse_partial", "whole number or empty", "relapses", ()),
        ("trials", "os_12m", "number or empty", "%", ()),
        ("trials", "median_followup_months", "number or empty", "months", ()),
        ("trials", "construct", "text", "", get_args(records.Construct)),
        ("trials", "derived", "names of columns, separated by ;", "", ()),
        ("kinetics", "value", "number or empty", "as in `unit`", ()),
        ("kinetics", "bound", "text or empty", "", (">",)),
        ("landmarks", "value", "number", "as in `unit`", ()),
        ("landmarks", "endpoint", "text", "", get_args(records.Endpoint)),
        ("landmarks", "high_not_reached", "yes or empty", "", ()),
        ("parameters", "certainty", "text", "", ("measured", "fitted", "assumed")),
        ("calibration", "observed", "number or empty", "", ()),
    ],
)
def test_type_unit_and_allowed_words_come_from_the_annotation(table, name, kind, unit, allowed):
    (column,) = [c for c in dictionary.columns(table) if c.name == name]
    assert (column.kind, column.unit, column.allowed) == (kind, unit, allowed)


def test_a_column_that_counts_or_measures_says_its_unit():
    for table in ("trials", "kinetics", "landmarks"):
        for column in dictionary.columns(table):
            assert bool(column.unit) == ("number" in column.kind), (table, column.name)


def test_the_meaning_is_the_docstring_of_the_field_inherited_ones_too():
    meaning = {column.name: column.meaning for column in dictionary.columns("trials")}
    assert meaning["n_infused"] == "Patients infused."
    assert meaning["doi"] == "DOI of the source; empty when none was read."


def test_an_unknown_table_is_refused_with_those_that_exist():
    with pytest.raises(EvidenceError, match=r"table is 'drugs'; .*choose one of trials, mech"):
        dictionary.columns("drugs")
    with pytest.raises(EvidenceError, match=r"table is \[\]"):
        dictionary.columns([])


def test_every_kind_of_reading_is_explained():
    assert tuple(records.READINGS) == get_args(records.Reading)
