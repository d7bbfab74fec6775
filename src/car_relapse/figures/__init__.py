"""The figures of the book: each returns a picture, its words and the numbers they quote.

No figure reads or writes a file, and none touches global plot settings.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from car_relapse.figures.antigen_density import density_lines, density_tail, density_thresholds
from car_relapse.figures.antigen_leaves import escape_timing, jackpots, pre_existence
from car_relapse.figures.antigen_plasticity import density_switching
from car_relapse.figures.atlas import (
    phenotype_by_persistence,
    phenotype_forest,
    response_leukaemia,
    response_other,
)
from car_relapse.figures.burden import burden_feedback, burden_or_memory
from car_relapse.figures.constructs import construct_outcomes
from car_relapse.figures.engagers import (
    engager_cycles,
    engager_hook,
    engager_levels,
    engager_phenotype,
)
from car_relapse.figures.living_drug import cohort_denominators, stein_curve
from car_relapse.figures.logic_gates import gate_frontier, gate_price, gate_truth
from car_relapse.figures.style import Drawing, Quoted
from car_relapse.figures.t_cells_leave import persistence_hazards, persistence_map, two_patients
from car_relapse.figures.two_targets import (
    antigen_ceiling,
    loss_paths,
    second_infusion,
    u_squared,
)
from car_relapse.figures.two_ways import (
    cohort_outcome,
    outcome_by_level,
    relapse_split_by_cohort,
)
from car_relapse.figures.what_would_stop_it import second_antigen, weak_arm

__all__ = [
    "Drawing",
    "Quoted",
    "antigen_ceiling",
    "builders",
    "burden_feedback",
    "burden_or_memory",
    "cohort_denominators",
    "cohort_outcome",
    "construct_outcomes",
    "density_lines",
    "density_switching",
    "density_tail",
    "density_thresholds",
    "engager_cycles",
    "engager_hook",
    "engager_levels",
    "engager_phenotype",
    "escape_timing",
    "gate_frontier",
    "gate_price",
    "gate_truth",
    "jackpots",
    "loss_paths",
    "outcome_by_level",
    "persistence_hazards",
    "persistence_map",
    "phenotype_by_persistence",
    "phenotype_forest",
    "pre_existence",
    "registry",
    "relapse_split_by_cohort",
    "response_leukaemia",
    "response_other",
    "second_antigen",
    "second_infusion",
    "stein_curve",
    "two_patients",
    "u_squared",
    "weak_arm",
]


def builders() -> Mapping[str, Callable[[], Drawing]]:
    """Return, by slug, what draws each figure of the book at its defaults."""
    return MappingProxyType(
        {
            "stein-curve": stein_curve,
            "cohort-denominators": cohort_denominators,
            "relapse-split": relapse_split_by_cohort,
            "cohort-outcome": cohort_outcome,
            "outcome-by-level": outcome_by_level,
            "two-patients": two_patients,
            "persistence-map": persistence_map,
            "persistence-hazards": persistence_hazards,
            "burden-or-memory": burden_or_memory,
            "burden-feedback": burden_feedback,
            "pre-existence": pre_existence,
            "escape-timing": escape_timing,
            "jackpots": jackpots,
            "construct-outcomes": construct_outcomes,
            "second-antigen": second_antigen,
            "weak-arm": weak_arm,
            "loss-paths": loss_paths,
            "u-squared": u_squared,
            "second-infusion": second_infusion,
            "antigen-ceiling": antigen_ceiling,
            "gate-truth": gate_truth,
            "gate-price": gate_price,
            "gate-frontier": gate_frontier,
            "response-leukaemia": response_leukaemia,
            "response-other": response_other,
            "phenotype-forest": phenotype_forest,
            "phenotype-persistence": phenotype_by_persistence,
            "density-tail": density_tail,
            "density-thresholds": density_thresholds,
            "density-lines": density_lines,
            "density-switching": density_switching,
            "engager-levels": engager_levels,
            "engager-cycles": engager_cycles,
            "engager-hook": engager_hook,
            "engager-phenotype": engager_phenotype,
        }
    )


@cache
def registry() -> Mapping[str, Drawing]:
    """Return every figure of the book at its defaults, by slug."""
    return MappingProxyType({slug: build() for slug, build in builders().items()})
