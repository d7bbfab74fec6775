"""Dose-finding designs: their decisions, their data, and what they recommend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from scipy.stats import beta, binom

from car_relapse.errors import ParameterError
from car_relapse.trial.dose import (
    BOIN,
    MTPI,
    MTPI2,
    NONE,
    STOP,
    WAIT,
    Design,
    DoseData,
    I3Plus3,
    Patients,
    ThreePlusThree,
    closest_level,
    isotonic_toxicity,
    tally,
)

TABLE_DESIGNS = (BOIN, MTPI, MTPI2, I3Plus3)
DESIGNS: list[Design] = [kind(target=0.3) for kind in TABLE_DESIGNS]
DESIGNS += [ThreePlusThree(variant="stop"), ThreePlusThree(variant="confirm")]
targets = st.floats(0.1, 0.6)


def seen(treated: list[int], toxic: list[int], **more: object) -> DoseData:
    return DoseData(treated=treated, toxic=toxic, **more)  # type: ignore[arg-type]


@st.composite
def trials(draw: st.DrawFn, levels: int = 4, most: int = 12) -> DoseData:
    treated = draw(st.lists(st.integers(0, most), min_size=levels, max_size=levels))
    return seen(treated, [draw(st.integers(0, n)) for n in treated])


# ------------------------------------------------------------------- data


def test_patients_are_counted_at_their_levels() -> None:
    patients = Patients(
        level=[[1, 1, 2, 2, 3], [1, 2, 0, 0, 0]],
        toxic=[[False, True, False, True, False], [False] * 5],
        weight=[[1.0, 0.2, 0.5, 1.0, 0.25], [1.0, 0.75, 0.0, 0.0, 0.0]],
        response=[[True, True, False, False, True], [False, True, False, False, False]],
    )
    data = tally(patients, 3)
    assert data.treated.tolist() == [[2, 2, 1], [1, 1, 0]]
    assert data.toxic.tolist() == [[1, 1, 0], [0, 0, 0]]
    # The toxic patient with weight 0.2 is not pending: more follow-up changes nothing.
    assert data.pending.tolist() == [[0, 1, 1], [0, 1, 0]]
    assert data.followed.tolist() == [[0.0, 0.5, 0.25], [0.0, 0.75, 0.0]]
    assert data.responses.tolist() == [[2, 0, 1], [0, 1, 0]]
    assert data.toxic_responses.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert data.patients is patients


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"treated": 3, "toxic": 0}, "must be a list of counts"),
        ({"treated": [3], "toxic": [4]}, "toxic \\+ pending exceeds treated"),
        ({"treated": [3], "toxic": [2], "pending": [2]}, "toxic \\+ pending exceeds treated"),
        ({"treated": [3], "toxic": [1.5]}, "toxic is 1.5; it must be a whole number"),
        ({"treated": [3], "toxic": [-1]}, "toxic is -1"),
        ({"treated": [3, 3], "toxic": [0, 0, 0]}, r"toxic has shape \(3,\)"),
        ({"treated": [3], "toxic": [0], "responses": [4]}, "responses exceeds treated"),
        ({"treated": [3], "toxic": [0], "responses": [2], "toxic_responses": [1]}, "exceeds toxic"),
        ({"treated": [3], "toxic": [1], "toxic_responses": [1]}, "exceeds responses"),
        ({"treated": [3], "toxic": [0], "pending": [1], "followed": [1.5]}, "exceeds pending"),
    ],
)
def test_counts_that_cannot_be_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        DoseData(**fields)  # type: ignore[arg-type]


def test_patients_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="level is 1; it must be a list"):
        Patients(level=1, toxic=False)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"toxic has shape \(1,\)"):
        Patients(level=[1, 1], toxic=[False])  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="weight is 1"):
        Patients(level=[1], toxic=[False], weight=[1.5])  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="level is 3; the trial has 2 levels"):
        tally(Patients(level=[3], toxic=[False]), 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("current", [0, 3, [1, 1]])
def test_a_level_that_does_not_exist_is_refused(current: object) -> None:
    with pytest.raises(ParameterError, match="current"):
        BOIN(target=0.3).next_level(seen([3, 0], [0, 0]), current)  # type: ignore[arg-type]


# ------------------------------------------------------------------- all designs


@pytest.mark.parametrize("design", DESIGNS, ids=repr)
def test_many_trials_are_answered_as_one_by_one(design: Design) -> None:
    rng = np.random.default_rng(7)
    treated = rng.integers(0, 10, size=(40, 3, 4))
    toxic = rng.binomial(treated, 0.3)
    current = rng.integers(1, 5, size=(40, 3))
    data = DoseData(treated=treated, toxic=toxic)
    answers, recommended = design.next_level(data, current), design.recommend(data)
    assert answers.shape == recommended.shape == (40, 3)
    for index in np.ndindex(40, 3):
        one = DoseData(treated=treated[index], toxic=toxic[index])
        assert design.next_level(one, current[index]) == answers[index]
        assert design.recommend(one) == recommended[index]


@pytest.mark.parametrize("design", DESIGNS, ids=repr)
@given(data=trials(), current=st.integers(1, 4))
def test_answers_are_levels_and_go_up_by_one_at_most(
    design: Design, data: DoseData, current: int
) -> None:
    answer, recommended = int(design.next_level(data, current)), int(design.recommend(data))
    assert STOP <= answer <= min(current + 1, 4)
    assert NONE <= recommended <= 4
    assert recommended == NONE or data.treated[recommended - 1] > 0
    assert isinstance(design, Design)


@pytest.mark.parametrize("design", DESIGNS, ids=repr)
@given(data=trials(), current=st.integers(1, 4), where=st.integers(0, 3))
def test_one_more_toxicity_never_leads_higher(
    design: Design, data: DoseData, current: int, where: int
) -> None:
    if data.toxic[where] == data.treated[where]:
        return
    worse = data.toxic.copy()
    worse[where] += 1
    before = int(design.next_level(data, current))
    after = int(design.next_level(DoseData(treated=data.treated, toxic=worse), current))
    # A 3+3 trial that had found its level goes on below it when the level turns out toxic.
    assert after <= before or (before == STOP and isinstance(design, ThreePlusThree))


def test_pending_patients_are_waited_for_only_where_they_matter() -> None:
    for design in DESIGNS:
        # None of three so far, one pending: a toxicity would keep the trial from going up.
        wait = seen([3, 3, 0], [0, 0, 0], pending=[0, 1, 0], followed=[0, 0.5, 0])
        assert design.next_level(wait, 2) == WAIT
        # Those pending at another level might change what is excluded.
        elsewhere = seen([3, 3, 3], [0, 0, 0], pending=[0, 0, 1])
        assert design.next_level(elsewhere, 2) == WAIT
    # Two of three toxic: 3+3 goes down whatever becomes of the third, and so does BOIN, which
    # excludes the level if that is a toxicity, too.
    settled = seen([6, 3, 0], [0, 2, 0], pending=[0, 1, 0])
    assert ThreePlusThree(variant="confirm").next_level(settled, 2) == STOP
    assert BOIN(target=0.3).next_level(settled, 2) == 1
    # With three pending at the highest level, none or three toxicities stop the trial, one does
    # not.
    top = seen([3, 3], [0, 0], pending=[0, 3])
    assert ThreePlusThree(variant="stop").next_level(top, 2) == WAIT


# ------------------------------------------------------------------- 3+3


@pytest.mark.parametrize(
    ("variant", "treated", "toxic", "current", "answer", "recommended"),
    [
        ("confirm", [3, 0, 0], [0, 0, 0], 1, 2, NONE),
        ("stop", [3, 0, 0], [0, 0, 0], 1, 2, 1),
        ("confirm", [3, 0, 0], [1, 0, 0], 1, 1, NONE),
        ("confirm", [6, 0, 0], [1, 0, 0], 1, 2, 1),
        ("confirm", [3, 0, 0], [2, 0, 0], 1, STOP, NONE),
        ("stop", [6, 0, 0], [2, 0, 0], 1, STOP, NONE),
        ("stop", [3, 3, 0], [0, 2, 0], 2, STOP, 1),
        ("confirm", [3, 3, 0], [0, 2, 0], 2, 1, NONE),
        ("confirm", [6, 3, 0], [1, 2, 0], 2, STOP, 1),
        ("confirm", [6, 6, 3], [2, 1, 2], 3, STOP, NONE),
        ("confirm", [3, 3, 3], [0, 0, 0], 3, 3, NONE),
        ("confirm", [3, 3, 6], [0, 0, 1], 3, STOP, 3),
        ("stop", [3, 3, 3], [0, 0, 0], 3, STOP, 3),
        ("confirm", [3, 6, 3], [0, 1, 3], 2, STOP, 2),
        ("confirm", [3, 6, 3], [0, 2, 3], 2, 1, NONE),
        # Fewer than three got the dose that was planned.
        ("confirm", [3, 2, 0], [0, 0, 0], 2, 2, NONE),
        ("confirm", [6, 2, 0], [0, 2, 0], 2, STOP, 1),
    ],
)
def test_three_plus_three(
    variant: str, treated: list[int], toxic: list[int], current: int, answer: int, recommended: int
) -> None:
    design = ThreePlusThree(variant=variant)  # type: ignore[arg-type]
    assert design.next_level(seen(treated, toxic), current) == answer
    assert design.recommend(seen(treated, toxic)) == recommended


def test_three_plus_three_has_two_variants() -> None:
    with pytest.raises(ParameterError, match="it must be 'stop' or 'confirm'"):
        ThreePlusThree(variant="rolling six")  # type: ignore[arg-type]


# ------------------------------------------------------------------- tables of decisions


@given(target=st.floats(0.05, 0.6), n=st.integers(1, 40))
def test_boin_acts_where_the_observed_share_is_likelier_elsewhere(target: float, n: int) -> None:
    design = BOIN(target=target)
    moves = design._moves(n)
    x = np.arange(n + 1)
    likelihood = [binom.logpmf(x, n, f * target) for f in (0.6, 1.0, 1.4)]
    low, high = likelihood[0] - likelihood[1], likelihood[2] - likelihood[1]
    assert np.all((moves == 1)[low > 1e-9])
    assert np.all((moves == -1)[high > 1e-9])
    assert np.all((moves == 0)[(low < -1e-9) & (high < -1e-9)])


@given(target=targets, n=st.integers(1, 40), width=st.floats(0.01, 0.09))
def test_mtpi_acts_on_the_largest_mass_per_length(target: float, n: int, width: float) -> None:
    moves = MTPI(target=target, below=width, above=0.5 * width)._moves(n)
    low, high = target - width, target + 0.5 * width
    x = np.arange(n + 1)
    under, inside = (beta.cdf(edge, 1 + x, 1 + n - x) for edge in (low, high))
    masses = np.array([(1 - inside) / (1 - high), (inside - under) / (high - low), under / low])
    assert masses[moves + 1, x] == pytest.approx(masses.max(axis=0), rel=1e-9)


@given(target=targets, n=st.integers(1, 40), width=st.floats(0.02, 0.09))
def test_mtpi2_is_the_keyboard(target: float, n: int, width: float) -> None:
    # The strongest of the keys of one length; the remainders at 0 and 1 are left out.
    assume(target > 3 * width)
    low, high = target - width, target + width
    keys = np.arange(low - 2 * width * int(low / (2 * width)), 1 - 2 * width + 1e-12, 2 * width)
    moves = MTPI2(target=target, below=width, above=width)._moves(n)
    x = np.arange(n + 1)[:, None]
    ends = np.array([keys, keys + 2 * width])[:, None]
    mass = np.diff(beta.cdf(ends, 1 + x, 1 + n - x), axis=0)[0]
    strongest = keys[np.argmax(mass, axis=1)] + width
    # Where two keys tie, rounding decides.
    clear = np.partition(mass, -2, axis=1)[:, -2] < mass.max(axis=1) * (1 - 1e-9)
    expected = (strongest < low).astype(int) - (strongest > high)
    assert np.all(moves[clear] == expected[clear])


@given(n=st.integers(1, 60))
def test_i3_stays_above_the_interval_when_one_toxicity_fewer_is_below_it(n: int) -> None:
    # In twentieths, whole numbers decide without rounding: the interval is 5/20 to 7/20.
    for x, move in enumerate(I3Plus3(target=0.3)._moves(n)):
        if 20 * x < 5 * n:
            assert move == 1
        elif 20 * x <= 7 * n or 20 * (x - 1) < 5 * n:
            assert move == 0
        else:
            assert move == -1


@pytest.mark.parametrize("kind", TABLE_DESIGNS)
@given(target=targets, n=st.integers(1, 40))
def test_decisions_fall_with_the_toxicities_and_tables_say_the_same(
    kind: type[BOIN], target: float, n: int
) -> None:
    design = kind(target=target)
    moves, out = design._moves(n), design.excluded(n)
    assert np.all(np.diff(moves) <= 0)
    assert np.all(np.diff(out.astype(int)) >= 0)
    decisions = design.decisions(n)
    (row,) = design.table(n)
    assert row.patients == n
    for x in range(n + 1):
        assert (decisions[x] == "U") == out[x]
        assert (row.escalate is not None and x <= row.escalate) == (moves[x] == 1)
        assert (row.deescalate is not None and x >= row.deescalate) == (decisions[x] in "DU")
        assert (row.eliminate is not None and x >= row.eliminate) == out[x]
        assert out[x] == (n >= design.least and beta.sf(target, 1 + x, 1 + n - x) > 0.95)


def test_the_optimal_interval_design_has_its_printed_table() -> None:
    # Decision table in a published protocol template for a target of 0.3.
    rows = BOIN(target=0.3).table([3, 6, 9, 12, 15, 18, 21, 24, 27, 30])
    assert [r.escalate for r in rows] == [0, 1, 2, 2, 3, 4, 4, 5, 6, 7]
    assert [r.deescalate for r in rows] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [r.eliminate for r in rows] == [3, 4, 5, 7, 8, 9, 10, 11, 12, 14]


def test_mtpi2_has_its_printed_decisions() -> None:
    # Figure 3 of Guo and others 2017, as another program's tests hold it.
    design = MTPI2(target=0.3)
    printed = {3: "ESDU", 6: "EESDUUU", 9: "EEESDUUUUU"}
    assert {n: design.decisions(n) for n in printed} == printed
    # Of ten patients the tests tell only whether the trial goes up, and when the level is excluded.
    assert design.decisions(10).replace("S", "D") == "EEEDDDUUUUU"


def test_an_excluded_level_is_left_and_not_entered_again() -> None:
    design = BOIN(target=0.3)
    assert design.next_level(seen([3, 6, 0], [0, 4, 0]), 2) == 1
    # Level 2 is excluded: none of six at level 1 would lead there otherwise.
    assert design.next_level(seen([6, 6, 0], [0, 4, 0]), 1) == 1
    assert design.next_level(seen([3, 0, 0], [3, 0, 0]), 1) == STOP
    # Two of three at the lowest level ask for a lower one; there is none, and it is not excluded.
    assert design.next_level(seen([3, 0, 0], [2, 0, 0]), 1) == 1
    assert design.recommend(seen([3, 0, 0], [3, 0, 0])) == NONE


def test_a_level_with_enough_patients_ends_the_trial() -> None:
    design = BOIN(target=0.3, enough=9)
    assert design.next_level(seen([3, 9, 0], [0, 3, 0]), 2) == STOP
    assert design.next_level(seen([3, 6, 0], [0, 2, 0]), 2) == 2
    assert design.next_level(seen([3, 9, 0], [0, 1, 0]), 2) == 3


def test_extra_safety_stops_at_the_lowest_level_sooner() -> None:
    # Two of three: 0.916 that the toxicity is above 0.3.
    data = seen([3, 0], [2, 0])
    assert BOIN(target=0.3, extra_safety=0.9).next_level(data, 1) == STOP
    assert BOIN(target=0.3, extra_safety=0.9).recommend(data) == NONE
    assert BOIN(target=0.3).next_level(data, 1) == 1
    # One of one is as suspicious, but one patient is too few.
    assert BOIN(target=0.3, extra_safety=0.9).next_level(seen([1, 0], [1, 0]), 1) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (BOIN, {"target": 0.0}, "target is 0; it must lie strictly between"),
        (BOIN, {"target": 1.5}, "target is 1.5"),
        (BOIN, {"target": 0.8}, "too_high is 1.12"),
        (BOIN, {"target": 0.3, "too_low": 0.3}, "must rise"),
        (BOIN, {"target": 0.3, "too_high": 0.2}, "must rise"),
        (BOIN, {"target": 0.3, "cutoff": 1.0}, "cutoff is 1"),
        (BOIN, {"target": 0.3, "least": 0}, "least is 0"),
        (BOIN, {"target": 0.3, "enough": 0}, "enough is 0"),
        (BOIN, {"target": 0.3, "extra_safety": 0}, "extra_safety is 0"),
        (MTPI, {"target": 0.05}, "below is 0.05 around a target of 0.05"),
        (MTPI2, {"target": 0.96}, "above is 0.05 around"),
        (I3Plus3, {"target": 0.3, "above": -0.1}, "above is -0.1"),
        (MTPI, {"target": 0.3, "below": 0.0, "above": 0.0}, "must be at least 0.001 long"),
        (MTPI2, {"target": 0.3, "below": 1e-4, "above": 0.0}, "must be at least 0.001 long"),
        (MTPI, {"target": 0.3, "prior": (1.0, 0.0)}, "prior is 0"),
        (MTPI, {"target": 0.3, "prior": (1.0, 1e9)}, "prior is"),
        (MTPI, {"target": 0.3, "prior": 1.0}, "must be two numbers"),
    ],
)
def test_designs_that_cannot_be_are_refused(
    kind: type[BOIN], fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        kind(**fields)  # type: ignore[arg-type]


def test_numbers_may_come_from_arrays_and_lists() -> None:
    data = seen([3, 3, 0], [0, 1, 0])
    designs = (
        BOIN(target=np.array(0.3), least=np.int64(3), enough=9.0, extra_safety=np.array(0.9)),
        MTPI(target=np.float64(0.3), prior=[1, 1], below=np.array(0.05)),  # type: ignore[arg-type]
    )
    for design in designs:
        assert design.next_level(data, 2) == 2
        hash(design)


def test_tables_have_an_end() -> None:
    with pytest.raises(ParameterError, match="patients is 1001"):
        BOIN(target=0.3).decisions(1001)
    with pytest.raises(ParameterError, match="treated is 2000; it must be at most 1000"):
        BOIN(target=0.3).next_level(seen([2000], [0]), 1)
    with pytest.raises(ParameterError, match="patients is 0"):
        BOIN(target=0.3).table([3, 0])


# ------------------------------------------------------------------- isotonic estimates


@given(data=trials(levels=5), prior=st.floats(0.001, 2.0))
def test_isotonic_estimates_are_those_of_least_squares(data: DoseData, prior: float) -> None:
    found = isotonic_toxicity(data, prior=prior)
    tested = data.treated > 0
    assert np.all(np.isnan(found) == ~tested)
    if not tested.any():
        assert closest_level(data, 0.3) == NONE
        return
    law = beta(data.toxic[tested] + prior, (data.treated - data.toxic)[tested] + prior)
    expected = isotonic_regression(law.mean(), weights=1 / law.var()).x
    np.testing.assert_allclose(found[tested], expected, rtol=1e-9)
    best = int(closest_level(data, 0.3, prior=prior))
    distance = np.abs(found - 0.3)
    assert distance[best - 1] <= np.nanmin(distance) + 1e-9


def test_ties_go_to_the_highest_level_below_the_target_and_the_lowest_above() -> None:
    assert closest_level(seen([6, 6, 6], [1, 1, 1]), 0.3) == 3
    assert closest_level(seen([6, 6, 6], [3, 3, 3]), 0.3) == 1
    # Of two pools, the nearer: 1/6 twice, or 2/6.
    assert closest_level(seen([6, 6, 6], [1, 1, 2]), 0.3) == 3


def test_levels_that_are_not_allowed_do_not_enter() -> None:
    data = seen([3, 3, 6], [1, 0, 2])
    assert closest_level(data, 0.3) == 3
    assert closest_level(data, 0.3, allowed=np.array([True, False, False])) == 1
    assert closest_level(data, 0.3, allowed=False) == NONE
    with pytest.raises(ParameterError, match=r"allowed has shape \(2,\)"):
        closest_level(data, 0.3, allowed=np.array([True, False]))
    with pytest.raises(ParameterError, match="nothing but True and False"):
        closest_level(data, 0.3, allowed=np.array([1, 0, 1]))  # type: ignore[arg-type]
