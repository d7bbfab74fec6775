"""Continual reassessment: the integrals, the likeliest curve, and the rules of the designs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from car_relapse.errors import ParameterError
from car_relapse.trial.dose import (
    CRM,
    NONE,
    STOP,
    WAIT,
    DoseData,
    Patients,
    TiteCRM,
    WorkingModel,
    indifference_skeleton,
    likeliest,
    log_likelihood,
    posterior,
    tally,
)

SKELETON = (0.07, 0.16, 0.3, 0.4, 0.46)
EMPIRIC = WorkingModel(skeleton=SKELETON)
LOGISTIC = WorkingModel(skeleton=SKELETON, shape="logistic")


def _patients(levels: int, n: int, seed: int, pending: int = 0) -> DoseData:
    rng = np.random.default_rng(seed)
    weight = np.ones(n)
    weight[n - pending :] = rng.random(pending)
    toxic = rng.random(n) < 0.3
    return tally(Patients(level=rng.integers(1, levels + 1, n), toxic=toxic, weight=weight), levels)


def _curve(model: WorkingModel, b: float) -> np.ndarray:
    guess = np.array(model.skeleton)
    if model.shape == "empiric":
        return guess ** math.exp(b)
    x = np.log(guess / (1 - guess)) - model.intercept
    return np.asarray(expit(model.intercept + math.exp(b) * x))


def _likelihood(model: WorkingModel, data: DoseData, b: float) -> float:
    assert data.patients is not None
    p = _curve(model, b)[data.patients.level - 1]
    w = np.where(data.patients.toxic, 1.0, data.patients.weight)
    return float(np.prod(np.where(data.patients.toxic, p, 1 - w * p)))


@pytest.mark.parametrize(
    ("model", "n", "pending"),
    [
        (EMPIRIC, 9, 0),
        (EMPIRIC, 12, 5),
        (LOGISTIC, 9, 0),
        (LOGISTIC, 12, 5),
        (WorkingModel(skeleton=SKELETON, prior_sd=0.2), 20, 3),
        (WorkingModel(skeleton=SKELETON, prior_sd=4.0), 20, 3),
        (WorkingModel(skeleton=SKELETON, shape="logistic", intercept=1.0), 200, 0),
    ],
)
def test_posterior_agrees_with_adaptive_quadrature(
    model: WorkingModel, n: int, pending: int
) -> None:
    data = _patients(5, n, seed=n, pending=pending)
    fit = posterior(model, data, 0.3)
    scale = _likelihood(model, data, float(fit.b))

    def integral(of: Any) -> float:
        def f(b: float) -> float:
            prior = math.exp(-0.5 * (b / model.prior_sd) ** 2)
            return float(of(b) * prior * _likelihood(model, data, b) / scale)

        mid, far = float(fit.b), 8 * model.prior_sd
        ends = sorted({-far, mid - 0.7, mid, mid + 0.7, far, *np.clip(crossings, -far, far)})
        return sum(
            quad(f, a, z, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
            for a, z in itertools.pairwise(ends)
        )

    crossings = model.crossing(0.3).tolist()
    whole = integral(lambda b: 1.0)
    mean = integral(lambda b: b) / whole
    assert float(fit.b) == pytest.approx(mean, abs=1e-8)
    assert float(fit.variance) == pytest.approx(
        integral(lambda b: (b - mean) ** 2) / whole, abs=1e-8
    )
    assert fit.plug_in == pytest.approx(_curve(model, mean), abs=1e-8)
    for k in (0, 4):
        level = integral(lambda b, k=k: _curve(model, b)[k]) / whole
        assert fit.mean[k] == pytest.approx(level, abs=1e-8)
        above = integral(lambda b, k=k: float(b < crossings[k])) / whole
        assert fit.above[k] == pytest.approx(above, abs=1e-8)


def test_log_likelihood_is_the_product_over_patients() -> None:
    for model in (EMPIRIC, LOGISTIC):
        data = _patients(5, 10, seed=4, pending=4)
        for b in (-1.0, 0.0, 0.8):
            expected = math.log(_likelihood(model, data, b))
            assert float(log_likelihood(model, data, b)) == pytest.approx(expected, abs=1e-12)


def test_followed_for_the_whole_window_is_complete_and_for_none_of_it_is_absent() -> None:
    level, toxic = [1, 2, 3, 3], [False, False, True, False]
    full = tally(Patients(level=level, toxic=toxic), 5)
    nearly = tally(Patients(level=level, toxic=toxic, weight=[1, 1, 1, 1 - 1e-13]), 5)
    assert nearly.pending.sum() == 1
    assert posterior(EMPIRIC, nearly, 0.3).b == pytest.approx(
        float(posterior(EMPIRIC, full, 0.3).b), abs=1e-11
    )
    new = tally(Patients(level=level, toxic=toxic, weight=[1, 1, 1, 0]), 5)
    without = tally(Patients(level=level[:3], toxic=toxic[:3]), 5)
    assert posterior(EMPIRIC, new, 0.3).b == pytest.approx(
        float(posterior(EMPIRIC, without, 0.3).b), abs=1e-11
    )


def test_without_patients_the_posterior_is_the_prior() -> None:
    fit = posterior(EMPIRIC, DoseData(treated=[0] * 5, toxic=[0] * 5), 0.3)
    assert float(fit.b) == pytest.approx(0.0, abs=1e-12)
    assert float(fit.variance) == pytest.approx(1.34, abs=1e-9)
    assert fit.plug_in == pytest.approx(SKELETON, abs=1e-12)
    # The level that is guessed at the target is above it when b is below 0.
    assert fit.above[2] == pytest.approx(0.5, abs=1e-9)


def test_one_more_toxicity_raises_every_estimate() -> None:
    toxic = np.arange(7)
    data = DoseData(
        treated=np.tile([3, 6, 0, 0, 0], (7, 1)), toxic=np.outer(toxic, [0, 1, 0, 0, 0])
    )
    for model in (EMPIRIC, LOGISTIC):
        fit = posterior(model, data, 0.3)
        for values in (fit.plug_in, fit.mean, fit.above, likeliest(model, data).plug_in):
            assert np.all(np.diff(values, axis=0) > 0)


def test_many_trials_are_each_as_alone() -> None:
    rng = np.random.default_rng(8)
    level, toxic, weight = rng.integers(0, 6, (7, 9)), rng.random((7, 9)) < 0.3, rng.random((7, 9))
    weight[weight > 0.5] = 1.0
    many = tally(Patients(level=level, toxic=toxic, weight=weight), 5)
    for model in (EMPIRIC, LOGISTIC):
        together, likely = posterior(model, many, 0.3), likeliest(model, many)
        for i in range(7):
            one = tally(Patients(level=level[i], toxic=toxic[i], weight=weight[i]), 5)
            alone = posterior(model, one, 0.3)
            assert together.mean[i] == pytest.approx(alone.mean, abs=1e-12)
            assert together.above[i] == pytest.approx(alone.above, abs=1e-12)
            assert likely.b[i] == pytest.approx(float(likeliest(model, one).b), abs=1e-11)


def test_likeliest_is_nearer_the_maximum_than_the_search_of_r() -> None:
    # dfcrm's example: its search by Brent's method ends at -0.4184397537.
    data = DoseData(treated=[3, 3, 3, 0, 0], toxic=[0, 1, 2, 0, 0])
    fit = likeliest(EMPIRIC, data)
    assert float(fit.b) == pytest.approx(-0.4184397537, abs=2e-6)
    found, printed = log_likelihood(EMPIRIC, data, [float(fit.b), -0.4184397537])
    assert found > printed


@pytest.mark.parametrize("model", [EMPIRIC, LOGISTIC])
def test_likeliest_is_where_no_neighbour_is_likelier(model: WorkingModel) -> None:
    for seed in range(6):
        data = _patients(5, 14, seed=seed, pending=4)
        b = float(likeliest(model, data).b)
        near = log_likelihood(model, data, [b - 1e-3, b, b + 1e-3])
        assert near[1] == near.max()
        wide = log_likelihood(model, data, np.linspace(-6, 6, 2001))
        assert near[1] >= wide.max() - 1e-12


def test_likeliest_goes_to_the_end_without_both_outcomes() -> None:
    none = likeliest(EMPIRIC, DoseData(treated=[3, 0, 0, 0, 0], toxic=[0, 0, 0, 0, 0]))
    assert np.isposinf(none.b)
    assert none.plug_in.tolist() == [0.0] * 5
    every = likeliest(LOGISTIC, DoseData(treated=[3, 0, 0, 0, 0], toxic=[3, 0, 0, 0, 0]))
    assert np.isneginf(every.b)
    assert every.plug_in == pytest.approx([1 / (1 + math.exp(-3))] * 5)


@pytest.mark.parametrize("shape", ["empiric", "logistic"])
def test_skeleton_puts_neighbours_at_the_two_ends_of_the_interval(shape: Any) -> None:
    guess = indifference_skeleton(0.3, 0.05, 3, 6, shape)
    assert guess[2] == pytest.approx(0.3)
    model = WorkingModel(skeleton=guess, shape=shape)
    at_high = model.crossing(0.35)
    for k in range(1, 6):
        curve = model.toxicity(at_high[k])
        assert curve[k] == pytest.approx(0.35, abs=1e-12)
        assert curve[k - 1] == pytest.approx(0.25, abs=1e-12)


def test_no_level_is_skipped_and_nobody_goes_up_from_too_much_toxicity() -> None:
    design = CRM(model=EMPIRIC, target=0.3, stop_above=None)
    counts = [(n, x) for n in (0, 1, 3, 4) for x in range(n + 1)]
    for cells in itertools.product(counts, repeat=2):
        treated, toxic = np.array([*cells, (0, 0), (0, 0), (0, 0)]).T
        if treated.sum() == 0:
            continue
        for now in (1, 2):
            answer = int(design.next_level(DoseData(treated=treated, toxic=toxic), now))
            assert 1 <= answer <= now + 1
            if toxic[now - 1] > 0.3 * treated[now - 1]:
                assert answer <= now


def test_trial_stops_when_the_lowest_level_is_too_toxic() -> None:
    data = DoseData(treated=[3, 0, 0, 0, 0], toxic=[3, 0, 0, 0, 0])
    above = float(posterior(EMPIRIC, data, 0.3).above[0])
    for cut, answer in ((above + 1e-6, 1), (above - 1e-6, STOP)):
        design = CRM(model=EMPIRIC, target=0.3, stop_above=cut)
        assert int(design.next_level(data, 1)) == answer
        assert int(design.recommend(data)) == (NONE if answer == STOP else 1)
        assert NONE == STOP
    two = DoseData(treated=[2, 0, 0, 0, 0], toxic=[2, 0, 0, 0, 0])
    assert int(CRM(model=EMPIRIC, target=0.3, stop_above=0.0).next_level(two, 1)) == 1


def test_likelihood_design_moves_by_one_until_it_has_both_outcomes() -> None:
    design = CRM(model=EMPIRIC, target=0.3, method="mle", stop_above=None)
    clear = DoseData(treated=[3, 3, 0, 0, 0], toxic=[0, 0, 0, 0, 0])
    assert int(design.next_level(clear, 2)) == 3
    assert int(design.recommend(clear)) == 2
    bad = DoseData(treated=[0, 0, 3, 0, 0], toxic=[0, 0, 3, 0, 0])
    assert int(design.next_level(bad, 3)) == 1


def test_plug_in_and_mean_can_lead_to_different_levels() -> None:
    data = DoseData(treated=[3, 3, 3, 0, 0], toxic=[0, 1, 0, 0, 0])
    answers = {
        estimate: int(CRM(model=EMPIRIC, target=0.3, estimate=estimate).next_level(data, 3))
        for estimate in ("plug-in", "mean")
    }
    assert answers == {"plug-in": 4, "mean": 3}


def test_crm_waits_for_outcomes_that_matter_and_tite_for_as_many_as_it_is_told() -> None:
    level, toxic = [1, 1, 1, 2, 2, 2], [False] * 6
    data = tally(Patients(level=level, toxic=toxic, weight=[1, 1, 1, 1, 0.5, 0.2]), 5)
    assert int(CRM(model=EMPIRIC, target=0.3).next_level(data, 2)) == WAIT
    assert int(TiteCRM(model=EMPIRIC, target=0.3).next_level(data, 2)) == 3
    assert int(TiteCRM(model=EMPIRIC, target=0.3, most_pending=0.6).next_level(data, 2)) == WAIT
    assert int(TiteCRM(model=EMPIRIC, target=0.3, most_pending=0.7).next_level(data, 2)) == 3


def test_tite_crm_without_pending_patients_is_crm() -> None:
    data = DoseData(treated=[3, 3, 3, 0, 0], toxic=[0, 1, 2, 0, 0])
    for now in (1, 2, 3):
        answers = {
            int(kind(model=EMPIRIC, target=0.3).next_level(data, now)) for kind in (CRM, TiteCRM)
        }
        assert len(answers) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: WorkingModel(skeleton=0.3), "must be a list"),
        (lambda: WorkingModel(skeleton=(0.3, 0.2)), "must rise"),
        (lambda: WorkingModel(skeleton=(0.0, 0.2)), "between 0 and 1"),
        (lambda: WorkingModel(skeleton=(0.1,), shape="tanh"), "one of empiric, logistic"),
        (lambda: WorkingModel(skeleton=(0.1,), prior_sd=11.0), "at most 10"),
        (lambda: WorkingModel(skeleton=(0.1,), intercept=31.0), "30"),
        (lambda: WorkingModel(skeleton=(0.1, 0.96), shape="logistic"), "larger intercept"),
        (lambda: LOGISTIC.crossing(0.96), "larger intercept"),
        (lambda: EMPIRIC.crossing(1.0), "strictly between"),
        (lambda: indifference_skeleton(0.3, 0.3, 2, 4), "smaller halfwidth"),
        (lambda: indifference_skeleton(0.3, 0.05, 5, 4), "levels"),
        (lambda: indifference_skeleton(0.3, 0.29, 2, 60), "between 0 and 1|must rise"),
        (lambda: CRM(model=EMPIRIC, target=0.3, method="map"), "one of bayes, mle"),
        (lambda: CRM(model=EMPIRIC, target=0.3, method="mle", estimate="mean"), "no mean"),
        (lambda: CRM(model=EMPIRIC, target=0.3, stop_above=1.5), r"\[0, 1\]"),
        (lambda: CRM(model=SKELETON, target=0.3), "WorkingModel"),
        (lambda: TiteCRM(model=EMPIRIC, target=0.3, most_pending=2.0), r"\[0, 1\]"),
        (lambda: posterior(EMPIRIC, DoseData(treated=[3], toxic=[1]), 0.3), "1 levels"),
        (
            lambda: posterior(
                EMPIRIC,
                DoseData(treated=[3, 0, 0, 0, 0], toxic=[0] * 5, pending=[1, 0, 0, 0, 0]),
                0.3,
            ),
            "one by one",
        ),
        (
            lambda: log_likelihood(EMPIRIC, DoseData(treated=[0] * 5, toxic=[0] * 5), 101.0),
            r"\[-100, 100\]",
        ),
    ],
)
def test_bad_input_is_named(make: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()
