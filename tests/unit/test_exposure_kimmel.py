"""Kimmel's curves: the paper's equations, cure by two routes, competition, a hundred years."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from car_relapse.antigens import Losses
from car_relapse.errors import ParameterError
from car_relapse.exposure_kimmel import (
    CarInfusion,
    CompetingProducts,
    KimmelExposure,
    kimmel_killing,
)
from car_relapse.patient import Leukaemia, Patient
from car_relapse.published.kimmel2021 import (
    CELLS_PER_LEVEL,
    CELLS_PER_ML,
    KimmelParameters,
    cure_probability,
    peak,
    solve,
)
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

PAPER = KimmelParameters()
CURVE = KimmelExposure()
DAYS = np.array([0.0, 1.0, 7.0, 14.0, 90.0, 365.0, 900.0])


def plain(p, infusions, days):
    """Integrate the printed equations on a linear scale, restarting at each infusion."""

    def slope(_, y):
        total = y.sum()
        empty = (total - p.normal_capacity) ** 2
        rate = p.car_rate + p.car_boost * empty / (p.car_boost_shape * total**2 + empty)
        room = np.array([c or p.car_capacity for _, _, c in infusions])
        return np.append(
            -p.normal_rate * y[0] * np.log(total / p.normal_capacity),
            -rate * y[1:] * np.log(total / room),
        )

    state = np.append(p.normal_start, np.zeros(len(infusions)))
    out = []
    stops = sorted({*days, *(day for day, _, _ in infusions)})
    now = 0.0
    for stop in stops:
        if stop > now:
            state = solve_ivp(slope, (now, stop), state, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        now = stop
        for i, (day, amount, _) in enumerate(infusions):
            if day == stop:
                state = state + amount * (np.arange(state.size) == i + 1)
        if stop in days:
            out.append(state[1:])
    return np.array(out).T


def test_the_curve_is_that_of_the_published_model():
    assert CURVE.level(DAYS) == pytest.approx(solve(PAPER, DAYS).car, rel=1e-9)
    day, height = peak(PAPER)
    assert float(CURVE.level(day)) == pytest.approx(height, rel=1e-9)


@pytest.mark.parametrize(
    ("growth", "death", "row"), [(0.105, 0.0, 0.619), (0.105, 0.105, 0.787), (0.12, 0.0, 0.217)]
)
def test_survival_along_the_curve_gives_the_cure_probability_of_the_paper(growth, death, row):
    p = replace(PAPER, tumour_rate=growth, tumour_death_rate=death)
    patient = Patient(
        leukaemia=Leukaemia(
            birth_rate=growth + death,
            death_rate=death,
            burden=p.tumour_start * CELLS_PER_ML,
        ),
        losses=Losses(per_antigen=(0.0,)),
        therapy=Therapy(exposure=KimmelExposure(parameters=p), killing=kimmel_killing(p)),
    )
    cured = relapse_probabilities(patient).cure
    assert cured == pytest.approx(cure_probability(p), rel=1e-7)
    assert cured == pytest.approx(row, abs=1e-3)


def test_the_unit_is_a_factor_and_cancels_in_killing():
    cells = KimmelExposure(unit="cells")
    assert cells.level(DAYS) == pytest.approx(CELLS_PER_LEVEL * CURVE.level(DAYS), rel=1e-12)
    rates = kimmel_killing(PAPER).rate(CURVE.level(DAYS))
    assert kimmel_killing(PAPER, unit="cells").rate(cells.level(DAYS)) == pytest.approx(rates)
    assert float(cells.last_day_above(5e8)) == pytest.approx(float(CURVE.last_day_above(1.0)))
    # The paper gives both: 500 cells/µl are 2.5e11 cells, and k_B is 2.02e9 cells.
    assert PAPER.normal_capacity * CELLS_PER_LEVEL == pytest.approx(2.5e11)
    assert kimmel_killing(PAPER, unit="cells").half_level == pytest.approx(2.02e9, rel=3e-3)


def test_after_years_the_curve_is_the_exponential_of_its_limit_for_a_century():
    rate = PAPER.car_rate * np.log(PAPER.normal_capacity / PAPER.car_capacity)
    years = 365.25 * np.array([5.0, 20.0, 100.0])
    logs = CURVE.log_level(years)
    assert np.diff(logs) == pytest.approx(-rate * np.diff(years), rel=1e-12)
    # The straight line continues an integration that goes on: both are slopes of one curve.
    assert float(CURVE.log_level(1500.0)) == pytest.approx(
        np.log(solve(PAPER, [1500.0]).car[0]), abs=1e-8
    )
    assert float(CURVE.level(36_525.0)) == 0.0  # e^-1170 cells/µl: the log has the answer
    assert logs[-1] < -1000


def test_a_curve_that_has_not_settled_in_a_century_goes_on_with_its_last_slope():
    slow = KimmelExposure(parameters=replace(PAPER, car_capacity=499.9, normal_rate=1e-3))
    assert np.isfinite(slow.log_level([1e4, 36_525.0, 1e6])).all()
    level = float(slow.level(50_000.0))
    assert float(slow.last_day_above(level)) == pytest.approx(50_000.0, rel=1e-9)


@given(st.floats(-200.0, 3.4))
def test_the_last_day_above_a_level_is_where_the_curve_falls_below_it(log_level):
    day = float(CURVE.last_day_above(np.exp(log_level)))
    assert float(CURVE.log_level(day)) == pytest.approx(log_level, abs=1e-10)
    assert np.all(CURVE.log_level(day + np.geomspace(1e-6, 1e4, 60)) < log_level)


def test_a_level_above_the_peak_is_never_reached_and_the_peak_only_once():
    day, height = peak(PAPER)
    assert list(CURVE.last_day_above([1.001 * height, 1e9])) == [0.0, 0.0]
    assert float(CURVE.last_day_above(height * (1 - 1e-13))) == pytest.approx(day, abs=1e-4)
    # A product that only declines is at its start level on the day of infusion alone.
    late = KimmelExposure(parameters=replace(PAPER, normal_start=400.0))
    assert float(late.last_day_above(PAPER.car_start)) == 0.0
    assert float(late.last_day_above(0.5 * PAPER.car_start)) > 0.0


@settings(max_examples=8)
@given(st.lists(st.floats(0.01, 5.0), min_size=2, max_size=4))
def test_equal_products_keep_their_ratio_and_add_up_to_the_single_product(amounts):
    products = CompetingProducts(infusions=tuple(CarInfusion(amount=a) for a in amounts))
    single = KimmelExposure(parameters=replace(PAPER, car_start=float(np.sum(amounts))))
    levels = np.array([products.exposure(i).level(DAYS) for i in range(len(amounts))])
    assert levels / levels[0] == pytest.approx(
        np.repeat(np.array(amounts)[:, None] / amounts[0], DAYS.size, axis=1), rel=1e-9
    )
    assert products.total.level(DAYS) == pytest.approx(single.level(DAYS), rel=1e-9)
    assert float(products.total.last_day_above(0.5)) == pytest.approx(
        float(single.last_day_above(0.5)), abs=1e-6
    )


def test_unequal_and_late_products_agree_with_the_equations_on_a_linear_scale():
    infusions = ((0.0, 0.3, None), (0.0, 0.2, 60.0), (40.0, 5.0, 200.0), (3.0, 1.0, None))
    products = CompetingProducts(
        infusions=tuple(CarInfusion(day=d, amount=a, capacity=c) for d, a, c in infusions)
    )
    days = [0.0, 2.0, 3.0, 12.0, 39.0, 40.0, 55.0, 200.0]
    wanted = plain(PAPER, infusions, days)
    got = np.array([products.exposure(i).level(days) for i in range(4)])
    assert got == pytest.approx(wanted, rel=1e-7, abs=1e-12)
    assert products.exposure(2).kinks == (0.0, 3.0, 40.0)
    assert np.isneginf(products.exposure(2).log_level(39.9))
    for i in range(4):
        curve = products.exposure(i)
        for level in curve.level([50.0, 300.0]):
            day = float(curve.last_day_above(level))
            assert np.all(curve.level(day + np.geomspace(1e-6, 1e3, 50)) < level)
            assert float(curve.level(day)) == pytest.approx(float(level), rel=1e-9)


def test_the_product_with_more_room_outlasts_the_other():
    products = CompetingProducts(
        infusions=(CarInfusion(amount=0.3, capacity=80.0), CarInfusion(amount=0.3, capacity=200.0))
    )
    small, large = (products.exposure(i).level(DAYS[1:]) for i in (0, 1))
    assert np.all(np.diff(large / small) > 0)
    alone = CompetingProducts(infusions=products.infusions[:1]).exposure(0)
    assert np.all(small < alone.level(DAYS[1:]))


def test_a_second_product_finds_the_room_taken():
    late = CompetingProducts(
        infusions=(CarInfusion(amount=0.36), CarInfusion(day=60.0, amount=0.36))
    ).exposure(1)
    assert float(late.level(80.0)) < 0.36 < 3.0 < float(CURVE.level(20.0))


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: KimmelExposure(unit="copies"), "unit is 'copies'; it must be 'cells/µl'"),
        (lambda: KimmelExposure(parameters=None), "parameters is None"),
        (lambda: kimmel_killing(None), "parameters is None"),
        (lambda: kimmel_killing(PAPER, unit=None), "unit is None"),
        (lambda: CarInfusion(amount=0.0), "amount is 0"),
        (lambda: CarInfusion(amount=1.0, day=-1.0), "day is -1"),
        (lambda: CarInfusion(amount=1.0, capacity="much"), "capacity is 'much'"),
        (lambda: CompetingProducts(infusions=()), "infusions is ()"),
        (lambda: CompetingProducts(infusions=(3,)), "an infusion is 3"),
        (
            lambda: CompetingProducts(infusions=(CarInfusion(amount=1.0, capacity=500.0),)),
            "capacity is 500; normal T cells must win",
        ),
        (
            lambda: CompetingProducts(infusions=(CarInfusion(amount=1.0),)).exposure(1),
            "index is 1; it must be a whole number from 0 to 0",
        ),
        (
            lambda: CompetingProducts(infusions=(CarInfusion(amount=1.0, day=1e-9),)),
            "two infusions are 1e-09 days apart",
        ),
        (
            lambda: KimmelExposure(
                parameters=replace(PAPER, normal_rate=1e-9, car_rate=1e-9, car_boost=0.0)
            ).level(1.0),
            "CAR-T still expand after a hundred years",
        ),
        (
            lambda: KimmelExposure(
                parameters=replace(PAPER, normal_rate=900.0, car_rate=1e-9, car_boost=0.0)
            ).level(1.0),
            "number of steps that can be waited for",
        ),
        (lambda: CURVE.level(-1.0), "day is -1"),
        (lambda: CURVE.level(np.nan), "day is nan"),
        (lambda: CURVE.last_day_above(0.0), "level is 0"),
    ],
)
def test_bad_input_is_refused(make, shown):
    with pytest.raises(ParameterError) as caught:
        make()
    assert shown in str(caught.value)
