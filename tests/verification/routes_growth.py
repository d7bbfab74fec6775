"""Routes to growth before therapy: two types by chance, and what size or time it ended at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from car_relapse.growth import expected_surviving_lines, no_living_mutant
from car_relapse.two_types import TwoTypes, no_event_before_size

from .values import Log

Inputs = dict[str, Any]


def _both(x: Inputs) -> TwoTypes:
    # Neutral escape has the rates of targeted cells.
    return TwoTypes(
        birth_rate=x["b"],
        death_rate=x["d"],
        loss=x["u"],
        escaped_birth_rate=x.get("b_mut", x["b"]),
        escaped_death_rate=x.get("d_mut", x["d"]),
    )


def _number_alive(x: Inputs, quantity: str) -> float:
    number = int(re.search(r"=(\d+) at", quantity)[1])  # type: ignore[index]
    return float(_both(x).escaped_probabilities(x["t"], number)[-1])


def _no_event_before_size(x: Inputs, _: str) -> float:
    rates = {"birth_rate": x["b"], "death_rate": x["d"], "loss": x["u"]}
    return float(no_event_before_size(x["N"], **rates))


def _none_at_size(x: Inputs, _: str) -> float:
    return float(no_living_mutant(x["N"], x["u"], 1.0 - x["delta"]))


def _none_at_time(x: Inputs, _: str) -> float:
    return float(no_living_mutant(x["Nbar"], x["u"], 1.0 - x["delta"], fixed="time"))


def _no_double_loss_in_sequence(x: Inputs, _: str) -> Log:
    return Log(-expected_surviving_lines(x["relapse_size_at_switch"], x["u2"]))


# Model (start of its name), start of the quantity, and how the package computes it.
ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    ("two_type_branching", "P(no living mutant at t)", lambda x, _: _both(x).no_living(x["t"])),
    ("two_type_branching", "P(no mutation event by t)", lambda x, _: _both(x).no_event(x["t"])),
    ("two_type_branching", "P(living mutants=", _number_alive),
    (
        "two_type_branching",
        "P(no living mutant | sensitive line alive",
        lambda x, _: _both(x).no_living_if_targeted_alive(x["t"]),
    ),
    ("two_type_branching", "P(no mutation event before size", _no_event_before_size),
    ("two_type_branching", "P(no living neutral mutant at size", _none_at_size),
    ("two_type_branching", "P(no living neutral mutant | survival) at FIXED TIME", _none_at_time),
    ("multi_antigen", "P(no surviving double-negative lineage", _no_double_loss_in_sequence),
]
