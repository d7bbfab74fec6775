"""Feedback by chance: against the published equations, exact probabilities, and every event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp

from car_relapse.antigens import Losses, Plasticity
from car_relapse.branching import time_dependent_law
from car_relapse.celltypes import cell_types
from car_relapse.errors import ParameterError
from car_relapse.feedback import (
    AntigenDriven,
    PredatorPrey,
    Prescribed,
    TumourTypes,
    safe_number,
    sample_feedback,
    tumour_types,
)
from car_relapse.patient import typical_patient
from car_relapse.published import cartmath2021, kimmel2021, leontriana2020
from car_relapse.published.cartmath2021 import HDLM2, RAJI


def one_type(net: float, death: float = 0.0, crowding: float = 0.0) -> TumourTypes:
    return TumourTypes(
        birth=np.array([net + death]), death=np.array([death]), daughters=np.ones((1, 1)),
        engagement=np.ones(1), expansion=np.ones(1), crowding=crowding,
    )  # fmt: skip


def of(parameters, death: float = 0.0) -> TumourTypes:
    return one_type(parameters.tumour_rate, death, parameters.crowding)


@pytest.mark.parametrize(
    ("parameters", "start", "dose", "days"),
    [
        (HDLM2, 2e6, (42.0, 2e6), [10.0, 42.0, 43.0]),
        (HDLM2, 2e6, (42.0, 1e4), [42.0, 50.0, 80.0]),
        (RAJI, 3e6, (7.0, 1e7), [7.0, 8.0, 9.0, 10.0, 14.0]),
    ],
)
def test_one_type_in_large_numbers_follows_the_published_equations(parameters, start, dose, days):
    published = cartmath2021.solve(parameters, days, doses=[dose])
    drawn = sample_feedback(
        of(parameters), AntigenDriven(parameters=parameters), [start], days, n=1,
        rng=np.random.default_rng(81), doses=[dose], mean_above=0.0, events=0.01,
    )  # fmt: skip
    assert drawn.tumour[0] == pytest.approx(published.tumour, rel=2e-3)
    assert drawn.effector[0] == pytest.approx(published.effector, rel=2e-2, abs=1e-6)
    assert drawn.memory[0] == pytest.approx(published.memory, rel=2e-2, abs=1e-6)


PREY = leontriana2020.LeukaemiaParameters()


def of_prey(p, death: float = 0.0) -> TumourTypes:
    return one_type(p.leukaemia_rate, death)


@pytest.mark.parametrize("source", [0.0, 1e7])
def test_predator_and_prey_in_large_numbers_follow_the_published_equations(source):
    p = replace(PREY, source=source)
    days = [8.0, 12.0, 30.0, 60.0, 120.0]
    published = leontriana2020.solve(p, days)
    drawn = sample_feedback(
        of_prey(p), PredatorPrey(parameters=p), [p.leukaemia_start], days, n=1,
        rng=np.random.default_rng(91), doses=[(0.0, p.car_start)], mean_above=0.0, events=0.005,
    )  # fmt: skip
    assert drawn.tumour[0] == pytest.approx(published.leukaemia, rel=3e-3)
    assert drawn.effector[0] == pytest.approx(published.car, rel=3e-3)
    assert drawn.b_cells[0] == pytest.approx(published.b_cells, rel=3e-3)
    assert not drawn.memory.any()


def test_predators_may_eat_the_last_prey_and_then_starve_whatever_is_taken_at_its_mean():
    # Twice the killing, so that the equations pass through a cell or so.
    p = replace(PREY, killing_rate=9.5e-11, expansion_rate=0.25 * 9.5e-11)
    nadir = leontriana2020.nadir(p)[1]
    assert 0.5 < nadir < 5
    gone = []
    for above in (1e4, 1e5):
        drawn = sample_feedback(
            of_prey(p, death=0.02), PredatorPrey(parameters=p), [p.leukaemia_start], [80.0], n=300,
            rng=np.random.default_rng(92), doses=[(0.0, p.car_start)], mean_above=above,
            events=0.03,
        )  # fmt: skip
        gone.append(float((drawn.tumour[:, 0] == 0).mean()))
    # The law at the killing of the published course: what a line meets does not heed one line.
    day = np.linspace(0.01, 80.0, 4000)
    kill = p.killing_rate * leontriana2020.solve(p, day).car
    birth, death = p.leukaemia_rate + 0.02, 0.02
    law = time_dependent_law(
        lambda _: birth, lambda t: death + float(np.interp(t, day, kill)), 0.0, 80.0
    )
    wanted = float(np.exp(-p.leukaemia_start * np.exp(-law.log_hazard)))
    assert 0.05 < wanted < 0.95
    for seen in gone:
        assert abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / 300)


def test_half_the_step_makes_a_quarter_of_the_error():
    day, dose = [10.0], [(7.0, 1e7)]
    published = cartmath2021.solve(RAJI, day, doses=dose)
    errors = []
    for events in (0.2, 0.1, 0.05):
        drawn = sample_feedback(
            of(RAJI), AntigenDriven(parameters=RAJI), [3e6], day, n=1, mean_above=0.0,
            rng=np.random.default_rng(82), doses=dose, events=events,
        )  # fmt: skip
        errors.append(abs(float(np.log(drawn.tumour[0, 0] / published.tumour[0]))))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.3)


def test_prescribed_killing_gives_the_exact_probability_of_survival():
    def rate(day: float) -> float:
        return 1.2 * np.exp(-day / 8.0)

    law = time_dependent_law(lambda _: 0.5, lambda t: 0.3 + rate(t), 0.0, 25.0)
    drawn = sample_feedback(
        one_type(0.2, 0.3), Prescribed(rate=rate), [2000], [25.0], n=4000,
        rng=np.random.default_rng(83), events=0.1,
    )  # fmt: skip
    wanted = 1 - float(law.extinct) ** 2000
    assert 0.05 < wanted < 0.95
    seen = (drawn.tumour[:, 0] > 0).mean()
    assert abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / 4000)


@pytest.mark.parametrize("mean_above", [1e4, 1e5])
@pytest.mark.parametrize("death", [0.0, 0.105])
def test_lymphoma_under_car_t_that_do_not_heed_it_is_cured_as_often_as_exactly(mean_above, death):
    # Both thresholds agree with the exact law, and so with each other.
    p = kimmel2021.KimmelParameters(tumour_death_rate=death)
    day = np.linspace(0.05, 400.0, 8000)
    car = np.append(p.car_start, kimmel2021.solve(p, day).car)
    rate = p.killing_rate * car / (p.half_killing + car)
    grid = np.append(0.0, day)
    drawn = sample_feedback(
        one_type(p.tumour_rate, death), Prescribed(rate=lambda t: float(np.interp(t, grid, rate))),
        [round(p.tumour_start * 1e9)], [250.0], n=2500, rng=np.random.default_rng(84),
        mean_above=mean_above, events=0.15,
    )  # fmt: skip
    wanted = kimmel2021.cure_probability(p)
    seen = (drawn.tumour[:, 0] == 0).mean()
    assert abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / 2500)


def every_event(types, p, start, dose, days, runs, rng, width=0.002):
    """Draw births and deaths of two types in tiny steps, T cells by Euler's rule, run by run."""
    cells = np.repeat(np.array(start)[:, None], runs, axis=1)
    effector, memory = np.full(runs, dose), np.zeros(runs)
    for _ in range(round(days / width)):
        antigen = types.expansion @ cells
        crowd = (types.birth - types.death)[:, None] * types.crowding * cells.sum(axis=0)
        rate = types.death[:, None] + types.engagement[:, None] * p.killing_rate * effector + crowd
        born = rng.poisson(types.birth[:, None] * cells * width)
        dead = np.minimum(rng.poisson(rate * cells * width), cells)
        escaped = rng.binomial(born[0], types.daughters[0, 1])
        cells = cells - dead + born + np.array([-escaped, escaped])
        wake = p.memory_activation * antigen
        effector, memory = (
            effector + width * ((p.proliferation_rate - p.loss_rate - p.inhibition * antigen)
                                * effector + wake * memory),
            memory + width * (p.memory_formation * effector - (wake + p.memory_death) * memory),
        )  # fmt: skip
    return np.vstack([cells, effector])


def test_two_types_that_compete_agree_with_every_event_drawn():
    parameters = replace(
        HDLM2, memory_activation=2e-3, inhibition=1e-4, killing_rate=2e-2, tumour_rate=0.2
    )
    types = TumourTypes(
        birth=np.array([0.5, 0.45]), death=np.array([0.2, 0.2]),
        daughters=np.array([[0.98, 0.02], [0.0, 1.0]]), engagement=np.array([1.0, 0.1]),
        expansion=np.array([1.0, 0.2]), crowding=1e-3,
    )  # fmt: skip
    rng = np.random.default_rng(85)
    fast = sample_feedback(
        types, AntigenDriven(parameters=parameters), [150, 0], [6.0], n=3000, rng=rng,
        doses=[(0.0, 20.0)], events=0.02,
    )  # fmt: skip
    slow = every_event(types, parameters, [150, 0], 20.0, 6.0, 2000, rng)
    for kind in range(2):
        assert stats.ks_2samp(slow[kind], fast.cells[:, 0, kind]).pvalue > 1e-3
    assert stats.ks_2samp(slow[2], fast.effector[:, 0]).pvalue > 1e-3


def test_several_types_in_large_numbers_follow_their_equations():
    types = TumourTypes(
        birth=np.array([0.1, 0.09, 0.08]), death=np.array([0.03, 0.03, 0.02]),
        daughters=np.array([[0.99, 0.01, 0], [0, 0.98, 0.02], [0, 0, 1.0]]),
        engagement=np.array([1.0, 0.4, 0.0]), expansion=np.array([1.0, 0.5, 0.0]), crowding=1e-9,
    )  # fmt: skip
    p = HDLM2

    def slope(_, y):
        tumour, effector, memory = y[:3], y[3], y[4]
        antigen = types.expansion @ tumour
        crowd = (types.birth - types.death) * types.crowding * tumour.sum()
        gain = (types.birth * tumour) @ types.daughters
        removal = types.death + types.engagement * p.killing_rate * effector + crowd
        wake = p.memory_activation * antigen
        return np.concatenate([
            gain - removal * tumour,
            [(p.proliferation_rate - p.loss_rate - p.inhibition * antigen) * effector
             + wake * memory, p.memory_formation * effector - (wake + p.memory_death) * memory],
        ])  # fmt: skip

    start = np.array([3e7, 1e6, 1e4])
    run = solve_ivp(slope, (0, 4), [*start, 1e4, 0.0], method="LSODA", rtol=1e-9, atol=1e-6)
    drawn = sample_feedback(
        types, AntigenDriven(parameters=p), start, [4.0], n=1, rng=np.random.default_rng(86),
        doses=[(0.0, 1e4)], mean_above=0.0, events=0.005,
    )  # fmt: skip
    assert drawn.cells[0, 0] == pytest.approx(run.y[:3, -1], rel=3e-3, abs=1e-3)
    assert drawn.effector[0, 0] == pytest.approx(run.y[3, -1], rel=3e-3)


def test_a_tumour_that_the_equations_bring_back_from_a_fraction_of_a_cell_is_gone():
    days, dose = [300.0], [(42.0, 6e5)]
    published = cartmath2021.solve(HDLM2, [100.0, 300.0], doses=dose).tumour
    assert published[0] < 0.1
    assert published[1] > 100
    drawn = sample_feedback(
        of(HDLM2, death=0.1), AntigenDriven(parameters=HDLM2), [2e6], days, n=60,
        rng=np.random.default_rng(87), doses=dose, events=0.2,
    )  # fmt: skip
    assert (drawn.tumour[:, 0] == 0).mean() > 0.8


def test_a_safe_number_is_the_smallest_that_keeps_extinction_rare():
    for survival, error in ((0.02, 1e-8), (0.5, 1e-3)):
        n = safe_number(survival, error)
        assert (1 - survival) ** n <= error < (1 - survival) ** (n - 1)
    assert safe_number(1.0, 0.5) == 1


def test_a_patients_types_meet_one_product():
    types = tumour_types(cell_types(typical_patient()), crowding=1e-13)
    assert types.engagement.tolist() == [1.0, 0.0, 0.0]
    assert types.expansion.tolist() == [1.0, 0.0, 0.0]
    assert types.crowding == 1e-13
    both = replace(typical_patient(), plasticity=Plasticity(switch_off=(1e-3,), switch_on=(1e-2,)))
    with pytest.raises(ParameterError, match=r"types switch.*use course"):
        tumour_types(cell_types(both))
    two = replace(typical_patient(), losses=Losses(per_antigen=(1e-6, 1e-6)))
    assert tumour_types(cell_types(two)).engagement.tolist() == [1.0, 1.0, 1.0, 0.0]


GOOD = one_type(0.1)
CAR = AntigenDriven(parameters=HDLM2)
RNG = np.random.default_rng(1)


def draw(types=GOOD, car=CAR, start=(10,), days=(0.0, 1.0), n=1, **more):
    return sample_feedback(types, car, start, days, n=n, rng=more.pop("rng", RNG), **more)


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: draw(types=None), "types is None", "give TumourTypes"),
        (lambda: draw(car=None), "car is None", "AntigenDriven"),
        (lambda: PredatorPrey(parameters=HDLM2), "parameters is", "see its docstring"),
        (lambda: draw(start=(10, 2)), r"start is \(10, 2\)", "round it"),
        (lambda: draw(start=(0.5,)), r"start is \(0.5,\)", "round it"),
        (lambda: draw(start=(1e19,)), r"start is \(1e\+19,\)", "round it"),
        (lambda: draw(days=(1.0, 1.0)), r"days is \(1.0, 1.0\)", "sort it"),
        (lambda: draw(days=(-1.0, 1.0)), "days is -1", "count days"),
        (lambda: draw(n=None), "n is None", "give a number"),
        (lambda: draw(rng=3), "rng is 3", "default_rng"),
        (lambda: draw(events=2.0), "events is 2", "<= 1"),
        (lambda: draw(mean_above=-1), "mean_above is -1", "give cells"),
        (lambda: draw(doses=[(0.0, -5.0)]), "a dose is -5", "give a number"),
        (lambda: draw(car=Prescribed(rate=lambda _: -1.0)), "rate is -1", "mend the function"),
        (
            lambda: draw(types=one_type(0.1, 1e3), start=(10**9,), days=(36500.0,)),
            "7.3e\\+08 steps",
            "raise events",
        ),
        (lambda: one_type(-0.5), "birth is -0.5", "give one number"),
        (lambda: replace(GOOD, engagement=np.ones(2)), "birth has shape", "same types"),
        (lambda: replace(GOOD, daughters=np.full((1, 1), 0.5)), "add up to", "on the diagonal"),
        (lambda: safe_number(0.0, 0.1), "survival is 0", "change them"),
        (lambda: safe_number(0.1, 1.0), "error is 1", "change them"),
        (
            lambda: tumour_types(cell_types(typical_patient()), product=1),
            "product is 1",
            "0 is the first",
        ),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
