"""The figures of *Bispecific engagers* show what closed forms and the evidence tables give."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

import car_relapse as cr
from car_relapse.engager_dosing import blinatumomab_killing
from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.engagers import engager_patient

CLEARANCE = 24 * 2.72


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_the_plateaus_are_rate_over_clearance(drawings):
    assert value(drawings, "engager-levels", "steady") == pytest.approx(28 / CLEARANCE, rel=1e-6)
    assert value(drawings, "engager-levels", "steady_first") == pytest.approx(
        9 / CLEARANCE, rel=1e-6
    )


def test_the_drug_is_below_what_is_needed_after_its_half_lives(drawings):
    needed = value(drawings, "engager-levels", "needed")
    law = blinatumomab_killing()
    net = cr.default("leukaemia.birth_rate") - cr.default("leukaemia.death_rate")
    assert law.maximal_rate * needed / (law.half_level + needed) == pytest.approx(net)
    hours = 2.11 * math.log2(28 / CLEARANCE / needed)
    assert value(drawings, "engager-levels", "hours_left") == pytest.approx(hours, rel=1e-3)


def test_half_of_the_long_lived_drug_is_left_after_its_terminal_half_life(drawings):
    data = drawings["engager-levels"].data
    late = data["later_day"] > 300
    slope = np.polyfit(data["later_day"][late], np.log(data["elranatamab"][late]), 1)[0]
    half_life = value(drawings, "engager-levels", "half_life_days")
    assert -math.log(2) / slope == pytest.approx(half_life, rel=0.02)


def test_the_course_falls_and_rises_as_killing_less_growth_says(drawings):
    data = drawings["engager-cycles"].data
    net = cr.typical_leukaemia().net_rate
    at = {day: int(np.argmin(np.abs(data["day"] - day))) for day in (14, 27, 29, 41)}
    law = blinatumomab_killing()
    fall = float(law.rate(28 / CLEARANCE)) - net
    logs = np.log(data["cells_2"])
    assert logs[at[14]] - logs[at[27]] == pytest.approx(13 * fall, rel=1e-3)
    assert logs[at[41]] - logs[at[29]] == pytest.approx(12 * net, rel=2e-3)
    assert value(drawings, "engager-cycles", "gap_fold") == pytest.approx(math.exp(14 * net))


def test_cycles_decide_about_cells_with_the_antigen_and_not_about_those_without(drawings):
    positive = [value(drawings, "engager-cycles", f"positive_{c}") for c in range(1, 6)]
    negative = [value(drawings, "engager-cycles", f"negative_{c}") for c in range(1, 6)]
    assert positive[1] > 0.99
    assert positive[2] < 0.01
    assert max(negative) - min(negative) < 1e-3


def test_lines_that_survive_agree_with_the_mean_course_where_both_can_be_compared(drawings):
    """A mean is survivors times their mean offspring, and each line's clearance is Kendall's."""
    patient = engager_patient(3)
    lines = cr.relapse_probabilities(patient).positive_lines
    cells = drawings["engager-cycles"].data["cells_3"]
    day = drawings["engager-cycles"].data["day"]
    net, death = patient.leukaemia.net_rate, patient.leukaemia.death_rate
    log_mean = np.log(cells / patient.leukaemia.burden)
    killing = patient.therapy.killing_rate(day)
    removed = np.trapezoid((death + killing) * np.exp(-log_mean), day)
    # Beyond the last day there is growth alone.
    removed += death / net * math.exp(-log_mean[-1])
    # The course is drawn every tenth of a day, in which the drug comes and goes.
    assert lines == pytest.approx(patient.leukaemia.burden / (1.0 + removed), rel=0.05)


def test_the_hill_of_trimers_is_symmetric_around_the_geometric_mean(drawings):
    data = drawings["engager-hook"].data
    top = math.sqrt(cr.default("engager.cd3_constant") * cr.default("engager.antigen_constant"))
    assert value(drawings, "engager-hook", "optimum") == pytest.approx(top)
    mirrored = np.interp(
        np.log(top**2 / data["molar"][100:200]), np.log(data["molar"]), data["relative"]
    )
    np.testing.assert_allclose(mirrored, data["relative"][100:200], atol=2e-3)
    assert data["molar"][data["relative"].argmax()] == pytest.approx(top, rel=0.06)


def test_a_tenth_of_the_dose_makes_more_trimers_until_long_after_the_last_one(drawings):
    data = drawings["engager-hook"].data
    last = value(drawings, "engager-hook", "last_dose")
    during = (data["day"] > 30) & (data["day"] < last)
    assert (data["trimers_smaller"] > 2 * data["trimers_usual"])[during].all()
    assert data["trimers_usual"][-1] > data["trimers_smaller"][-1]


def test_measured_shares_and_their_intervals_are_those_of_the_tables(drawings):
    for key in ("aldoss2025_blina", "jabbour2018_blina_failure", "lamble2023_phenotype"):
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        lost = split.antigen_negative + split.lineage_switch
        low = beta.ppf(0.025, lost, known - lost + 1)
        high = beta.ppf(0.975, lost + 1, known - lost)
        drawn = [
            value(drawings, "engager-phenotype", f"{key}{end}") for end in ("", "_low", "_high")
        ]
        np.testing.assert_allclose(drawn, [100 * lost / known, 100 * low, 100 * high], rtol=1e-9)
    assert value(drawings, "engager-phenotype", "aldoss2025_blina_lost") == 22
    assert value(drawings, "engager-phenotype", "aldoss2025_blina_known") == 76


def test_more_cycles_raise_the_share_without_the_antigen(drawings):
    share = [value(drawings, "engager-phenotype", f"model_{c}") for c in (1, 2, 3, 4)]
    assert share == sorted(share)
    assert share[0] < 10 < 50 < share[-1]


def test_a_patient_under_the_drug_differs_from_the_typical_one_in_therapy_only():
    patient = engager_patient(2, burden=1e9)
    assert replace(patient, therapy=cr.typical_patient().therapy) == cr.typical_patient(1e9)
