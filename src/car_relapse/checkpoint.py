"""Parts of a cohort on disk, so that a stopped run goes on where it was.

A folder belongs to one cohort: population, seed, versions and chunk are written into it, and a
run that differs in any of them is refused by name, never mixed. Each finished chunk is one file,
written beside its place and then moved there, so that a file is whole or absent. A file that was
damaged later is noticed by its checksum, reported, and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from car_relapse.errors import ParameterError
from car_relapse.outcomes import Cohort

__all__ = ["Checkpoint", "describe"]

_LABEL = "made-from.json"
# Longer arrays and sequences are told apart by a hash of their content, not written out.
_WRITTEN_OUT = 16
_NAMED_DIFFERENCES = 4
# What numpy and zipfile raise on a file that is cut short, changed, or something else.
_DAMAGE = (
    OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _parts(value: Any) -> tuple[str, dict[str, Any]] | None:
    """Return kind and parts of a value that has parts; None for one that is described whole."""
    kind = type(value).__qualname__
    if is_dataclass(value) and not isinstance(value, type):
        return kind, {f".{f.name}": getattr(value, f.name) for f in fields(value)}
    if isinstance(value, Mapping):
        return kind, {f"[{key!r}]": value[key] for key in sorted(value, key=repr)}
    if isinstance(value, list | tuple):
        return kind, {f"[{index}]": item for index, item in enumerate(value)}
    return None


def _whole(name: str, value: Any) -> str:
    if isinstance(value, Enum):
        return str(value)
    if value is None or isinstance(value, bool | np.bool_ | str):
        return repr(value)
    # The same number is the same text, whether numpy or Python holds it.
    if isinstance(value, int | np.integer):
        return repr(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        digest = _hash(value.tobytes())
        return f"{value.dtype.name} array of shape {value.shape}, sha256 {digest}"
    try:
        return f"{type(value).__qualname__}, sha256 {_hash(pickle.dumps(value, protocol=5))}"
    except (pickle.PicklingError, TypeError, AttributeError):
        raise ParameterError(
            f"{name} is a {type(value).__qualname__}; it cannot be written down, so a later run "
            "could not tell whether it is the same; use numbers, arrays and frozen dataclasses, or "
            "run without a checkpoint"
        ) from None


def describe(name: str, value: Any) -> dict[str, str]:
    """Return everything within `value` as text, by its path.

    Equal values have equal descriptions in every session, and different ones differ: nothing is
    shortened without a hash of what was left out.

    Parameters
    ----------
    name : str
        Path of the value itself.
    value : object
        Numbers, text, arrays, and dataclasses, lists, tuples and mappings of such.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ParameterError
        When something within has no content that could be written down.

    Examples
    --------
    >>> from car_relapse.killing import Killing
    >>> describe("killing", Killing(maximal_rate=1.5, half_level=3000.0))
    {'killing': 'Killing', 'killing.maximal_rate': '1.5', 'killing.half_level': '3000.0'}
    """
    divided = _parts(value)
    if divided is None:
        return {name: _whole(name, value)}
    kind, parts = divided
    inside: dict[str, str] = {}
    for path, part in parts.items():
        inside.update(describe(name + path, part))
    if isinstance(value, list | tuple) and len(inside) > _WRITTEN_OUT:
        digest = _hash(json.dumps(inside).encode())
        return {name: f"{kind} of {len(parts)}, sha256 {digest}"}
    return {name: kind, **inside}


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    absent = "absent"
    return [
        f"{path} was {before.get(path, absent)} and is {now.get(path, absent)}"
        for path in dict.fromkeys([*before, *now])
        if before.get(path, absent) != now.get(path, absent)
    ]


class Checkpoint:
    """A folder with the finished chunks of one cohort.

    Parameters
    ----------
    folder : path
        Made when it does not exist.
    made_from : mapping of str to str
        All that decides what the patients are, as `describe` returns it.

    Raises
    ------
    ParameterError
        When the folder holds chunks of another cohort (the message names what differs), its label
        is damaged, or the path is a file.
    """

    def __init__(self, folder: str | os.PathLike[str], made_from: Mapping[str, str]) -> None:
        if not isinstance(folder, str | os.PathLike) or not str(folder):
            raise ParameterError(
                f"checkpoint is {folder!r}; it must be the path of a folder; give one, or None to "
                "keep nothing"
            )
        self.folder = Path(folder)
        self._columns = [f.name for f in fields(Cohort)]
        wanted = {**made_from, "columns": " ".join(self._columns)}
        self.key = _hash(json.dumps(wanted, sort_keys=True).encode())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ParameterError(
                f"checkpoint is {str(folder)!r}; it must be a folder, and a file is in its place; "
                "give another path"
            ) from None
        label = self.folder / _LABEL
        if label.exists():
            self._compare(label, wanted)
        else:
            text = json.dumps(wanted, indent=1, sort_keys=True, ensure_ascii=False)
            self._write(label, text.encode())

    def _compare(self, label: Path, wanted: Mapping[str, str]) -> None:
        try:
            before = json.loads(label.read_text(encoding="utf-8"))
            differences = _differences(before, wanted)
        except (ValueError, AttributeError):
            raise ParameterError(
                f"checkpoint is {str(self.folder)!r}; its label {_LABEL} is damaged, so what its "
                "chunks were made from is not known; remove the folder, or give another"
            ) from None
        if differences:
            more = len(differences) - _NAMED_DIFFERENCES
            shown = "; ".join(differences[:_NAMED_DIFFERENCES])
            raise ParameterError(
                f"checkpoint is {str(self.folder)!r}; it holds patients of another run: {shown}"
                f"{f'; and {more} more' if more > 0 else ''}; go back to what was, or give an "
                "empty folder"
            )

    def _write(self, path: Path, content: bytes | dict[str, Any]) -> None:
        """Write a file whole, or not at all."""
        with NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".part", delete=False) as file:
            try:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    np.savez(file, **content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:  # also when the user stops the run
                Path(file.name).unlink(missing_ok=True)
                raise

    def path(self, first: int, last: int) -> Path:
        """Return the file of the patients `first` to `last` - 1."""
        return self.folder / f"patients-{first:012d}-{last:012d}.npz"

    def save(self, first: int, last: int, cohort: Cohort) -> None:
        """Keep the patients `first` to `last` - 1."""
        columns = {name: getattr(cohort, name) for name in self._columns}
        self._write(self.path(first, last), {"_key": self.key, "_first": first, **columns})

    def load(self, first: int, last: int) -> Cohort | None:
        """Return the patients `first` to `last` - 1, or None when they are to be made (again).

        Warns
        -----
        RuntimeWarning
            When the file is damaged, or not of this cohort.
        """
        path = self.path(first, last)
        if not path.exists():
            return None
        try:
            # Opened here, because numpy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["_key"]) != self.key or int(stored["_first"]) != first:
                    raise ValueError("another cohort's")
                columns = {name: stored[name] for name in self._columns}
            if any(len(column) != last - first for column in columns.values()):
                raise ValueError("incomplete")
        except _DAMAGE as problem:
            warnings.warn(
                f"{path} cannot be used ({type(problem).__name__}: {problem}); its patients are "
                "made again",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        return Cohort(**columns)
