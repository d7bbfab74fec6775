"""The figures of the book: each returns a picture, its words and the numbers they quote.

No figure reads or writes a file, and none touches global plot settings.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from car_relapse.figures.antigen_leaves import escape_timing, jackpots, pre_existence
from car_relapse.figures.atlas import (
    phenotype_by_persistence,
    phenotype_forest,
    response_leukaemia,
    response_other,
)
from car_relapse.figures.living_drug import stein_curve
from car_relapse.figures.style import Drawing, Quoted
from car_relapse.figures.t_cells_leave import persistence_map, two_patients
from car_relapse.figures.two_ways import cohort_outcome, relapse_split_by_cohort

__all__ = [
    "Drawing",
    "Quoted",
    "builders",
    "cohort_outcome",
    "escape_timing",
    "jackpots",
    "persistence_map",
    "phenotype_by_persistence",
    "phenotype_forest",
    "pre_existence",
    "registry",
    "relapse_split_by_cohort",
    "response_leukaemia",
    "response_other",
    "stein_curve",
    "two_patients",
]


def builders() -> Mapping[str, Callable[[], Drawing]]:
    """Return, by slug, what draws each figure of the book at its defaults."""
    return MappingProxyType(
        {
            "stein-curve": stein_curve,
            "relapse-split": relapse_split_by_cohort,
            "cohort-outcome": cohort_outcome,
            "two-patients": two_patients,
            "persistence-map": persistence_map,
            "pre-existence": pre_existence,
            "escape-timing": escape_timing,
            "jackpots": jackpots,
            "response-leukaemia": response_leukaemia,
            "response-other": response_other,
            "phenotype-forest": phenotype_forest,
            "phenotype-persistence": phenotype_by_persistence,
        }
    )


@cache
def registry() -> Mapping[str, Drawing]:
    """Return every figure of the book at its defaults, by slug."""
    return MappingProxyType({slug: build() for slug, build in builders().items()})
