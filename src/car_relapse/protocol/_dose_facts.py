"""The numbers of a protocol on dose, stopping for toxicity, and manufacture."""

from __future__ import annotations

from car_relapse.errors import ParameterError
from car_relapse.protocol._printed import percent
from car_relapse.protocol.choices import Choices
from car_relapse.trial.dose import Apheresis, exact_characteristics

__all__ = ["dose_values", "manufacture_values", "stopping_values"]


def dose_values(choices: Choices) -> dict[str, str]:
    """Return what the design for the dose decides, and what it does."""
    design = choices.dose
    found = exact_characteristics(
        design, choices.toxicity, cohorts=choices.cohorts, cohort_size=choices.cohort_size
    )
    values = {
        "dose_design": {"I3Plus3": "i3+3", "MTPI": "mTPI", "MTPI2": "mTPI-2"}.get(
            type(design).__name__, type(design).__name__
        ),
        "dose_target": percent(design.target),
        "dlt_window": f"{choices.window_days} days",
        "dose_cohort": f"{choices.cohort_size}",
        "dose_most": f"{choices.cohorts * choices.cohort_size}",
        "dose_patients": f"{found.patients:.1f}",
        "dose_none": percent(float(found.selected[0]), 1),
    }
    at = [choices.cohort_size * k for k in range(1, choices.cohorts + 1)]
    for number, row in enumerate(design.table(at), 1):
        values[f"dose_n_{number}"] = f"{row.patients}"
        for name, limit in (
            ("up", row.escalate), ("down", row.deescalate), ("never", row.eliminate),
        ):  # fmt: skip
            values[f"dose_{name}_{number}"] = "no number" if limit is None else f"{limit}"
    for level, toxicity in enumerate(choices.toxicity, 1):
        values |= {
            f"dose_level_{level}": f"{level}",
            f"dose_assumed_{level}": percent(toxicity),
            f"dose_chosen_{level}": percent(float(found.selected[level]), 1),
            f"dose_treated_{level}": f"{found.treated[level - 1]:.1f}",
        }
    return values


def stopping_values(choices: Choices, at: tuple[int, ...]) -> dict[str, str]:
    """Return the stopping rule at its looks, and what it does."""
    rule = choices.stopping
    if not at:
        raise ParameterError(
            f"stopping_looks begins at {choices.stopping_looks[0]}; the arms of this trial are "
            "smaller; look earlier, or plan more patients"
        )
    values = {
        "stop_limit": percent(rule.limit),
        "stop_cutoff": percent(rule.cutoff),
        "stop_prior": f"Beta({rule.prior[0]:g}, {rule.prior[1]:g})",
        "stop_at_limit": percent(rule.characteristics(rule.limit, at).stop_by_end, 1),
        "stop_at_half": percent(rule.characteristics(rule.limit / 2, at).stop_by_end, 1),
    }
    for number, (n, events) in enumerate(zip(at, rule.boundary(at), strict=True), 1):
        values[f"stop_at_{number}"] = f"{n}"
        values[f"stop_events_{number}"] = "no number" if events is None else f"{events}"
    return values


def manufacture_values(choices: Choices, infused: int) -> dict[str, str]:
    """Return how many must be randomised for a number to be counted."""
    needed = Apheresis(evaluable=infused, success=choices.made)
    most = needed.quantile(choices.made_sure)
    return {
        "made": percent(choices.made),
        "made_sure": percent(choices.made_sure),
        "randomised": f"{most:,}",
        "randomised_mean": f"{needed.mean:,.0f}",
    }
