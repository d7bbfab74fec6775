"""The engine of virtual cohorts: against closed forms, leaps, every event, and inversion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from curves import Plateau, Same, one_of
from r1_cases import r1_case, r1_population
from scipy import stats
from slow_twins import exact_fates
from twin_leaps import leap_fates

from car_relapse.antigens import Losses
from car_relapse.cohort import BLOCK, default_population, simulate, simulate_range, stream
from car_relapse.engine import sample_fates
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, stein_population, stein_typical
from car_relapse.killing import Killing, LinearKilling
from car_relapse.outcomes import Detection, Outcome
from car_relapse.patient import Leukaemia, Patient
from car_relapse.population import Population, or_gate_engagement
from car_relapse.presentation import Block
from car_relapse.shared_killing import SharedKilling, histories
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy
from car_relapse.unequal_killing import unequal_cell_values, unequal_course

RELAPSES = (
    Outcome.ANTIGEN_POSITIVE,
    Outcome.ANTIGEN_NEGATIVE,
    Outcome.PARTIAL_LOSS,
    Outcome.LINEAGE_SWITCH,
)


@pytest.mark.parametrize(
    ("birth", "death", "kill", "losses"),
    [
        (0.105, 0.04, 1.15, Losses(per_antigen=(1e-12,), common_mode=3e-13)),
        (0.3, 0.0, 1.5, Losses(per_antigen=(1e-9,), shared_defect=3e-10)),
        (0.2, 0.15, 0.06, Losses(per_antigen=(1e-8,))),
        (0.2, 0.1, 4.0, Losses(per_antigen=(1e-6, 3e-6), common_mode=1e-12, shared_defect=1e-12)),
        (0.2, 0.1, 4.0, Losses(per_antigen=(1e-5, 2e-5, 3e-5), common_mode=1e-13)),
    ],
)
def test_expected_lines_are_those_of_the_backward_equations(birth, death, kill, losses):
    population = Population(
        leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=1e10),
        burden_log10_sd=0.7,
        losses=losses,
        exposures=stein_population(),
        killing=Killing(maximal_rate=kill, half_level=3000.0),
        detection=Detection(remission_cells=1e8, relapse_cells=1e10),
    )
    cohort = simulate_range(population, 0, BLOCK, seed=71)
    curves = population.exposures.sample(BLOCK, stream(71, 0))
    # With several antigens the engine is right to the order of u b t.
    close = 1e-3 if losses.antigens == 1 else 0.02
    compared = 0
    for i in range(0, BLOCK, 16):
        patient = Patient(
            leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=float(cohort.burden[i])),
            losses=losses,
            therapy=Therapy(exposure=one_of(curves, i), killing=population.killing),
        )
        fate = relapse_probabilities(patient)
        assert cohort.positive_lines[i] == pytest.approx(fate.positive_lines, rel=close, abs=1e-12)
        if losses.antigens > 1 and fate.positive_lines > 1:
            continue  # short-lived lines then matter among the few that leave no target
        compared += 1
        before = fate.preexisting_lines - fate.shared_lines
        assert cohort.preexisting_lines[i] == pytest.approx(before, rel=close)
        later = fate.acquired_lines + fate.completed_lines
        assert cohort.acquired_lines[i] == pytest.approx(later, rel=2 * close)
        assert cohort.cure_probability[i] == pytest.approx(fate.cure, rel=2 * close, abs=1e-3)
    assert compared >= 3


@pytest.mark.parametrize(
    ("antigens", "loss", "joint", "cure"),
    [
        (1, 1e-10, 0.0, 0.1646),
        (1, 1e-11, 0.0, 0.4582),
        (2, 1e-6, 1e-11, 0.2217),
        (2, 1e-7, 1e-12, 0.6086),
        (3, 1e-5, 1e-12, 0.5238),
    ],
)
def test_the_benchmark_cohorts_are_cured_as_often_as_the_riccati_equations_say(
    antigens, loss, joint, cure
):
    cohort = simulate(r1_population(antigens, loss, joint), 4096, seed=72)
    p = cohort.cure_probability
    # The reference is a mean over other patients: its error and ours are those of their spread.
    assert abs(p.mean() - cure) < 4 * p.std() * np.hypot(1 / 64, 1 / 143)
    cured = (cohort.outcome == Outcome.CURED).sum()
    assert abs(cured - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


CURVE = SteinExposure(
    fold=np.exp(7.0), peak_day=7.0, peak_level=1.0, contraction_rate=0.15,
    memory_fraction=0.3, memory_rate=0.03,
)  # fmt: skip
LIMITS = Detection(remission_cells=3e3, relapse_cells=3e4)


def transition(losses: Losses) -> np.ndarray:
    """Return the probabilities of the next state, the lineage switch last."""
    full = 2**losses.antigens - 1
    matrix = np.zeros((full + 2, full + 2))
    for state in range(full):
        for antigen, loss in enumerate(losses.per_antigen):
            if not state >> antigen & 1:
                matrix[state, state | 1 << antigen] += loss
        matrix[state, full] += losses.shared_defect
        matrix[state, full + 1] += losses.common_mode
    np.fill_diagonal(matrix, 1 - matrix.sum(axis=1))
    return matrix


@pytest.mark.parametrize(
    ("losses", "kill", "engagement"),
    [
        (Losses(per_antigen=(1e-6,), common_mode=1e-6, shared_defect=1e-6), 1.65, None),
        (Losses(per_antigen=(1e-4, 5e-5), common_mode=1e-6, shared_defect=1e-6), 1.65, None),
        (Losses(per_antigen=(5e-4,) * 3, common_mode=1e-6, shared_defect=1e-6), 1.65, None),
        (Losses(per_antigen=(1e-6,) * 2, shared_defect=1e-6), 1.65, (1.0, 0.0, 0.0, 0.0)),
        (Losses(per_antigen=(2e-6,) * 2, shared_defect=1e-6), 2.0, (1.0, 0.6, 0.3, 0.0)),
    ],
)
def test_kinds_and_days_of_relapse_are_those_of_plain_leaps(losses, kill, engagement):
    runs = 4000
    population = Population(
        leukaemia=Leukaemia(birth_rate=0.3, death_rate=0.1, burden=1e5),
        burden_log10_sd=0.0,
        losses=losses,
        exposures=Same(CURVE),
        killing=LinearKilling(rate_per_level=kill),
        detection=LIMITS,
        engagement=engagement,
    )
    cohort = simulate(population, runs, seed=73)
    met = (*(engagement or or_gate_engagement(losses.antigens)), 0.0)
    outcome, day = leap_fates(
        0.3, 0.1, 1e5, transition(losses),
        lambda state, t: kill * float(CURVE.level(t)) * met[state],
        LIMITS, runs, np.random.default_rng(74), days=400,
    )  # fmt: skip
    table = np.array([np.bincount(x, minlength=6) for x in (cohort.outcome, outcome)])
    table = table[:, table.sum(axis=0) > 12]
    assert table.shape[1] >= 3
    assert stats.chi2_contingency(table)[1] > 1e-3
    for kind in RELAPSES:
        ours, theirs = cohort.relapse_day[cohort.outcome == kind], day[outcome == kind]
        if min(ours.size, theirs.size) > 30:
            assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


def test_survivors_are_as_many_as_when_every_event_is_drawn():
    # Ten thousand cells, grown from one, through ten days of killing: every division and death.
    losses = Losses(per_antigen=(1e-3, 2e-3), shared_defect=3e-5)
    size, runs, days, kill = 10_000, 150, 12.0, 1.1
    population = Population(
        leukaemia=Leukaemia(birth_rate=0.4, death_rate=0.1, burden=size),
        burden_log10_sd=0.0,
        losses=losses,
        exposures=Plateau(days - 1 / 60),
        killing=LinearKilling(rate_per_level=kill),
        detection=Detection(remission_cells=0.7 * size, relapse_cells=10 * size),
    )
    cohort = simulate(population, 20_000, seed=75)
    targeted, escaped, given_up = exact_fates(
        0.4, 0.1, kill, days, losses.transition_matrix(), size, runs, np.random.default_rng(76)
    )
    kept = ~given_up
    assert kept.mean() > 0.9
    cured = (~targeted & ~escaped)[kept].mean()
    wanted = (cohort.outcome == Outcome.CURED).mean()
    assert 0.1 < wanted < 0.9
    assert abs(cured - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / kept.sum())
    assert cohort.cure_probability.mean() == pytest.approx(wanted, abs=0.02)


def test_the_days_of_relapse_have_the_law_of_the_inverted_transform():
    # With one antigen the mass X of late days has the transform
    # log E e^(-qX) = -N pi q R/(1 + q R) - integral of founders q g/(1 + q g); inverted by Fourier.
    losses = Losses(per_antigen=(3e-6,))
    leukaemia = Leukaemia(birth_rate=0.3, death_rate=0.1, burden=1e5)
    population = Population(
        leukaemia=leukaemia, burden_log10_sd=0.0, losses=losses, exposures=Same(CURVE),
        killing=LinearKilling(rate_per_level=3.0),
        detection=Detection(remission_cells=3e3, relapse_cells=3e4),
    )  # fmt: skip
    cohort = simulate(population, 20_000, seed=77)
    assert cohort.positive_lines[0] < 1e-3  # so that only escaped cells come back
    net, s = leukaemia.net_rate, leukaemia.survival
    assert cohort.acquired_lines[0] > 0.02

    block, _ = population.sample(1, np.random.default_rng(0))
    rule, met = histories(block)
    fine = met[1.0]
    rate = 0.3 * losses.total * s * 1e5 * fine.cleared[:, :, 0] * rule.weights()[:, :, 0]
    late = np.exp(-net * rule.node[:, :, 0]) / s
    y = np.linspace(0, np.log(1e5 * s), 4001)
    y = 0.5 * (y[1:] + y[:-1])
    early = losses.total * 1e5 * np.exp(-y) * np.log(1e5 * s) / 4000
    old = np.exp(y) / s

    def transform(q):
        lost = (rate * (q * late / (1 + q * late))).sum()
        return np.exp(-lost - (early * (q * old / (1 + q * old))).sum())

    def below(x, terms=40, a=18.4):
        # Abate & Whitt's Euler summation for the Laplace transform of the distribution function.
        n = np.arange(terms + 12)
        q = (a + 2j * np.pi * n) / (2 * x)
        values = np.array([(transform(z) / z).real for z in q]) * (-1.0) ** n
        values[0] /= 2
        sums = np.cumsum(values)
        weights = stats.binom.pmf(np.arange(12), 11, 0.5)
        return float(np.exp(a / 2) / x * (weights * sums[terms:]).sum())

    for day in (35.0, 45.0, 55.0, 65.0, 80.0):
        relapsed = 1 - below(3e4 * np.exp(-net * day))
        seen = (cohort.relapse_day <= day).mean()
        assert abs(seen - relapsed) < 4 * np.sqrt(relapsed * (1 - relapsed) / 20_000) + 1e-3


@pytest.mark.parametrize("antigens", [2, 3])
def test_unequal_arms_of_equal_strength_are_one_product(antigens):
    population = replace(
        r1_case("E" if antigens == 3 else "D"), engagement=None, exposures=r1_case("A").exposures
    )
    block, _ = population.sample(64, np.random.default_rng(78))
    rule, met = histories(block)
    fade = np.exp(-block.net_rate * rule.node)
    shared = SharedKilling(block, rule, met[1.0], fade)
    for one, other in zip(shared.cell_values(), unequal_cell_values(block, rule, met), strict=True):
        for state in one:
            assert one[state] == pytest.approx(other[state], rel=2e-3)
    cells = {state: np.full(64, 1e6) for state in range(block.escaped)}
    courses = [
        shared.course(cells, 1e9, np.random.default_rng(79)),
        unequal_course(block, rule, met, fade, cells, 1e9, np.random.default_rng(79)),
    ]
    assert courses[0].cleared == pytest.approx(courses[1].cleared, rel=1e-3, abs=1e-9)
    for state in courses[0].killed:
        seen = [np.mean(course.killed[state] > 0) for course in courses]
        assert abs(seen[0] - seen[1]) < 0.3


def fates(population: Population, count: int, seed: int):
    return simulate_range(population, 0, count, seed=seed)


def changed(**changes) -> Population:
    return replace(default_population(), **changes)


def test_without_losses_no_relapse_is_antigen_negative():
    cohort = fates(changed(losses=Losses(per_antigen=(0.0,))), 512, 73)
    assert not np.isin(cohort.outcome, RELAPSES[1:]).any()
    assert (cohort.outcome == Outcome.ANTIGEN_POSITIVE).any()
    assert not cohort.preexisting_lines.any()
    assert not cohort.acquired_lines.any()


def test_too_weak_a_therapy_brings_no_remission():
    for kill in (1e-3, 0.06):  # never above net growth; both bend the growth no further
        weak = changed(killing=Killing(maximal_rate=kill, half_level=3000.0))
        cohort = fates(weak, 128, 74)
        assert (cohort.outcome == Outcome.NO_REMISSION).all()
        assert not cohort.relapse_day.any()


def test_overwhelming_losses_make_every_relapse_antigen_negative():
    population = changed(
        losses=Losses(per_antigen=(1e-9,)),
        killing=Killing(maximal_rate=3.0, half_level=100.0),
        burden_log10_sd=0.0,
    )
    cohort = fates(population, 128, 75)
    relapsed = np.isfinite(cohort.relapse_day) & (cohort.relapse_day > 0)
    assert (cohort.outcome[relapsed] == Outcome.ANTIGEN_NEGATIVE).all()
    assert relapsed.sum() > 100


def test_a_lone_escape_relapses_when_exponential_growth_brings_it_to_the_limit():
    population = changed(
        leukaemia=Leukaemia(birth_rate=0.105, death_rate=0.04, burden=1e8),
        burden_log10_sd=0.0,
        losses=Losses(per_antigen=(2e-10,)),
        killing=Killing(maximal_rate=10.0, half_level=10.0),
        detection=Detection(remission_cells=1e6, relapse_cells=1e10),
    )
    cohort = fates(population, 4000, 76)
    escaped = cohort.outcome == Outcome.ANTIGEN_NEGATIVE
    lines = 0.02 + cohort.acquired_lines.mean()
    assert abs(escaped.mean() - lines) < 4 * np.sqrt(lines / 4000)
    # One line weighs E/(sU), with P(E/U > x) = (1 - e^-x)/x: the median is 1.594.
    mass = 1e10 * np.exp(-0.065 * cohort.relapse_day[escaped])
    light = np.mean(mass * population.leukaemia.survival < 1.5936)
    assert abs(light - 0.5) < 4 * 0.5 / np.sqrt(escaped.sum())


def test_a_switch_of_lineage_is_an_escape_of_its_own():
    losses = Losses(per_antigen=(1e-12, 1e-12), common_mode=1e-11)
    cohort = fates(changed(losses=losses), 1024, 78)
    switched, _ = cohort.share(Outcome.LINEAGE_SWITCH)
    assert switched > 0.2
    assert not (cohort.outcome == Outcome.ANTIGEN_NEGATIVE).any()


def test_six_antigens_leave_only_what_loses_all_at_once():
    losses = Losses(per_antigen=(1e-9,) * 6, common_mode=3e-12)
    cohort = fates(changed(losses=losses), 256, 79)
    kinds = np.unique(cohort.outcome)
    assert set(kinds) <= {0, 1, 3, 5}
    assert np.isfinite(cohort.cure_probability).all()


@pytest.mark.parametrize("burden", [1e3, 1e6, 1e13])
def test_any_burden_gives_probabilities_and_days(burden):
    for losses in (Losses(per_antigen=(1e-6,)), Losses(per_antigen=(1e-4, 1e-4))):
        population = replace(
            default_population(burden),
            burden_log10_sd=0.3,
            losses=losses,
            detection=Detection(remission_cells=burden / 100, relapse_cells=burden),
        )
        cohort = fates(population, 256, 80)
        assert np.all((cohort.cure_probability >= 0) & (cohort.cure_probability <= 1))
        relapsed = np.isin(cohort.outcome, RELAPSES)
        assert np.isfinite(cohort.relapse_day[relapsed]).all()
        assert np.all(cohort.relapse_day[relapsed] > 0)


def test_three_antigens_that_are_all_needed_escape_by_any_loss():
    # An AND gate: any loss is out of reach, whatever else the cell still shows.
    gate = (1.0,) + (0.0,) * 7
    losses = Losses(per_antigen=(1e-12, 2e-12, 3e-12))
    people = changed(losses=losses, engagement=gate)
    cohort = fates(people, 1024, 81)
    single = fates(changed(losses=Losses(per_antigen=(6e-12,))), 1024, 81)
    assert cohort.cure_probability == pytest.approx(single.cure_probability, rel=1e-9)
    assert not (cohort.outcome == Outcome.ANTIGEN_NEGATIVE).any()
    assert abs(cohort.share(Outcome.PARTIAL_LOSS)[0] - single.share(Outcome(2))[0]) < 0.08


def test_a_state_out_of_reach_may_stand_beside_states_of_other_strength():
    gate = (1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0)
    cohort = fates(
        changed(losses=Losses(per_antigen=(3e-12, 3e-12, 1e-9)), engagement=gate), 512, 82
    )
    p = cohort.cure_probability
    cured = (cohort.outcome == Outcome.CURED).sum()
    assert abs(cured - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum()) + 1
    assert cohort.share(Outcome.PARTIAL_LOSS)[0] > 0.1


def test_without_killing_every_line_of_immortal_cells_survives():
    people = changed(
        leukaemia=Leukaemia(birth_rate=0.1, death_rate=0.0, burden=1e12),
        killing=LinearKilling(rate_per_level=1e-14),
        losses=Losses(per_antigen=(1e-9, 1e-9)),
    )
    cohort = fates(people, 128, 83)
    assert (cohort.outcome == Outcome.NO_REMISSION).all()
    assert np.isfinite(cohort.positive_lines).all()


def test_a_burden_that_cannot_be_drawn_is_refused():
    block = Block(
        birth_rate=np.full(2, 0.2), death_rate=np.full(2, 0.1), burden=np.array([1e9, 1e30]),
        per_antigen=np.full((1, 2), 1e-9), common_mode=np.zeros(2), shared_defect=np.zeros(2),
        killing=LinearKilling(rate_per_level=1e-3),
        curve=Same(stein_typical()).sample(2, np.random.default_rng(1)),
        engagement=(1.0, 0.0),
    )  # fmt: skip
    with pytest.raises(ParameterError, match=r"burden is 1e\+30 cells.*lower the burden"):
        sample_fates(block, LIMITS, np.random.default_rng(1))
    good = replace(block, burden=np.full(2, 1e9))
    assert not sample_fates(good, LIMITS, np.random.default_rng(1)).subgroup.any()
