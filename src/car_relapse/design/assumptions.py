"""What a plan rests on: the scenario's own assumptions, the engine's parameters, and the design's.

Each has a certainty (measured, fitted or assumed) and, where the parameter table or the scenario
names one, a DOI. Nothing is cited that neither names.
"""

from __future__ import annotations

from collections.abc import Iterator

from car_relapse.design.arm_sections import ArmSection, EngineSection
from car_relapse.design.scenario import TrialScenario
from car_relapse.design.sections import AssumptionSection, cause_name
from car_relapse.errors import require_instance
from car_relapse.parameters import Parameter, ledger

__all__ = ["assumptions"]

# Rows of the parameter table behind each population of the engine.
_SHARED = ("leukaemia.burden", "leukaemia.burden_log10_sd", "killing.maximal_rate")
_FAMILIES = ("stein.", "detection.")
_LEDGER = (
    *("leukaemia.birth_rate", "leukaemia.death_rate", "killing.half_level"),
    *("loss.cd19", "loss.common_mode"),
)
_CALIBRATED = (
    *("calibrated.growth_rate", "calibrated.growth_log_sd", "calibrated.half_level"),
    *("calibrated.loss", "calibrated.common_mode"),
)
# Rows that a key of the file replaces.
_REPLACED = {
    "burden": ("leukaemia.burden",),
    "losses": ("loss.cd19", "calibrated.loss"),
    "common_mode": ("loss.common_mode", "calibrated.common_mode"),
}


def _assumed(what: str) -> AssumptionSection:
    return AssumptionSection(what=what, certainty="assumed")


def assumptions(scenario: TrialScenario) -> tuple[AssumptionSection, ...]:
    """Return everything that a plan assumes, with certainty and sources.

    Parameters
    ----------
    scenario : TrialScenario
        The trial.

    Returns
    -------
    tuple of AssumptionSection
        Those of the scenario first.
    """
    require_instance("scenario", scenario, TrialScenario, "read one with read_trial")
    rows = [*scenario.assumptions, *_of_arms(scenario), *_of_design(scenario)]
    for section in _engines(scenario):
        rows += _of_engine(section)
    # Two arms from one population rest on the same rows.
    return tuple(dict.fromkeys(rows))


def _engines(scenario: TrialScenario) -> list[EngineSection]:
    sections = [scenario.control.from_engine, *(b.from_engine for b in scenario.biologies)]
    return [s for s in sections if s is not None]


def _of_arms(scenario: TrialScenario) -> Iterator[AssumptionSection]:
    control = scenario.control
    stated = control.incidences or control.hazards
    if stated is not None:
        kind = "incidence" if control.incidences is not None else "cumulative hazard"
        parts = ", ".join(f"{cause_name(c).replace('_', ' ')} {x:g}" for c, x in stated.items())
        yield _assumed(
            f"In the arm {control.name}, the {kind} of each cause by month {control.horizon:g} is "
            f"as the scenario file states: {parts}."
        )
    yield _assumed(
        "Each biology of the experimental arm is a supposition of the scenario file: none is more "
        "likely than another."
    )
    if control.frailty is not None:
        yield _assumed(
            f"The hazard of {cause_name(control.frailty.cause).replace('_', ' ')} differs between "
            f"patients, with a standard deviation {control.frailty.log_sd:g} of its logarithm."
        )
    elif control.from_engine is None:
        yield _assumed("All patients of an arm who reach remission have the same hazards.")
    for arm in (control, scenario.experimental):
        yield from _of_arm(arm)


def _of_arm(arm: ArmSection) -> Iterator[AssumptionSection]:
    if arm.response is not None:
        yield _assumed(f"In the arm {arm.name}, a share {arm.response:g} reaches remission.")
    if arm.untested:
        yield _assumed(
            f"In the arm {arm.name}, the antigens of a share {arm.untested:g} of relapses are not "
            "tested, whichever kind they are."
        )
    if arm.visits is not None:
        yield _assumed(f"In the arm {arm.name}, relapse is found at visits in the months "
                       f"{', '.join(f'{v:g}' for v in arm.visits)}.")  # fmt: skip
    if arm.transplant is not None:
        policy = arm.transplant
        yield _assumed(
            f"In the arm {arm.name}, a share {policy.share:g} is transplanted in remission between "
            f"months {policy.first:g} and {policy.last:g}; hazards of relapse are then multiplied "
            f"by {policy.relapse_ratio:g}, and a share {policy.mortality:g} dies of it within "
            f"{policy.mortality_months:g} months."
        )


def _of_design(scenario: TrialScenario) -> Iterator[AssumptionSection]:
    design = scenario.design
    if design.accrual:
        yield _assumed(f"Patients enter evenly over {design.accrual:g} months.")
    else:
        yield _assumed(f"Every patient is followed for {design.follow_up:g} months.")
    if design.lost_per_year:
        yield _assumed(f"A share {design.lost_per_year:g} of patients is lost in a year, at a "
                       "constant hazard that depends on nothing else.")  # fmt: skip
    if any(arm.untested for arm in (scenario.control, scenario.experimental)):
        what = (
            "counted as antigen-positive"
            if design.untested_as == "positive"
            else ("the end of that patient's follow-up")
        )
        yield _assumed(f"A relapse whose antigens nobody tested is {what}.")


def _row_text(row: Parameter) -> str:
    unit = "" if row.unit == "dimensionless" else f" {row.unit}"
    name = row.name[0].upper() + row.name[1:]
    return f"{name}: {row.value:g}{unit} ({row.setting})."


def _of_engine(section: EngineSection) -> Iterator[AssumptionSection]:
    if section.deaths:
        yield _assumed(f"A share {section.deaths:g} would die in remission by the end of "
                       "follow-up; the engine has no such deaths.")  # fmt: skip
    yield _assumed(
        "Remission, relapse and their months come from the engine: "
        f"{section.patients:,} virtual patients of each construct, with the errors that the report "
        "states."
    )
    if section.scenario is not None:
        yield _assumed(f"The construct {section.scenario.name!r} and its patients are those of "
                       "its own file.")  # fmt: skip
        return
    stated = {
        "losses": None if section.losses is None else ", ".join(f"{u:g}" for u in section.losses),
        "common_mode": section.common_mode,
        "shared_defect": section.shared_defect or None,
        "arms": None if section.arms is None else ", ".join(f"{a:g}" for a in section.arms),
        "burden": section.burden,
    }
    said = [f"{name} {value}" for name, value in stated.items() if value is not None]
    yield _assumed(
        f"A {section.construct} product for {' and '.join(section.antigens)}"
        + (f", with {'; '.join(said)} as the scenario file states." if said else ".")
    )
    own = _CALIBRATED if section.population == "calibrated" else _LEDGER
    gone = [key for name, keys in _REPLACED.items() if stated[name] is not None for key in keys]
    table = ledger()
    families = [key for key in table if key.startswith(_FAMILIES)]
    for key in (*_SHARED, *own, *families):
        if key in gone:
            continue
        row = table[key]
        yield AssumptionSection(
            what=_row_text(row),
            certainty=row.certainty,
            doi=row.doi,
        )
