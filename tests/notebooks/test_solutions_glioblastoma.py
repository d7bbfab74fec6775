"""What the notebook on glioblastoma says in words and solutions is what the library computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import car_relapse as cr
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.glioblastoma import typical_glioblastoma
from car_relapse.mixture import expression_mixture, uncovered_share


def left(**settings) -> float:
    return cr.relapse_probabilities(typical_glioblastoma(**settings)).negative_lines


def test_losses_during_therapy_make_no_difference_to_the_uncovered_part():
    """With one loss in ten million divisions, far fewer lines are founded than there are."""
    patient = typical_glioblastoma(1, bystander=0.0)
    losing = replace(patient, losses=cr.Losses(per_antigen=(1e-7,)))
    with_loss, without = (cr.relapse_probabilities(p).negative_lines for p in (losing, patient))
    assert with_loss == pytest.approx(without, rel=1e-4)


def test_ninety_five_per_cent_covered_allow_a_twentieth_and_five_months():
    net = typical_glioblastoma().leukaemia.net_rate
    assert pytest.approx(4.9, abs=0.1) == np.log(1 / 0.05) / net / DAYS_PER_MONTH


def test_the_commonest_antigen_covers_most_and_the_others_help_only_when_independent():
    shares = (0.5, 0.3, 0.1)
    apart, nested = (uncovered_share(shares, overlap=o) for o in (0.0, 1.0))
    assert 0.1 / apart > 6
    assert nested == 0.1
    assert dict(expression_mixture(shares, overlap=1.0))[7] == pytest.approx(0.1)


def test_twice_the_doses_win_and_antigens_hardly_count():
    usual = left(antigens=3)
    assert left(antigens=6) > 0.5 * usual
    assert left(antigens=3, doses=24) < left(antigens=3, suppression=0.25) < 0.01 * usual


def test_a_response_of_seven_months_is_longer_than_one_antigen_allows():
    patient = typical_glioblastoma(1, bystander=0.0)
    net = patient.leukaemia.net_rate
    assert np.log(1 / 0.3) / net / DAYS_PER_MONTH < 7.5
