"""Trials that are looked at more than once: boundaries, power, and what a stop means."""

from car_relapse.trial.sequential.boundaries import (
    Boundaries,
    Stops,
    obrien_fleming,
    pocock,
    wang_tsiatis,
)
from car_relapse.trial.sequential.inference import AfterStop, after_stop, conditional_power
from car_relapse.trial.sequential.spending import (
    lan_demets,
    spent_boundaries,
    with_beta_spending,
    with_futility,
)

__all__ = [
    "AfterStop",
    "Boundaries",
    "Stops",
    "after_stop",
    "conditional_power",
    "lan_demets",
    "obrien_fleming",
    "pocock",
    "spent_boundaries",
    "wang_tsiatis",
    "with_beta_spending",
    "with_futility",
]
