"""The ledger: what it refuses to read, and what it answers."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from importlib import resources

import pytest

from car_relapse.errors import LedgerError
from car_relapse.parameters import default, ledger, parameter, read_ledger

TEXT = (resources.files("car_relapse") / "data" / "parameters.csv").read_text(encoding="utf-8")
HEADER = TEXT.splitlines()[0]
GOOD = next(
    row for row in csv.DictReader(io.StringIO(TEXT)) if row["key"] == "killing.maximal_rate"
)


def read_with(**changes: str):
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER.split(","), lineterminator="\n")
    writer.writeheader()
    writer.writerow(GOOD | changes)
    return read_ledger(io.StringIO(out.getvalue()))


def test_a_good_row_is_read_field_by_field():
    row = read_with()["killing.maximal_rate"]
    assert row.value == float(GOOD["value"])
    assert (row.low, row.high) == (float(GOOD["low"]), float(GOOD["high"]))
    assert row.certainty == "fitted"
    assert row.note == GOOD["note"]


def test_an_empty_range_is_no_range():
    row = read_with(low="", high="")["killing.maximal_rate"]
    assert row.low is None
    assert row.high is None


@pytest.mark.parametrize(
    ("changes", "shown", "rule"),
    [
        ({"value": "fast"}, "value 'fast'", "a finite number"),
        ({"value": "nan"}, "value 'nan'", "a finite number"),
        ({"value": ""}, "value ''", "a finite number"),
        ({"low": "inf"}, "low 'inf'", "a finite number"),
        ({"high": "?"}, "high '?'", "a finite number"),
        ({"certainty": "guessed"}, "certainty 'guessed'", "measured, fitted, assumed"),
        ({"value": "9"}, "value 9", "its own range"),
        ({"value": "0.1"}, "value 0.1", "its own range"),
        ({"low": "2", "high": "1"}, "low 2 above high 1", "a range runs upwards"),
        ({"low": "", "high": "1"}, "outside its range [, 1]", "its own range"),
        ({"name": ""}, "an empty name", "every row states it"),
        ({"unit": " "}, "an empty unit", "every row states it"),
        ({"certainty": ""}, "certainty ''", "measured, fitted, assumed"),
        ({"doi": ""}, "no DOI although it is fitted", "needs its source"),
        (
            {"certainty": "measured", "doi": ""},
            "no DOI although it is measured",
            "needs its source",
        ),
    ],
)
def test_a_bad_row_is_refused_with_key_value_rule_and_remedy(changes, shown, rule):
    with pytest.raises(LedgerError) as caught:
        read_with(**changes)
    message = str(caught.value)
    assert "'killing.maximal_rate'" in message
    assert shown in message
    assert rule in message
    assert "correct the row" in message or "add the DOI" in message


def test_an_assumption_needs_no_doi():
    assert read_with(certainty="assumed", doi="")["killing.maximal_rate"].doi == ""


def test_a_row_without_a_key_is_refused():
    with pytest.raises(LedgerError, match=r"ledger row '' has an empty key; .*; correct the row"):
        read_with(key="")


def test_a_parameter_obeys_the_same_rules_wherever_it_is_built():
    with pytest.raises(LedgerError, match=r"value 9 outside its range \[0.64, 1.35\]"):
        replace(parameter("killing.maximal_rate"), value=9.0)


@pytest.mark.parametrize(
    "stream", [None, 3.5, io.BytesIO(HEADER.encode()), io.StringIO(f'{HEADER}\n"' + "x" * 200_000)]
)
def test_what_is_no_csv_text_file_is_refused(stream):
    with pytest.raises(LedgerError, match=r"cannot be read .*; it must be a CSV text file; open"):
        read_ledger(stream)


def test_a_row_with_too_few_or_too_many_fields_is_refused():
    for row in ("short.row,k,a name,1", ",".join(["long.row"] + ["1"] * 12)):
        with pytest.raises(LedgerError, match=r"'(short|long).row' does not have 12 fields.*corr"):
            read_ledger(io.StringIO(f"{HEADER}\n{row}\n"))


def test_a_repeated_key_is_refused():
    line = next(line for line in TEXT.splitlines() if line.startswith("loss.cd19"))
    with pytest.raises(LedgerError, match=r"'loss.cd19' stands twice; keys are unique; remove"):
        read_ledger(io.StringIO(f"{HEADER}\n{line}\n{line}\n"))


@pytest.mark.parametrize("text", ["", "key,value\n", HEADER.replace("doi", "source") + "\n"])
def test_a_wrong_header_is_refused(text):
    with pytest.raises(LedgerError, match=r"header is .*; it must be key,symbol.*restore"):
        read_ledger(io.StringIO(text))


def test_an_empty_ledger_is_refused():
    with pytest.raises(LedgerError, match="empty; it must hold at least one row; restore"):
        read_ledger(io.StringIO(HEADER + "\n"))


def test_an_unknown_key_is_answered_with_the_closest_known_ones():
    with pytest.raises(LedgerError, match=r"'stein.betta' is not a ledger key.*did you mean"):
        parameter("stein.betta")
    with pytest.raises(LedgerError, match=r"'killing.max_rate'.*killing\.maximal_rate"):
        default("killing.max_rate")


def test_an_unknown_key_unlike_any_other_is_answered_with_the_way_to_list_them():
    with pytest.raises(LedgerError, match=r"'zzz' is not a ledger key.*see car_relapse\.ledger"):
        parameter("zzz")


@pytest.mark.parametrize("key", [None, 7, ["loss.cd19"], {}])
def test_a_key_that_is_no_text_is_refused(key):
    for ask in (parameter, default):
        with pytest.raises(LedgerError, match=r"is not a ledger key; a key is text.*; see"):
            ask(key)


def test_the_ledger_is_read_only():
    with pytest.raises(TypeError):
        ledger()["new.key"] = parameter("loss.cd19")


def test_default_is_the_value_of_the_row_and_every_row_carries_a_unit():
    for key, row in ledger().items():
        assert default(key) == row.value
        assert row.key == key
        assert row.unit
