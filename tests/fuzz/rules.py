"""What each argument of the package means, and what comes out of which function.

A rule is found by the argument's full name, such as ``growth.no_living_mutant.size``; the first
pattern that matches the end of the name counts. An argument without a rule is an error, so that
a new function cannot stay out of the fuzz.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import car_relapse as cr
from car_relapse import (
    calibration,
    celltypes,
    evidence,
    feedback_ode,
    followup,
    glioblastoma,
    incidence,
    quadrature,
    summary,
)
from car_relapse.attribution import attribution
from car_relapse.patient_lines import patient_lines
from car_relapse.published import (
    bozic2013,
    carrgo2020,
    cartmath2021,
    kara2024,
    kimmel2021,
    leontriana2020,
    leontriana2021,
)

from . import builders
from .draws import (
    Context,
    Draw,
    between,
    counts,
    day,
    fraction,
    level,
    maybe,
    one_of,
    part,
    population,
    positive_day,
    rate,
    rate_or_none,
    rising,
    row,
    schedule,
    several,
    table,
    varying_rate,
    whole,
)

# What belongs to trials is in modules of its own, one for each topic, each with RULES, PRODUCERS
# and RESULTS. They name their module in every pattern, and come first.
_TRIAL = [
    importlib.import_module(f"{__package__}.{module.name}")
    for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    if module.name.startswith("rules_trial_")
]

RULES: list[tuple[str, Draw]] = [rule for module in _TRIAL for rule in module.RULES]


def _rules(draw: Draw, *patterns: str) -> None:
    RULES.extend((pattern, draw) for pattern in patterns)


# There are more patterns than `re` remembers, and it would compile nearly all of them each time.
@cache
def _at_the_end(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(^|\.){pattern}$")


@cache
def find(name: str) -> Draw | None:
    """Return how to draw the argument of this full name."""
    for pattern, draw in RULES:
        if _at_the_end(pattern).search(name):
            return draw
    return None


# First, because rates have other rules.
_rules(between(1e-3, 1.0, 0.0), r"(Engager|Kimmel)Population\.(?!exposure)\w+", r"\w+_log_sd")

# One number where others of that name may be arrays.
_rules(day, r"two_types\.TwoTypes\.(escaped_probabilities|generating_function)\.days",
       r"growth_sampling\.sample_two_types\.days")  # fmt: skip
_rules(lambda c: (int(c.pick(0, 1, 1000)), int(c.pick(0, 1))), r"sample_two_types\.start")
_rules(lambda c: c.make("FeedbackStart"), r"solve_feedback\.start")
_rules(lambda c: int(population(c)), r"growth_sampling\.sample_\w+\.size")
_rules(day, r"sample_lines\.days")
_rules(whole(1, 9), r"staged_cycle\.\w+\.stages", r"sample_lines\.n")
_rules(varying_rate, r"staged_survival\.death_rate")
# Several arguments that hang together are drawn at once: "name()" stands for all of them.
_rules(builders.leukaemia, r"Leukaemia\(\)")
_rules(builders.detection, r"Detection\(\)")
_rules(builders.losses, r"Losses\(\)")
_rules(builders.two_losses, r"double_loss_lines\w*\.losses")
_rules(builders.scenario, r"Scenario\(\)")
_rules(one_of("", "version = 1", "x", cr.Scenario().to_text()), r"parse_scenario\.text")
_rules(one_of("mine.toml"), r"parse_scenario\.source")
_rules(builders.patient, r"Patient\(\)")
_rules(builders.gate, r"Therapy\.gate")
for _kind in (
    bozic2013.BozicParameters,
    carrgo2020.CarrgoParameters,
    cartmath2021.CartmathParameters,
    kara2024.KaraParameters,
    kimmel2021.KimmelParameters,
    leontriana2020.LeukaemiaParameters,
    leontriana2021.SingleParameters,
    leontriana2021.DualParameters,
):
    _rules(builders.near_defaults(_kind), rf"{_kind.__name__}\(\)")


# Numerical plumbing gets what the layers above it have checked.
_rules(one_of(lambda days: np.exp(-days)), r"crossing\.\w+\.curve")
_rules(lambda c: np.array([0.0, 0.1, 2.0]), r"search_last_day\.corners", r"last_crossing\.days")
_rules(one_of(100.0), r"search_last_day\.far")
_rules(one_of(0.5), r"crossing\.\w+\.level")
_rules(lambda c: np.array([0.0, 1.0, 5.0]), r"quadrature\.panels\.edges")
_rules(lambda c: c.rng.random((2, 8)), r"quadrature\.Panels\.\w+\.values")

_rules(builders.five_curves, r"(engine|history)\.\w+\.curve")
_rules(lambda c: c.make("Leukaemia"), r"history\.\w+\.rates")
_rules(between(1e-6, 1.0), r"line_history\.engagement")
_rules(lambda c: (1.0, 0.5), r"line_panels\.engagement")
_rules(whole(1, 4), r"line_history\.refine")
_rules(one_of(None), r"line_history\.rule", r"sample_course\.laws")
_rules(lambda c: calibration.ledger_values(), r"calibration\.fit\.start")

# Words and choices.
_rules(one_of("size", "time"), r"fixed")
_rules(one_of("variance", "sd"), r"stein_population\.reading")
_rules(one_of("nested", "as printed", "corrected"), r"failure_probability\.law")
_rules(one_of("alive", "for ever"), r"full_loss_lines\.lasting")
_rules(one_of(*cr.Outcome), r"outcomes\.Cohort\.\w+\.outcome")
_rules(one_of("stein.memory_rate", "no.such.key"), r"parameters\.(default|parameter)\.key")
_rules(row(one_of("stein.memory_rate", "killing.maximal_rate", "no.such.key"), 0, 2),
       r"symbol_table\.keys")  # fmt: skip
_rules(lambda c: {"m": ("loss events", c.pick("$u N/s$", c.log_uniform(1e-12, 1e13)), "none")},
       r"symbol_table\.computed")  # fmt: skip
_rules(one_of("auto3_amelia", "nobody"), r"landmarks_of\.trial_key")
_rules(one_of("EFS", "OS", "?"), r"landmarks_of\.endpoint")
_rules(lambda c: c.pick(*evidence.trials().values()), r"relapse_split\.trial")
_rules(table("parameters"), r"read_ledger\.stream")
for _name in ("trials", "kinetics", "landmarks", "mechanisms"):
    _rules(table(_name), rf"read_{_name}\.stream")

_rules(one_of(0), r"Expected\.\w+")
_rules(whole(1, 6), r"check_antigens\.antigens")
_rules(whole(0, 5), r"reversible\.antigen", r"Plasticity\.of\.antigen")
_rules(one_of("switch_off", "switch_on", "stripping", "fitness_cost"), r"Plasticity\.of\.name")
_rules(builders.plasticity, r"Plasticity\(\)")
_rules(row(several(fraction), 1, 6), r"\w+Gate\.fraction\.engagement")
_rules(whole(0, 2), r"Courses\.course\.index")
_rules(builders.cells_of_types, r"CellTypes\.mean_expansion\.cells")
_rules(builders.line_fates, r"line_fates\(\)")
_rules(builders.path_fates, r"path_fates\(\)")
_rules(lambda c: {"remedy": "mend it", "a": several(part)(c), "b": several(part)(c)},
       r"require_broadcast\(\)")  # fmt: skip
_rules(whole(1, 6), r"\w+Gate\.reads\.antigens")
_rules(several(fraction), r"\w+Gate\.fraction\.veto")
_rules(fraction, r"veto")
_rules(whole(0, 5), r"proportions\.\w+\.count")
_rules(whole(6, 60), r"proportions\.\w+\.total")
_rules(part, r"proportions\.\w+\.level")
_rules(builders.feedback_run, r"sample_feedback\(\)")
_rules(one_of(lambda day: 0.1), r"Prescribed\.rate")
_rules(one_of(0.01, 1e-6), r"safe_number\.error")
_rules(one_of(0), r"tumour_types\.product")
_rules(between(1e-13, 1e-9, 0.0), r"tumour_types\.crowding")
_rules(part, r"estimate_interval\.level")
_rules(builders.healthy, r"HealthyTissue\(\)")
_rules(builders.patient_batch, r"relapse_lines_batch\(\)")
_rules(lambda c: builders.therapy(c, 1), r"toxicity\.\w+\.(product|therapy)")

# The checks themselves.
_rules(several(one_of(0.0, 1.0, 0.5)), r"errors\.require_(finite|fraction|non_negative)\.value")
_rules(several(one_of(1.0, 1e-300)), r"errors\.require_positive\.value")
_rules(whole(3, 9), r"errors\.require_count\.(value|maximum)")
_rules(whole(0, 3), r"errors\.require_count\.minimum")
_rules(one_of(0.5, "word"), r"errors\.require_instance\.value")
_rules(one_of(float), r"errors\.require_instance\.kind")
_rules(one_of("a word"), r"errors\.require_\w+\.(name|remedy)")

_rules(one_of(65_536, 1, 1000), r"mutant_quantile\.largest")

# Counts.
_rules(whole(1, 60), r"cohort\.simulate\.n", r"simulate_range\.(start|stop)")
_rules(one_of(0, 7, 2**63, 2**128), r"seed")
_rules(whole(0, 9), r"cohort\.stream\.block", r"transition_probability\.(start|end)")
_rules(one_of(1, 128, 10**9), r"(simulate|iter_cohorts)\.chunk")
_rules(one_of(8, 16), r"calibration\.fit\.n", r"calibration_points\.points\.n")
_rules(whole(1, 200), r"n", r"mutant_\w+\.(largest|number)", r"\w+_(probabilities|tails)\.largest")
_rules(whole(1, 40), r"\w+_bins\.count")
_rules(whole(1, 4), r"failure_probability\.lesions")
_rules(one_of(1, 2, 50, 10**6, 10**12), r"RelapseTime\.lines")
_rules(counts, r"estimate_(events|interval)\.counts")
_rules(several(one_of(0, 1, 1000, 10**13)), r"leap\.cells")

# Probabilities and parts.
_rules(part, r"mutant_quantile\.probability", r"SteinExposure\.memory_fraction",
       r"leontriana2021\.\w+\.remaining", r"cure_day_quantile\.probability")  # fmt: skip
_rules(several(part), r"(DensityDistribution|RelapseTime)\.quantile\.probability",
       r"first_loss_day\.probability", r"lines_for_fraction\.fraction",
       r"lowest_concentration\.fraction")  # fmt: skip
_rules(
    between(1e-15, 0.4, 0.0),
    r"(line_history|sample_fates|no_loss_yet|first_loss_day|TwoTypes|no_event_before_size)\.loss",
)
_rules(several(fraction), r"generating_function\.\w+", r"no_living_mutant\.survival",
       r"(no_(living_mutant|surviving_line)|expected_surviving_lines)\.loss",
       r"divisions_per_line\.survival", r"no_resistant_cell\.death_ratio",
       r"gates\.and_not_gate\.(target|veto)")  # fmt: skip
_rules(row(several(fraction)), r"gates\.\w+_gate\.engagement")
_rules(fraction, r"survival", r"death_ratio", r"CloneLaw\.(detection|initial_fraction)",
       r"bioavailability", r"kara2024\.solve\.positive_fraction")  # fmt: skip
_rules(between(1e-3, 1e3), r"CloneLaw\.relative_growth")
_rules(several(between(1e-3, 1e3, 1.0)), r"no_resistant_cell\.relative_growth")
_rules(several(between(1e-9, 1e4, 0.0)), r"no_resistant_cell\.events")
_rules(between(1e-9, 1e4, 0.0), r"events")

# Times.
_rules(several(day), r"RelapseTime\.cdf\.day", r"no_loss_yet\.day", r"\w+Exposure\.\w+\.day",
       r"Therapy\.killing_rate\.day", r"Cohort\.\w+\.days", r"constant_rate_law\.days")  # fmt: skip
_rules(rising(day, 2), r"time_dependent_laws\.days")
_rules(lambda c: [0.0, *rising(positive_day)(c)], r"course\.\w+\.days")
_rules(rising(day), r"days", r"times", r"\w+\.kinks")
_rules(day, r"day", r"start", r"stop", r"until", r"by_day", r"dose_day")
_rules(positive_day, r"first_day", r"duration", r"peak_day")

# Rates.
_rules(varying_rate, r"time_dependent_laws?\.(birth|death)_rate")
_rules(several(rate_or_none), r"branching\.(constant|extinction)\w+\.(birth|death)_rate",
       r"switching\.\w+\.\w+")  # fmt: skip
_rules(row(several(rate_or_none), 2, 2), r"gates\.cocktail\.killing_rate")
_rules(row(several(fraction), 2, 2), r"gates\.cocktail\.engagement")
_rules(one_of(1e-12, 1e-6), r"rtol")
_rules(rate_or_none, r"death_rate")
_rules(maybe(rate), r"absorption_rate")
_rules(several(rate_or_none), r"\w*Killing\.elasticity\.rate")
_rules(rate, r"rate_per_level", r"\w+_rate", r"level_for\.rate", r"Infusion\.rate",
       r"Therapy\.last_day_above\.rate", r"Transplant\.rate", r"net_rate")  # fmt: skip

# Sizes, levels, densities.
_rules(several(population), r"no_(living_mutant|surviving_line)\.size", r"divisions_per_line\.size",
       r"antigen_positive_probability\.burden", r"LineLaw\.probability\.size")  # fmt: skip
_rules(lambda c: np.array([population(c) for _ in range(5)]), r"sample_fates\.burden")
_rules(population, r"size", r"burden", r"RelapseTime\.detection", r"capacity",
       r"cartmath2021\.\w+\.(remaining|lowest|highest)",
       r"dose_threshold\.(lowest|highest)")  # fmt: skip
_rules(several(level), r"last_day_above\.level", r"\w*Killing\.rate\.level",
       r"Response\.at\.density", r"fraction_below\.threshold", r"\w+\.concentration",
       r"surviving_fraction\.exposure", r"sample_surviving_mass\.lines",
       r"antigen_positive_probability\.log_hazard")  # fmt: skip
_rules(level, r"half_level", r"half_density", r"median", r"clearance", r"\w+_volume", r"exchange",
       r"amount", r"mass", r"\w+_constant", r"peak_level", r"kara2024\.response\.volume",
       r"carrgo2020\.solve\.(tumour|car)", r"RelapseProbabilities\.\w+_lines")  # fmt: skip
_rules(between(0.1, 50.0, 1e-6, float("inf")), r"hill")
_rules(lambda c: tuple(c.log_uniform(1e-3, 3.0) for _ in range(6)), r"SteinPopulation\.log_sd")
_rules(between(1e-3, 3.0, 0.0), r"log_sd", r"burden_log10_sd")
_rules(between(1.001, 1e6), r"SteinExposure\.fold", r"progression_day\.growth")
_rules(schedule(population), r"cartmath2021\.\w+\.(doses|challenges)")
_rules(schedule(level), r"kara2024\.solve\.doses")

# What trials see.
_rules(builders.follow_up, r"FollowUp\(\)")
_rules(builders.followed, r"aalen_johansen\(\)")
_rules(builders.event_times, r"kaplan_meier\(\)")
_rules(several(one_of(0.0, 0.5, 3.0)), r"incidence\.Incidence\.\w+\.times")
_rules(one_of(1, 2), r"incidence\.Incidence\.\w+\.cause")
_rules(part, r"incidence\.Incidence\.\w+\.level", r"Transplant\.share")
_rules(row(one_of(*followup.Cause)), r"followup\.Observed\.\w+\.causes")

# Models with feedback, near the typical patient.
_rules(builders.near_fields(feedback_ode.typical_feedback), r"FeedbackParameters\(\)")
_rules(builders.near_fields(feedback_ode.typical_start), r"FeedbackStart\(\)")
_rules(builders.batch, r"solve_batch\(\)")
_rules(lambda c: np.log([[level(c)] for _ in range(5)]), r"feedback_slope\.log_cells")
_rules(lambda c: feedback_ode.typical_feedback().columns(), r"feedback_slope\.parameters")
_rules(one_of(0.0, 1e-3), r"solve_feedback\.atol")

# Calibration.
_rules(builders.patients, r"expected_relapses\.patients", r"Patients")
_rules(builders.points, r"calibration\w*\.\w+\.at", r"calibration\w*\.Model\.\w+\.at")
_rules(
    lambda c: (c.pick("loss", "common_mode", "half_level"),), r"calibration\.fit\.(free|profiles)"
)
_rules(one_of("loss", "common_mode"), r"calibration\.profile\.name")
_rules(one_of([1e-12], [1e-13, 1e-11]), r"calibration\.profile\.values")
_rules(builders.calibrated, r"calibration\.profile\.calibration")
_rules(lambda c: c.rng.random(4), r"escaped_mass_cdf\.\w+")
_rules(several(between(1e-12, 1e9, 0.0)), r"surviving_lines_cdf\.\w+")
_rules(
    between(1e-15, 1e-3), r"calibration\w*\.Model\.(loss|common_mode)", r"expected_relapses\.loss"
)
_rules(between(1e-3, 3.0), r"calibration\w*\.Model\.\w+_sd")
_rules(between(1.01, 100.0), r"calibration\w*\.Model\.turnover")
_rules(one_of(3.84, 1e-3, 100.0), r"calibration\.Profile\.interval\.value")
_rules(between(0.1, 120.0), r"Landmark\.month")
_rules(part, r"Landmark\.relapse_free")
_rules(builders.interval, r"effective_patients\(\)")
_rules(between(1.0, 1e4), r"RelapseFreeCurve\.patients")
_rules(whole(0, 99), r"PhenotypeCounts\.(antigen_\w+|lineage_switch)")
_rules(maybe(whole(300, 999)), r"PhenotypeCounts\.infused")
_rules(day, r"response_day")
_rules(
    lambda c: tuple(c.make("calibration_data.Landmark") for _ in range(2)),
    r"RelapseFreeCurve\.landmarks",
)

# Gates of products, and antigens.
_rules(one_of(1, 2, 6), r"or_gate_engagement\.antigens")
_rules(builders.two_products, r"therapy\.sequential\(\)")
_rules(lambda c: [builders.therapy(c, 1) for _ in range(2)], r"therapy\.cocktail\.given")
_rules(lambda c: (builders.therapy(c, 1),), r"therapy\.products\.therapy")
_rules(lambda c: (1.0, c.rng.random()), r"bicistronic\.arms")
_rules(one_of(None), r"AntigenDensities\.correlation")
_rules(whole(1, 8), r"AntigenDensities\.bins")
_rules(one_of("gauss-hermite", "equal probability", "log"), r"AntigenDensities\.rule")

_rules(one_of([0.5, 0.5], [1.0]), r"sample_mixture\.fractions")
_rules(maybe(whole(1, 50)), r"sample_two_types\.steps")
_rules(one_of(1, 2), r"(least_lost|remainder)\.relapse_class")
_rules(one_of(0), r"Regrowth\.product")
_rules(population, r"Regrowth\.cells")

# Mixtures, bystanders, and healthy B cells.
_rules(row(fraction, 1, 6), r"mixture\.\w+\.missing")
_rules(fraction, r"mixture\.\w+\.(overlap|share)", r"BystanderGate\.share")
_rules(builders.gate, r"BystanderGate\.gate")
_rules(one_of(False, True), r"BystanderGate\.beside_only")
_rules(whole(1, 6), r"typical_glioblastoma\.antigens")
_rules(maybe(whole(1, 20)), r"glioblastoma\.\w+\.doses")
_rules(maybe(fraction), r"typical_glioblastoma\.\w+")
_rules(lambda c: glioblastoma.typical_glioblastoma(c.pick(1, 3)), r"bystanders_until\.patient")
_rules(between(1.0, 300.0), r"bystanders_until\.day")
_rules(builders.five_curves, r"b_cell_return\.curves")
_rules(maybe(part), r"aplasia\.\w+\.share")

# Populations.
_rules(builders.population_of_patients, r"Population\(\)")
_rules(builders.subgroup, r"Subgroup\(\)")
_rules(one_of((), (("birth_rate", "loss", 0.5),)), r"Spread\.correlation")
_rules(between(1e-3, 2.0, 0.0), r"Spread\.\w+")
_rules(one_of(0), r"\w+\.one\.index")
_rules(one_of(None), r"cohort\.simulate\.(client|workers)")
_rules(one_of(None, "kept"), r"cohort\.simulate\.checkpoint")

_rules(lambda c: None, r"therapy\.\w+\.arms")
_rules(one_of(None, None, (0,), (1, 0), (0, 2, 5)), r"\w+Gate\.antigens")
_rules(one_of(None, None, (0.5,), (1.0, 1e-300), (0.0, 1.0)), r"\w+Gate\.arms")
_rules(one_of(0, 0, 1, 5), r"\w+Gate\.antigen")
_rules(between(1.0, 50.0), r"synergy")
_rules(one_of("stanford_adult_1922_ball", "wangt2023_coadmin"), r"same_patients\.trial_key")
_rules(one_of("trials", "kinetics"), r"dictionary\.columns\.table")
# Longer paths of six antigens take minutes, as the docstring says.
_rules(one_of(1, 2, 3), r"attribution\.attribution\.longest")

# Products and schedules.
_rules(builders.table_of_levels, r"TableExposure\(\)")
_rules(builders.table_file, r"read_exposure_table\.path")
_rules(one_of("decline", "constant", "zero"), r"after")
_rules(one_of("zero", "constant", None), r"before")
_rules(builders.summed, r"SummedExposure\.parts")
_rules(one_of("cells", "cells/µl"), r"unit")
_rules(whole(0, 2), r"exposure_kimmel\.\w+\.(exposure\.)?index")
_rules(day, r"delay", r"end")
_rules(level, r"factor")
_rules(lambda c: None, r"repeated_exposure\.factors")
_rules(one_of("exposure"), r"require_(exposure|spread)\.name")
_rules(between(1e-3, 9.0, 0.0), r"require_spread\.value")
_rules(lambda c: c.make("SteinExposure"), r"require_exposure\.value")
_rules(schedule(level), r"infusion_steps\.steps")
_rules(positive_day, r"injection_series\.every")
_rules(
    whole(1, 30),
    r"injection_series\.count",
    r"blinatumomab_exposure\.cycles",
    r"elranatamab_exposure\.weeks",
)
_rules(day, r"injection_series\.first")

# Cohorts that are not kept.
_rules(one_of(None), r"stream_summary\.(client|progress)")
_rules(one_of(False), r"progress")
_rules(whole(0, 2), r"Patients\.block\.first")
_rules(whole(1, 3), r"Patients\.block\.last")
_rules(one_of(128, 1280), r"stream_summary\.chunk")
_rules(one_of(*cr.Outcome), r"Summary\.\w+\.outcome")

_rules(builders.clone_law, r"\.law")

#: Classes that only functions make, and how the fuzz comes by one; None: it holds numbers, and no
#: method needs one.
PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "calibration.Profile": lambda c: calibration.Profile(
        name="loss", value=np.array([1e-13, 1e-12, 1e-11]), rise=np.array([9.0, 0.0, 9.0])
    ),
    "calibration_points.Patients": builders.patients,
    "summary.Summary": lambda c: summary.summarise(builders.cohort(c), [0.0, 28.0, 365.0]),
    "branching.LineLaw": builders.line_law,
    "line_law.LineLaw": builders.line_law,
    "exponents.LinesAtInfusion": lambda c: patient_lines(c.make("Patient")),
    "survival.RelapseProbabilities": lambda c: cr.relapse_probabilities(c.make("Patient")),
    "attribution.Attribution": lambda c: attribution(c.make("Patient"), longest=c.pick(1, 2, 3)),
    "survival_batch.BatchLines": lambda c: cr.relapse_lines_batch(c.make("Patient"), burden=[9e9]),
    "feedback_types.TumourTypes": builders.tumour_types,
    "celltypes.CellTypes": lambda c: celltypes.cell_types(c.make("Patient")),
    "course.Courses": builders.courses,
    "schedule.Schedule": lambda c: builders.line_fates(c)["schedule"],
    "engagement.DensityBins": builders.bins,
    "followup.Observed": builders.observed,
    "incidence.Incidence": lambda c: incidence.aalen_johansen(**builders.followed(c)),
    "outcomes.Cohort": builders.cohort,
    "quadrature.Panels": lambda c: quadrature.panels(np.array([0.0, 1.0, 5.0])),
} | {name: draw for module in _TRIAL for name, draw in module.PRODUCERS.items()}

#: Classes that are filled by functions of the package alone, and not by users.
RESULTS = re.compile(
    r"(dictionary\.Column|LineLaw|LinesAtInfusion|Founders|LossPath|Attribution|BatchLines|TumourTypes|LineRates|Batch|Courses|CourseLaws|StepLaws|CellTypes|DensityGroups|DensityBins|Panels|LineHistory|\w*Course|outcomes\.Cohort|Equilibrium"
    r"|RelapseProbabilities|Expected|Prediction|course\.Courses|Summary|calibration\.(Calibration|Interval|Profile)|calibration_points\.(Points|Patients)|followup\.Observed|Incidence|FeedbackCohort|FeedbackCourses|records\.\w+|parameters\.Parameter|symbols\.\w+|\w+Estimate)$"
    + "".join(rf"|({pattern})$" for module in _TRIAL for pattern in module.RESULTS)
)

#: What is not called, and why.
LEFT_OUT = re.compile(
    "|".join(
        rf"^({names})"
        for names in (
            # They start processes or print; their own tests look at what goes wrong there.
            r"workers\.|progress\.|scaleout\.(reduce_on|simulate_on|simulate_in_processes)$",
            # They read and write files of the package, whose format has tests of its own.
            r"checkpoint\.|calibration_table\.|scenario\.(read|write)_scenario$",
            r"design\.(command\.|report\.|scenario_file\.read_trial$)|protocol\.drafting\.save$",
            # Minutes for one answer.
            r"calibration_prediction\.predict$",
            # Steps of an algorithm: what they are given is the result of the step before, was
            # checked, and is reached through relapse_probabilities, relapse_lines_batch,
            # sample_courses and simulate, which the fuzz calls with the most extreme patients.
            r"(lines|line_rates|schedule|exponents|batch_panels|hypergeometric"
            r"|dense|intervals|course_laws|type_leaps|growth_sampling\.grow_types"
            r"|leaps\.refuse_overflow|crossing|quadrature"
            r"|corner_panels|engine|history|presentation|shared_killing|unequal_killing"
            r"|feedback_types\.\w+\.(advance|killing|start))(\.|$)",
            # Steps of Population.sample, which the fuzz calls.
            r"spread\.correlation_root|exposure\.one_peak|curve_samplers\.(draw_curves|one_exposure)"
            r"|curve_samplers\.(ScaledCurves|CurveList)|kimmel_population\.KimmelCurves"
            r"|\w+\.\w+Population\.(possible|curves)$",
            # Many trials at once, where NaN marks a trial without an answer. The functions of one
            # trial, which are called, compute by them and say why there is none.
            r"trial\.competing_risks\.(risk_sets|rank_tests|gray|curves|estimates)\.",
            # Seconds for one patient; sample_courses is called with the most extreme ones.
            r"course_cohort\.",
        )
    )
)

#: How often a function is called, against 1 for most: the costly less, the central more often.
SLOW: dict[str, float] = {
    r"^calibration\.(fit|profile)$": 0.1,
    r"^(leontriana|kimmel|cartmath|kara|carrgo)\w+\.[a-z]": 0.5,
    r"survival\.relapse_probabilities$": 2.0,
    # Most drawn arguments contradict each other and are refused: more, for some that are not.
    r"^line_law\.LineLaw\.probability$": 2.0,
    r"^exposure_kimmel\.ProductExposure$": 1.5,
    # Each case solves equations, or draws a population, before the function is called at all.
    r"^(exposure_kimmel|exposure_products|engager|engager_dosing|curve_samplers)\.": 0.4,
    r"^(attribution|calibration_model|celltypes|cohort|course|densities|feedback\w*)\.": 0.4,
    r"^(glioblastoma|kimmel_population|patient_lines|scaleout|survival_batch|therapy)\.": 0.4,
    r"^protocol\.": 0.4,
}

#: Arguments that are no business of users, or functions of time.
NEVER_SPOILT = re.compile(
    r"^(quadrature|engine|history|crossing)\.|feedback_slope|\.slope$|time_dependent_laws?\.(birth|death)_rate$|\.rtol$"
    r"|errors\.\w+\.(name|remedy|minimum|maximum|scalar|kind)$"
)
#: Optional arguments that are always given: the default is a computation of half a minute.
ALWAYS_DRAWN = re.compile(r"^calibration\.fit\.n$")
#: Arguments that are unused in some cases, and whole numbers of any size that only have an end.
MAY_BE_IGNORED = re.compile(r"errors\.require_instance\.value|errors\.\w+\.scalar|\.chunk$")

#: Whole numbers of any size.
ANY_SIZE = re.compile(r"\.seed$")
#: Arguments that may be complex.
COMPLEX = re.compile(r"generating_function\.(targeted|escaped)$")
#: Arguments of which each entry is a number or an array: lists of unequal lengths are welcome.
ROWS = re.compile(r"Gate\.fraction\.engagement$|gates\.cocktail\.\w+$")

#: Results that may be negative whole numbers: the answer that a trial must wait.
SIGNED = re.compile(r"\.next_level$")

#: Results that are probabilities or shares, by the names of functions, properties and fields.
#: Arms of a SumGate add up, an OrGate may have synergy, and bystanders keep what these give: those
#: fractions may exceed 1.
PROBABILITY = re.compile(
    r"(?<!lines_for_)(probability|probabilities|\w*_probability\w*|extinct|geometric_parameter|(?<!Parameters\.treated_)survival|cdf|no_\w+|(?<!OrGate\.)(?<!SumGate\.)(?<!BystanderGate\.)fraction(_below)?|low_fraction"
    r"|antigen_(positive|negative)|preexisting|acquired|cure|only_\w+|both|share|relapse_free"
    r"|cumulative_incidence|and(_not)?_gate|relative|weight|mean_response|Response\.at"
    r"|transition_matrix|mutant_(probabilities|tail)|clone_probabilities|eradication\w*)$"
)


def weight(name: str) -> float:
    """Return how often a function is called, against 1 for most."""
    return next((w for pattern, w in SLOW.items() if re.search(pattern, name)), 1.0)
