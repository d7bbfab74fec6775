"""The keys of a scenario file, read off the dataclasses that hold them.

What a key means is the text under its field, so that file, library and documentation cannot say
different things.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import pairwise
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from car_relapse.design.scenario import TrialScenario
from car_relapse.followup import Cause
from car_relapse.scenario import Scenario

__all__ = ["Key", "Section", "sections"]

_WORDS: dict[Any, str] = {
    float: "number",
    int: "whole number",
    str: "text",
    Cause: "cause",
    Scenario: "name of a file",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a scenario file."""

    name: str
    """How the file calls it."""
    holds: str
    """What its value is, in words."""
    default: str
    """Its value where the file has none; ``needed`` where there must be one, empty for none."""
    means: str
    """What it means, with its unit."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One kind of section, with its keys."""

    places: tuple[str, ...]
    """Where in a file it may stand, such as ``control.shape``; ``[]`` stands for an entry of a
    list, ``CAUSE`` for a cause, and nothing for the top of the file."""
    says: str
    """What it says, in a sentence."""
    keys: tuple[Key, ...]
    """Its keys."""


def sections() -> tuple[Section, ...]:
    """Return every kind of section of a scenario file, with its keys.

    Examples
    --------
    >>> design = next(s for s in sections() if "design" in s.places)
    >>> next(k for k in design.keys if k.name == "alpha").default
    '0.05'
    """
    places: dict[type, list[str]] = {}
    _visit(TrialScenario, "", places)
    return tuple(
        Section(
            places=tuple(where),
            says=inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
            keys=tuple(_keys(kind)),
        )
        for kind, where in places.items()
    )


def _visit(kind: type, place: str, places: dict[type, list[str]]) -> None:
    """Collect the kinds of sections, each with every place where it may stand."""
    places.setdefault(kind, []).append(place)
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        section, end = _section(hints[field.name])
        if section is not None:
            _visit(section, f"{place}.{field.name}{end}".removeprefix("."), places)


def _keys(kind: type) -> Iterator[Key]:
    hints = typing.get_type_hints(kind)
    texts = _texts(kind)
    for field in fields(kind):
        needed = field.default is MISSING and field.default_factory is MISSING
        yield Key(
            name=field.name,
            holds=_holds(hints[field.name]),
            default="needed" if needed else _default(field.default),
            means=texts[field.name],
        )


def _default(value: Any) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _section(hint: Any) -> tuple[type | None, str]:
    """Return the dataclass that a hint holds, and how a path goes on to it."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and hint is not Scenario:
        return typing.cast(type, hint), ""
    if origin is tuple:
        return _section(inner[0])[0], "[]"
    if origin is not None and inspect.isclass(origin) and issubclass(origin, Mapping):
        return _section(inner[1])[0], ".CAUSE"
    if NoneType in inner:
        return _section(next(h for h in inner if h is not NoneType))
    return None, ""


def _holds(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if NoneType in inner:
        return _holds(next(h for h in inner if h is not NoneType))
    if origin is Literal:
        return "one of " + ", ".join(f"``{word}``" for word in inner)
    if origin is tuple:
        return "list of " + ("sections" if is_dataclass(inner[0]) else f"{_holds(inner[0])}s")
    if origin is not None and issubclass(origin, Mapping):
        return f"cause: {_holds(inner[1])}"
    return _WORDS.get(hint, "section")


def _texts(kind: type) -> dict[str, str]:
    """Return the text under each field, as it stands in the source."""
    found: dict[str, str] = {}
    for base in reversed([k for k in kind.__mro__ if is_dataclass(k)]):
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        body = typing.cast(ast.ClassDef, tree.body[0]).body
        for node, after in pairwise(body):
            is_field = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            if is_field and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                target = typing.cast(ast.Name, typing.cast(ast.AnnAssign, node).target)
                found[target.id] = inspect.cleandoc(str(after.value.value)).replace("\n", " ")
    return found
