"""TITE-BOIN and BOIN12: thresholds, decisions, desirabilities and what is recommended."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from car_relapse.errors import ParameterError
from car_relapse.trial.dose import (
    BOIN,
    BOIN12,
    NONE,
    STOP,
    WAIT,
    DoseData,
    TiteBOIN,
)

# ------------------------------------------------------------------- TITE-BOIN


def _at_level_two(n: int, r: int, c: int, s: float) -> DoseData:
    """Return data in which nothing stands in the way of any level but what is at level 2."""
    return DoseData(treated=[30, n, 0], toxic=[0, r, 0], pending=[0, c, 0], followed=[0.0, s, 0.0])


@pytest.mark.parametrize("target", [0.2, 0.3])
def test_decisions_are_those_of_the_thresholds(target: float) -> None:
    # No level is excluded, so that a move is a move.
    design = TiteBOIN(target=target, cutoff=0.999999)
    moves = set()
    for n in range(1, 10):
        for r, c in itertools.product(range(n + 1), repeat=2):
            if r + c > n:
                continue
            row = design.follow_up_row(n, r, c)
            for s in np.linspace(0.0, c, 4 * c + 1):
                expected = 2
                if row.escalate is not None and s >= row.escalate - 1e-9:
                    expected = 3
                if row.deescalate is not None and s <= row.deescalate + 1e-9:
                    expected = 1
                if row.suspend:
                    expected = WAIT
                moves.add(expected)
                data = _at_level_two(n, r, c, float(s))
                assert int(design.next_level(data, 2)) == expected, (n, r, c, s)
    assert moves == {1, 2, 3, WAIT}


def test_published_table_without_thresholds() -> None:
    # Target 0.2, from the table of a protocol (PMC9260438): number treated, toxicities, pending.
    design = TiteBOIN(target=0.2)
    always_up = [(3, 0, 1), (6, 0, 3), (9, 0, 4), (9, 1, 2)]
    suspended = [(3, 0, 2), (6, 0, 4), (6, 1, 4), (9, 0, 5), (9, 1, 5), (9, 2, 5)]
    always_down = [(3, 1, 2), (3, 2, 1), (6, 2, 4), (6, 3, 3), (9, 3, 6), (9, 4, 5)]
    for counts in always_up:
        assert design.follow_up_row(*counts).escalate == 0.0, counts
    for counts in suspended:
        assert design.follow_up_row(*counts).suspend, counts
    for counts in always_down:
        assert design.follow_up_row(*counts).deescalate == np.inf, counts
    for n, r in ((3, 2), (6, 3), (9, 4)):
        data = DoseData(treated=[n, 0], toxic=[r, 0])
        assert int(design.next_level(data, 1)) == STOP


def test_without_pending_patients_it_is_boin() -> None:
    tite, boin = TiteBOIN(target=0.3, enough=9), BOIN(target=0.3, enough=9)
    for n1, n2 in itertools.product((0, 1, 3, 6, 9), repeat=2):
        for x1, x2 in itertools.product(range(n1 + 1), range(n2 + 1)):
            data = DoseData(treated=[n1, n2, 0], toxic=[x1, x2, 0])
            for now in (1, 2):
                assert int(tite.next_level(data, now)) == int(boin.next_level(data, now))
            assert int(tite.recommend(data)) == int(boin.recommend(data))


def test_longer_follow_up_without_toxicity_never_raises_the_estimate() -> None:
    design = TiteBOIN(target=0.3)
    for n, r, c in ((3, 0, 3), (6, 1, 4), (9, 3, 2)):
        share = [
            design.toxicity(_at_level_two(n, r, c, s))[1] for s in np.linspace(0.0, c, 9).tolist()
        ]
        assert np.all(np.diff(share) < 0)
        assert share[-1] == pytest.approx(r / n)
    assert np.isnan(design.toxicity(_at_level_two(3, 0, 0, 0.0))[2])


def test_table_has_every_count_once() -> None:
    rows = TiteBOIN(target=0.3).follow_up_table([3, 6])
    counts = [(row.patients, row.toxic, row.pending) for row in rows]
    assert len(set(counts)) == len(counts) == 10 + 28


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TiteBOIN(target=0.3, most_pending=1.5), "most_pending"),
        (lambda: TiteBOIN(target=0.3).follow_up_row(0, 0, 0), "patients"),
        (lambda: TiteBOIN(target=0.3).follow_up_row(3, 2, 2), "pending"),
        (lambda: TiteBOIN(target=0.3).follow_up_table([2.5]), "patients"),
        (lambda: TiteBOIN(target=0.3).toxicity(None), "DoseData"),
    ],
)
def test_bad_input_of_tite_boin_is_named(make: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()


# ------------------------------------------------------------------- BOIN12


def _seen(treated: Any, toxic: Any, responses: Any, both: Any = None) -> DoseData:
    treated, toxic, responses = map(np.asarray, (treated, toxic, responses))
    least = np.maximum(toxic + responses - treated, 0)
    return DoseData(
        treated=treated,
        toxic=toxic,
        responses=responses,
        toxic_responses=least if both is None else both,
    )


def test_desirability_is_a_tail_of_the_posterior_of_the_mean_utility() -> None:
    design = BOIN12(neither_utility=30.0, both_utility=50.0)
    low = 0.65 * 0.25 * 100 + 0.65 * 0.75 * 30 + 0.35 * 0.25 * 50
    assert design.benchmark == pytest.approx(low + (100 - low) / 2)
    data = _seen([9], [3], [5], [2])
    # Three respond alone, two have both, one has toxicity alone, three have neither.
    x = (3 * 100 + 2 * 50 + 3 * 30) / 100
    assert design.utility_sum(data)[0] == pytest.approx(x)
    tail = beta.sf(design.benchmark / 100, 1 + x, 1 + 9 - x)
    assert design.desirability(data)[0] == pytest.approx(tail)
    assert design.mean_utility(data)[0] == pytest.approx(100 * (1 + x) / 11)
    assert design.mean_utility(_seen([0], [0], [0]))[0] == 50.0


def test_desirability_rises_with_response_and_falls_with_toxicity() -> None:
    design = BOIN12()
    n = 9
    toxic, responses = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    score = design.desirability(_seen(np.full_like(toxic, n), toxic, responses))
    assert np.all(np.diff(score, axis=0) < 0)
    assert np.all(np.diff(score, axis=1) > 0)


def test_table_ranks_like_the_desirability_and_marks_what_is_excluded() -> None:
    design = BOIN12()
    rows = design.table([0, 3, 6])
    assert len(rows) == 1 + 16 + 49
    order = sorted(rows, key=lambda row: row.rank)
    assert order[0].rank == 1
    for one, two in itertools.pairwise(order):
        assert one.desirability <= two.desirability
        assert (one.rank == two.rank) == (one.desirability == two.desirability)
    for row in rows:
        n, x, y = row.patients, row.toxic, row.responses
        assert row.too_toxic == (n >= 3 and bool(beta.sf(0.35, 1 + x, 1 + n - x) > 0.95))
        assert row.futile == (n > 0 and bool(beta.cdf(0.25, 1 + y, 1 + n - y) > 0.9))


def test_next_level_follows_the_rules() -> None:
    design = BOIN12()
    lambda_d = BOIN(target=0.35).deescalation_boundary
    assert 2 / 6 < lambda_d < 3 / 6
    cases = [
        # Untried levels attract where the current one does not please.
        (_seen([3, 0, 0], [0, 0, 0], [0, 0, 0]), 1, 2),
        # A good level is kept: three of three respond.
        (_seen([3, 0, 0], [0, 0, 0], [3, 0, 0]), 1, 1),
        # Above the boundary the trial goes down, however good the response.
        (_seen([3, 6, 0], [0, 3, 0], [0, 6, 0]), 2, 1),
        (_seen([6, 0, 0], [3, 0, 0], [6, 0, 0]), 1, 1),
        # Between the boundaries an untried level is out of reach after six patients.
        (_seen([6, 0, 0], [2, 0, 0], [1, 0, 0]), 1, 1),
        (_seen([3, 0, 0], [1, 0, 0], [1, 0, 0]), 1, 2),
        # From nine patients on the untried level above is tried.
        (_seen([9, 0, 0], [3, 0, 0], [9, 0, 0]), 1, 2),
        (_seen([0, 0, 9], [0, 0, 3], [0, 0, 9]), 3, 3),
        # The lower level is better.
        (_seen([6, 6, 0], [0, 1, 0], [5, 2, 0]), 2, 1),
        # Too toxic: no way down.
        (_seen([3, 0, 0], [3, 0, 0], [0, 0, 0]), 1, STOP),
        # A futile level is left for the next one.
        (_seen([9, 9, 0], [0, 0, 0], [0, 0, 0]), 2, 3),
        (_seen([9, 9, 9], [0, 0, 0], [0, 0, 0]), 3, STOP),
    ]
    for data, now, expected in cases:
        assert int(design.next_level(data, now)) == expected, (data, now)


def test_it_waits_for_the_pending() -> None:
    data = DoseData(treated=[3, 0], toxic=[0, 0], pending=[1, 0])
    assert int(BOIN12().next_level(data, 1)) == WAIT


def test_a_plateau_is_not_climbed() -> None:
    design = BOIN12()
    plateau = _seen([12, 12, 12], [0, 2, 3], [4, 9, 9])
    assert int(design.recommend(plateau)) == 2
    assert int(BOIN(target=0.35).recommend(plateau)) == 3


def test_recommended_is_tried_tolerated_and_not_futile() -> None:
    design = BOIN12()
    rng = np.random.default_rng(5)
    treated = rng.integers(0, 5, (400, 4)) * 3
    toxic = rng.binomial(treated, rng.random((400, 4)))
    responses = rng.binomial(treated, rng.random((400, 4)))
    data = _seen(treated, toxic, responses)
    best = design.recommend(data)
    allowed = design.allowed(data)
    assert set(best.tolist()) == {0, 1, 2, 3, 4}
    for i in np.flatnonzero(best != NONE):
        assert treated[i, best[i] - 1] > 0
        assert allowed[i, best[i] - 1]
    alone = [int(design.recommend(_seen(treated[i], toxic[i], responses[i]))) for i in range(50)]
    assert alone == best[:50].tolist()
    some = treated[:, 1] > 0
    together = design.next_level(data, 2)
    one = [
        int(design.next_level(_seen(treated[i], toxic[i], responses[i]), 2))
        for i in np.flatnonzero(some)[:50]
    ]
    assert one == together[np.flatnonzero(some)[:50]].tolist()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BOIN12(most_toxicity=0.0), "most_toxicity"),
        (lambda: BOIN12(least_response=1.0), "least_response"),
        (lambda: BOIN12(neither_utility=101.0), r"\[0, 100\]"),
        (lambda: BOIN12(settle=0), "settle"),
        (lambda: BOIN12(neither_utility=30.0).table([3]), "add up to 100"),
        (lambda: BOIN12().table([101]), "patients"),
        (lambda: BOIN12().utility_sum(3), "DoseData"),
        (
            lambda: BOIN12().desirability(DoseData(treated=[3], toxic=[2], responses=[2])),
            "toxic_responses",
        ),
    ],
)
def test_bad_input_of_boin12_is_named(make: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()
