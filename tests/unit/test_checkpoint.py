"""Checkpoints: whole files of one cohort, and nothing of another."""

from __future__ import annotations

import json
import warnings
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from car_relapse.checkpoint import Checkpoint, describe
from car_relapse.cohort import Cohort, default_population, simulate_range
from car_relapse.errors import ParameterError

POPULATION = default_population()
MADE_FROM = describe("population", POPULATION)


@pytest.fixture(scope="module")
def part() -> Cohort:
    return simulate_range(POPULATION, 128, 256, seed=51)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "cohort", MADE_FROM)


def same(one: Cohort, two: Cohort) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(two, f.name))
        and getattr(one, f.name).dtype == getattr(two, f.name).dtype
        for f in fields(Cohort)
    )


def test_patients_come_back_bit_for_bit_in_another_session(checkpoint, part):
    assert checkpoint.load(128, 256) is None
    checkpoint.save(128, 256, part)
    later = Checkpoint(checkpoint.folder, MADE_FROM)
    assert same(later.load(128, 256), part)
    assert later.load(128, 257) is None


def test_only_whole_files_are_left_in_the_folder(checkpoint, part):
    checkpoint.save(128, 256, part)
    assert sorted(p.name for p in checkpoint.folder.iterdir()) == [
        "made-from.json",
        "patients-000000000128-000000000256.npz",
    ]


def test_a_stop_while_writing_leaves_the_folder_as_it_was(checkpoint, part, monkeypatch):
    checkpoint.save(128, 256, part)
    before = checkpoint.path(128, 256).read_bytes()

    def stopped(file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", stopped)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(128, 256, part)
    assert checkpoint.path(128, 256).read_bytes() == before
    assert len(list(checkpoint.folder.iterdir())) == 2


def flip(content: bytes, place: int, bit: int = 1) -> bytes:
    return content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not an archive",
        lambda content: content[: len(content) // 2],
        lambda content: flip(content, content.index(b"burden.npy") + 400),
        lambda content: flip(content, content.rindex(b"burden.npy")),
    ],
    ids=["emptied", "replaced", "cut short", "one bit of one patient", "one letter of a name"],
)
def test_a_damaged_file_is_reported_and_made_again(checkpoint, part, damage):
    checkpoint.save(128, 256, part)
    file = checkpoint.path(128, 256)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(RuntimeWarning, match=r"patients-000000000128.*made again"):
        assert checkpoint.load(128, 256) is None
    checkpoint.save(128, 256, part)
    assert same(checkpoint.load(128, 256), part)


def test_no_flipped_bit_makes_a_wrong_patient(checkpoint, part):
    checkpoint.save(128, 256, part)
    file = checkpoint.path(128, 256)
    whole = file.read_bytes()
    rng = np.random.default_rng(52)
    # The ends hold the structure of the archive, the middle its patients.
    places = [*rng.integers(0, 600, 100), *rng.integers(len(whole) - 1200, len(whole), 200)]
    found = []
    for place in places:
        file.write_bytes(flip(whole, int(place), 1 << int(rng.integers(8))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the report of the test above
            found.append(checkpoint.load(128, 256))
    assert all(patients is None or same(patients, part) for patients in found)
    assert sum(patients is None for patients in found) > 100


def test_an_array_in_place_of_an_archive_is_reported(checkpoint):
    with checkpoint.path(0, 3).open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.warns(RuntimeWarning, match="made again"):
        assert checkpoint.load(0, 3) is None


def test_files_of_another_cohort_another_place_or_another_length_are_not_used(
    checkpoint, part, tmp_path
):
    other = Checkpoint(tmp_path / "other", {**MADE_FROM, "seed": "8"})
    other.save(128, 256, part)
    other.path(128, 256).rename(checkpoint.path(128, 256))
    checkpoint.save(0, 128, part)
    checkpoint.path(0, 128).rename(checkpoint.path(256, 384))
    checkpoint.save(384, 500, part)
    for span, why in (
        ((128, 256), "another cohort"),
        ((256, 384), "another cohort"),
        ((384, 500), "incomplete"),
    ):
        with pytest.warns(RuntimeWarning, match=why):
            assert checkpoint.load(*span) is None


def test_a_folder_of_another_cohort_is_refused_and_the_difference_named(checkpoint):
    changed = replace(POPULATION, leukaemia=replace(POPULATION.leukaemia, burden=2e11))
    with pytest.raises(
        ParameterError,
        match=r"population\.leukaemia\.burden was 100000000000\.0 and is 200000000000\.0; go back",
    ):
        Checkpoint(checkpoint.folder, describe("population", changed))


def test_many_differences_are_counted_and_missing_parts_named(checkpoint):
    with pytest.raises(ParameterError, match=r"Population and is absent.*and \d+ more; go back"):
        Checkpoint(checkpoint.folder, {"seed": "7"})


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"words"'])
def test_a_damaged_label_is_an_error_that_says_what_to_do(checkpoint, text):
    (checkpoint.folder / "made-from.json").write_text(text)
    with pytest.raises(ParameterError, match=r"label made-from\.json is damaged.*remove"):
        Checkpoint(checkpoint.folder, MADE_FROM)


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below"):
        with pytest.raises(ParameterError, match="must be a folder"):
            Checkpoint(path, MADE_FROM)


class Colour(Enum):
    RED = 1


def test_equal_values_are_described_equally_whoever_holds_them():
    assert describe("x", np.float64(0.1)) == describe("x", 0.1) == {"x": "0.1"}
    assert describe("x", np.int64(3)) == describe("x", 3) == {"x": "3"}
    assert describe("x", np.zeros(3)) == describe("x", np.zeros(3))
    assert describe("x", {"b": 1, "a": 2}) == describe("x", {"a": 2, "b": 1})
    assert describe("p", default_population()) == describe("p", POPULATION)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1.0, np.nextafter(1.0, 2.0)),
        (1, True),
        (1, 1.0),
        (None, "None"),
        ((1, 2), [1, 2]),
        ((1, 2), (1, 2, 3)),
        ({"a": 1}, {"b": 1}),
        (np.zeros(3), np.zeros(3, dtype=np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.arange(5000), np.where(np.arange(5000) == 2500, -1, np.arange(5000))),
        (tuple(range(5000)), (*range(4999), 0)),
        (Colour.RED, "RED"),
        (complex(1, 2), complex(1, 3)),
    ],
)
def test_different_values_are_described_differently(one, two):
    assert describe("x", one) != describe("x", two)


def test_descriptions_stay_short_and_readable():
    label = json.dumps(describe("population", POPULATION))
    assert "population.exposures.typical.fold" in label
    assert len(json.dumps(describe("x", (tuple(range(10**4)), np.zeros(10**6))))) < 300


def test_what_cannot_be_written_down_is_refused():
    with pytest.raises(ParameterError, match=r"x\[0\] is a function.*run without a checkpoint"):
        describe("x", [lambda day: day])
