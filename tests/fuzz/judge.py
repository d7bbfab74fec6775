"""Whether a result is one that a function may give: finite, a probability where it is one."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from car_relapse.errors import CarRelapseError

from . import rules


def short(module: str) -> str:
    """Return the name of a module without the packages it is in."""
    return module.removeprefix("car_relapse.").removeprefix("published.")


@cache
def _field_docs(kind: type) -> dict[str, str]:
    """Return the text under each field of a dataclass."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body  # type: ignore[attr-defined]
        for this, after in itertools.pairwise(body):
            if isinstance(this, ast.AnnAssign) and isinstance(after, ast.Expr):
                found[ast.unparse(this.target)] = ast.unparse(after)
    return found


_ANNOUNCES_NAN = re.compile(r"\bNaN where\b")
_ANNOUNCES_INFINITY = re.compile(r"infinity|infinite|\binf\b|-inf|for ever|never", re.IGNORECASE)


def problems(value: Any, name: str, doc: str = "", depth: int = 0) -> Iterator[str]:
    """Yield what is wrong with a result."""
    if depth > 4 or value is None or isinstance(value, str | bytes | bool | enum.Enum):
        return
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSUb":
        return
    if isinstance(value, int | float | complex | np.number | np.ndarray):
        yield from _number_problems(np.asarray(value), name, doc)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from _record_problems(value, name, depth)
    elif isinstance(value, Mapping):
        for key, item in list(value.items())[:5]:
            yield from problems(item, f"{name}[{key!r}]", doc, depth + 1)
    elif isinstance(value, tuple | list | frozenset):
        for item in list(value)[:50]:
            yield from problems(item, name, doc, depth + 1)


def _number_problems(array: np.ndarray, name: str, doc: str) -> Iterator[str]:
    signed = rules.SIGNED.search(name) is not None
    if array.dtype.kind == "i" and array.size and array.min() < 0 and not signed:
        yield f"{name} holds the negative whole number {array.min()}"
    if array.dtype.kind not in "fc":
        return
    if np.isnan(array).any() and not _ANNOUNCES_NAN.search(doc):
        yield f"{name} holds NaN"
    elif np.isinf(array).any() and not _ANNOUNCES_INFINITY.search(doc):
        yield f"{name} holds an infinity that no docstring announces"
    if array.dtype.kind == "f" and rules.PROBABILITY.search(name):
        with np.errstate(invalid="ignore"):
            if ((array < 0) | (array > 1)).any():
                yield f"{name} is {array.min()!r} to {array.max()!r}, not within [0, 1]"


def _record_problems(value: Any, name: str, depth: int) -> Iterator[str]:
    kind = type(value)
    if not kind.__module__.startswith("car_relapse"):
        return
    docs = _field_docs(kind)
    full = f"{short(kind.__module__)}.{kind.__qualname__}"
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        yield from problems(inner, f"{full}.{field.name}", docs.get(field.name, ""), depth + 1)
    for owner in kind.__mro__:
        for key, member in vars(owner).items():
            if key.startswith("_") or not (
                isinstance(member, property) or hasattr(member, "attrname")
            ):
                continue
            try:
                inner = getattr(value, key)
            except CarRelapseError:
                continue
            text = inspect.getdoc(member) or ""
            yield from problems(inner, f"{full}.{key}", text, depth + 1)
