"""What each figure shows is what theory, the evidence tables and its own caption say."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from scipy.stats import beta, binomtest

from car_relapse import feedback_ode, figures
from car_relapse.antigens import Losses
from car_relapse.evidence import landmarks_of, trials
from car_relapse.figures import burden
from car_relapse.patient import typical_patient
from car_relapse.resistance import full_loss_lines

ONE_TARGET = (
    "lamble2023_phenotype",
    "pillai2019_cd19dim",
    "sheba2022_cd28",
    "spiegel2021_axicel_biopsies",
    "plaks2021_zuma1_biopsies",
    "aldoss2025_blina",
    "jabbour2018_blina_failure",
    "hiraga2009_rituximab",
)
TWO_TARGETS = (
    "wangt2023_coadmin",
    "stanford_adult_1922_ball",
    "stanford_adult_1922_lbcl",
    "ghorashian2024_carpall",
)
COHORTS = ONE_TARGET + TWO_TARGETS
ENDS = ("low_95", "high_95")


def column(drawings, slug: str, name: str) -> np.ndarray:
    return drawings[slug].data[name]


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_the_typical_curve_has_the_reference_level_on_day_28(drawings):
    day, level = (column(drawings, "stein-curve", name) for name in ("day", "typical"))
    assert level[day == 28.0] == pytest.approx(1373.5587757511, rel=1e-9)
    assert value(drawings, "stein-curve", "level_day_28") == pytest.approx(
        1373.5587757511, rel=1e-9
    )


def test_the_typical_curve_rises_in_days_and_falls_in_weeks(drawings):
    day, level = (column(drawings, "stein-curve", name) for name in ("day", "typical"))
    top = int(level.argmax())
    assert day[top] == pytest.approx(value(drawings, "stein-curve", "peak_day"), abs=0.25)
    assert (np.diff(level[: top + 1]) > 0).all()
    assert (np.diff(level[top:]) < 0).all()


def test_patients_differ_by_orders_of_magnitude_around_the_typical_curve(drawings):
    low, high = (column(drawings, "stein-curve", f"percentile_{p}") for p in (5, 95))
    later = column(drawings, "stein-curve", "day") >= 28
    assert (high[later] > 100 * low[later]).all()
    typical = column(drawings, "stein-curve", "typical")
    assert (low < typical).all()
    assert (typical < high).all()


@pytest.mark.parametrize(("row", "key"), list(enumerate(COHORTS)))
def test_intervals_of_the_relapse_split_are_exact(drawings, row, key):
    trial = trials()[key]
    lost = trial.n_relapse_ag_neg
    classes = ("ag_pos", "ag_neg", "partial", "lineage_switch")
    known = sum(getattr(trial, f"n_relapse_{name}") or 0 for name in classes)
    drawn = [
        column(drawings, "relapse-split", name)[row]
        for name in ("every_target_lost", "low_95", "high_95")
    ]
    test = binomtest(lost, known)
    interval = test.proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(drawn, [test.statistic, interval.low, interval.high], rtol=1e-9)
    # The same from the quantiles of beta laws (Clopper and Pearson).
    low = beta.ppf(0.025, lost, known - lost + 1) if lost else 0.0
    high = beta.ppf(0.975, lost + 1, known - lost)
    np.testing.assert_allclose(drawn[1:], [low, high], rtol=1e-9)


def test_the_relapse_split_shows_every_cohort_and_more_loss_with_partial_loss(drawings):
    data = drawings["relapse-split"].data
    assert data["cohort"].tolist() == list(range(len(COHORTS)))
    assert (data["at_least_one_lost_or_dim"] >= data["every_target_lost"]).all()


def test_cohorts_stand_in_the_group_of_their_targets_and_say_how_many_they_are(drawings):
    assert {len(trials()[key].antigens) for key in ONE_TARGET} == {1}
    assert {len(trials()[key].antigens) for key in TWO_TARGETS} == {2}
    assert value(drawings, "relapse-split", "cohorts") == len(COHORTS)


def test_with_one_target_some_intervals_do_not_touch(drawings):
    low, high = (column(drawings, "relapse-split", name)[: len(ONE_TARGET)] for name in ENDS)
    assert low.max() > high.min()


def test_with_two_targets_losing_both_is_rare_and_losing_one_is_not(drawings):
    lost, some = (
        column(drawings, "relapse-split", name)[len(ONE_TARGET) :]
        for name in ("every_target_lost", "at_least_one_lost_or_dim")
    )
    assert 100 * lost.max() == pytest.approx(
        value(drawings, "relapse-split", "two_targets_largest_percent")
    )
    assert lost.max() < 0.05
    assert some.max() >= 0.5


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_half_of_the_relapses_of_a_class_have_come_by_its_median_month(drawings, kind):
    month, incidence = (column(drawings, "cohort-outcome", c) for c in ("month", f"antigen_{kind}"))
    median = value(drawings, "cohort-outcome", f"{kind}_median_month")
    half = value(drawings, "cohort-outcome", f"{kind}_percent") / 200
    assert np.interp(median, month, incidence) == pytest.approx(half, rel=0.03)


def test_a_higher_level_brings_more_antigen_negative_relapse_and_a_larger_share(drawings):
    data = drawings["outcome-by-level"].data
    assert (np.diff(data["antigen_negative"]) > 0).all()
    share = data["antigen_negative"] / (data["antigen_negative"] + data["antigen_positive"])
    assert (np.diff(share) > 0).all()
    assert (np.diff(data["cured"]) > 0).all()
    assert (np.diff(data["no_remission"]) < 0).all()
    at_four = data["level"] == 4.0
    assert value(drawings, "outcome-by-level", "share_four_percent") == pytest.approx(
        100 * share[at_four][0]
    )


def test_at_the_level_of_the_ledger_both_figures_of_the_cohort_agree(drawings):
    for kind in ("positive", "negative"):
        here = value(drawings, "outcome-by-level", f"{kind}_once_percent")
        there = value(drawings, "cohort-outcome", f"{kind}_percent")
        error = 100 * math.sqrt(0.25 / 1600 + 0.25 / 6400)
        assert abs(here - there) < 5 * error


def measured_relapse_free(month: float) -> list[float]:
    """Return ELIANA's values at a month, as shares."""
    rows = [*landmarks_of("eliana_primary", "RFS"), *landmarks_of("eliana_3y", "RFS")]
    return [row.value / 100 for row in rows if row.month == month]


def modelled_relapse_free(drawings, month: float) -> float:
    months, free = (column(drawings, "cohort-outcome", c) for c in ("month", "relapse_free"))
    return float(free[months == month][0])


def test_the_model_meets_measured_survival_at_one_year_but_neither_before_nor_after(drawings):
    (one_year,) = measured_relapse_free(12)
    assert abs(modelled_relapse_free(drawings, 12) - one_year) < 0.05
    (half_year,) = measured_relapse_free(6)
    assert modelled_relapse_free(drawings, 6) > half_year + 0.05
    assert modelled_relapse_free(drawings, 36) < min(measured_relapse_free(36)) - 0.05


def test_both_kinds_of_relapse_only_accumulate(drawings):
    for kind in ("antigen_positive", "antigen_negative"):
        incidence = column(drawings, "cohort-outcome", kind)
        assert incidence[0] == 0
        assert (np.diff(incidence) >= 0).all()
    assert (np.diff(column(drawings, "cohort-outcome", "relapse_free")) <= 0).all()


DENOMINATORS = {  # responders, those counted, all who entered
    0: (115, 125, 142),
    1: (61, 75, 92),
    2: (39, 55, 71),
    3: (136, 256, 344),
}


@pytest.mark.parametrize(("row", "counts"), DENOMINATORS.items())
def test_both_rates_of_a_cohort_are_those_of_its_counts(drawings, row, counts):
    data = drawings["cohort-denominators"].data
    responded, counted, entered = counts
    for total, name in ((counted, "published"), (entered, "of_all")):
        low = beta.ppf(0.025, responded, total - responded + 1)
        high = beta.ppf(0.975, responded + 1, total - responded)
        drawn = [data[name][row], data[f"{name}_low_95"][row], data[f"{name}_high_95"][row]]
        np.testing.assert_allclose(drawn, [responded / total, low, high], rtol=1e-9)
    assert data["of_all"][row] < data["published"][row]


def test_hazards_are_drawn_as_published_and_an_unread_interval_is_none(drawings):
    data = drawings["persistence-hazards"].data
    assert data["ratio"].tolist() == [21.7, 5.3, 4.5, 1.96, 2.45, 2.66]
    assert data["interval_known"].tolist() == [0, 0, 1, 1, 1, 1]
    known = data["interval_known"] == 1
    assert (data["low_95"][known] > 1).all()
    assert (data["low_95"][known] < data["ratio"][known]).all()
    assert (data["ratio"][known] < data["high_95"][known]).all()
    assert (data["low_95"][~known] == data["high_95"][~known]).all()


def test_with_one_curve_for_all_lines_are_proportional_to_burden(drawings):
    data = drawings["burden-feedback"].data
    per_cell = data["fixed_exposure"] / data["burden"]
    np.testing.assert_allclose(per_cell, per_cell[0], rtol=1e-12)
    lines = value(drawings, "persistence-map", "lines_ledger")
    assert per_cell[0] * typical_patient().leukaemia.burden == pytest.approx(lines, rel=1e-6)


def test_fewer_cells_win_for_the_typical_patient_and_longer_memory_over_patients(drawings):
    data = drawings["burden-or-memory"].data
    changed = data["factor"] > 1
    assert (data["typical_fewer"] < data["typical_longer"])[changed].all()
    assert (data["patients_longer"] < data["patients_fewer"])[changed].all()
    for name in ("typical", "patients"):
        assert data[f"{name}_fewer"][0] == pytest.approx(data[f"{name}_longer"][0], rel=1e-9)
        assert (np.diff(data[f"{name}_fewer"]) < 0).all()
        assert (np.diff(data[f"{name}_longer"]) < 0).all()


def test_the_typical_patient_of_both_burden_figures_is_the_same(drawings):
    mapped = value(drawings, "persistence-map", "p_mid")
    assert drawings["burden-or-memory"].data["typical_fewer"][0] == pytest.approx(mapped, rel=1e-6)


def test_with_feedback_a_large_burden_leaves_fewer_lines_and_more_t_cells(drawings):
    data = drawings["burden-feedback"].data
    turn = int(data["feedback"].argmax())
    assert 0 < turn < data["burden"].size - 1
    assert data["feedback"][-1] < 1e-3 * data["feedback"][turn]
    assert data["peak_effectors"][-1] > 10 * data["peak_effectors"][turn]


def test_lines_under_feedback_without_killing_survive_as_the_closed_form_says(monkeypatch):
    weak = dataclasses.replace(
        feedback_ode.typical_feedback(), maximal_killing=1e-12, expansion_rate=0.01, capacity=1e100
    )
    monkeypatch.setattr(burden, "typical_feedback", lambda: weak)
    lines, _ = burden.fed_lines(np.array([1e7]), b_cell_share=0.01)
    leukaemia = typical_patient().leukaemia
    survival = 1 - leukaemia.death_rate / leukaemia.birth_rate
    assert lines[0] == pytest.approx(1e7 * survival, rel=1e-4)


def test_both_averages_fall_below_one_cell_and_rise_again(drawings):
    for name in ("short", "long"):
        cells = column(drawings, "two-patients", name)
        assert cells.min() < 1
        assert cells[-1] > 10 * cells.min()
        assert value(drawings, "two-patients", f"p_{name}") > 0
    assert value(drawings, "two-patients", "p_short") > value(drawings, "two-patients", "p_long")


BURDENS = ("p_low", "p_mid", "p_high")


def test_relapse_falls_with_half_life_and_rises_with_burden(drawings):
    data = drawings["persistence-map"].data
    for name in BURDENS:
        # Near one the steps are below the last digit.
        assert (np.diff(data[name]) <= 0).all()
        inner = data[name] < 0.999
        assert (np.diff(data[name][inner]) < 0).all()
    for fewer, more in pairwise(BURDENS):
        assert (data[fewer] < data[more]).all()


def at_ten_times(half_life: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Return a curve at ten times the half-lives, where it is drawn that far."""
    reach = half_life * 10 <= half_life[-1] * (1 + 1e-12)
    return np.interp(np.log(10 * half_life[reach]), np.log(half_life), curve)


@pytest.mark.parametrize(("fewer", "more"), list(pairwise(BURDENS)))
def test_ten_times_fewer_cells_buy_more_than_ten_times_longer_memory(drawings, fewer, more):
    data = drawings["persistence-map"].data
    longer_memory = at_ten_times(data["half_life_days"], data[more])
    fewer_cells = data[fewer][: longer_memory.size]
    assert (fewer_cells < longer_memory).all()
    plain = (fewer_cells > 0.01) & (longer_memory < 0.99)
    assert plain.sum() >= 20
    assert (longer_memory - fewer_cells)[plain].min() > 0.01


def test_ten_times_more_cells_cost_more_than_ten_times_longer_memory_buys_off_the_ends(drawings):
    data = drawings["persistence-map"].data
    compared = 0
    for fewer, more in pairwise(BURDENS):
        longer = at_ten_times(data["half_life_days"], data[fewer])
        now, larger = data[fewer][: longer.size], data[more][: longer.size]
        # A chance near one cannot rise, nor one near nought fall.
        plain = (longer > 0.01) & (larger < 0.99)
        assert (larger - now > now - longer)[plain].all()
        compared += int(plain.sum())
    assert compared >= 20


def test_at_one_expected_loss_escape_predates_infusion_as_the_closed_forms_say(drawings):
    data = drawings["pre-existence"].data
    one = np.isclose(data["nu"], 1.0, rtol=1e-12)
    assert data["surviving_fixed_size"][one] == pytest.approx(1 - math.exp(-1), rel=1e-9)
    assert data["surviving_fixed_time"][one] == pytest.approx(0.5, rel=1e-9)
    s = value(drawings, "pre-existence", "survival")
    mean = -math.log(s) / (1 - s)
    assert data["living_fixed_size"][one] == pytest.approx(1 - math.exp(-mean), rel=1e-9)
    assert data["living_fixed_time"][one] == pytest.approx(mean / (1 + mean), rel=1e-9)


def test_escape_is_likelier_to_be_there_when_living_cells_count_and_size_is_fixed(drawings):
    data = drawings["pre-existence"].data
    for kind in ("surviving", "living"):
        assert (data[f"{kind}_fixed_size"] >= data[f"{kind}_fixed_time"]).all()
    for fixed in ("size", "time"):
        assert (data[f"living_fixed_{fixed}"] >= data[f"surviving_fixed_{fixed}"]).all()


def test_two_equal_hits_of_the_quoted_size_give_the_fitted_lines(drawings):
    hit = value(drawings, "pre-existence", "two_hits_each")
    who = typical_patient()
    lines = full_loss_lines(
        who.leukaemia.burden,
        birth_rate=who.leukaemia.birth_rate,
        death_rate=who.leukaemia.death_rate,
        losses=Losses(per_antigen=(hit, hit)),
        lasting="for ever",
    )
    assert lines == pytest.approx(value(drawings, "pre-existence", "nu_lamble"), rel=2e-3)
    assert lines == pytest.approx(value(drawings, "pre-existence", "two_hit_lines"), rel=0.01)


def test_counting_every_escape_as_older_than_infusion_gives_a_larger_product(drawings):
    nu = value(drawings, "pre-existence", "nu_all_before")
    assert 1 - math.exp(-nu) == pytest.approx(68 / 420)
    assert nu > value(drawings, "pre-existence", "nu_lamble")
    assert value(drawings, "pre-existence", "u_all_before_9") == pytest.approx(nu / 1e9)


@pytest.fixture
def areas(drawings) -> tuple[float, float]:
    """Give the expected lines founded before and after infusion, read off the curves."""
    day, rate = (column(drawings, "escape-timing", name) for name in ("day", "per_day"))
    zero = int(np.flatnonzero(day == 0.0)[0])
    net = typical_patient().leukaemia.net_rate
    before = np.trapezoid(rate[: zero + 1], day[: zero + 1]) + rate[0] / net
    last = rate[-1] / (np.log(rate[-20] / rate[-1]) / (day[-1] - day[-20]))
    return float(before), float(np.trapezoid(rate[zero:], day[zero:]) + last)


def test_areas_of_the_timing_figure_are_the_expected_lines(drawings, areas):
    for area, key in zip(areas, ("p_preexisting", "p_acquired"), strict=True):
        lines = -math.log1p(-value(drawings, "escape-timing", key))
        assert area == pytest.approx(lines, rel=0.02), key


def test_more_than_half_of_escapes_predate_infusion(drawings, areas):
    before, after = areas
    assert before > after
    quoted = value(drawings, "escape-timing", "preexisting_percent")
    assert quoted == pytest.approx(100 * before / (before + after), rel=0.02)
    assert quoted > 50
    assert value(drawings, "escape-timing", "acquired_percent") == pytest.approx(100 - quoted)


def test_most_escapes_are_founded_in_the_weeks_before_infusion_and_the_first_days_after(
    drawings, areas
):
    day, rate = (column(drawings, "escape-timing", name) for name in ("day", "per_day"))
    near = (day >= -28) & (day <= 7)
    assert np.trapezoid(rate[near], day[near]) > 0.5 * sum(areas)


def test_founding_peaks_while_the_t_cells_still_expand(drawings):
    day, rate = (column(drawings, "escape-timing", name) for name in ("day", "per_day"))
    peak = value(drawings, "escape-timing", "peak_day")
    assert day[rate.argmax()] == pytest.approx(peak)
    assert 0 < peak < value(drawings, "stein-curve", "peak_day")
    assert (np.diff(rate[day <= 0]) > 0).all()


def test_simulated_jackpots_lie_within_five_standard_errors_of_the_exact_law(drawings):
    data = drawings["jackpots"].data
    exact, patients = data["exact"], 20_000
    error = np.sqrt(exact * (1 - exact) / patients)
    assert (np.abs(data["simulated"] - exact) <= 5 * error + 1e-12).all()


def test_the_exact_jackpot_law_is_the_tail_of_its_probabilities(drawings):
    data = drawings["jackpots"].data
    none = value(drawings, "jackpots", "p_none")
    assert data["exact"][data["at_least"] == 0] == pytest.approx(1.0)
    assert data["exact"][data["at_least"] == 1] == pytest.approx(1 - none)


def test_the_tail_of_the_jackpots_falls_as_one_over_the_number(drawings):
    data = drawings["jackpots"].data
    far = data["at_least"] >= 100
    slope = np.diff(np.log(data["exact"][far])) / np.diff(np.log(data["at_least"][far]))
    np.testing.assert_allclose(slope, -1.0, atol=0.1)
    assert value(drawings, "jackpots", "mean") > 20 * value(drawings, "jackpots", "median")


def test_no_figure_touches_global_settings():
    before = dict(mpl.rcParams)
    figures.jackpots(patients=100)
    assert dict(mpl.rcParams) == before


def test_a_figure_drawn_with_other_values_has_other_numbers_in_its_alt_text():
    law = figures.jackpots(events=0.5, patients=1000)
    assert law.alt != figures.registry()["jackpots"].alt
    assert law.caption == figures.registry()["jackpots"].caption
