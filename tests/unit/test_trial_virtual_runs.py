"""Runs of virtual trials: level, truth, failures, sizes, and the same bits however spread."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from virtual_trials import (
    CONTROL,
    DEATH,
    DUAL,
    ESCAPE,
    EVERY,
    FAR,
    NEGATIVE,
    POSITIVE,
    SCT,
    WHOLE,
    pair,
    trial,
)

from car_relapse import ParameterError
from car_relapse.followup import Cause
from car_relapse.trial.competing_risks import gray_tests, log_rank_tests, risk_sets
from car_relapse.trial.virtual import (
    Analysis,
    Arm,
    Biology,
    Constant,
    Decay,
    Estimand,
    Shape,
    Weibull,
    generate,
    run,
    sample_size,
)
from car_relapse.workers import local_cluster


def test_results_are_the_same_bits_however_a_run_is_spread() -> None:
    design = trial(60)
    whole = run(design, EVERY, 2300, seed=5)
    spreads: list[dict[str, Any]] = [
        {"chunk": 250}, {"chunk": 2000}, {"workers": 2, "chunk": 1000},
    ]  # fmt: skip
    for spread in spreads:
        again = run(design, EVERY, 2300, seed=5, **spread)
        for name in ("estimate", "std_error", "p_value"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
    fewer = run(design, EVERY, 1200, seed=5)
    np.testing.assert_array_equal(fewer.p_value, whole.p_value[..., :1200])
    assert not np.array_equal(run(design, EVERY, 1200, seed=5, scenario=1).p_value, fewer.p_value)


def test_a_cluster_gives_the_same_bits() -> None:
    pytest.importorskip("distributed")
    with local_cluster(1, own_processes=False) as client:
        spread = run(trial(40), (ESCAPE,), 1500, seed=6, client=client)
    np.testing.assert_array_equal(spread.p_value, run(trial(40), (ESCAPE,), 1500, seed=6).p_value)


def test_progress_counts_the_patients_of_all_trials() -> None:
    told: list[int] = []
    run(trial(40), (ESCAPE,), 1500, seed=6, chunk=1000, progress=lambda p: told.append(p.done))
    assert told == [40_000, 60_000]


@pytest.mark.parametrize(
    ("shape", "extra", "plan"),
    [
        (Decay(8), {}, WHOLE),
        (Constant(), {}, {}),
        (Weibull(0.6), {"transplant": SCT}, {}),
        (Weibull(2.0), {"response": 0.85, "untested": 0.3, "visits": (1, 3, 6, 12)}, {}),
    ],
    ids=["decay", "constant", "transplant", "response and visits"],
)
def test_every_test_keeps_its_level_when_nothing_differs(
    shape: Shape, extra: dict[str, Any], plan: dict[str, Any]
) -> None:
    shares = {NEGATIVE: 0.25, POSITIVE: 0.20, DEATH: 0.05}
    same = Biology.from_incidences(shares, shape=shape, horizon=24)
    for row in run(trial(200, pair(same, same, **extra), **plan), EVERY, 2000, seed=7).table():
        # Tests by a normal law miss their level by up to half a per cent at this size.
        assert abs(row.rejected - 0.05) < FAR * math.sqrt(0.05 * 0.95 / 2000) + 0.005, row
        assert row.rejected_below == pytest.approx(0.025, abs=0.018), row.analysis
        assert row.estimate is not None
        assert row.estimate_error is not None
        assert abs(row.estimate) < FAR * row.estimate_error, row.analysis


def test_estimates_hit_their_truth_and_intervals_hold_it() -> None:
    found = run(trial(300, follow_up=24.0), EVERY, 2000, seed=8).table()
    rows = {row.analysis: row for row in found}
    for name in ("incidence antigen negative by month 18", "restricted mean by month 18",
                 "incidence by month 18", "log-rank"):  # fmt: skip
        row = rows[name]
        assert row.truth is not None
        assert row.bias is not None
        assert row.estimate_error is not None
        assert abs(row.bias) < FAR * row.estimate_error + 0.02 * abs(row.truth)
        assert row.coverage == pytest.approx(0.95, abs=FAR * 0.005)
        assert row.std_error == pytest.approx(row.spread, rel=0.07)
    assert rows["incidence antigen negative by month 18"].truth == pytest.approx(
        float(DUAL.incidence(18)[0] - CONTROL.incidence(18)[0])
    )
    assert rows["log-rank"].truth == pytest.approx(math.log(0.6809876853), abs=1e-8)
    # One step from no effect falls short of a large effect, and the table says so.
    escape = rows["log-rank antigen negative"]
    assert escape.truth == pytest.approx(math.log(0.3619753707), abs=1e-8)
    assert escape.bias is not None
    assert escape.bias > 0.03
    assert rows["gray antigen negative"].truth is None
    assert rows["gray antigen negative"].coverage is None


def test_a_run_makes_the_analyses_that_single_trials_get() -> None:
    arms = (*pair(transplant=SCT), Arm(name="third", biology=DUAL))
    design = trial(80, arms)
    both = (NEGATIVE, Cause.PARTIAL_LOSS)
    analyses = (
        Analysis(kind="gray", causes=(NEGATIVE,), estimand="competing"),
        Analysis(kind="log-rank", causes=both, estimand="composite"),
        Analysis(kind="log-rank", estimand="competing"),
        Analysis(kind="log-rank", estimand="hypothetical"),
    )
    found = run(design, analyses, 3, seed=9)
    worlds = generate(design, 3, seed=9)
    for arm in (1, 2):
        columns = (worlds.group == 0) | (worlds.group == arm)
        group = (worlds.group[columns] == arm).astype(int)
        time, cause = (a[:, columns] for a in worlds.observed("competing"))
        _, censored = (a[:, columns] for a in worlds.observed("hypothetical"))
        joined = np.where(np.isin(cause, (*both, Cause.TRANSPLANT)), 1, np.where(cause > 0, 2, 0))
        relapse_or_death = np.where(cause == Cause.TRANSPLANT, 0, cause)
        expected = (
            gray_tests(risk_sets(time, cause, group), of=int(NEGATIVE)),
            log_rank_tests(risk_sets(time, joined, group), of=1),
            log_rank_tests(risk_sets(time, relapse_or_death, group)),
            log_rank_tests(risk_sets(time, censored, group)),
        )
        for number, test in enumerate(expected):
            np.testing.assert_allclose(found.p_value[arm - 1, number], test.p_value, rtol=1e-9)


def test_those_without_response_are_events_or_left_out() -> None:
    analyses = tuple(
        Analysis(kind="incidence", causes=(NEGATIVE,), month=24, among=a)  # type: ignore[arg-type]
        for a in ("all", "responders")
    )
    rows = run(trial(400, pair(response=0.7), **WHOLE), analyses, 500, seed=15).table()
    assert rows[0].truth == pytest.approx(-0.15 * 0.7)
    assert rows[1].truth == pytest.approx(-0.15)
    for row in rows:
        assert abs(row.bias) < FAR * row.estimate_error  # type: ignore[arg-type, operator]


def test_untested_relapses_bias_the_incidence_that_is_seen() -> None:
    incidence = (Analysis(kind="incidence", causes=(NEGATIVE,), month=24),)
    row = run(trial(400, pair(untested=0.4), **WHOLE), incidence, 500, seed=15).table()[0]
    assert row.truth == pytest.approx(-0.15)
    assert row.estimate == pytest.approx(-0.15 * 0.6, abs=0.01)
    assert row.coverage is not None
    assert row.coverage < 0.85


def test_failures_are_counted_and_do_not_reject() -> None:
    rare = Biology.from_incidences({NEGATIVE: 0.02, DEATH: 0.1}, shape=Constant(), horizon=24)
    found = run(trial(20, pair(rare, rare)), (ESCAPE,), 400, seed=16)
    row = found.table()[0]
    empty = np.isnan(found.p_value[0, 0])
    assert row.failed == empty.sum() > 100
    assert row.rejected == pytest.approx(np.sum(found.p_value[0, 0][~empty] < 0.05) / 400)
    nothing = rare.multiplied({NEGATIVE: 0.0})
    row = run(trial(20, pair(nothing, nothing)), (ESCAPE,), 50, seed=16).table()[0]
    assert (row.failed, row.rejected, row.estimate, row.spread) == (50, 0.0, None, None)


@pytest.mark.filterwarnings("error")
def test_a_trial_without_any_response_fails_and_does_not_warn() -> None:
    rows = run(trial(8, pair(response=0.01)), EVERY, 50, seed=16).table()
    assert rows[0].failed > 0
    assert all(row.rejected < 0.1 for row in rows)


def test_two_tests_of_the_same_trials_differ_with_a_smaller_error() -> None:
    found = run(trial(200), EVERY[:2], 1000, seed=17)
    gain, error = found.gain(0, 1)
    shares, errors = found.rejected()
    assert gain[0] == pytest.approx(shares[0, 1] - shares[0, 0])
    assert error[0] < 0.6 * math.hypot(*errors[0])


def test_the_share_of_relapses_misleads() -> None:
    # More antigen-positive relapse, the same escape: the share falls, and patients are worse off.
    worse = CONTROL.multiplied({POSITIVE: 2.5})
    found = run(trial(300, pair(dual=worse), **WHOLE), EVERY, 500, seed=18)
    rows = {row.analysis: row for row in found.table()}
    assert rows["share antigen negative"].rejected_below > 0.6
    assert rows["log-rank antigen negative"].rejected < 0.1
    assert rows["restricted mean by month 18"].rejected_below > 0.6
    assert [r["analysis"] for r in found.records()] == list(rows)


def test_the_size_that_simulation_finds_gives_the_power() -> None:
    design = trial(40, **WHOLE | {"lost_per_year": 0.03})
    found = sample_size(design, ESCAPE, power=0.8, replicates=2000, seed=19)
    # The table of the design question has 192; the closed form, which is too low, 174.
    assert found.exact == pytest.approx(192, abs=FAR * found.std_error + 3)
    assert 1.0 < found.std_error < 5.0
    assert found.patients % 2 == 0
    again = run(replace(design, patients=found.patients), (ESCAPE,), 2000, seed=20)
    assert again.rejected()[0][0, 0] == pytest.approx(0.8, abs=FAR * 0.013)


def test_no_size_is_found_where_nothing_differs() -> None:
    with pytest.raises(ParameterError, match="largest is 400"):
        sample_size(trial(50, pair(dual=CONTROL)), ESCAPE, seed=21, replicates=100, largest=400)


def test_every_estimand_has_its_name_in_the_table() -> None:
    names = {
        Analysis(kind="log-rank", estimand=e, among=a).name  # type: ignore[arg-type]
        for e in get_args(Estimand)
        for a in ("all", "responders")
    }
    assert len(names) == 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Analysis(kind="wilcoxon"), "kind is 'wilcoxon'"),  # type: ignore[arg-type]
        (lambda: Analysis(kind="gray"), "name them, or take the log-rank test"),
        (lambda: Analysis(kind="incidence"), "have a month"),
        (lambda: Analysis(kind="log-rank", month=3), "have a month and the others have none"),
        (lambda: Analysis(kind="share", causes=(DEATH,)), "among all"),
        (
            lambda: Analysis(kind="restricted mean", month=3, estimand="competing"),
            "nothing that competes",
        ),
        (lambda: Analysis(kind="log-rank", causes=(Cause.CENSORED,)), "is no event"),
        (lambda: Analysis(kind="log-rank", causes=()), "or None for any"),
        (lambda: run(trial(), (), 10, seed=1), "1 to 100 analyses"),
        (lambda: run(trial(), EVERY, 10, seed=1, client=object(), workers=2), "not both"),
        (lambda: run(trial(), EVERY, 10, seed=1).table(alpha=1.0), "alpha is 1"),
        (lambda: run(trial(), EVERY, 10, seed=1).gain(0, 9), "analysis is 9"),
        (lambda: sample_size(trial(), ESCAPE, power=0.04, seed=1), "power is 0.04"),
        (lambda: ESCAPE.truth(trial(), 2), "arm is 2"),
    ],
)
def test_errors_name_value_rule_and_remedy(make: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()  # type: ignore[operator]
