"""Killing on panels: the horizon, and how fine the panels are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import slow_twins
from scipy.integrate import quad

from car_relapse.antigens import Plasticity
from car_relapse.celltypes import density_groups
from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_typical
from car_relapse.killing import Killing
from car_relapse.line_rates import gauss_rule
from car_relapse.patient import Leukaemia, typical_patient
from car_relapse.schedule import growth_panels, horizon, killing_schedule
from car_relapse.therapy import Therapy, sequential

PATIENT = typical_patient()
TYPES = density_groups(PATIENT)[1]


def held(days, rate):
    return Therapy(
        exposure=slow_twins.StepExposure(1e9, days),
        killing=Killing(maximal_rate=rate, half_level=1e-9),
    )


def test_the_panels_carry_the_integral_of_killing():
    schedule = killing_schedule(PATIENT.products, TYPES)
    got = (schedule.kill[0] @ gauss_rule()[1] * np.diff(schedule.edges)).sum()
    parts = [0.0, 9.3, 60.0, 300.0, schedule.edges[-1]]
    wanted = sum(
        quad(lambda t: float(PATIENT.therapy.killing_rate(t)), a, b, epsabs=1e-12, limit=200)[0]
        for a, b in pairwise(parts)
    )
    assert got == pytest.approx(wanted, rel=1e-11)
    assert np.all(np.diff(schedule.edges) > 0)


def test_at_the_horizon_untreated_growth_has_made_up_e_40():
    end = horizon(PATIENT.products, TYPES)
    net = PATIENT.leukaemia.net_rate
    turn = PATIENT.therapy.last_day_above(net)
    made_up = quad(lambda t: net - float(PATIENT.therapy.killing_rate(t)), turn, end, limit=200)[0]
    assert made_up >= 40.0


def test_a_product_given_later_moves_the_horizon():
    late = sequential([PATIENT.therapy, PATIENT.therapy], [0.0, 500.0])
    types = density_groups(replace(PATIENT, therapy=late))[1]
    assert horizon(late, types) >= 500.0 + horizon(PATIENT.products, TYPES)
    assert 500.0 in killing_schedule(late, types).edges


def test_long_strong_killing_is_cut_where_nothing_is_left():
    end = killing_schedule((held(36_500.0, 1000.0),), TYPES).edges[-1]
    assert 0.7 < end < 2.0


def test_cells_that_can_hide_are_waited_for():
    hiding = replace(PATIENT, plasticity=Plasticity(switch_off=(1e-3,), switch_on=(1e-2,)))
    types = density_groups(hiding)[1]
    assert killing_schedule((held(300.0, 5.0),), types).edges[-1] > 300.0


def test_growth_next_to_nothing_does_not_hang():
    slow = replace(PATIENT, leukaemia=Leukaemia(birth_rate=0.1, death_rate=0.1 - 1e-9, burden=1e11))
    edges = killing_schedule(slow.products, density_groups(slow)[1]).edges
    assert edges[-1] > 4e10
    assert edges.size < 400


def test_rates_too_far_apart_are_an_error():
    split = replace(PATIENT, plasticity=Plasticity(switch_off=(1e-3,), switch_on=(1e-2,)))
    types = density_groups(split)[1]
    with pytest.raises(ParameterError, match=r"6000 are the most.*check them"):
        killing_schedule((held(1e6, 100.0),), types)
    with pytest.raises(ParameterError, match="6000 are the most"):
        growth_panels(np.array([1e9]), np.array([1.0]))


def test_killing_that_stays_at_the_growth_rate_for_ever_is_an_error():
    class ForEver:
        kinks = ()

        def level(self, day):
            return np.full(np.shape(day), 1e9)

        def last_day_above(self, level):
            return np.zeros(np.shape(level))

    for_ever = Therapy(
        exposure=ForEver(),
        killing=Killing(maximal_rate=PATIENT.leukaemia.net_rate, half_level=1e-12),
    )
    with pytest.raises(ParameterError, match=r"for ever.*let the exposure end"):
        horizon((for_ever,), TYPES)


def test_types_that_never_grow_have_nothing_to_wait_for():
    types = replace(TYPES, birth=TYPES.death * 0.5)
    assert horizon(sequential([PATIENT.therapy], [30.0]), types) == 31.0


def test_growth_panels_resolve_the_fastest_patient():
    assert growth_panels(np.array([30.0, 300.0]), np.array([0.1, 0.1])) == 5
    assert stein_typical().kinks[0] in killing_schedule(PATIENT.products, TYPES).edges
