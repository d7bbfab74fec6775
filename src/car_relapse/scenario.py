r"""A scenario: one construct, its antigens, exposure and patients, as a small file.

The book's last notebook composes one and writes it; whoever plans a trial reads it. The file is
TOML: a person can read and change it, and every key is there, with its unit in a remark. A file
that is not whole is refused with the key, the value, the rule and a remedy.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.errors import (
    CarRelapseError,
    ParameterError,
    ScenarioError,
    require_instance,
)
from car_relapse.exposure import SteinExposure, SteinPopulation, stein_population
from car_relapse.gates import AndGate, Gate, OrGate
from car_relapse.killing import Killing, default_killing
from car_relapse.outcomes import Detection, default_detection
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, Patient, typical_leukaemia, typical_patient
from car_relapse.population import Population
from car_relapse.spread import Spread
from car_relapse.therapy import Therapy

__all__ = ["Construct", "Scenario", "parse_scenario", "read_scenario", "write_scenario"]

Construct = Literal["single", "tandem", "bicistronic", "and"]

_Made = TypeVar("_Made")

_FORMAT = "car_relapse scenario"
_VERSION = 1
_LONGEST_NAME = 80
_CURVE = {
    "fold": "expansion from the level at infusion to the peak",
    "peak_day": "days after infusion",
    "peak_level": "copies per microgram of DNA",
    "contraction_rate": "per day",
    "memory_fraction": "part of the peak that declines slowly",
    "memory_rate": "per day",
}
#: Sections and keys of the file, each with its remark.
_SECTIONS: dict[str, dict[str, str]] = {
    "construct": {"kind": f"one of {', '.join(get_args(Construct))}"},
    "losses": {
        "common_mode": "lineage switch, probability per division",
        "shared_defect": "one defect that hides every target, probability per division",
    },
    "exposure": _CURVE,
    "exposure_log_sd": dict.fromkeys(
        _CURVE, "standard deviation of the natural log between patients"
    ),
    "killing": {
        "maximal_rate": "per day, of a cell that shows every target",
        "half_level": "copies per microgram of DNA",
    },
    "population": {
        "burden": "cells at infusion, median",
        "burden_log10_sd": "standard deviation of log10 between patients",
        "birth_rate": "divisions per day, median",
        "birth_rate_log_sd": "standard deviation of the natural log between patients",
        "death_rate": "natural deaths per day",
    },
    "detection": {
        "remission_cells": "remission below this number of cells",
        "relapse_cells": "relapse from this number of cells",
    },
}
_ANTIGEN = {
    "name": "",
    "loss": "probability per division that one daughter loses it",
    "arm": "fraction of the killing rate that this receptor reaches alone",
}


def _typical_losses() -> Losses:
    return typical_patient().losses


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One construct, the antigens that it aims at, its exposure, and who is treated.

    Every default is that of the ledger: one receptor for CD19.

    Examples
    --------
    >>> two = Losses(per_antigen=(1e-12, 1e-12), common_mode=1e-13)
    >>> both = Scenario(
    ...     name="two targets", construct="tandem", antigens=("CD19", "CD22"), losses=two
    ... )
    >>> both.population().losses.antigens
    2
    """

    name: str = "one target"
    """What the scenario is called, one printable line."""
    construct: Construct = "single"
    """``single``; ``tandem`` (either antigen is enough); ``bicistronic`` (so too, with arms of
    unequal strength); or ``and`` (every antigen is needed)."""
    antigens: tuple[str, ...] = ("CD19",)
    """Names of the targeted antigens, in the order of `losses`."""
    arms: tuple[float, ...] | None = None
    """Fraction of the killing rate that the receptor for each antigen reaches alone, in (0, 1],
    the strongest 1; only of a bicistronic product. None: all 1."""
    losses: Losses = field(default_factory=_typical_losses)
    """How likely a division is to lose antigens."""
    exposures: SteinPopulation = field(default_factory=stein_population)
    """Typical curve of the product, and how patients differ."""
    killing: Killing = field(default_factory=default_killing)
    """Response of killing to the transgene level."""
    leukaemia: Leukaemia = field(default_factory=typical_leukaemia)
    """Median burden and growth."""
    burden_log10_sd: float = field(default_factory=lambda: default("leukaemia.burden_log10_sd"))
    """Standard deviation of log10 burden between patients, dimensionless, >= 0."""
    birth_rate_log_sd: float = 0.0
    """Standard deviation of the natural log of the division rate between patients, dimensionless,
    >= 0."""
    detection: Detection = field(default_factory=default_detection)
    """Limits of remission and relapse."""

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        kinds = {"losses": Losses, "exposures": SteinPopulation, "killing": Killing}
        kinds |= {"leukaemia": Leukaemia, "detection": Detection}
        for name, kind in kinds.items():
            require_instance(name, getattr(self, name), kind, "leave it out for the ledger's")
        single = {**vars(self.exposures.typical), **vars(self.killing)}
        if arrays := [name for name, value in single.items() if np.ndim(value)]:
            raise ParameterError(
                f"{arrays[0]} is an array; a scenario holds the typical curve and one law of "
                "killing; give single numbers"
            )
        self._check_construct()
        self._check_arms()
        if self.arms is not None and min(self.arms) == 1.0:
            object.__setattr__(self, "arms", None)  # one way to say it, so that equals are equal
        self.population()  # refuses what no cohort can have

    def _check_construct(self) -> None:
        if self.construct not in get_args(Construct):
            raise ParameterError(
                f"construct is {self.construct!r}; it must be one of "
                f"{', '.join(get_args(Construct))}; choose one"
            )
        if not isinstance(self.antigens, tuple):
            raise ParameterError(
                f"antigens is {self.antigens!r}; it must be a tuple of names; write ('CD19',)"
            )
        for name in self.antigens:
            _check_name("an antigen", name)
        count = len(self.antigens)
        if count != self.losses.antigens or len(set(self.antigens)) != count:
            raise ParameterError(
                f"antigens is {self.antigens!r} and losses has {self.losses.antigens}; each "
                "antigen has one name of its own and one loss; give as many"
            )
        if (self.construct == "single") != (count == 1):
            raise ParameterError(
                f"construct is {self.construct!r} and there are {count} antigens; single has one, "
                "the others two or more; change one of them"
            )

    def _check_arms(self) -> None:
        if self.arms is None:
            return
        remedy = "give numbers above 0, the strongest 1, for a bicistronic product"
        _ = OrGate(arms=self.arms)  # checks that they are fractions
        fits = len(self.arms) == len(self.antigens) and max(self.arms) == 1.0
        if not fits or min(self.arms) <= 0.0:
            raise ParameterError(
                f"arms is {self.arms!r}; each antigen has an arm above 0 and the strongest is 1; "
                f"{remedy}"
            )
        if self.construct != "bicistronic" and min(self.arms) < 1.0:
            raise ParameterError(
                f"arms is {self.arms!r} and construct is {self.construct!r}; only a bicistronic "
                f"product has unequal arms; {remedy}"
            )

    @property
    def gate(self) -> Gate:
        """How the product reads the antigens of a cell."""
        return AndGate() if self.construct == "and" else OrGate(arms=self.arms)

    def patient(self) -> Patient:
        """Return the typical patient: every median, and the typical curve."""
        product = Therapy(exposure=self.exposures.typical, killing=self.killing, gate=self.gate)
        return Patient(leukaemia=self.leukaemia, losses=self.losses, therapy=product)

    def population(self) -> Population:
        """Return the patients, for `car_relapse.simulate`."""
        return Population(
            leukaemia=self.leukaemia,
            burden_log10_sd=self.burden_log10_sd,
            losses=self.losses,
            exposures=self.exposures,
            killing=self.killing,
            detection=self.detection,
            engagement=self._engagement(),
            spread=Spread(birth_rate=self.birth_rate_log_sd),
        )

    def _engagement(self) -> tuple[float, ...]:
        """Return the fraction of the killing rate that each antigen state meets."""
        k = len(self.antigens)
        shown = ([float(not state >> i & 1) for i in range(k)] for state in range(2**k))
        # Adding arms up may miss 1 by the last digit.
        return tuple(round(float(self.gate.fraction(cell)), 12) for cell in shown)

    def to_text(self) -> str:
        """Return the scenario as the text of its file."""
        lines = [
            "# A scenario of the book Why CAR-T Relapses: a teaching model, not guidance for care.",
            f"format = {json.dumps(_FORMAT)}",
            f"version = {_VERSION}",
            f"name = {_toml(self.name)}",
        ]
        for section, keys in _SECTIONS.items():
            lines += ["", f"[{section}]"]
            source = self._values(section)
            lines += [_line(key, source[key], remark) for key, remark in keys.items()]
        arms = self.arms or (1.0,) * len(self.antigens)
        for cells in zip(self.antigens, self.losses.per_antigen, arms, strict=True):
            lines += ["", "[[antigens]]"]
            pairs = zip(_ANTIGEN.items(), cells, strict=True)
            lines += [_line(key, value, remark) for (key, remark), value in pairs]
        return "\n".join(lines) + "\n"

    def _values(self, section: str) -> Mapping[str, Any]:
        own = {"burden_log10_sd": self.burden_log10_sd, "birth_rate_log_sd": self.birth_rate_log_sd}
        return {
            "construct": {"kind": self.construct},
            "losses": vars(self.losses),
            "exposure": vars(self.exposures.typical),
            "exposure_log_sd": dict(zip(_CURVE, self.exposures.log_sd, strict=True)),
            "killing": vars(self.killing),
            "population": vars(self.leukaemia) | own,
            "detection": vars(self.detection),
        }[section]


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        shown = repr(name) if len(repr(name)) <= _LONGEST_NAME else "too long to show"
        raise ParameterError(
            f"{what} is {shown}; it must be one printable line of text; give a short name"
        )
    if len(name) > _LONGEST_NAME:
        raise ParameterError(
            f"{what} has {len(name)} characters; it must have at most {_LONGEST_NAME}; shorten it"
        )


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # for printable text, TOML's own rule
    number = float(value)
    short = f"{number:g}"
    return (short if float(short) == number else repr(number)).replace("e+", "e")


def _line(key: str, value: Any, remark: str) -> str:
    return f"{f'{key} = {_toml(value)}':<30}  {f'# {remark}' if remark else ''}".rstrip()


class _Reader:
    """A scenario file as it was parsed; says where what is wrong stands."""

    def __init__(self, source: str) -> None:
        self.source = source

    def refuse(self, where: str, found: str, rule: str, remedy: str) -> NoReturn:
        place = f"{self.source}, {where}" if where else self.source
        raise ScenarioError(f"{place}: {found}; {rule}; {remedy}")

    def table(self, value: Any, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """Return a table that has just these keys."""
        if not isinstance(value, dict):
            self.refuse(where, f"it is {value!r}", f"it must be a table [{where}]", "write one")
        for key in value:
            if key not in keys:
                close = difflib.get_close_matches(key, keys, n=1)
                remedy = f"did you mean {close[0]!r}?" if close else "remove it"
                self.refuse(where, f"there is a key {key!r}", "no scenario has it", remedy)
        for key in keys:
            if key not in value:
                self.refuse(
                    where, f"the key {key!r} is missing", "a scenario has every key",
                    "add it; write_scenario writes them all",
                )  # fmt: skip
        return value

    def make(self, where: str, make: Callable[..., _Made], *args: Any, **values: Any) -> _Made:
        """Build a part of the scenario; what it refuses gets its place in the file."""
        try:
            return make(*args, **values)
        except CarRelapseError as problem:
            place = f"{self.source}, {where}" if where else self.source
            raise ScenarioError(f"{place}: {problem}") from None


def parse_scenario(text: str, source: str = "the scenario") -> Scenario:
    """Return the scenario that the text of a file describes.

    Parameters
    ----------
    text : str
        TOML, as `Scenario.to_text` writes it.
    source : str, optional
        What messages call the text: the name of its file.

    Raises
    ------
    ScenarioError
        When the text is not TOML, is no scenario or one of another version, lacks a key, has one
        too many, or holds a value that breaks a rule; the message says where.

    Examples
    --------
    >>> mine = Scenario(name="mine")
    >>> parse_scenario(mine.to_text()) == mine
    True
    """
    reader = _Reader(require_instance("source", source, str, "name the file"))
    require_instance("text", text, str, "give the text of a file; read_scenario takes its path")
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        reader.refuse(
            "", f"it is not TOML: {problem}", "a scenario is a TOML file",
            "mend that line, or write the file again with write_scenario",
        )  # fmt: skip
    if whole.get("format") != _FORMAT:
        reader.refuse(
            "key format", f"it is {whole.get('format')!r}", f"it must be {_FORMAT!r}",
            "choose a file that write_scenario wrote",
        )  # fmt: skip
    version = whole.get("version")
    if version is True or version != _VERSION:
        reader.refuse(
            "key version", f"it is {version!r}", f"this package reads version {_VERSION}",
            "install the version of car_relapse that wrote the file",
        )  # fmt: skip
    reader.table(whole, "", ("format", "version", "name", *_SECTIONS, "antigens"))
    part = {
        name: reader.table(whole[name], f"[{name}]", tuple(keys))
        for name, keys in _SECTIONS.items()
    }
    antigens = _antigens(reader, whole["antigens"])
    people = part["population"]
    typical = reader.make("[exposure]", SteinExposure, **part["exposure"])
    log_sd = tuple(part["exposure_log_sd"][name] for name in _CURVE)
    return reader.make(
        "",
        Scenario,
        name=whole["name"],
        construct=part["construct"]["kind"],
        antigens=tuple(row["name"] for row in antigens),
        arms=tuple(row["arm"] for row in antigens),
        losses=reader.make(
            "[losses] and [[antigens]]",
            Losses,
            per_antigen=tuple(row["loss"] for row in antigens),
            **part["losses"],
        ),
        exposures=reader.make("[exposure_log_sd]", SteinPopulation, typical=typical, log_sd=log_sd),
        killing=reader.make("[killing]", Killing, **part["killing"]),
        leukaemia=reader.make(
            "[population]",
            Leukaemia,
            **{name: people[name] for name in ("birth_rate", "death_rate", "burden")},
        ),
        burden_log10_sd=people["burden_log10_sd"],
        birth_rate_log_sd=people["birth_rate_log_sd"],
        detection=reader.make("[detection]", Detection, **part["detection"]),
    )


def _antigens(reader: _Reader, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not rows:
        reader.refuse(
            "key antigens", f"it is {rows!r}", "each antigen has a table [[antigens]]", "add one"
        )
    return [
        reader.table(row, f"[[antigens]] number {number}", tuple(_ANTIGEN))
        for number, row in enumerate(rows, 1)
    ]


def _checked_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike) or Path(path).suffix != ".toml":
        raise ScenarioError(
            f"path is {path!r}; a scenario file has a name that ends in .toml; give its name"
        )
    return Path(path)


def read_scenario(path: str | os.PathLike[str]) -> Scenario:
    """Return the scenario of a file.

    Raises
    ------
    ScenarioError
        When the file cannot be read, or as `parse_scenario`.
    """
    file = _checked_path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ScenarioError(
            f"{file.name} cannot be read ({problem}); it must be a text file in UTF-8; look for "
            "it, or write it with write_scenario"
        ) from None
    return parse_scenario(text, file.name)


def write_scenario(scenario: Scenario, path: str | os.PathLike[str]) -> Path:
    """Write a scenario into a file, in the place of one that is there.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ScenarioError
        When the name does not end in ``.toml``, or the file cannot be written.
    """
    require_instance("scenario", scenario, Scenario, "give a Scenario")
    file = _checked_path(path)
    try:
        file.write_text(scenario.to_text(), encoding="utf-8")
    except OSError as problem:
        raise ScenarioError(
            f"{file.name} cannot be written ({problem}); its folder must be there and writable; "
            "choose another place"
        ) from None
    return file
