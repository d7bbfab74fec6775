"""The figures of the book: each returns a picture, its words and the numbers they quote.

No figure reads or writes a file, and none touches global plot settings.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from car_relapse.figures.adaptive_designs import looks_price, shared_control, wrong_history
from car_relapse.figures.antigen_density import density_lines, density_tail, density_thresholds
from car_relapse.figures.antigen_leaves import escape_timing, jackpots, pre_existence
from car_relapse.figures.antigen_loss import fluctuation_counts, later_peak, tails_by_events
from car_relapse.figures.antigen_plasticity import density_switching
from car_relapse.figures.atlas import (
    phenotype_by_persistence,
    phenotype_forest,
    response_leukaemia,
    response_other,
)
from car_relapse.figures.birth_death_luck import (
    division_clock,
    last_line,
    line_fates,
    line_law,
)
from car_relapse.figures.burden import burden_feedback, burden_or_memory
from car_relapse.figures.choose_your_car import compose, scenario_choices, scenario_outcome
from car_relapse.figures.competing_risks import competing_states, gray_mirage, one_minus_km
from car_relapse.figures.constructs import construct_outcomes
from car_relapse.figures.dose_finding import (
    dose_optimum,
    dose_rules,
    dose_selection,
    dose_truths,
    plateau_doses,
)
from car_relapse.figures.engagers import (
    engager_cycles,
    engager_hook,
    engager_levels,
    engager_phenotype,
)
from car_relapse.figures.glioblastoma import (
    antigen_coverage,
    bystander_chances,
    mixture_courses,
    published_tumours,
)
from car_relapse.figures.how_large import endpoint_choice, endpoint_power, endpoint_sizes
from car_relapse.figures.how_large_table import (
    control_arm,
    dual_trial,
    endpoint_table,
    sizes_by_formula,
)
from car_relapse.figures.living_drug import cohort_denominators, stein_curve
from car_relapse.figures.logic_gates import gate_frontier, gate_price, gate_truth
from car_relapse.figures.long_tails import cure_plateau, event_clock, late_separation
from car_relapse.figures.one_target import (
    aplasia_predictor,
    phase_diagram,
    relapse_race,
)
from car_relapse.figures.persistence import patients_differ, room_for_cells, useful_days
from car_relapse.figures.reading_a_trial import (
    coverage_when_tested,
    exact_tails,
    observed_share,
    trial_denominators,
    untested_relapses,
)
from car_relapse.figures.single_arm import historical_control, response_and_later, saw_tooth
from car_relapse.figures.style import Drawing, Quoted
from car_relapse.figures.t_cells_leave import persistence_hazards, persistence_map, two_patients
from car_relapse.figures.transplant_and_time import (
    estimand_table,
    immortal_time,
    second_infusion_arm,
)
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
from car_relapse.figures.unfitted import unfitted_cohorts
from car_relapse.figures.what_would_stop_it import second_antigen, weak_arm
from car_relapse.figures.write_the_protocol import (
    protocol_choices,
    protocol_open_points,
    protocol_powers,
    protocol_scenario,
)

__all__ = [
    "Drawing",
    "Quoted",
    "antigen_ceiling",
    "antigen_coverage",
    "aplasia_predictor",
    "builders",
    "burden_feedback",
    "burden_or_memory",
    "bystander_chances",
    "cohort_denominators",
    "cohort_outcome",
    "competing_states",
    "compose",
    "construct_outcomes",
    "control_arm",
    "coverage_when_tested",
    "cure_plateau",
    "density_lines",
    "density_switching",
    "density_tail",
    "density_thresholds",
    "division_clock",
    "dose_optimum",
    "dose_rules",
    "dose_selection",
    "dose_truths",
    "dual_trial",
    "endpoint_choice",
    "endpoint_power",
    "endpoint_sizes",
    "endpoint_table",
    "engager_cycles",
    "engager_hook",
    "engager_levels",
    "engager_phenotype",
    "escape_timing",
    "estimand_table",
    "event_clock",
    "exact_tails",
    "fluctuation_counts",
    "gate_frontier",
    "gate_price",
    "gate_truth",
    "gray_mirage",
    "historical_control",
    "immortal_time",
    "jackpots",
    "last_line",
    "late_separation",
    "later_peak",
    "line_fates",
    "line_law",
    "looks_price",
    "loss_paths",
    "mixture_courses",
    "observed_share",
    "one_minus_km",
    "outcome_by_level",
    "patients_differ",
    "persistence_hazards",
    "persistence_map",
    "phase_diagram",
    "phenotype_by_persistence",
    "phenotype_forest",
    "plateau_doses",
    "pre_existence",
    "protocol_choices",
    "protocol_open_points",
    "protocol_powers",
    "protocol_scenario",
    "published_tumours",
    "registry",
    "relapse_race",
    "relapse_split_by_cohort",
    "response_and_later",
    "response_leukaemia",
    "response_other",
    "room_for_cells",
    "saw_tooth",
    "scenario_choices",
    "scenario_outcome",
    "second_antigen",
    "second_infusion",
    "second_infusion_arm",
    "shared_control",
    "sizes_by_formula",
    "stein_curve",
    "tails_by_events",
    "trial_denominators",
    "two_patients",
    "u_squared",
    "unfitted_cohorts",
    "untested_relapses",
    "useful_days",
    "weak_arm",
    "wrong_history",
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
            "useful-days": useful_days,
            "patients-differ": patients_differ,
            "room-for-cells": room_for_cells,
            "persistence-hazards": persistence_hazards,
            "line-fates": line_fates,
            "line-law": line_law,
            "last-line": last_line,
            "division-clock": division_clock,
            "burden-or-memory": burden_or_memory,
            "burden-feedback": burden_feedback,
            "pre-existence": pre_existence,
            "escape-timing": escape_timing,
            "jackpots": jackpots,
            "tails-by-events": tails_by_events,
            "fluctuation-counts": fluctuation_counts,
            "later-peak": later_peak,
            "construct-outcomes": construct_outcomes,
            "second-antigen": second_antigen,
            "weak-arm": weak_arm,
            "phase-diagram": phase_diagram,
            "relapse-race": relapse_race,
            "aplasia-predictor": aplasia_predictor,
            "unfitted-cohorts": unfitted_cohorts,
            "antigen-coverage": antigen_coverage,
            "mixture-courses": mixture_courses,
            "bystander-chances": bystander_chances,
            "published-tumours": published_tumours,
            "scenario-choices": scenario_choices,
            "scenario-outcome": scenario_outcome,
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
            "endpoint-sizes": endpoint_sizes,
            "endpoint-power": endpoint_power,
            "endpoint-choice": endpoint_choice,
            "engager-levels": engager_levels,
            "engager-cycles": engager_cycles,
            "engager-hook": engager_hook,
            "engager-phenotype": engager_phenotype,
            "protocol-open-points": protocol_open_points,
            "protocol-choices": protocol_choices,
            "trial-denominators": trial_denominators,
            "exact-tails": exact_tails,
            "untested-relapses": untested_relapses,
            "dose-rules": dose_rules,
            "dose-selection": dose_selection,
            "dose-optimum": dose_optimum,
            "cure-plateau": cure_plateau,
            "late-separation": late_separation,
            "event-clock": event_clock,
            "competing-states": competing_states,
            "one-minus-km": one_minus_km,
            "gray-mirage": gray_mirage,
            "immortal-time": immortal_time,
            "second-infusion-arm": second_infusion_arm,
            "estimand-table": estimand_table,
            "saw-tooth": saw_tooth,
            "response-and-later": response_and_later,
            "historical-control": historical_control,
            "looks-price": looks_price,
            "shared-control": shared_control,
            "wrong-history": wrong_history,
        }
    )


class _Drawn(Mapping[str, Drawing]):
    """Figures at their defaults by slug, each drawn when it is first asked for."""

    def __init__(self) -> None:
        self._drawn: dict[str, Drawing] = {}

    def __getitem__(self, slug: str) -> Drawing:
        if slug not in self._drawn:
            self._drawn[slug] = builders()[slug]()
        return self._drawn[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(builders())

    def __len__(self) -> int:
        return len(builders())


@cache
def registry() -> Mapping[str, Drawing]:
    """Return every figure of the book at its defaults, by slug, drawn when it is asked for."""
    return _Drawn()
