"""The stored calibration: what `tools/calibrate.py` found, for pages and tests to read.

Four kinds of rows in ``data/calibration.csv``: ``estimate`` (fitted parameters with intervals),
``profile`` (points of the profile likelihood), ``sensitivity`` (the fit under other assumptions)
and ``prediction`` (published numbers beside the model's).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import IO, TYPE_CHECKING, Any

from car_relapse.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "StoredRow", "read_table", "stored", "write_table"]

KINDS = ("estimate", "profile", "sensitivity", "prediction")
"""Kinds of rows."""

_NUMBERS = (
    *("value", "low", "high", "observed", "observed_low", "observed_high"),
    *("numerical_se", "parameter_se", "deviance"),
)
_WORDS = ("kind", "item", "setting", "fitted", "doi", "verification", "note")
_COLUMNS = ("kind", "item", "setting", *_NUMBERS, "fitted", "doi", "verification", "note")


@dataclass(frozen=True, kw_only=True)
class StoredRow:
    """One row of the stored calibration; numbers that a kind does not have are None."""

    kind: str
    """``estimate``, ``profile``, ``sensitivity`` or ``prediction``."""
    item: str
    """Parameter (field of `car_relapse.calibration_model.Model`) or cohort."""
    setting: str
    """Assumption that was changed, or endpoint; empty for the fit itself."""
    value: float | None = None
    """Estimate, value held, or prediction, in the unit of the parameter or endpoint."""
    low: float | None = None
    """Lower end of the 95 % interval of an estimate; None when the data give none."""
    high: float | None = None
    """Upper end of the 95 % interval of an estimate; None when the data give none."""
    observed: float | None = None
    """Published value."""
    observed_low: float | None = None
    """Lower end of its 95 % interval."""
    observed_high: float | None = None
    """Upper end of its 95 % interval."""
    numerical_se: float | None = None
    """Standard error of the numerical average of a prediction."""
    parameter_se: float | None = None
    """Standard error of a prediction from the uncertainty of the parameters."""
    deviance: float | None = None
    """Deviance of the fit; in a profile, its rise above the minimum."""
    fitted: str = ""
    """``yes`` for a number or parameter that was fitted, ``no`` otherwise."""
    doi: str = ""
    """Source of the observation."""
    verification: str = ""
    """How the source was read."""
    note: str = ""
    """What a reader must know before quoting the row."""


def _number(text: str, column: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise EvidenceError(
            f"the stored calibration has {column} {text!r}; it must be a number or empty; run "
            "tools/calibrate.py again"
        ) from None


def read_table(stream: IO[str]) -> tuple[StoredRow, ...]:
    """Read rows from an open CSV file.

    Raises
    ------
    EvidenceError
        When the header differs, a kind is unknown or a number does not parse.
    """
    reader = csv.DictReader(stream)
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise EvidenceError(
            f"the header of the stored calibration is {reader.fieldnames}; it must be "
            f"{','.join(_COLUMNS)}; run tools/calibrate.py again"
        )
    rows = []
    for raw in reader:
        if raw["kind"] not in KINDS:
            raise EvidenceError(
                f"the stored calibration has a row of kind {raw['kind']!r}; it must be one of "
                f"{', '.join(KINDS)}; run tools/calibrate.py again"
            )
        cells: dict[str, Any] = {column: raw[column] for column in _WORDS}
        cells |= {column: _number(raw[column], column) for column in _NUMBERS}
        rows.append(StoredRow(**cells))
    return tuple(rows)


def write_table(rows: Iterable[StoredRow], stream: IO[str]) -> None:
    """Write rows as CSV, numbers to six digits."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = (getattr(row, column) for column in _COLUMNS)
        writer.writerow(
            ["" if c is None else f"{c:.6g}" if isinstance(c, float) else c for c in cells]
        )


@cache
def _shipped() -> tuple[StoredRow, ...]:
    path = resources.files("car_relapse") / "data" / "calibration.csv"
    with path.open(encoding="utf-8") as stream:
        return read_table(stream)


def stored(kind: str) -> tuple[StoredRow, ...]:
    """Return the stored rows of one kind, in the order of the file.

    Raises
    ------
    EvidenceError
        When the kind is unknown.

    Examples
    --------
    >>> [row.item for row in stored("estimate")][:2]
    ['loss', 'common_mode']
    """
    if kind not in KINDS:
        raise EvidenceError(
            f"kind is {kind!r}; the stored calibration has {', '.join(KINDS)}; choose one"
        )
    return tuple(row for row in _shipped() if row.kind == kind)
