"""Figures of the chapter *Mechanism two: the antigen leaves*."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from car_relapse.antigens import Losses
from car_relapse.engine import line_history
from car_relapse.evidence import relapse_split, trials
from car_relapse.exposure import SteinExposure
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    axes,
    chance,
    house_style,
    percent,
    quote,
)
from car_relapse.growth import no_living_mutant, no_surviving_line, sample_mutants
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities, mutant_quantile
from car_relapse.patient import Patient, typical_patient
from car_relapse.resistance import surviving_double_loss_lines
from car_relapse.survival import relapse_probabilities

__all__ = ["escape_timing", "jackpots", "pre_existence"]


def pre_existence(patient: Patient | None = None) -> Drawing:
    """Draw the probability that escape predates infusion, against N times u.

    Parameters
    ----------
    patient : Patient, optional
        Gives the survival probability of a line and the fitted uN; the typical patient of
        the ledger by default.
    """
    who = typical_patient() if patient is None else patient
    s = who.leukaemia.survival
    fitted = who.leukaemia.burden * who.losses.per_antigen[0]
    cohort = trials()["lamble2023_phenotype"]
    # The intensity if every escaped line of that cohort had been founded before infusion.
    share = relapse_split(cohort).antigen_negative / float(cohort.n_infused or np.nan)
    all_before = -float(np.log1p(-share))
    typical, hit = typical_patient().leukaemia, _two_equal_hits()
    nu = np.geomspace(1e-2, 1e2, 161)
    size = 1e11
    columns = {
        f"{kind}_fixed_{fixed}": 1.0 - law
        for fixed in ("size", "time")
        for kind, law in (
            ("surviving", no_surviving_line(size, nu / size, fixed=fixed)),
            ("living", no_living_mutant(size, nu / size, s, fixed=fixed)),
        )
    }
    numbers = {
        "p_fixed_size_at_1": quote(-np.expm1(-1.0), 2),
        "p_fixed_time_at_1": quote(0.5, 2),
        "p_living_at_1": quote(1.0 - float(no_living_mutant(size, 1 / size, s)), 2),
        "nu_lamble": quote(fitted, 2),
        "p_fixed_size_lamble": quote(-float(np.expm1(-fitted)), 2),
        "survival": quote(s, 2),
        "p_fixed_size_at_3": quote(-np.expm1(-3.0), 2),
        "p_fixed_time_at_3": quote(0.75, 2),
        "none_fixed_size_at_3": quote(np.exp(-3.0), 1),
        "none_fixed_time_at_3": quote(0.25, 2),
        "events_lamble": quote(fitted / s, 2),
        "u_lamble": quote(who.losses.per_antigen[0], 2),
        "nu_all_before": quote(all_before, 2),
        "u_all_before_11": quote(all_before / 1e11, 2),
        "u_all_before_9": quote(all_before / 1e9, 2),
        "two_hits_each": quote(hit, 2),
        "two_hit_lines": quote(
            2.0 * hit**2 * typical.burden / typical.survival * (np.log(typical.survival / hit) - 1),
            2,
        ),
        "exercise_living": quote(1.0 - float(no_living_mutant(size, 0.5 / size, 0.5)), 2),
        "exercise_surviving": quote(-np.expm1(-0.5), 2),
        "exercise_fixed_time": quote(
            1.0 - float(no_surviving_line(size, 0.5 / size, fixed="time")), 2
        ),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        for key, style, colour, label in (
            ("surviving_fixed_size", "-", NEGATIVE, "surviving line, fixed size"),
            ("surviving_fixed_time", "--", NEGATIVE, "surviving line, fixed time"),
            ("living_fixed_size", "-.", POSITIVE, "living cell, fixed size"),
            ("living_fixed_time", ":", POSITIVE, "living cell, fixed time"),
        ):
            ax.plot(nu, columns[key], style, color=colour, label=label)
        ax.axvline(fitted, color=NEUTRAL, linewidth=1.2)
        ax.text(fitted * 1.1, 0.95, f"fitted, {n['nu_lamble']}", color=NEUTRAL, va="top")
        ax.set_xscale("log")
        ax.set_xlim(1e-2, 1e2)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("loss probability × burden, $uN$")
        ax.set_ylabel("P(at least one before infusion)")
        ax.legend(loc="lower right")
    return Drawing(
        figure=figure,
        caption="Whether escape is already there depends on the question asked and on what was "
        "held fixed: size or time.",
        alt="Four rising curves of the probability of pre-existing escape against uN from 0.01 to "
        f"100. At uN = 1 a surviving line exists with probability {n['p_fixed_size_at_1']} at "
        f"fixed size and {n['p_fixed_time_at_1']} at fixed time, and a living cell with "
        f"{n['p_living_at_1']} at fixed size. The fitted uN of {n['nu_lamble']} gives "
        f"{n['p_fixed_size_lamble']}.",
        numbers=numbers,
        data={"nu": nu, **columns},
    )


def _two_equal_hits() -> float:
    """Return the probability per division of each of two equal hits that lose the ledger's uN."""
    who = typical_patient()
    leukaemia, lines = who.leukaemia, who.leukaemia.burden * who.losses.per_antigen[0]

    def excess(log10_hit: float) -> float:
        both = Losses(per_antigen=(10.0**log10_hit, 10.0**log10_hit))
        return surviving_double_loss_lines(leukaemia.burden, leukaemia.survival, both) / lines - 1.0

    return float(10.0 ** brentq(excess, -10.0, -3.0))


def escape_timing(patient: Patient | None = None) -> Drawing:
    r"""Draw when the surviving escaped lines of a patient are founded, per day.

    Before infusion at rate :math:`u N \lambda e^{-\lambda x}`, x days earlier; under therapy
    at rate :math:`b\\,u\\,s\\,N D(t)`.

    Parameters
    ----------
    patient : Patient, optional
        With one targeted antigen and a Stein curve; the typical patient by default.
    """
    who = typical_patient() if patient is None else patient
    leukaemia, curve = who.leukaemia, who.products[0].exposure
    if not isinstance(curve, SteinExposure):
        raise TypeError(f"exposure is {type(curve).__name__}; this figure draws Stein curves only")
    loss = who.losses.total
    result = relapse_probabilities(who)
    one = SteinExposure(
        **{
            name: np.array([float(getattr(curve, name))])
            for name in SteinExposure.__dataclass_fields__
        }
    )
    history = line_history(leukaemia, loss, who.products[0].killing, one)
    after = history.rule.node.reshape(-1)
    keep = after <= 60.0
    founding = leukaemia.birth_rate * loss * leukaemia.survival * leukaemia.burden
    rate_after = founding * np.exp(history.log_cleared.reshape(-1))
    before = np.linspace(-90.0, 0.0, 181)
    rate_before = leukaemia.burden * loss * leukaemia.net_rate * np.exp(leukaemia.net_rate * before)
    numbers = {
        "p_preexisting": chance(result.preexisting),
        "p_acquired": chance(result.acquired),
        "p_negative": chance(result.antigen_negative),
        "peak_day": quote(float(after[rate_after.argmax()]), 1),
        "faded_day": quote(float(after[rate_after > 0.01 * rate_after.max()].max()), 2),
        "preexisting_percent": percent(result.preexisting_lines / result.negative_lines),
        "acquired_percent": percent(result.acquired_lines / result.negative_lines),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        ax.fill_between(before, 1e3 * rate_before, color=POSITIVE, alpha=0.25, linewidth=0)
        ax.plot(before, 1e3 * rate_before, color=POSITIVE, label="before infusion")
        ax.fill_between(
            after[keep], 1e3 * rate_after[keep], color=NEGATIVE, alpha=0.25, linewidth=0
        )
        ax.plot(after[keep], 1e3 * rate_after[keep], "--", color=NEGATIVE, label="under therapy")
        ax.axvline(0, color=INK, linewidth=1)
        ax.text(-1, 1e3 * rate_after.max(), "infusion", ha="right", va="top")
        ax.set_xlim(-60, 30)
        ax.set_ylim(0, 1.1e3 * rate_after.max())
        ax.set_xlabel("days from infusion")
        ax.set_ylabel("surviving escapes founded\n(per 1000 patients and day)")
        ax.legend(loc="upper left")
    return Drawing(
        figure=figure,
        caption="Most escapes are founded in the last weeks before infusion and the first days "
        "after, while the T cells still expand.",
        alt="Rate at which surviving escaped lines are founded, per 1000 patients and day. It "
        f"rises exponentially to a peak on day {n['peak_day']} after infusion and has fallen to "
        f"one hundredth of that by day {n['faded_day']}. The area before infusion holds "
        f"{n['preexisting_percent']} % of all, the area after it {n['acquired_percent']} %; a "
        f"patient escapes with probability {n['p_negative']}.",
        numbers=numbers,
        data={
            "day": np.concatenate([before, after[keep]]),
            "per_day": np.concatenate([rate_before, rate_after[keep]]),
        },
    )


def jackpots(
    events: float = 2.0,
    law: CloneLaw | None = None,
    *,
    patients: int = 20_000,
    seed: int = 20260103,
) -> Drawing:
    """Draw simulated numbers of escaped cells over their exact law.

    Parameters
    ----------
    events : float, optional
        Expected loss events m = uN/s per patient.
    law : CloneLaw, optional
        Clone law; that of the ledger's leukaemia by default.
    patients : int, optional
        Simulated patients.
    seed : int, optional
        Seed.
    """
    leukaemia = typical_patient().leukaemia
    clone = (
        CloneLaw(death_ratio=leukaemia.death_rate / leukaemia.birth_rate) if law is None else law
    )
    drawn = sample_mutants(events, clone, patients, np.random.default_rng(seed))
    shown = np.unique(np.round(np.geomspace(1, 1000, 25)).astype(int)) - 1
    tail = 1.0 - np.concatenate([[0.0], np.cumsum(mutant_probabilities(events, clone, 999))])
    exact = tail[shown]
    simulated = np.array([np.mean(drawn >= k) for k in shown])
    numbers = {
        "median": quote(float(mutant_quantile(0.5, events, clone)), 1),
        "mean": quote(float(drawn.mean()), 2),
        "largest": quote(float(drawn.max()), 2),
        "p_none": quote(float(mutant_probabilities(events, clone, 0)[0]), 2),
        "p_none_simulated": quote(float(np.mean(drawn == 0)), 2),
        "p_100_or_more": quote(float(tail[100]), 2),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        ax.plot(shown + 1, exact, color=NEGATIVE, label="exact law")
        ax.plot(
            shown + 1,
            simulated,
            "o",
            markerfacecolor="white",
            markeredgecolor=INK,
            markersize=6,
            label=f"{patients:,} simulated patients",
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([1, 2, 11, 101, 1001], ["0", "1", "10", "100", "1000"])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("antigen-negative cells at infusion, at least")
        ax.set_ylabel("share of patients")
        ax.legend(loc="lower left")
    return Drawing(
        figure=figure,
        caption="A few patients carry jackpots: the tail falls only as one over the number, so "
        "the mean says little about anybody.",
        alt=f"Share of patients with at least a given number of antigen-negative cells, both axes "
        f"logarithmic; simulated points lie on the exact curve. None: {n['p_none']}; median "
        f"{n['median']}; 100 or more: {n['p_100_or_more']}; simulated mean {n['mean']}, largest "
        f"{n['largest']}.",
        numbers=numbers,
        data={"at_least": shown.astype(float), "exact": exact, "simulated": simulated},
    )
