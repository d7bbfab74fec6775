"""The public functions, classes and methods of the package, by the ``__all__`` of its modules."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import car_relapse

from . import rules
from .judge import short

# Drawings are checked where the figures are; the functions behind them are fuzzed.
_LEFT_OUT_MODULES = ("car_relapse.figures",)


@dataclass(frozen=True)
class Target:
    """One public function, class, or method."""

    name: str
    call: Callable[..., Any]
    owner: type | None = None
    """Class of which `call` is a method."""


@cache
def modules() -> tuple[Any, ...]:
    found = [car_relapse]
    for info in pkgutil.walk_packages(car_relapse.__path__, "car_relapse."):
        private = info.name.rpartition(".")[2].startswith("_")
        if not private and not info.name.startswith(_LEFT_OUT_MODULES):
            found.append(importlib.import_module(info.name))
    return tuple(found)


@cache
def public() -> dict[str, Any]:
    """Return every public object of the package by its full name."""
    found: dict[str, Any] = {}
    for module in modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name, None)
            home = getattr(thing, "__module__", module.__name__)
            if callable(thing) and home.startswith("car_relapse"):
                found[f"{short(home)}.{getattr(thing, '__qualname__', name)}"] = thing
    return found


def _is_input(thing: Any) -> bool:
    ordinary = inspect.isclass(thing) and not issubclass(thing, Exception | enum.Enum)
    return ordinary and not getattr(thing, "_is_protocol", False)


@cache
def classes() -> dict[str, type]:
    """Return the public classes by their bare name; where two share one, by their full name."""
    found = {name: thing for name, thing in public().items() if _is_input(thing)}
    bare = [name.rpartition(".")[2] for name in found]
    return {
        (b if bare.count(b) == 1 else name): thing
        for b, (name, thing) in zip(bare, found.items(), strict=True)
    }


@cache
def targets() -> tuple[Target, ...]:
    """Return everything that can be called, in a fixed order."""
    found = []
    for name, thing in sorted(public().items()):
        if not inspect.isclass(thing):
            found.append(Target(name, thing))
        elif _is_input(thing):
            if rules.RESULTS.search(name) is None:
                found.append(Target(name, thing))
            for method, function in sorted(_methods(thing)):
                found.append(Target(f"{name}.{method}", function, thing))
    return tuple(t for t in found if rules.LEFT_OUT.search(t.name) is None)


def _methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, function in vars(kind).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function
