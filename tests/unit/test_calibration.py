"""The calibration: does it find what is there, does it say how well, and is it what is stored.

The law that it rests on is compared with the simulation of `car_relapse.cohort` and with plain
Monte Carlo; the fit with data simulated from known parameters.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from car_relapse import calibration, calibration_table
from car_relapse.calibration import (
    FITTED,
    Model,
    Profile,
    calibrated_population,
    calibrated_values,
    fit,
    ledger_values,
    log_likelihood,
    profile,
)
from car_relapse.calibration_data import (
    CalibrationData,
    Landmark,
    PhenotypeCounts,
    RelapseFreeCurve,
    default_data,
    default_follow_up,
    effective_patients,
    watched,
)
from car_relapse.calibration_law import (
    escaped_mass_cdf,
    expected_relapses,
    surviving_lines_cdf,
)
from car_relapse.calibration_model import (
    calibrated_patient,
    deviance_residuals,
    expected_counts,
    saturated,
)
from car_relapse.calibration_points import Patients, points
from car_relapse.calibration_prediction import predict
from car_relapse.cohort import simulate
from car_relapse.errors import EvidenceError, ParameterError
from car_relapse.exposure import SteinPopulation, stein_population, stein_typical
from car_relapse.followup import DAYS_PER_MONTH, Cause, FollowUp, Transplant, observe
from car_relapse.growth import sample_surviving_mass
from car_relapse.incidence import kaplan_meier
from car_relapse.outcomes import Outcome, default_detection
from car_relapse.parameters import parameter

SEED = 20261123
SMALL = 512


@pytest.fixture(scope="module")
def at():
    return points(stein_population(), SMALL, seed=SEED)


@pytest.fixture(scope="module")
def cohort():
    return simulate(calibrated_population(), 20_000, seed=SEED)


# The data


def test_effective_patients_give_back_the_printed_interval():
    n = effective_patients(0.52, 0.37, 0.66)
    se = np.sqrt((1 - 0.52) / (0.52 * n)) / abs(np.log(0.52))
    ends = np.exp(-np.exp(np.log(-np.log(0.52)) + 1.96 * np.array([1, -1]) * se))
    assert ends == pytest.approx([0.37, 0.66], abs=0.01)


def test_greenwoods_formula_of_complete_data_gives_back_the_number_of_patients():
    day = np.arange(1.0, 201.0)
    curve = kaplan_meier(day, np.ones(200, dtype=int))
    value = float(curve.event_free_at(80.0))
    low, high = (float(end) for end in curve.event_free_interval(80.0))
    assert effective_patients(value, low, high) == pytest.approx(200, rel=1e-6)


@pytest.mark.parametrize("triple", [(0.5, 0.6, 0.7), (0.5, 0.4, 0.45), (1.0, 0.4, 1.0)])
def test_an_interval_that_does_not_hold_its_value_is_refused(triple):
    with pytest.raises(ParameterError, match="they must increase and lie strictly between"):
        effective_patients(*triple)


def test_landmarks_of_one_curve_enter_as_patients_who_relapse_between_them():
    counts = default_data().curve.counts
    n = default_data().curve.patients
    assert counts == pytest.approx(n * np.array([0.20, 0.21, 0.07, 0.52]))


def test_the_default_data_are_the_rows_of_the_evidence_tables():
    assert default_data().phenotypes.counts.tolist() == [83, 68, 12]
    assert default_data(infused=True).phenotypes.counts.tolist() == [83, 68, 12, 257]
    assert default_data(censored=False).curve.landmarks[-1].relapse_free == 0.48


def landmark(month: float, share: float) -> Landmark:
    return Landmark(month=month, relapse_free=share)


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda: landmark(6, 1.0), "strictly between 0 and 1"),
        (lambda: RelapseFreeCurve(landmarks=(), patients=5), "at least one"),
        (
            lambda: RelapseFreeCurve(landmarks=(landmark(6, 0.5), landmark(12, 0.6)), patients=5),
            "months must increase and shares fall",
        ),
        (lambda: replace(default_data().phenotypes, infused=3), "infused is 3"),
        (
            lambda: PhenotypeCounts(
                antigen_positive=0,
                antigen_negative=0,
                lineage_switch=0,
                follow_up=default_follow_up(),
            ),
            "all counts are 0",
        ),
        (lambda: replace(default_data(), response_day=-1), "response_day"),
        (lambda: replace(default_data(), curve=3), "curve is 3"),
        (lambda: replace(ledger_values(), loss=0.0), "loss"),
        (lambda: replace(ledger_values(), turnover=1.0), "division must be faster"),
        (lambda: fit(free=("luck",)), "must name different fields of Model"),
        (lambda: fit(free=("loss", "loss")), "must name different fields of Model"),
        (lambda: fit(n=100), "powers of two"),
        (lambda: predict(covariance=np.eye(2)), "square with one row for each"),
    ],
)
def test_bad_input_is_refused_with_its_rule(build, rule):
    with pytest.raises(ParameterError, match=rule):
        build()


def test_the_share_watched_is_the_share_that_observe_leaves_in_the_trial(cohort):
    plan = FollowUp(
        shortest=200,
        longest=900,
        dropout_rate=3e-4,
        death_rate=2e-4,
        transplant=Transplant(share=0.4, first_day=60, rate=0.02),
    )
    cured = replace(cohort, outcome=np.zeros_like(cohort.outcome))
    seen = observe(cured, plan, np.random.default_rng(SEED))
    days = np.array([30.0, 100.0, 300.0, 600.0, 950.0])
    share = (seen.day[:, None] > days).mean(axis=0)
    assert watched(plan, days) == pytest.approx(share, abs=4 * 0.5 / np.sqrt(cohort.size))


def test_patients_followed_alike_are_all_watched_to_one_day():
    plan = FollowUp(shortest=300, longest=300, dropout_rate=0, death_rate=0)
    assert watched(plan, [299.0, 301.0]).tolist() == [1.0, 0.0]


# The law


@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0, 150.0, 900.0])
def test_the_law_of_surviving_lines_is_that_of_their_sampled_sizes(mean):
    rng = np.random.default_rng(SEED)
    draws = rng.standard_gamma(rng.poisson(mean, 200_000))
    sizes = mean * np.array([0.3, 0.8, 1.0, 1.2, 2.5])
    seen = (draws[:, None] < sizes).mean(axis=0)
    assert surviving_lines_cdf(mean, sizes) == pytest.approx(seen, abs=4 * 0.5 / np.sqrt(200_000))


def test_the_law_of_the_escaped_mass_is_that_of_its_samples():
    rng = np.random.default_rng(SEED)
    n, before, under, size = 200_000, 0.8, 0.5, 0.3
    old = sample_surviving_mass(np.full(n, before), 1.0, rng)
    young = size * rng.standard_gamma(rng.poisson(under, n))
    masses = np.array([0.05, 0.3, 1.0, 4.0, 30.0])
    seen = ((old + young)[:, None] <= masses).mean(axis=0)
    law = escaped_mass_cdf(
        np.array([before]), np.array([[under]]), np.array([[size]]), masses[:, None]
    )
    assert law[:, 0] == pytest.approx(seen, abs=0.006)


def test_the_law_agrees_with_the_simulated_cohort(cohort):
    model = calibrated_values()
    days = np.array([28.0, *(28 + DAYS_PER_MONTH * np.arange(1, 61))])
    sets = [points(stein_population(), 1024, seed=SEED + i) for i in range(4)]
    total = model.loss + model.common_mode
    seen = [
        expected_relapses(model.patients(s), total, model.killing, default_detection(), days)
        for s in sets
    ]
    remission = cohort.outcome != Outcome.NO_REMISSION
    assert np.mean([e.remission for e in seen]) == pytest.approx(remission.mean(), abs=0.02)
    escaped = np.isin(cohort.outcome, [Outcome.ANTIGEN_NEGATIVE, Outcome.LINEAGE_SWITCH])
    for i in (6, 12, 36, 60):
        by = cohort.relapse_day <= days[i]
        free = np.mean([e.relapse_free[i] / e.remission for e in seen])
        assert free == pytest.approx((remission & ~by).sum() / remission.sum(), abs=0.02)
        negative = np.mean([e.escaped[i] for e in seen])
        assert negative == pytest.approx((escaped & by).mean(), abs=0.02)
        positive = np.mean([e.antigen_positive[i] for e in seen])
        both = (cohort.outcome == Outcome.ANTIGEN_POSITIVE) & by
        assert positive == pytest.approx(both.mean(), abs=0.02)


def test_shares_of_every_day_add_up_to_those_in_remission(at):
    model = ledger_values()
    days = np.linspace(20, 2000, 30)
    seen = expected_relapses(model.patients(at), 1e-12, model.killing, default_detection(), days)
    parts = seen.relapse_free + seen.antigen_positive + seen.escaped
    assert parts == pytest.approx(np.full(30, seen.remission))
    assert np.all(np.diff(seen.escaped) >= 0)
    assert np.all(np.diff(seen.relapse_free) <= 1e-12)


@pytest.mark.parametrize("growth", [0.004, 0.06, 0.5, 1.5])
@pytest.mark.parametrize("half_level", [1.0, 3000.0, 1e6])
def test_extreme_populations_give_probabilities(at, growth, half_level):
    model = replace(ledger_values(), growth_rate=growth, half_level=half_level, growth_log_sd=1.5)
    seen = expected_relapses(
        model.patients(at), 1e-10, model.killing, default_detection(), [30.0, 400.0, 3000.0]
    )
    for share in (seen.relapse_free, seen.antigen_positive, seen.escaped):
        assert np.all((share >= -1e-9) & (share <= 1 + 1e-9))


def test_points_without_spread_are_the_typical_curve():
    flat = SteinPopulation(typical=stein_typical(), log_sd=(0.0,) * 6)
    assert points(flat, 4, seed=1).curve.peak_day == pytest.approx(np.full(4, 9.3))


def test_points_follow_the_law_that_cohorts_are_drawn_from():
    n = 4096
    quasi = points(stein_population(), n, seed=SEED).curve
    drawn = stein_population().sample(n, np.random.default_rng(SEED))
    for name in ("fold", "memory_fraction", "peak_level"):
        a, b = np.log(getattr(quasi, name)), np.log(getattr(drawn, name))
        assert a.mean() == pytest.approx(b.mean(), abs=5 * b.std() / np.sqrt(n))
        assert a.std() == pytest.approx(b.std(), rel=0.06)


@pytest.mark.parametrize("days", [[10.0, 5.0], [0.0, 5.0]])
def test_days_that_do_not_increase_are_refused(at, days):
    model = ledger_values()
    with pytest.raises(ParameterError, match="days"):
        expected_relapses(model.patients(at), 1e-12, model.killing, default_detection(), days)


def test_a_leukaemia_that_shrinks_is_refused():
    with pytest.raises(ParameterError, match="reaches birth_rate in at least one patient"):
        Patients(
            birth_rate=np.array([0.1]),
            death_rate=np.array([0.1]),
            burden=np.array([1e10]),
            curve=stein_typical(),
        )


# The likelihood


def counts_of(model: Model, at, data: CalibrationData) -> CalibrationData:
    """Return data in which the model sees just what it expects."""
    curve, kinds = expected_counts(model, data, at)
    left = 1 - np.cumsum(curve / data.curve.patients)
    landmarks = tuple(
        landmark(month, share) for month, share in zip(data.curve.months, left, strict=False)
    )
    split = np.round(100_000 * kinds / kinds.sum()).astype(int)
    return replace(
        data,
        curve=replace(data.curve, landmarks=landmarks, patients=500 * data.curve.patients),
        phenotypes=replace(
            data.phenotypes,
            antigen_positive=int(split[0]),
            antigen_negative=int(split[1]),
            lineage_switch=int(split[2]),
        ),
    )


def test_the_log_likelihood_is_that_of_the_multinomials(at):
    model, data = ledger_values(), default_data()
    by_hand = 0.0
    for expected, seen in zip(
        expected_counts(model, data, at), (data.curve.counts, data.phenotypes.counts), strict=True
    ):
        by_hand += float(seen @ np.log(expected / seen.sum()))
    assert log_likelihood(model, data, at) == pytest.approx(by_hand, rel=1e-9)
    assert log_likelihood(model, data, at) < saturated(data)


def test_expected_counts_are_what_a_simulated_trial_records(cohort):
    data = default_data(infused=True)
    sets = [points(stein_population(), 1024, seed=SEED + i) for i in range(4)]
    expected = np.mean(
        [np.concatenate(expected_counts(calibrated_values(), data, s)) for s in sets], axis=0
    )
    seen = observe(cohort, data.phenotypes.follow_up, np.random.default_rng(SEED))
    kinds = (Cause.ANTIGEN_POSITIVE, Cause.ANTIGEN_NEGATIVE, Cause.LINEAGE_SWITCH)
    shares = [np.mean(seen.cause == kind) for kind in kinds]
    assert expected[4:7] / data.phenotypes.infused == pytest.approx(shares, abs=0.02)
    responders = (cohort.outcome != Outcome.NO_REMISSION) & (cohort.relapse_day > 28)
    days = 28 + DAYS_PER_MONTH * np.array(data.curve.months)
    free = (cohort.relapse_day[responders][:, None] > days).mean(axis=0)
    left = 1 - np.cumsum(expected[:3]) / data.curve.patients
    assert left == pytest.approx(free, abs=0.02)


# The fit


def test_the_fit_recovers_the_parameters_behind_noiseless_data(at):
    truth = replace(
        ledger_values(), loss=6e-13, common_mode=2e-13, half_level=1200.0, growth_rate=0.1
    )
    found = fit(counts_of(truth, at, default_data()), n=SMALL, seed=SEED)
    for name in FITTED:
        assert found.estimates[name] == pytest.approx(getattr(truth, name), rel=0.05), name
    # Of counts some hundredfold those of the data, rounded to whole relapses.
    assert found.deviance < 0.5


def test_data_simulated_patient_by_patient_give_back_the_truth_within_its_error():
    truth = replace(ledger_values(), growth_rate=0.1, half_level=1500.0, loss=1e-12)
    cohort = simulate(truth.population(), 6000, seed=SEED + 1)
    base = default_data()
    seen = observe(cohort, base.phenotypes.follow_up, np.random.default_rng(SEED))
    responders = (cohort.outcome != Outcome.NO_REMISSION) & (cohort.relapse_day > 28)
    days = 28 + DAYS_PER_MONTH * np.array(base.curve.months)
    free = (cohort.relapse_day[responders][:, None] > days).mean(axis=0)
    data = replace(
        base,
        curve=RelapseFreeCurve(
            landmarks=tuple(
                landmark(m, float(s)) for m, s in zip(base.curve.months, free, strict=True)
            ),
            patients=float(responders.sum()),
        ),
        phenotypes=replace(
            base.phenotypes,
            antigen_positive=int(np.sum(seen.cause == Cause.ANTIGEN_POSITIVE)),
            antigen_negative=int(np.sum(seen.cause == Cause.ANTIGEN_NEGATIVE)),
            lineage_switch=int(np.sum(seen.cause == Cause.LINEAGE_SWITCH)),
        ),
    )
    found = fit(data, n=1024, seed=SEED)
    se = np.sqrt(np.diag(found.covariance))
    for name, error in zip(FITTED, se, strict=True):
        off = np.log(found.estimates[name] / getattr(truth, name))
        # A quarter of a per cent of the points of the law is added to the sampling error.
        assert abs(off) < 3 * error + 0.1, name


def test_an_interval_of_the_fit_holds_the_truth_in_most_repeated_trials(at):
    truth = replace(ledger_values(), half_level=1500.0, growth_rate=0.09)
    base = default_data()
    rng = np.random.default_rng(SEED)
    curve, kinds = expected_counts(truth, base, at)
    n = round(base.curve.patients)
    hits = 0
    for _ in range(4):
        left = 1 - np.cumsum(rng.multinomial(n, curve / curve.sum())) / n
        split = rng.multinomial(163, kinds / kinds.sum())
        data = replace(
            base,
            curve=RelapseFreeCurve(
                landmarks=tuple(
                    landmark(m, float(s)) for m, s in zip(base.curve.months, left, strict=False)
                ),
                patients=n,
            ),
            phenotypes=replace(
                base.phenotypes,
                antigen_positive=int(split[0]),
                antigen_negative=int(split[1]),
                lineage_switch=int(split[2]),
            ),
        )
        free = ("loss", "half_level")
        start = replace(truth, loss=2e-12, half_level=3000.0)
        best = fit(data, free=free, start=start, n=SMALL, seed=SEED)
        held = profile(best, "half_level", [1500.0], data=data)
        hits += bool(held.rise[0] < 3.84)
    # Four of 95 % each: fewer than three hits have a probability of 1.4 %.
    assert hits >= 3


def test_a_parameter_that_the_data_do_not_see_has_an_open_interval():
    flat = Profile(
        name="burden", value=np.array([1e10, 1e11, 1e12]), rise=np.array([0.3, 0.0, 0.2])
    )
    assert not flat.interval(1e11).identified
    bowl = np.geomspace(1e9, 1e13, 41)
    curved = Profile(name="burden", value=bowl, rise=(np.log(bowl / 1e11) / 0.5) ** 2)
    found = curved.interval(1e11)
    assert np.log([found.low / 1e11, found.high / 1e11]) == pytest.approx([-0.98, 0.98], rel=0.01)


def test_the_ends_of_an_interval_are_where_the_deviance_has_risen_by_384():
    start = replace(calibrated_values(), half_level=1600.0)
    found = fit(free=("half_level",), start=start, n=1024, seed=SEED, profiles=None)
    ends = found.intervals["half_level"]
    assert ends.identified
    held = profile(found, "half_level", [ends.low, ends.high])
    assert held.rise == pytest.approx([3.84, 3.84], rel=0.2)


def test_a_profile_that_finds_a_better_fit_moves_the_estimate_there():
    far = replace(calibrated_values(), half_level=9000.0)
    stuck = fit(free=("loss",), start=far, n=128, seed=SEED)
    freed = fit(free=("loss", "half_level"), start=far, n=128, seed=SEED, profiles=("loss",))
    assert freed.deviance < stuck.deviance
    assert freed.profiles[0].rise.min() > -0.05


def test_the_uncertainty_of_a_prediction_follows_that_of_its_parameter():
    covariance = np.zeros((4, 4))
    covariance[1, 1] = 0.3**2
    seen = predict(covariance=covariance, n=256, replicates=2, seed=SEED)
    switch = next(p for p in seen if p.endpoint.startswith("lineage switch"))
    part = calibrated_values().common_mode / (
        calibrated_values().common_mode + calibrated_values().loss
    )
    # The share is proportional to c/(u+c), whose log has the slope 1 - c/(u+c) in ln c.
    assert switch.parameter_se == pytest.approx(0.3 * switch.predicted * (1 - part), rel=0.15)


# What is stored


def test_the_stored_estimates_are_those_of_the_ledger_rows():
    rows = {row.item: row for row in calibration_table.stored("estimate")}
    for name in FITTED:
        row, entry = rows[name], parameter(f"calibrated.{name}")
        assert entry.certainty == "fitted"
        for end in ("value", "low", "high"):
            assert getattr(entry, end) == pytest.approx(getattr(row, end), rel=6e-3)


def test_a_small_refit_cannot_beat_the_stored_estimates_by_more_than_its_grain():
    data = default_data()
    at = points(stein_population(), 1024, seed=SEED)
    start = calibrated_values()
    here = float(np.sum(deviance_residuals(start, data, at) ** 2))
    again = fit(data, start=start, n=1024, seed=SEED)
    # A deviance of 1 is one standard error of one parameter.
    assert 0 <= here - again.deviance < 1.0
    for row in calibration_table.stored("estimate"):
        if row.item in FITTED:
            assert row.low < again.estimates[row.item] < row.high


def test_the_calibrated_population_relapses_as_the_landmarks_say(cohort):
    responders = (cohort.outcome != Outcome.NO_REMISSION) & (cohort.relapse_day > 28)
    days = 28 + DAYS_PER_MONTH * np.array([6.0, 12.0, 36.0])
    free = (cohort.relapse_day[responders][:, None] > days).mean(axis=0)
    # Within the standard error that each landmark has with the effective number of patients.
    seen = np.array([0.80, 0.59, 0.52])
    assert np.all(abs(free - seen) < 1.5 * np.sqrt(seen * (1 - seen) / 43.6))


def test_the_stored_predictions_are_made_again():
    fresh = predict(n=1024, replicates=2, seed=SEED)
    rows = calibration_table.stored("prediction")
    assert [(p.cohort, p.endpoint) for p in fresh] == [(r.item, r.setting) for r in rows]
    for p, row in zip(fresh, rows, strict=True):
        assert p.observed == pytest.approx(row.observed, rel=1e-5)
        # Shares to two per cent of patients; a median lies where the curve is flat.
        allowed = 0.15 * row.value if "median" in p.endpoint else 0.02
        assert abs(p.predicted - row.value) <= allowed, (p.cohort, p.endpoint)
        assert p.inside in (None, True, False)


def test_the_table_is_read_as_it_was_written():
    rows = calibration_table.stored("prediction")
    out = io.StringIO()
    calibration_table.write_table(rows, out)
    out.seek(0)
    assert calibration_table.read_table(out) == rows


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a,b\n", "the header of the stored calibration"),
        ("HEADER\nluck" + "," * 15 + "\n", "row of kind 'luck'"),
        ("HEADER\nestimate,loss,,x" + "," * 12 + "\n", "value 'x'; it must be a number"),
    ],
)
def test_a_broken_table_is_refused(text, rule):
    out = io.StringIO()
    calibration_table.write_table((), out)
    text = text.replace("HEADER", out.getvalue().strip())
    with pytest.raises(EvidenceError, match=rule):
        calibration_table.read_table(io.StringIO(text))


def test_an_unknown_kind_is_refused():
    with pytest.raises(EvidenceError, match="kind is 'luck'"):
        calibration_table.stored("luck")


def test_the_public_names_of_the_calibration_are_there():
    assert all(hasattr(calibration, name) for name in calibration.__all__)


def test_the_spread_of_growth_is_that_of_the_measured_mean_and_standard_deviation():
    sd = np.sqrt(np.log1p((7.3 / 6.9) ** 2))
    assert ledger_values().growth_log_sd == pytest.approx(sd, abs=5e-4)


def test_the_calibrated_patient_has_the_medians_of_the_population():
    patient, people = calibrated_patient(), calibrated_population()
    assert (patient.leukaemia, patient.losses) == (people.leukaemia, people.losses)
    (product,) = patient.products
    assert (product.exposure, product.killing) == (stein_typical(), people.killing)
    assert calibrated_patient(1e9).leukaemia == replace(people.leukaemia, burden=1e9)
