"""The figures of *What would stop it* show what the tables, the model and their words say."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import beta

from car_relapse.evidence import relapse_split, trials
from car_relapse.patient import typical_patient

KINDS = ("positive", "partial", "negative", "switch", "no_remission")
ROWS = ("one", "weak", "equal", "and", "memory", "ideal")


@pytest.fixture
def shares(drawings) -> dict[str, dict[str, float]]:
    """Give the share of patients by kind, for each design."""
    data = drawings["second-antigen"].data
    return {row: {kind: float(data[kind][i]) for kind in KINDS} for i, row in enumerate(ROWS)}


def value(drawings, key: str) -> float:
    return drawings["weak-arm"].numbers[key].value


def test_a_second_equal_target_removes_antigen_loss_and_unmasks_the_rest(shares):
    one, equal = shares["one"], shares["equal"]
    assert one["partial"] == 0
    assert one["negative"] > 0.1
    assert equal["negative"] + equal["partial"] < 0.005
    assert equal["positive"] > one["positive"]
    assert equal["switch"] > 1.5 * one["switch"]


def test_more_memory_cells_remove_antigen_positive_relapse_and_unmask_escape(shares):
    one, memory = shares["one"], shares["memory"]
    assert memory["positive"] < 0.25 * one["positive"]
    assert memory["negative"] > one["negative"]


def test_both_answers_together_leave_less_than_either(shares):
    relapse = {
        row: sum(v for k, v in s.items() if k != "no_remission") for row, s in shares.items()
    }
    assert relapse["ideal"] < 0.5 * min(relapse["equal"], relapse["memory"])
    assert relapse["and"] > relapse["one"] > relapse["weak"] > relapse["equal"]


def test_a_gate_that_needs_both_antigens_has_more_escape_than_one_target(shares):
    assert shares["and"]["partial"] > shares["one"]["negative"]


def test_the_quoted_relapse_is_the_sum_of_its_kinds(drawings, shares):
    quoted = drawings["second-antigen"].numbers
    for row, kinds in shares.items():
        relapse = sum(share for kind, share in kinds.items() if kind != "no_remission")
        assert quoted[f"{row}_relapse"].value == pytest.approx(100 * relapse)


def test_a_stronger_second_arm_leaves_fewer_relapses_without_the_first_antigen(drawings):
    share = drawings["weak-arm"].data["one_lost_of_relapses"]
    # Sampling may ripple the curve by a standard error or two.
    assert (np.diff(share) < 0.015).all()
    assert share[0] > 0.3
    assert share[-1] < 0.002


def test_the_strongest_arm_is_where_the_curve_leaves_the_exact_interval(drawings):
    data = drawings["weak-arm"].data
    split = relapse_split(trials()["wangt2023_coadmin"])
    known = split.total - split.unknown
    low = beta.ppf(0.025, split.partial, known - split.partial + 1)
    assert value(drawings, "pair_low") == pytest.approx(100 * low)
    arm = value(drawings, "strongest_arm_percent") / 100
    at_limit = np.interp(math.log(arm), np.log(data["second_arm"]), data["one_lost_of_relapses"])
    assert at_limit == pytest.approx(low, abs=0.005)
    assert arm < 0.15
    assert arm < value(drawings, "strongest_arm_high_percent") / 100 < 0.25
    assert (data["one_lost_of_relapses_upper"] >= data["one_lost_of_relapses"]).all()


def test_the_exact_chance_with_two_equal_targets_is_the_power_of_that_with_one(drawings):
    losses = typical_patient().losses
    common = losses.common_mode / losses.total
    one, two = value(drawings, "p_one"), value(drawings, "p_two")
    assert two == pytest.approx(1 - (1 - one) ** common, rel=1e-6)
    assert value(drawings, "common_share_percent") == pytest.approx(100 * common)


def test_shared_losses_give_back_part_of_the_escape(drawings):
    keys = ("p_two", "p_two_shared_tenth", "p_two_shared_half", "p_one")
    assert all(a < b for a, b in pairwise(value(drawings, key) for key in keys))


def test_a_second_product_of_short_life_and_full_strength_leaves_next_to_nothing(drawings):
    assert value(drawings, "left_brief") < 0.001
    assert value(drawings, "brief_last_day") < 60
    assert value(drawings, "removed_half_percent") > 99 > value(drawings, "removed_fifth_percent")


def test_intervals_of_the_constructs_are_exact(drawings):
    data = drawings["construct-outcomes"].data
    cohorts = (
        "lamble2023_phenotype",
        "stanford_adult_1922_ball",
        "stanford_adult_1922_lbcl",
        "ghorashian2024_carpall",
        "wangt2023_coadmin",
    )
    rows = zip(data["row"], data["kind"], strict=True)
    drawn = {(int(r), int(k)): i for i, (r, k) in enumerate(rows)}
    assert len(drawn) == 3 * len(cohorts) - 1
    for row, key in enumerate(cohorts):
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        lost = split.antigen_negative + split.lineage_switch
        for kind, count in enumerate((split.antigen_positive, split.partial, lost)):
            if (row, kind) not in drawn:
                assert (row, count) == (0, 0)
                continue
            i = drawn[row, kind]
            assert data["share"][i] == pytest.approx(count / known)
            low = beta.ppf(0.025, count, known - count + 1) if count else 0.0
            high = beta.ppf(0.975, count + 1, known - count) if count < known else 1.0
            assert data["low_95"][i] == pytest.approx(low, rel=1e-9)
            assert data["high_95"][i] == pytest.approx(high, rel=1e-9)
