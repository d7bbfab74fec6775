"""What the published models share: no field, day, dose or model of the wrong kind gets through."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass

import numpy as np
import pytest

from car_relapse import published
from car_relapse.errors import ParameterError
from car_relapse.published._integrate import check_days, check_schedule

MODELS = [getattr(published, name) for name in published.__all__]


def records():
    """Yield every parameter class of every published model with the names of its numbers."""
    for model in MODELS:
        for name in model.__all__:
            kind = getattr(model, name)
            if inspect.isclass(kind) and is_dataclass(kind) and name.endswith("Parameters"):
                for field in fields(kind):
                    yield kind, field.name


def functions():
    """Yield every public function whose first argument is a parameter object."""
    for model in MODELS:
        for name in model.__all__:
            function = getattr(model, name)
            if (
                inspect.isfunction(function)
                and "parameters" in inspect.signature(function).parameters
            ):
                yield pytest.param(function, id=f"{model.__name__.rsplit('.', 1)[1]}.{name}")


@pytest.mark.parametrize(("kind", "name"), list(records()))
@pytest.mark.parametrize(
    "value", [None, "0.1", [0.1, 0.2], np.array([0.1]), True, float("inf"), 1j, {}]
)
def test_a_field_takes_one_real_number_and_nothing_else(kind, name, value):
    required = {f.name: 1.0 for f in fields(kind) if f.default is MISSING}
    with pytest.raises(ParameterError, match=name):
        kind(**(required | {name: value}))


def test_the_sweep_reaches_every_model():
    assert {kind.__module__.rsplit(".", 1)[1].strip("_") for kind, _ in records()} >= {
        "kara2024", "carrgo2020", "leontriana2020_model",
    }  # fmt: skip
    assert len({kind for kind, _ in records()}) >= 8
    assert len(list(functions())) > 30


@pytest.mark.parametrize("function", list(functions()))
@pytest.mark.parametrize("value", [None, 0.1, "paper"])
def test_a_model_wants_its_own_parameters(function, value):
    needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty][
        1:
    ]
    positional = [1.0 for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = {p.name: 0.5 for p in needed if p.kind is p.KEYWORD_ONLY}
    with pytest.raises(ParameterError, match="parameters is"):
        function(value, *positional, **named)


@pytest.mark.parametrize("days", [None, 3.0, [], [2.0, 1.0], [[1.0]], [-1.0], ["1"], [True]])
def test_days_are_an_increasing_list(days):
    with pytest.raises(ParameterError, match="days"):
        check_days(days)


@pytest.mark.parametrize(
    ("schedule", "shown"),
    [
        (None, "the schedule is None"),
        ("now", "the schedule is 'now'"),
        ([3.0], "list of pairs of a day and cells"),
        ([(1.0, 2.0, 3.0)], "list of pairs"),
        ([(-1.0, 1e6)], "day of a dose is -1"),
        ([(1.0, 0.0)], "cells of a dose is 0"),
        ([(1.0, True)], "cells of a dose is True"),
        ([(None, 1.0)], "day of a dose is None"),
    ],
)
def test_a_schedule_is_a_list_of_days_and_amounts(schedule, shown):
    with pytest.raises(ParameterError, match=shown):
        check_schedule(schedule, "dose", "cells")


def test_an_empty_schedule_is_one():
    check_schedule((), "dose", "cells")
    check_schedule(np.array([[1.0, 2.0]]), "dose", "cells")
