"""The ledger: every default of the package, with unit, range, certainty and source.

The rows live in ``data/parameters.csv``; nothing in the package writes a model
number anywhere else.
"""

from __future__ import annotations

import csv
import difflib
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Literal, NoReturn, cast, get_args

from car_relapse.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Certainty", "Parameter", "default", "ledger", "parameter", "read_ledger"]

Certainty = Literal["measured", "fitted", "assumed"]

_NUMBERS = ("value", "low", "high")
_WORDS = ("key", "symbol", "name", "unit", "setting", "doi", "place_in_source", "note")
_COLUMNS = (
    *("key", "symbol", "name", *_NUMBERS, "unit"),
    *("certainty", "setting", "doi", "place_in_source", "note"),
)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One row of the ledger."""

    key: str
    """Dotted name by which code and text refer to the parameter, such as ``stein.memory_rate``."""
    symbol: str
    """Symbol in the equations of the book, in LaTeX without dollar signs."""
    name: str
    """What the parameter is, in words."""
    value: float
    """Default value, in `unit`."""
    low: float | None
    """Lower end of the plausible or reported range, in `unit`; None when no source gives one."""
    high: float | None
    """Upper end of the plausible or reported range, in `unit`; None when no source gives one."""
    unit: str
    """Unit of `value`, `low` and `high`."""
    certainty: Certainty
    """``measured``, ``fitted`` (a model fitted to data) or ``assumed`` (a choice of this book)."""
    setting: str
    """Disease, product and population for which the value holds."""
    doi: str
    """DOI of the source; empty for an assumption that no source supports."""
    place_in_source: str
    """Where the source gives the value, and how it was read."""
    note: str
    """What a user should know before changing or quoting the value."""

    def __post_init__(self) -> None:
        for column in ("key", "name", "unit"):
            if not getattr(self, column).strip():
                self._refuse(f"an empty {column}", "every row states it")
        if self.certainty not in get_args(Certainty):
            words = ", ".join(get_args(Certainty))
            self._refuse(f"certainty {self.certainty!r}", f"it must be one of {words}")
        if self.low is not None and self.high is not None and self.low > self.high:
            self._refuse(f"low {self.low:g} above high {self.high:g}", "a range runs upwards")
        below = self.low is not None and self.value < self.low
        if below or (self.high is not None and self.value > self.high):
            ends = ", ".join("" if end is None else f"{end:g}" for end in (self.low, self.high))
            self._refuse(
                f"value {self.value:g} outside its range [{ends}]",
                "the default must lie in its own range",
            )
        if self.certainty != "assumed" and not self.doi.strip():
            self._refuse(
                f"no DOI although it is {self.certainty}",
                "a measured or fitted value needs its source",
                "add the DOI or mark the row assumed",
            )

    def _refuse(self, found: str, rule: str, remedy: str = "correct the row") -> NoReturn:
        raise LedgerError(f"ledger row {self.key!r} has {found}; {rule}; {remedy}")


def _number(text: str, *, key: str, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise LedgerError(
            f"ledger row {key!r} has {column} {text!r}; it must be a finite number; correct the row"
        )
    return number


def _row(raw: Mapping[str, str]) -> Parameter:
    key = raw["key"]
    if len(raw) != len(_COLUMNS) or None in raw.values():
        raise LedgerError(
            f"ledger row {key!r} does not have {len(_COLUMNS)} fields; every row has one for each "
            "column; correct the row"
        )
    return Parameter(
        value=_number(raw["value"], key=key, column="value"),
        low=_number(raw["low"], key=key, column="low") if raw["low"] else None,
        high=_number(raw["high"], key=key, column="high") if raw["high"] else None,
        # The row itself refuses a word that is not one of them.
        certainty=cast("Certainty", raw["certainty"]),
        **{column: raw[column] for column in _WORDS},
    )


def read_ledger(stream: IO[str]) -> Mapping[str, Parameter]:
    """Read ledger rows from an open CSV file.

    Parameters
    ----------
    stream : text file
        CSV with the header of ``data/parameters.csv``.

    Returns
    -------
    mapping of str to Parameter
        Read-only, in the order of the file.

    Raises
    ------
    LedgerError
        When the stream is no text file, the header differs, the table is empty, a key
        repeats or is empty, a name or unit is empty, a number does not parse, a value lies
        outside its own range, the certainty is no known word, or a sourced row has no DOI.
    """
    try:
        reader = csv.DictReader(stream)
        lines = list(reader)
    except (TypeError, UnicodeError, csv.Error) as problem:
        raise LedgerError(
            f"the ledger cannot be read ({problem}); it must be a CSV text file; open the file "
            "with encoding='utf-8'"
        ) from None
    if tuple(reader.fieldnames or ()) != _COLUMNS:
        raise LedgerError(
            f"the ledger's header is {reader.fieldnames}; it must be {','.join(_COLUMNS)}; "
            "restore the header"
        )
    rows: dict[str, Parameter] = {}
    for raw in lines:
        row = _row(raw)
        if row.key in rows:
            raise LedgerError(f"ledger key {row.key!r} stands twice; keys are unique; remove one")
        rows[row.key] = row
    if not rows:
        raise LedgerError("the ledger is empty; it must hold at least one row; restore the file")
    return MappingProxyType(rows)


@cache
def ledger() -> Mapping[str, Parameter]:
    """Return the package's own ledger, keyed by parameter key."""
    path = resources.files("car_relapse") / "data" / "parameters.csv"
    with path.open(encoding="utf-8") as stream:
        return read_ledger(stream)


def parameter(key: str) -> Parameter:
    """Return one ledger row.

    Raises
    ------
    LedgerError
        When the key is unknown; the message offers the closest known keys.

    Examples
    --------
    >>> parameter("stein.memory_rate").unit
    '1/day'
    """
    rows = ledger()
    if not isinstance(key, str):
        raise LedgerError(
            f"{key!r} is not a ledger key; a key is text such as 'stein.memory_rate'; see "
            "car_relapse.ledger()"
        )
    if key not in rows:
        close = difflib.get_close_matches(key, rows, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else "see car_relapse.ledger()"
        raise LedgerError(f"{key!r} is not a ledger key; only keys of the ledger exist; {hint}")
    return rows[key]


def default(key: str) -> float:
    """Return the default value of one ledger row, in the row's unit.

    Examples
    --------
    >>> default("stein.memory_rate")
    0.0032
    """
    return parameter(key).value
