"""Exact operating characteristics, stopping for toxicity, and apheresis: against other counting."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, nbinom

from car_relapse.errors import ParameterError
from car_relapse.trial.dose import (
    BOIN,
    MTPI2,
    STOP,
    Apheresis,
    Design,
    DoseData,
    I3Plus3,
    ThreePlusThree,
    ToxicityStopping,
    escalation_probability,
    exact,
    exact_characteristics,
    exact_ends,
)

rising = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=3).map(sorted)


def courses(
    design: Design, p: list[float], cohorts: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Walk every sequence of outcomes, cohort by cohort, one trial at a time."""
    levels = len(p)
    selected, treated = np.zeros(levels + 1), np.zeros(levels)
    todo = [(np.zeros(levels, int), np.zeros(levels, int), 1, 1.0, 0)]
    while todo:
        n, x, level, weight, done = todo.pop()
        for k in range(size + 1):
            chance = binom.pmf(k, size, p[level - 1])
            n1, x1 = n.copy(), x.copy()
            n1[level - 1] += size
            x1[level - 1] += k
            data = DoseData(treated=n1, toxic=x1)
            answer = int(design.next_level(data, level))
            if answer == STOP or done + 1 == cohorts:
                selected[int(design.recommend(data))] += weight * chance
                treated += weight * chance * n1
            else:
                todo.append((n1, x1, answer, weight * chance, done + 1))
    return selected, treated


@pytest.mark.parametrize(
    ("design", "cohorts", "size"),
    [
        (BOIN(target=0.3), 4, 3),
        (BOIN(target=0.25, enough=6, extra_safety=0.9), 5, 2),
        (MTPI2(target=0.2), 6, 1),
        (I3Plus3(target=0.3), 4, 3),
        (ThreePlusThree(variant="confirm"), 5, 3),
        (ThreePlusThree(variant="stop"), 6, 3),
    ],
    ids=repr,
)
def test_merged_states_are_all_courses(design: Design, cohorts: int, size: int) -> None:
    p = [0.1, 0.3, 0.45]
    selected, treated = courses(design, p, cohorts, size)
    found = exact_characteristics(design, p, cohorts=cohorts, cohort_size=size)
    np.testing.assert_allclose(found.selected, selected, atol=1e-12)
    np.testing.assert_allclose(found.treated, treated, atol=1e-12)


def test_three_plus_three_that_stops_is_a_product() -> None:
    p = np.array([0.08, 0.15, 0.3, 0.5])
    up = np.concatenate([[1.0], np.cumprod(escalation_probability(p))])
    # The trial recommends the level below the first that it does not pass.
    expected = np.append(up[:-1] - up[1:], up[-1])
    found = exact_characteristics(ThreePlusThree(variant="stop"), p)
    np.testing.assert_allclose(found.selected, expected, atol=1e-14)


def test_three_plus_three_that_confirms_follows_its_two_steps() -> None:
    """Count by hand: up to the first level that is too toxic, then down until one is confirmed."""
    p = np.array([0.1, 0.25, 0.4])
    three = binom.pmf(np.arange(4)[:, None], 3, p)
    zero, one = three[0], three[1]
    by_six = one * zero  # passed with one toxicity among six
    fails = 1 - zero - by_six
    # A level passed by three patients is confirmed by three more with one toxicity at most.
    later = zero + one
    expected = np.zeros(4)

    def down(level: int, weight: float) -> None:
        """Confirm the levels from `level` down, each passed with three or with six."""
        if level < 0:
            expected[0] += weight
            return
        passed = zero[level] + by_six[level]
        expected[level + 1] += weight * by_six[level] / passed
        expected[level + 1] += weight * zero[level] / passed * later[level]
        down(level - 1, weight * zero[level] / passed * (1 - later[level]))

    reached = 1.0
    for level in range(3):
        down(level - 1, reached * fails[level])
        reached *= zero[level] + by_six[level]
    down(2, reached)
    found = exact_characteristics(ThreePlusThree(variant="confirm"), p)
    np.testing.assert_allclose(found.selected, expected, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(p=rising, cohorts=st.integers(1, 5), size=st.integers(1, 3), data=st.data())
def test_probabilities_sum_to_one_and_expectations_agree(
    p: list[float], cohorts: int, size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(1, len(p)))
    kind = data.draw(st.sampled_from([BOIN, MTPI2, I3Plus3]))
    found = exact_characteristics(
        kind(target=0.3), p, cohorts=cohorts, cohort_size=size, start=start
    )
    assert found.selected.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.size_probability.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.sizes @ found.size_probability == pytest.approx(found.patients, abs=1e-9)
    assert found.sizes.max() <= cohorts * size
    # Wald: each patient at a level has the event with its probability, whenever treated.
    np.testing.assert_allclose(found.toxic, found.treated * p, atol=1e-9)
    assert found.toxicities == pytest.approx(found.treated @ p, abs=1e-9)


def test_without_toxicity_the_trial_runs_up_and_with_it_stops_at_once() -> None:
    safe = exact_characteristics(BOIN(target=0.3), [0.0, 0.0, 0.0], cohorts=5)
    assert safe.treated.tolist() == [3.0, 3.0, 9.0]
    assert safe.selected.tolist() == [0.0, 0.0, 0.0, 1.0]
    toxic = exact_characteristics(BOIN(target=0.3), [1.0, 1.0, 1.0], cohorts=5)
    assert toxic.treated.tolist() == [3.0, 0.0, 0.0]
    assert toxic.selected.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert (toxic.sizes.tolist(), toxic.size_probability.tolist()) == ([3], [1.0])


def test_a_trial_starts_where_it_is_told() -> None:
    found = exact_characteristics(BOIN(target=0.3), [0.2, 0.2, 0.2], cohorts=1, start=2)
    np.testing.assert_allclose(found.treated, [0.0, 3.0, 0.0], rtol=1e-14)


def test_what_exceeds_a_limit_is_counted() -> None:
    p = [0.1, 0.3, 0.5]
    found = exact_characteristics(BOIN(target=0.3), p, cohorts=6)
    assert found.treated_above(p, 0.3) == found.treated[2]
    assert found.treated_above(p, 0.05) == pytest.approx(found.patients)
    with pytest.raises(ParameterError, match=r"toxicity has shape \(2,\)"):
        found.treated_above([0.1, 0.2], 0.3)


def test_extra_safety_recommends_less_when_all_is_toxic() -> None:
    p = [0.45, 0.55, 0.65, 0.75]
    plain = exact_characteristics(BOIN(target=0.3), p, cohorts=6)
    safe = exact_characteristics(BOIN(target=0.3, extra_safety=0.9), p, cohorts=6)
    assert safe.selected[0] > plain.selected[0] + 0.1
    assert safe.toxicities < plain.toxicities


@pytest.mark.parametrize("variant", ["stop", "confirm"])
def test_simulated_trials_agree_with_the_exact_numbers(variant: str) -> None:
    design: Design = ThreePlusThree(variant=variant)  # type: ignore[arg-type]
    _agrees(design, None)


def test_simulated_interval_trials_agree_with_the_exact_numbers() -> None:
    _agrees(BOIN(target=0.3), 8)


def _agrees(design: Design, cohorts: int | None) -> None:
    p, trials = np.array([0.05, 0.2, 0.35, 0.5]), 4000
    rng = np.random.default_rng(20)
    treated, toxic = np.zeros((trials, 4), dtype=int), np.zeros((trials, 4), dtype=int)
    level, going = np.ones(trials, dtype=int), np.arange(trials)
    for _ in range(cohorts or 100):
        at = level[going] - 1
        treated[going, at] += 3
        toxic[going, at] += rng.binomial(3, p[at])
        answer = design.next_level(
            DoseData(treated=treated[going], toxic=toxic[going]), level[going]
        )
        level[going] = answer
        going = going[answer != STOP]
        if not going.size:
            break
    sure = exact_characteristics(design, p, cohorts=cohorts)
    chosen = design.recommend(DoseData(treated=treated, toxic=toxic))
    share = np.bincount(chosen, minlength=5) / trials
    error = np.sqrt(sure.selected * (1 - sure.selected) / trials)
    assert np.all(np.abs(share - sure.selected) <= 4 * error)
    spread = treated.std(axis=0) / np.sqrt(trials)
    assert np.all(np.abs(treated.mean(axis=0) - sure.treated) <= 4 * spread)


def test_a_long_trial_is_merged_in_several_words() -> None:
    # Nine levels need more bits than one number has; the sums still hold.
    p = np.linspace(0.02, 0.5, 9)
    found = exact_characteristics(BOIN(target=0.3), p, cohorts=9)
    assert found.selected.sum() == pytest.approx(1.0, abs=1e-12)
    # Levels that cannot be reached in four cohorts make no difference.
    selected, _ = courses(BOIN(target=0.3), p[:4].tolist(), 4, 3)
    again = exact_characteristics(BOIN(target=0.3), p, cohorts=4)
    np.testing.assert_allclose(again.selected[:5], selected, atol=1e-12)


class Stubborn:
    """A design that always answers the same."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def next_level(self, data: DoseData, current: object) -> np.ndarray:
        return np.full(data.treated.shape[:-1], self.answer)

    def recommend(self, data: DoseData) -> np.ndarray:
        return np.ones(data.treated.shape[:-1], dtype=int)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"toxicity": [0.1, 1.2]}, "toxicity is 1.2"),
        ({"toxicity": 0.1}, "it must be a list"),
        ({"toxicity": []}, "it must be a list"),
        ({"cohorts": 0}, "cohorts is 0"),
        ({"cohorts": 1001}, "cohorts is 1001"),
        ({"cohort_size": 0}, "cohort_size is 0"),
        ({"start": 3}, "start is 3"),
        ({"design": "3+3"}, "it must be a Design"),
        ({"design": BOIN(target=0.3)}, "only the 3\\+3 design ends by itself"),
        ({"design": Stubborn(3), "cohorts": 2}, "design answers 3"),
        ({"design": Stubborn(-1), "cohorts": 2}, "design answers -1"),
    ],
)
def test_what_cannot_be_enumerated_is_refused(keywords: dict[str, object], message: str) -> None:
    given_ = {"design": ThreePlusThree(), "toxicity": [0.1, 0.2]} | keywords
    with pytest.raises(ParameterError, match=message):
        exact_ends(given_.pop("design"), given_.pop("toxicity"), **given_)  # type: ignore[arg-type]


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "_MOST_STATES", 100)
    with pytest.raises(ParameterError, match="more than 100 states; they must be fewer; simulate"):
        exact_ends(BOIN(target=0.3), [0.1, 0.2, 0.3], cohorts=6)


# ------------------------------------------------------------------- stopping for toxicity


def test_stopping_is_what_all_sequences_of_patients_say() -> None:
    rule, p, looks = ToxicityStopping(limit=0.2, cutoff=0.85), 0.35, [3, 6, 8, 12]
    edges = rule.boundary(looks)
    stop, patients, events = np.zeros(4), 0.0, 0.0
    for course in product([0, 1], repeat=12):
        weight = np.prod([p if event else 1 - p for event in course])
        for k, (n, edge) in enumerate(zip(looks, edges, strict=True)):
            stopped = edge is not None and sum(course[:n]) >= edge
            if stopped or k == 3:
                stop[k] += weight * stopped
                patients += weight * n
                events += weight * sum(course[:n])
                break
    found = rule.characteristics(p, looks)
    np.testing.assert_allclose(found.stop, stop, atol=1e-12)
    assert found.stop_by_end == pytest.approx(stop.sum())
    assert found.expected_patients == pytest.approx(patients)
    assert found.expected_events == pytest.approx(events)
    # Wald again: the stop depends on the past alone.
    assert found.expected_events == pytest.approx(p * found.expected_patients)


@given(limit=st.floats(0.05, 0.6), cutoff=st.floats(0.5, 0.99), n=st.integers(1, 60))
def test_the_boundary_is_the_first_number_beyond_the_cutoff(
    limit: float, cutoff: float, n: int
) -> None:
    rule = ToxicityStopping(limit=limit, cutoff=cutoff)
    (edge,) = rule.boundary(n)
    chance = rule.excess_probability(np.arange(n + 1), n)
    assert np.all(np.diff(chance) >= 0)
    assert np.all((chance > cutoff) == (np.arange(n + 1) >= (n + 1 if edge is None else edge)))


def test_a_trial_without_the_event_never_stops_and_one_with_it_in_all_stops_at_once() -> None:
    rule = ToxicityStopping(limit=0.25)
    never = rule.characteristics(0.0, [5, 10])
    assert (never.stop_by_end, never.expected_patients) == (0.0, 10.0)
    always = rule.characteristics(1.0, [5, 10])
    assert (always.stop.tolist(), always.expected_patients) == ([1.0, 0.0], 5.0)
    # A limit that no prior can meet stops the trial whatever happens.
    at_once = ToxicityStopping(limit=1e-6).characteristics(0.2, [5, 10])
    np.testing.assert_allclose(at_once.stop, [1.0, 0.0], rtol=1e-12)
    assert at_once.expected_patients == pytest.approx(5.0)
    assert at_once.expected_events == pytest.approx(1.0)
    # One patient is not enough for the rule: no number of events stops it.
    assert ToxicityStopping(limit=0.5, cutoff=0.99).boundary(1) == (None,)


def test_rules_for_stopping_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="limit is 1"):
        ToxicityStopping(limit=1.0)
    with pytest.raises(ParameterError, match="prior is"):
        ToxicityStopping(limit=0.25, prior=(0.0, 1.0))
    rule = ToxicityStopping(limit=0.25)
    with pytest.raises(ParameterError, match="the numbers must rise"):
        rule.characteristics(0.3, [10, 10])
    with pytest.raises(ParameterError, match="patients is 0"):
        rule.boundary([0, 5])
    with pytest.raises(ParameterError, match="it must be a number or a list"):
        rule.boundary([])
    with pytest.raises(ParameterError, match="events exceeds patients"):
        rule.excess_probability(4, 3)


# ------------------------------------------------------------------- manufacturing


@given(m=st.integers(1, 30), q=st.floats(0.3, 1.0))
def test_apheresis_is_counted_patient_by_patient(m: int, q: float) -> None:
    needed = Apheresis(evaluable=m, success=q)
    n = np.arange(m, m + 600)
    # The last apheresed patient is the m-th evaluable one.
    chance = binom.pmf(m - 1, n - 1, q) * q
    assert needed.mean == pytest.approx(n @ chance)
    assert needed.std_dev**2 == pytest.approx((n - needed.mean) ** 2 @ chance, abs=1e-9)
    for probability in (0.5, 0.9, 0.99):
        least = needed.quantile(probability)
        assert needed.sufficient(least) >= probability - 1e-12
        assert needed.sufficient(least - 1) < probability
    np.testing.assert_allclose(needed.sufficient(n), np.cumsum(chance), atol=1e-9)
    assert needed.quantile(0.9) == m + nbinom.ppf(0.9, m, q)


def test_apheresis_that_cannot_be_is_refused() -> None:
    with pytest.raises(ParameterError, match="success is 0; it must be at least"):
        Apheresis(evaluable=6, success=0.0)
    with pytest.raises(ParameterError, match="evaluable is 0"):
        Apheresis(evaluable=0, success=0.9)
    with pytest.raises(ParameterError, match="apheresed is 1"):
        Apheresis(evaluable=6, success=0.9).sufficient(1.5)
    with pytest.raises(ParameterError, match="probability is 1"):
        Apheresis(evaluable=6, success=0.9).quantile(1.0)
