"""Every test of the package keeps its level where nothing differs, or is known not to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from car_relapse.followup import Cause
from car_relapse.trial import competing_risks
from car_relapse.trial.virtual import generate

from .type_one import (
    ALIKE,
    CONTROL,
    KNOWN,
    NEGATIVE,
    PARTS,
    SAME_INCIDENCE,
    Cell,
    as_known,
    cells,
    same_incidence,
)

#: Functions of `competing_risks` that test nothing: curves, estimates, laws of times.
NO_TESTS = {
    "cif", "contrasts", "event_free", "incidences", "median_follow_up", "median_times", "medians",
    "mixture_cure", "naive_cif", "naive_incidences", "restricted_mean", "restricted_means",
    "risk_sets", "survival", "time_law", "turnbull",
}  # fmt: skip
#: Those that test, by how the grid reaches them: through the function beside them.
TESTED = {
    "cif_difference": "incidences", "cox": "hazard_ratios", "ever_never": "transplant_ratios",
    "fine_gray": "fine_gray", "gray_test": "gray_tests", "gray_tests": "gray_tests",
    "hazard_ratios": "hazard_ratios", "landmark": "transplant_ratios", "log_rank": "log_rank",
    "log_rank_tests": "log_rank_tests", "one_sample_log_rank": "one_sample_log_rank",
    "restricted_mean_difference": "restricted_means", "time_dependent": "transplant_ratios",
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_the_level_is_kept_within_four_errors_or_is_the_one_that_is_known(part: str) -> None:
    missed = [cell for cell in cells(part) if not as_known(cell)]
    assert not missed, "\n".join(f"{c.test}, {c.scenario}: {c.share:.4f}" for c in missed)


def test_what_is_known_not_to_hold_is_in_the_grid_and_truly_does_not() -> None:
    grid = {(cell.test, cell.scenario): cell for part in PARTS for cell in cells(part)}
    assert len(grid) > 100
    assert set(KNOWN) <= set(grid)
    for key, row in KNOWN.items():
        error = math.sqrt(grid[key].level * (1 - grid[key].level) / row.trials)
        assert abs(row.measured - grid[key].level) > 4 * error, key
        assert row.reason


def test_every_function_that_tests_is_in_the_grid() -> None:
    functions = {name for name in competing_risks.__all__ if name[0].islower()}
    assert functions == NO_TESTS | set(TESTED)


def test_the_trials_of_one_incidence_have_it_and_other_hazards() -> None:
    twin = SAME_INCIDENCE["same incidence, other hazards"].arms[1].biology
    months = np.linspace(0.5, 24.0, 60)
    row = CONTROL.causes.index(NEGATIVE)
    other = twin.causes.index(NEGATIVE)
    gap = np.abs(twin.incidence(months)[other] - CONTROL.incidence(months)[row])
    assert gap.max() < 2e-4
    positive = CONTROL.causes.index(Cause.ANTIGEN_POSITIVE)
    again = twin.causes.index(Cause.ANTIGEN_POSITIVE)
    assert twin.incidence(24.0)[again] > 1.5 * CONTROL.incidence(24.0)[positive]
    assert twin.cumulative_hazard(24.0)[other] > 1.1 * CONTROL.cumulative_hazard(24.0)[row]
    plain = same_incidence(CONTROL, 1.0)
    assert plain.incidence(24.0)[0] == pytest.approx(0.25, abs=1e-9)
    assert plain.cumulative_hazard(24.0)[0] == pytest.approx(CONTROL.cumulative_hazard(24.0)[row])


def test_cox_by_efron_rejects_where_the_ratios_of_many_trials_do_when_no_times_tie() -> None:
    """The grid holds the latter; the former takes one data set at a time, and long."""
    plan = ALIKE["200 patients, two years"]
    time, cause = generate(plan, 6, seed=3).observed("policy")
    data = competing_risks.risk_sets(time, cause, plan.groups)
    many = competing_risks.hazard_ratios(data, of=int(NEGATIVE)).p_value
    group = {"group": plan.groups.astype(float)}
    for t, c, p in zip(time, cause, many, strict=True):
        one = competing_risks.cox(t, c, group, of=int(NEGATIVE))
        assert float(one.p_value[0]) == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize(
    ("share", "trials", "holds"),
    [
        (0.0637, 4000, True),
        (0.0639, 4000, False),
        (0.0361, 4000, False),
        (0.05, None, True),
        (0.02, None, True),
        (0.0501, None, False),
    ],
)
def test_a_cell_is_judged_by_its_error_or_by_its_bound(
    share: float, trials: int | None, holds: bool
) -> None:
    cell = Cell(test="any", scenario="any", level=0.05, share=share, trials=trials)
    assert cell.holds == holds
