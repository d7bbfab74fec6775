"""The data dictionary: what each column of each table means, read off the records themselves.

A field of a record says its meaning in its docstring, its type and allowed words in its
annotation, and its unit in the annotation too. Nothing is written down twice.
"""

from __future__ import annotations

import ast
import csv
import inspect
import textwrap
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from car_relapse.calibration_table import StoredRow
from car_relapse.errors import EvidenceError
from car_relapse.parameters import Parameter
from car_relapse.records import KineticValue, Landmark, Mechanism, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["TABLES", "Column", "columns"]

#: Every table of the package, by the name of its file, with the record that a row becomes.
TABLES: Mapping[str, type] = MappingProxyType(
    {
        "trials": Trial,
        "mechanisms": Mechanism,
        "kinetics": KineticValue,
        "landmarks": Landmark,
        "parameters": Parameter,
        "calibration": StoredRow,
    }
)

_KINDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or empty",
    tuple: "names, separated by ;",
    frozenset: "names of columns, separated by ;",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """Name in the header of the file."""
    meaning: str
    """What a cell says."""
    kind: str
    """``text``, ``number`` and so on."""
    unit: str
    """Unit of a number; empty where there is none."""
    allowed: tuple[str, ...]
    """Words that a cell may hold; empty where any text may stand."""


def columns(table: str) -> tuple[Column, ...]:
    """Return the columns of one table.

    Raises
    ------
    EvidenceError
        When there is no such table.

    Examples
    --------
    >>> [(c.kind, c.unit) for c in columns("trials") if c.name == "n_cr"]
    [('whole number or empty', 'patients')]
    """
    if not isinstance(table, str) or table not in TABLES:
        raise EvidenceError(
            f"table is {table!r}; only tables of the package have columns; choose one of "
            f"{', '.join(TABLES)}"
        )
    return _columns(table)


@cache
def _columns(table: str) -> tuple[Column, ...]:
    record = TABLES[table]
    meanings = dict(pair for base in reversed(record.__mro__[:-1]) for pair in _docstrings(base))
    hints = get_type_hints(record, include_extras=True)
    path = resources.files("car_relapse") / "data" / f"{table}.csv"
    with path.open(encoding="utf-8") as stream:
        header = next(csv.reader(stream))
    return tuple(_column(name, hints[name], meanings[name]) for name in header)


def _column(name: str, hint: Any, meaning: str) -> Column:
    optional = NoneType in get_args(hint)
    inner = next(part for part in get_args(hint) if part is not NoneType) if optional else hint
    unit = ""
    if get_origin(inner) is Annotated:
        inner, unit = get_args(inner)
    words: tuple[str, ...] = ()
    if get_origin(inner) is Literal:
        words, inner = get_args(inner), str
    kind = _KINDS[get_origin(inner) or inner]
    return Column(
        name=name,
        meaning=meaning,
        kind=f"{kind} or empty" if optional or "" in words else kind,
        unit=unit,
        allowed=tuple(filter(None, words)),
    )


def _docstrings(record: type) -> Iterator[tuple[str, str]]:
    """Yield the names of the fields that a class defines, and the strings that follow them."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            yield field.target.id, " ".join(str(text.value.value).split())
