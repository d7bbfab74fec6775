"""Evidence tables as files: CSV rows into checked records.

A row that breaks a rule is refused with its table, key, value, rule and remedy.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import fields
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar, get_args

from car_relapse.errors import EvidenceError
from car_relapse.records import (
    PHENOTYPES,
    Construct,
    Endpoint,
    KineticValue,
    Landmark,
    Mechanism,
    Reading,
    RelapseType,
    Statistic,
    Trial,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["read_kinetics", "read_landmarks", "read_mechanisms", "read_trials"]

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_BIBKEY = re.compile(r"[a-z][a-z0-9_]*")
_REGISTRATION = re.compile(r"NCT\d{8}|ChiCTR(-[A-Z]{3}-)?\d{8,10}")

_Record = TypeVar("_Record", Trial, Mechanism, KineticValue, Landmark)


class _Cells:
    """The cells of one row, parsed on demand; every complaint names table, row, value and rule."""

    def __init__(self, table: str, key: str, raw: Mapping[str, str]) -> None:
        self.table, self.key, self.raw = table, key, raw

    def fail(self, column: str, rule: str, remedy: str = "correct the row") -> NoReturn:
        raise EvidenceError(
            f"{self.table} row {self.key!r} has {column} {self.raw[column]!r}; {rule}; {remedy}"
        )

    def real(self, column: str) -> float | None:
        if not self.raw[column]:
            return None
        try:
            value = float(self.raw[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fail(column, "it must be a finite number or empty")
        return value

    def count(self, column: str) -> int | None:
        value = self.real(column)
        if value is None:
            return None
        if value < 0 or value != math.floor(value):
            self.fail(column, "it must be a whole number >= 0 or empty")
        return int(value)

    def percent(self, column: str) -> float | None:
        value = self.real(column)
        if value is not None and not 0 <= value <= 100:
            self.fail(column, "a percentage must lie in [0, 100]")
        return value

    def choice(self, column: str, known: tuple[str, ...]) -> Any:
        if self.raw[column] not in known:
            words = ", ".join(repr(w) for w in known)
            self.fail(column, f"it must be one of {words}", "use a known word or extend the list")
        return self.raw[column]

    def names(self, column: str, known: tuple[str, ...]) -> frozenset[str]:
        words = frozenset(filter(None, self.raw[column].split(";")))
        if not words <= set(known):
            self.fail(column, "it must list columns of this table, separated by ';'")
        empty = ", ".join(sorted(word for word in words if not self.raw[word]))
        if empty:
            self.fail(column, f"a column that it names must hold something, and not {empty}")
        return words

    def filled(self, *columns: str) -> None:
        for column in columns:
            if not self.raw[column].strip():
                self.fail(column, "it must not be empty", "fill the cell or remove the row")

    def months(self, column: str) -> float | None:
        value = self.real(column)
        if value is not None and value < 0:
            self.fail(column, "a time must not be negative")
        return value

    def source(self) -> dict[str, Any]:
        if self.raw["doi"] and not _DOI.fullmatch(self.raw["doi"]):
            self.fail("doi", "a DOI reads 10.<registrant>/<suffix> without spaces")
        if self.raw["bibkey"] and not _BIBKEY.fullmatch(self.raw["bibkey"]):
            self.fail("bibkey", "a key holds lower-case letters, digits and underscores")
        if self.raw["verification"].partition(":")[0] not in get_args(Reading):
            words = ", ".join(get_args(Reading))
            self.fail("verification", f"it must begin with one of {words}", "say how it was read")
        return {c: self.raw[c] for c in ("doi", "bibkey", "verification")}

    def ordered(self, low: str, high: str, rule: str) -> None:
        smaller, larger = self.real(low), self.real(high)
        if smaller is not None and larger is not None and smaller > larger:
            self.fail(low, f"{rule}, and {high} is {self.raw[high]}")


def _trial(row: _Cells) -> Trial:
    columns = tuple(f.name for f in fields(Trial))
    antigens = tuple(filter(None, row.raw["antigens"].split(";")))
    if not antigens or len(set(antigens)) < len(antigens):
        row.fail("antigens", "a trial targets at least one antigen, each named once")
    if row.raw["nct"] and not _REGISTRATION.fullmatch(row.raw["nct"]):
        row.fail("nct", "a registration number reads NCT and eight digits, or ChiCTR and its own")
    row.filled("disease")
    counts: dict[str, Any] = {
        c: row.count(c) for c in columns if c.startswith("n_") or c.endswith("_ge3")
    }
    row.ordered("n_cr", "n_evaluable", "no more can respond than are evaluable")
    row.ordered("n_evaluable", "n_infused", "no more can be evaluable than were infused")
    for column, what in (("n_relapse", "relapse"), ("crs_ge3", "have toxicity")):
        row.ordered(column, "n_infused", f"no more can {what} than were infused")
    row.ordered("icans_ge3", "n_infused", "no more can have toxicity than were infused")
    parts = sum(counts[f"n_relapse_{part}"] or 0 for part in PHENOTYPES)
    if counts["n_relapse"] is not None and parts > counts["n_relapse"]:
        row.fail("n_relapse", f"its parts add up to {parts}, more than the whole")
    if counts["n_cr"] is not None and not counts["n_evaluable"]:
        row.fail("n_cr", "responses need the number of patients evaluable")
    if len(antigens) == 1 and counts["n_relapse_partial"]:
        row.fail("n_relapse_partial", "with a single target none of several can be lost")
    if bool(row.raw["efs_or_pfs_12m"]) != bool(row.raw["endpoint_12m"]):
        row.fail("endpoint_12m", "a 12-month value and the name of its endpoint go together")
    trial = Trial(
        antigens=antigens,
        construct=row.choice("construct", get_args(Construct)),
        efs_or_pfs_12m=row.percent("efs_or_pfs_12m"),
        os_12m=row.percent("os_12m"),
        median_followup_months=row.months("median_followup_months"),
        background=row.names("background", columns),
        derived=row.names("derived", columns),
        **counts,
        **row.source(),
        **_words(row, "key nct sponsor_or_group costim disease population phase"),
        **_words(row, "cr_definition endpoint_12m notes"),
    )
    numbers = [*counts, "efs_or_pfs_12m", "os_12m"]
    if any(getattr(trial, c) is not None for c in numbers):
        if not trial.verified:
            row.fail("verification", "a row that was not found carries no number", "clear them")
        if not trial.bibkey:
            row.fail("bibkey", "a row with numbers cites its source", "cite it or clear them")
    return trial


def _words(row: _Cells, columns: str) -> dict[str, Any]:
    return {column: row.raw[column] for column in columns.split()}


def _mechanism(row: _Cells) -> Mechanism:
    row.filled("mechanism", "antigen", "evidence", "bibkey")
    return Mechanism(
        relapse_type=row.choice("relapse_type", get_args(RelapseType)),
        **row.source(),
        **_words(row, "key mechanism antigen evidence quantitative_value"),
    )


def _kinetic_value(row: _Cells) -> KineticValue:
    row.filled("parameter", "context")
    row.ordered("low", "high", "the lower end must not exceed the upper")
    if not row.raw["unit"] and any(row.raw[c] for c in ("value", "low", "high")):
        row.fail("unit", "a number needs its unit")
    if row.raw["bound"] and not row.raw["value"]:
        row.fail("bound", "a bound needs the value that it bounds")
    return KineticValue(
        value=row.real("value"),
        bound=row.choice("bound", ("", ">")),
        low=row.real("low"),
        high=row.real("high"),
        **row.source(),
        **_words(row, "key parameter unit context notes"),
    )


def _landmark(row: _Cells) -> Landmark:
    unit = row.choice("unit", ("%", "months"))
    number = row.percent if unit == "%" else row.months
    value = number("value")
    if value is None:
        row.fail("value", "a landmark needs its value", "enter the value or remove the row")
    statistic = row.choice("statistic", get_args(Statistic))
    if (statistic == "probability") != bool(row.raw["month"]):
        row.fail("month", "a probability needs the month it holds at, and nothing else has one")
    if (statistic == "median") != (unit == "months"):
        row.fail("unit", "a median is in months; a probability or share is in percent")
    if bool(row.raw["interval"]) != bool(row.raw["ci_low"] or row.raw["ci_high"]):
        row.fail("interval", "ends of an interval and its kind go together")
    if row.raw["high_not_reached"] == "yes" and row.raw["ci_high"]:
        row.fail("high_not_reached", "an upper end that was not reached has no number")
    row.ordered("month", "month_high", "the window must not end before it starts")
    row.ordered("ci_low", "value", "the interval must hold the value")
    row.ordered("value", "ci_high", "the interval must hold the value")
    return Landmark(
        endpoint=row.choice("endpoint", get_args(Endpoint)),
        statistic=statistic,
        month=row.months("month"),
        month_high=row.months("month_high"),
        value=value,
        ci_low=number("ci_low"),
        ci_high=number("ci_high"),
        high_not_reached=row.choice("high_not_reached", ("", "yes")) == "yes",
        interval=row.choice("interval", ("", "95% CI", "IQR")),
        unit=unit,
        n_at_start=row.count("n_at_start"),
        **row.source(),
        **_words(row, "trial_key subset notes"),
    )


def _rows(
    stream: IO[str],
    table: str,
    record: type[_Record],
    build: Callable[[_Cells], _Record],
    key: str = "key",
) -> Iterable[_Record]:
    try:
        reader = csv.DictReader(stream)
        lines = [(reader.line_num, raw) for raw in reader]
    except (TypeError, UnicodeError, csv.Error) as problem:
        raise EvidenceError(
            f"{table} cannot be read ({problem}); it must be a CSV text file; open the file with "
            "encoding='utf-8'"
        ) from None
    needed = {f.name for f in fields(record)}
    if set(reader.fieldnames or ()) != needed:
        odd = ", ".join(sorted(needed ^ set(reader.fieldnames or ())))
        raise EvidenceError(
            f"the header of {table} is off by {odd}; it must name the fields of "
            f"{record.__name__}; restore the header"
        )
    for line, raw in lines:
        if None in raw or None in raw.values() or not raw[key]:
            raise EvidenceError(
                f"{table} line {line} has {key} {raw[key]!r}; a row has a key and one "
                "cell per column; quote cells that hold commas"
            )
        yield build(_Cells(table, raw[key], raw))
    if not lines:
        raise EvidenceError(f"{table} is empty; it must hold at least one row; restore the file")


def _keyed(table: str, rows: Iterable[Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        if row.key in found:
            raise EvidenceError(
                f"{table} key {row.key!r} stands twice; keys are unique; remove one row"
            )
        found[row.key] = row
    return MappingProxyType(found)


def read_trials(stream: IO[str]) -> Mapping[str, Trial]:
    """Read trial rows from an open CSV file, checked and keyed by `Trial.key`.

    Parameters
    ----------
    stream : text file
        CSV with the header of ``data/trials.csv``.

    Returns
    -------
    mapping of str to Trial
        Read-only, in the order of the file.

    Raises
    ------
    EvidenceError
        When the table is empty or a row breaks a rule; names row, value, rule and remedy.
    """
    return _keyed("trials", _rows(stream, "trials", Trial, _trial))


def read_mechanisms(stream: IO[str]) -> Mapping[str, Mechanism]:
    """Read mechanism rows from an open CSV file, as `read_trials` does."""
    return _keyed("mechanisms", _rows(stream, "mechanisms", Mechanism, _mechanism))


def read_kinetics(stream: IO[str]) -> Mapping[str, KineticValue]:
    """Read kinetic values from an open CSV file, as `read_trials` does."""
    return _keyed("kinetics", _rows(stream, "kinetics", KineticValue, _kinetic_value))


def read_landmarks(stream: IO[str]) -> tuple[Landmark, ...]:
    """Read landmark values from an open CSV file, in the order of the file."""
    return tuple(_rows(stream, "landmarks", Landmark, _landmark, "trial_key"))
