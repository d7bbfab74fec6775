"""Odd input that once came out as something else than a number or a clear refusal.

The fuzz (`tests/fuzz`) found these; each class of cause stands here with one small example.
"""

from dataclasses import replace

import numpy as np
import pytest

from car_relapse import (
    Losses,
    ParameterError,
    Plasticity,
    default_population,
    relapse_probabilities,
    simulate,
)
from car_relapse.branching import constant_rate_law, transition_probability
from car_relapse.calibration import fit
from car_relapse.calibration_data import PhenotypeCounts
from car_relapse.cohort import simulate_range
from car_relapse.engagement import DensityDistribution, gauss_hermite_bins
from car_relapse.exposure import stein_typical
from car_relapse.exposure_kimmel import KimmelExposure
from car_relapse.followup import FollowUp
from car_relapse.gates import AndGate, AndNotGate, OrGate, SingleGate, SumGate
from car_relapse.growth_sampling import sample_two_types
from car_relapse.history import line_history
from car_relapse.killing import Killing
from car_relapse.kimmel_population import KimmelPopulation
from car_relapse.leaps import leap
from car_relapse.luria_delbrueck import CloneLaw, estimate_interval, mutant_quantile
from car_relapse.patient import Leukaemia, typical_patient
from car_relapse.population import Spread, Subgroup
from car_relapse.progress import Meter
from car_relapse.published.cartmath2021 import HDLM2, dose_threshold
from car_relapse.published.kimmel2021 import KimmelParameters
from car_relapse.resistance import expected_full_loss
from car_relapse.survival import antigen_positive_probability
from car_relapse.switching import low_fraction
from car_relapse.two_types import TwoTypes

GATES = (OrGate(), SumGate(), AndGate(), SingleGate(antigen=0), AndNotGate())
TWO = TwoTypes(
    birth_rate=0.2, death_rate=0.1, loss=1e-3, escaped_birth_rate=0.2, escaped_death_rate=0.1
)

LAW = constant_rate_law(0.2, 0.1, 3.0)
BURST = constant_rate_law(900.0, 0.0, 1.0)
STIFF = KimmelParameters(normal_rate=1000.0, car_boost=1e-10, car_boost_shape=0.02)
SIX = replace(
    typical_patient(),
    losses=Losses(per_antigen=(1e-7,) * 6, common_mode=1e-9),
    plasticity=Plasticity(switch_on=(0.01,) * 6, stripping=(0.1,) * 6),
)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    ("engagement", "veto", "message"),
    [
        ([0.5, None], 0.0, "engagement 2 is None"),
        ([0.5, 1.5], 0.0, r"engagement 2 is 1\.5"),
        (0.5, 0.0, "must be a list"),
        ([0.5], float("nan"), "veto is nan"),
        ([[0.5, 0.5]], [0.1, 0.2, 0.3], "one shape"),
        ([0.5] * 7, 0.0, "antigens is 7"),
    ],
)
def test_gates_refuse_what_is_no_engagement_and_no_veto(gate, engagement, veto, message):
    with pytest.raises(ParameterError, match=message):
        gate.fraction(engagement, veto)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("antigens", [0, 7, 10**30, 1.5, None, True])
def test_gates_read_one_to_six_antigens(gate, antigens):
    with pytest.raises(ParameterError, match="antigens is"):
        gate.reads(antigens)


def test_arms_that_add_may_exceed_one_and_never_their_number():
    assert SumGate().fraction([1.0, 0.5, 0.25]).item() == 1.75
    assert OrGate(synergy=3.0).fraction([1.0, 1.0]).item() == 3.0


def test_plasticity_names_its_fields_and_antigens():
    slow = Plasticity(stripping=(0.1, 0.2))
    assert slow.of("stripping", 1) == 0.2
    for call, message in (
        (lambda: slow.of("antigens", 0), "name is 'antigens'; .*switch_off"),
        (lambda: slow.of("stripping", -1), "antigen is -1"),
        (lambda: slow.reversible(0.5), r"antigen is 0\.5"),
        (lambda: slow.check_antigens(None), "antigens is None"),
    ):
        with pytest.raises(ParameterError, match=message):
            call()


def _lines(birth_rate: float, peak_day: float, half_level: float = 3000.0):
    curve = stein_typical()
    fields = {name: np.array([value]) for name, value in vars(curve).items()}
    curve = type(curve)(**fields | {"peak_day": np.array([peak_day])})
    disease = Leukaemia(birth_rate=birth_rate, death_rate=0.0, burden=1e11)
    return line_history(disease, 0.0, Killing(maximal_rate=0.5, half_level=half_level), curve)


def test_growth_that_the_nodes_cannot_resolve_is_refused():
    people = default_population()
    late = replace(people.exposures.typical, peak_day=30_000.0)
    people = replace(
        people,
        leukaemia=Leukaemia(birth_rate=100.0, death_rate=0.0, burden=1e11),
        exposures=replace(people.exposures, typical=late),
    )
    with pytest.raises(ParameterError, match=r"too far apart .*check birth_rate"):
        simulate(people, 10, seed=1)


def test_killing_that_saturates_below_growth_leaves_a_right_number():
    # Killing is half of growth until long after the line is through: s = 1 - 0.5/1.
    history = _lines(1.0, 10.0, half_level=1e-300)
    assert np.exp(-history.log_r).item() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate(default_population(), 10**9, seed=1), "n is 1000000000"),
        (lambda: simulate_range(default_population(), 0, 10**400, seed=1), "stop is above"),
        (lambda: default_population().sample(10**30, np.random.default_rng(1)), "10000000"),
        (lambda: Spread(death_rate=1e3), "death_rate is 1000; .*natural log"),
        (lambda: Subgroup(name=float("nan"), weight=0.1), "name is nan"),
        (lambda: gauss_hermite_bins(DensityDistribution(median=1.0, log_sd=1.0), 10**400), "10000"),
        (lambda: gauss_hermite_bins(DensityDistribution(median=1.0, log_sd=99.0), 99), "log_sd"),
        (lambda: expected_full_loss(1e308, 0.5, Losses(per_antigen=(0.1,))), r"size is 1e\+308"),
        (lambda: low_fraction([1.0, 2.0, 3.0], []), "one shape"),
        (lambda: TWO.generating_function(10**400, 0.0, 1.0), "targeted is"),
        (lambda: sample_two_types(TWO, 1e5, n=1, rng=np.random.default_rng(1), steps=1), "steps"),
        (lambda: mutant_quantile(0.5, 1e30, CloneLaw()), r"events is 1e\+30"),
        (lambda: mutant_quantile(0.5, 1e15, CloneLaw()), "passes 65536"),
        (lambda: mutant_quantile(0.5, 5.0, CloneLaw(), largest=10**6), "to 200000"),
        (lambda: KimmelPopulation().sample(10**30, np.random.default_rng(1)), "to 10000000"),
        (lambda: sample_two_types(TWO, 5.0, n=10**30, rng=np.random.default_rng(1)), "populations"),
        (lambda: transition_probability(LAW, 10**30, 3), "start is 1000.*draw them with"),
        (
            lambda: leap(constant_rate_law(900.0, 0.0, 1.0), 10**13, np.random.default_rng(1)),
            "hold",
        ),
        (lambda: fit(n=8, profiles=float("nan")), "free is .*must name different fields"),
        (lambda: simulate(default_population(), 10, seed=1, checkpoint=[]), r"checkpoint is \[\]"),
        (lambda: Meter(10, object), "progress is <class 'object'>"),
        (lambda: AndNotGate(antigen=10**400), "antigen is"),
        (lambda: AndGate().fraction(np.array([0.5], dtype=object)), "engagement is array"),
        (lambda: antigen_positive_probability([1.0, 2.0], [1.0, 2.0, 3.0]), "one shape"),
        (lambda: dose_threshold(HDLM2, highest=1e99), "cannot be followed"),
        (lambda: KimmelExposure(parameters=STIFF).level(1.0), "normal_rate is 1000"),
        (lambda: estimate_interval([1, 1], CloneLaw(detection=1e-300)), "more than 1e.18 loss"),
        (lambda: relapse_probabilities(SIX), "730 types of cell in 1 .*fewer antigens"),
    ],
)
def test_what_cannot_be_answered_is_refused_at_once(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_overflow_on_the_way_to_a_right_answer_does_not_warn(recwarn):
    assert np.isfinite(stein_typical().last_day_above(1e-300))
    assert Killing(maximal_rate=1.0, half_level=1e4).level_for(1e100) == np.inf
    assert not recwarn.list


def test_rounding_leaves_probabilities_within_their_bounds():
    slow = TwoTypes(
        birth_rate=1.0868845696488014e-08,
        death_rate=3.481226690770611e-12,
        loss=2.1795194050807064e-09,
        escaped_birth_rate=0.03904325487973533,
        escaped_death_rate=1.8335502898958733e-05,
    )
    assert slow.no_event(0.3216537623900915) == 1.0


def test_an_interval_of_almost_no_coverage_is_almost_a_point():
    low, high = estimate_interval([1, 1, 1], CloneLaw(death_ratio=0.065), level=2e-14)
    assert low == pytest.approx(high, rel=1e-6)


def test_counts_of_small_numpy_integers_add_up():
    counts = PhenotypeCounts(
        antigen_positive=np.int8(100),
        antigen_negative=np.int8(100),
        lineage_switch=np.int8(3),
        follow_up=FollowUp(shortest=100.0, longest=200.0, dropout_rate=0.0, death_rate=0.0),
        infused=np.int16(341),
    )
    assert counts.relapses == 203
    assert list(counts.counts) == [100, 100, 3, 138]
