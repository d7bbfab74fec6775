"""Routes to rows that are data: what a source printed, as the package's own tables hold it.

Nothing is computed here, only looked up: a row checks that a number on which a default or a fit
rests was copied right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from car_relapse.evidence import kinetics, relapse_split, trials
from car_relapse.parameters import default, parameter

Inputs = dict[str, Any]

_PHENOTYPES = "lamble2023_phenotype"
_HOURS = {"h": 1.0, "hours": 1.0, "days": 24.0}


def _untreated_growth(_: Inputs, quantity: str) -> float:
    """Return the mean net growth, once the range that the row prints is that of the ledger."""
    row = parameter("leukaemia.net_rate")
    low, high = map(float, re.search(r"range (-?[\d.]+)\.\.(-?[\d.]+)", quantity).groups())  # type: ignore[union-attr]
    if (row.low, row.high) != (low / 100.0, high / 100.0):
        raise LookupError(f"the ledger's range is {row.low} to {row.high}")
    return row.value


def _engager_hours(*_: Any) -> float:
    row = parameter("engager.blinatumomab.half_life")
    # The label prints two digits of what the study behind it, the ledger's source, gives in three.
    return round(row.value * _HOURS[row.unit], 1)


def _lysis_density(*_: Any) -> float | None:
    return kinetics()["cd20_lysis_threshold"].value


# Model, start of the quantity, and where the package holds the number.
ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    *(
        ("calibration", f"children/young adults with B-ALL after murine CD19-CAR: {what}", look_up)
        for what, look_up in {
            "treated": lambda *_: trials()[_PHENOTYPES].n_infused,
            "CD19pos": lambda *_: relapse_split(trials()[_PHENOTYPES]).antigen_positive,
            "CD19neg": lambda *_: relapse_split(trials()[_PHENOTYPES]).antigen_negative,
            "lineage_switch": lambda *_: relapse_split(trials()[_PHENOTYPES]).lineage_switch,
        }.items()
    ),
    ("calibration", "B-ALL net growth", _untreated_growth),
    ("calibration", "CD19 molecules", lambda *_: default("engagement.kill_density")),
    ("calibration", "CD20 molecules", _lysis_density),
    ("calibration", "blinatumomab half-life", _engager_hours),
]
