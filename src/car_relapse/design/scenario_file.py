"""Scenario files of trials: YAML in, a `TrialScenario` out, or an error that names the line.

The reader knows no key by itself: it reads the sections by their fields, so that the file, its
errors and its documentation are of one making. It composes the YAML and builds no objects from it,
so a file can do no harm.
"""

from __future__ import annotations

import difflib
import os
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, get_args, get_origin

from car_relapse.design.scenario import TrialScenario
from car_relapse.errors import CarRelapseError, ParameterError, ScenarioError, require_instance
from car_relapse.followup import Cause
from car_relapse.scenario import Scenario, read_scenario

__all__ = ["example_text", "examples", "parse_trial", "read_trial"]

_CAUSES = {c.name.lower(): c for c in Cause if c is not Cause.CENSORED}


def examples() -> tuple[str, ...]:
    """Return the names of the example files.

    Examples
    --------
    >>> "how-large" in examples()
    True
    """
    folder = resources.files("car_relapse.design") / "examples"
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    )


def example_text(name: str) -> str:
    """Return the text of an example file, with its remarks.

    Parameters
    ----------
    name : str
        One of `examples`.

    Raises
    ------
    ScenarioError
        When there is no such example.
    """
    if name not in examples():
        raise ScenarioError(
            f"the example is {name!r}; there are {', '.join(examples())}; choose one"
        )
    file = resources.files("car_relapse.design") / "examples" / f"{name}.yaml"
    return file.read_text(encoding="utf-8")


def read_trial(path: str | os.PathLike[str]) -> TrialScenario:
    """Return the scenario of a file.

    Parameters
    ----------
    path : str or path
        A YAML file. Files that it names are looked for in its folder.

    Raises
    ------
    ScenarioError
        When the file cannot be read, or as `parse_trial`.
    """
    file = Path(os.fspath(path))
    return parse_trial(file_text(file), file.name, file.parent)


def file_text(file: Path) -> str:
    """Return the text of a scenario file, or raise."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        raise ScenarioError(
            f"{file.name or file} cannot be read ({problem}); it must be a text file in UTF-8; "
            "look for it, or begin with car-relapse design --example how-large"
        ) from None


def parse_trial(
    text: str, source: str = "the scenario", folder: str | os.PathLike[str] = "."
) -> TrialScenario:
    """Return the scenario that the text of a file describes.

    Parameters
    ----------
    text : str
        YAML, as the examples.
    source : str, optional
        What messages call the text: the name of its file.
    folder : str or path, optional
        Where files that the text names are looked for.

    Raises
    ------
    ScenarioError
        When the text is not YAML, lacks a key, has one too many, or holds a value that breaks a
        rule; the message says the line, the key, the value, the rule and a remedy.

    Examples
    --------
    >>> parse_trial(example_text("how-large")).design.patients
    200
    """
    import yaml  # loaded only where a file is read

    require_instance("source", source, str, "name the file")
    require_instance("text", text, str, "give the text of a file; read_trial takes its path")
    if not isinstance(folder, str | os.PathLike):
        raise ParameterError(f"folder is {folder!r}; it must be a path; name the file's folder")
    reader = _Reader(source, Path(os.fspath(folder)))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark is not None else 1
        reader.refuse(
            line, "", f"it is not YAML: {problem.problem or problem.context}",
            "a scenario is a YAML file",
            "look at this line and the one before it: a colon, an indent or a quote is amiss",
        )  # fmt: skip
    except (yaml.YAMLError, RecursionError) as problem:
        reader.refuse(1, "", f"it is not YAML: {problem}", "a scenario is a text in YAML",
                      "begin with an example")  # fmt: skip
    if root is None:
        reader.refuse(1, "", "it is empty", "a scenario has sections", "begin with an example")
    found = reader.section(root, TrialScenario, "")
    assert isinstance(found, TrialScenario)
    return found


class _Reader:
    """Reads nodes of YAML as the fields of dataclasses."""

    def __init__(self, source: str, folder: Path) -> None:
        self.source = source
        self.folder = folder

    def refuse(self, line: int, place: str, found: str, rule: str, remedy: str) -> NoReturn:
        where = f", {place}" if place else ""
        raise ScenarioError(f"{self.source}, line {line}{where}: {found}; {rule}; {remedy}")

    def section(self, node: Any, kind: type, place: str) -> Any:
        """Return an instance of a dataclass from a mapping."""
        pairs = self.mapping(node, place)
        hints = typing.get_type_hints(kind)
        known = {f.name: f for f in fields(kind)}
        for key, (line, _) in pairs.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                remedy = (
                    f"did you mean {close[0]!r}?"
                    if close
                    else (f"choose among {', '.join(known)}, or remove it")
                )
                self.refuse(line, place, f"there is a key {key!r}", _no_such(place), remedy)
        for name, field in known.items():
            needed = field.default is MISSING and field.default_factory is MISSING
            if needed and name not in pairs:
                self.refuse(
                    _line(node), place, f"the key {name!r} is missing",
                    "it has no default", f"add {name}: and its value",
                )  # fmt: skip
        values = {
            name: self.value(child, hints[name], _join(place, name))
            for name, (_, child) in pairs.items()
        }
        try:
            return kind(**values)
        except CarRelapseError as problem:
            self.misfit(node, place, str(problem))

    def misfit(self, node: Any, place: str, message: str) -> NoReturn:
        """Raise what a section refused, with the line of the key that it names first."""
        # Every message of the package begins with the name of what is refused.
        name = message.split(" ", 1)[0]
        line, path, rest = _line(node), place, name.split(".")
        while rest:
            found = _child(node, rest[0])
            if found is None:
                break
            line, node = found
            path = _join(path, rest.pop(0))
        told = ".".join(rest) or path.rpartition(".")[2]
        where = f", {path}" if path else ""
        text = message.removeprefix(name)
        raise ScenarioError(f"{self.source}, line {line}{where}: {told}{text}")

    def value(self, node: Any, hint: Any, place: str) -> Any:
        """Return what a node holds, as the type that a field has."""
        origin, inner = get_origin(hint), get_args(hint)
        if origin in (UnionType, typing.Union):
            rest = [h for h in inner if h is not NoneType]
            if _is_null(node):
                self.refuse(_line(node), place, "it is empty", "a key has a value",
                            "give one, or remove the key")  # fmt: skip
            return self.value(node, rest[0], place)
        if origin is Literal:
            return self.text(node, place)
        if origin is tuple:
            return tuple(
                self.value(child, inner[0], _join(place, str(number)))
                for number, child in enumerate(self.sequence(node, place))
            )
        if origin is not None and issubclass(origin, Mapping):
            return {
                self.cause(key, line, place): self.value(child, inner[1], _join(place, key))
                for key, (line, child) in self.mapping(node, place).items()
            }
        if hint is Cause:
            return self.cause(self.text(node, place), _line(node), place)
        if hint is Scenario:
            return self.other_file(node, place)
        if is_dataclass(hint):
            return self.section(node, typing.cast(type, hint), place)
        return {str: self.text, int: self.whole, float: self.number}[hint](node, place)

    def mapping(self, node: Any, place: str) -> dict[str, tuple[int, Any]]:
        """Return the keys of a mapping with their lines and values."""
        if not _is(node, "Mapping"):
            self.refuse(
                _line(node), place, f"it is {_shown(node)}", "it must be keys with values",
                "write each on a line of its own, indented: key: value",
            )  # fmt: skip
        pairs: dict[str, tuple[int, Any]] = {}
        for key, value in node.value:
            name = self.text(key, place)
            if name in pairs:
                self.refuse(
                    _line(key), place, f"there is a key {name!r}",
                    f"it stands in line {pairs[name][0]} already", "remove one of them",
                )  # fmt: skip
            pairs[name] = (_line(key), value)
        return pairs

    def sequence(self, node: Any, place: str) -> list[Any]:
        if not _is(node, "Sequence"):
            self.refuse(
                _line(node), place, f"it is {_shown(node)}", "it must be a list",
                "write [a, b], or one line for each entry that begins with a dash",
            )  # fmt: skip
        return list(node.value)

    def text(self, node: Any, place: str) -> str:
        if not _is(node, "Scalar"):
            self.refuse(_line(node), place, f"it is {_shown(node)}", "it must be text",
                        "write one line of text")  # fmt: skip
        return str(node.value)

    def number(self, node: Any, place: str) -> float:
        text = self.text(node, place)
        try:
            # Quoted text is text; YAML takes 1e-12 for text, people do not.
            if node.style is not None or "_" in text:
                raise ValueError
            return float("inf" if text == ".inf" else text)
        except ValueError:
            self.refuse(_line(node), place, f"it is {text!r}", "it must be a number",
                        "write digits with a decimal point, such as 0.25")  # fmt: skip

    def whole(self, node: Any, place: str) -> int:
        value = self.number(node, place)
        if not abs(value) < 2**53 or value != int(value):
            self.refuse(_line(node), place, f"it is {node.value!r}", "it must be a whole number",
                        "leave out the decimals")  # fmt: skip
        return int(value)

    def cause(self, name: str, line: int, place: str) -> Cause:
        if name not in _CAUSES:
            close = difflib.get_close_matches(name, _CAUSES, n=1)
            remedy = (
                f"did you mean {close[0]!r}?" if close else f"choose among {', '.join(_CAUSES)}"
            )
            self.refuse(line, place, f"there is a cause {name!r}", "no patient has it", remedy)
        return _CAUSES[name]

    def other_file(self, node: Any, place: str) -> Scenario:
        name = self.text(node, place)
        try:
            return read_scenario(self.folder / name)
        except CarRelapseError as problem:
            raise ScenarioError(f"{self.source}, line {_line(node)}, {place}: {problem}") from None


def _no_such(place: str) -> str:
    return f"{place} has no such key" if place else "a scenario has no such section"


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _is(node: Any, kind: str) -> bool:
    return type(node).__name__ == f"{kind}Node"


def _is_null(node: Any) -> bool:
    return _is(node, "Scalar") and node.tag.endswith(":null")


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _child(node: Any, name: str) -> tuple[int, Any] | None:
    """Return line and node of a key or a number of an entry; None where there is none."""
    if _is(node, "Mapping"):
        for key, value in node.value:
            if key.value == name:
                return _line(key), value
    if _is(node, "Sequence") and name.isdigit() and int(name) < len(node.value):
        entry = node.value[int(name)]
        return _line(entry), entry
    return None


def _shown(node: Any) -> str:
    if _is(node, "Scalar"):
        return repr(node.value)[:60] if node.value else "empty"
    return "a list" if _is(node, "Sequence") else "keys with values"
