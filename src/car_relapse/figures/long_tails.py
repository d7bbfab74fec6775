"""Figures of the notebook *Long tails*."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray
from scipy.special import expit, logit

from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    count,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.competing_risks import TimeLaw, mixture_cure, survival, time_law
from car_relapse.trial.sample_size import (
    Calendar,
    constant_rate,
    difference_at,
    expected_events,
    logrank_size,
    rank_test,
)

__all__ = ["cure_plateau", "event_clock", "late_separation"]

Floats = NDArray[np.float64]

_NEG, _POS = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE
_Z = 1.959963984540054
_TRIAL = Calendar(accrual=24, follow_up=24)


def fading(event_free: float = 0.5, months: float = 8.0) -> virtual.Biology:
    """Return a biology of one cause, whose hazard fades, with a share event-free at month 24."""
    return virtual.Biology.from_incidences(
        {_NEG: 1.0 - event_free}, shape=virtual.Decay(months), horizon=24
    )


def followed(
    biology: virtual.Biology, follow_up: float, patients: int, seed: int
) -> tuple[Floats, NDArray[np.int8]]:
    """Return time and cause of the patients of one trial, seen up to a month."""
    arms = tuple(virtual.Arm(name=name, biology=biology) for name in ("first", "second"))
    trial = virtual.Trial(arms=arms, patients=patients, follow_up=follow_up)
    time, cause = virtual.generate(trial, 1, seed=seed).observed("policy")
    return time[0], cause[0]


def _limits(fit: TimeLaw) -> tuple[float, float]:
    """Return the 95 % limits of the cured share, by the normal law of its logit."""
    if not math.isfinite(fit.logit_cured_std_error):
        return 0.0, 1.0
    ends = logit(fit.cured) + np.array([-_Z, _Z]) * fit.logit_cured_std_error
    return float(expit(ends[0])), float(expit(ends[1]))


def cure_plateau(
    *,
    early: float = 12.0,
    follow_ups: Sequence[float] = (6, 9, 12, 18, 24, 36, 48, 60),
    patients: int = 120,
    seed: int = 20260301,
) -> Drawing:
    """Draw what a cured share is worth before, and after, the curve is flat.

    Parameters
    ----------
    early : float, optional
        Month up to which the left panel's laws are fitted.
    follow_ups : sequence of float, optional
        Months up to which the same patients are followed in the right panel; `early` is one.
    patients : int, optional
        Patients of the trial.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Left, the curve seen up to the early month, with a Weibull law with and without a cured
        share; right, the fitted cured share by the length of follow-up.
    """
    biology = fading()
    truth = float(biology.event_free(1e6))
    time, cause = followed(biology, early, patients, seed)
    with_cure = mixture_cure(time, cause, law="weibull")
    without = time_law(time, np.where(cause > 0, time, np.inf), law="weibull")
    grid = np.linspace(0.0, 60.0, 121)
    seen = np.arange(0.0, early + 1.0)
    observed = np.array([row.estimate for row in survival(time, cause, times=seen)])
    fits = [
        mixture_cure(*followed(biology, month, patients, seed), law="weibull")
        for month in follow_ups
    ]
    cured = np.array([fit.cured for fit in fits])
    low, high = np.array([_limits(fit) for fit in fits]).T
    at = list(follow_ups).index(early)
    numbers = {
        "patients": count(patients),
        "early": quote(early, 2),
        "truth": percent(truth),
        "with_end": percent(float(with_cure.event_free_at(60.0))),
        "without_end": percent(float(without.event_free_at(60.0))),
        "true_end": percent(float(biology.event_free(60.0))),
        "early_low": percent(low[at]),
        "early_high": percent(high[at]),
        "late": quote(float(follow_ups[-1]), 2),
        "late_cured": percent(cured[-1]),
        "late_low": percent(low[-1]),
        "late_high": percent(high[-1]),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.2)
        ax.axvspan(early, 60.0, color="#F3F4F6", zorder=0)
        ax.plot(grid, 100 * biology.event_free(grid), ":", color=INK, label="truth")
        ax.plot(
            grid, 100 * with_cure.event_free_at(grid), "-", color=CURED, label="with a cured share"
        )
        ax.plot(grid, 100 * without.event_free_at(grid), "--", color=NEGATIVE, label="without one")
        ax.plot(
            seen, 100 * observed, "o", linestyle="none", color=INK, markerfacecolor="white",
            markersize=5, label="seen",
        )  # fmt: skip
        ax.set_xlim(0, 60)
        ax.set_ylim(0, 100)
        ax.xaxis.set_major_locator(FixedLocator([0, 12, 24, 36, 48, 60]))
        ax.set_xlabel("months after infusion")
        ax.set_ylabel("without event (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, columnspacing=1.0)
        right.axhline(100 * truth, linestyle=":", color=INK, label="truth")
        right.errorbar(
            follow_ups, 100 * cured, yerr=100 * np.array([cured - low, high - cured]), fmt="o",
            color=CURED, capsize=3, label="fitted, 95 % interval",
        )  # fmt: skip
        right.set_xlim(0, 64)
        right.set_ylim(0, 100)
        right.xaxis.set_major_locator(FixedLocator([0, 12, 24, 36, 48, 60]))
        right.set_xlabel("months of follow-up")
        right.set_ylabel("cured share (%)")
        right.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return Drawing(
        figure=figure,
        caption="Two laws agree where patients were seen and part where nobody was; the cured "
        "share is known only once the curve is flat.",
        alt=f"Left: {n['patients']} virtual patients followed for {n['early']} months. A law with "
        f"a cured share ends at {n['with_end']} % without event in month {n['late']}, one without "
        f"at {n['without_end']} %; the truth is {n['true_end']} %. Right: the fitted cured share "
        f"against follow-up. At {n['early']} months its 95 % interval is {n['early_low']} to "
        f"{n['early_high']} %, at {n['late']} months it is {n['late_cured']} % ({n['late_low']} "
        f"to {n['late_high']}); the truth is {n['truth']} %.",
        numbers=numbers,
        data={
            "follow_up": np.array(follow_ups, dtype=float),
            "cured": cured,
            "low": low,
            "high": high,
        },
    )


def late_arms(delay: float) -> tuple[virtual.Biology, virtual.Biology]:
    """Return two arms that differ in antigen-negative relapse, which begins after `delay` months.

    It goes on for a year; antigen-positive relapse fades from the start and is the same in both.
    """
    ends = (0.0, delay, delay + 12.0, math.inf) if delay else (0.0, 12.0, math.inf)
    late = virtual.Piecewise(breaks=ends, rates=(0.0, 1.0, 0.0) if delay else (1.0, 0.0))
    control = virtual.Biology.from_incidences(
        {_NEG: 0.25, _POS: 0.20}, shape={_NEG: late, _POS: virtual.Decay(4)}, horizon=48
    )
    return control, control.reaching({_NEG: 0.10})


# What is drawn on the right: the test, its line style, marker, colour and whether it is filled.
_TESTS = (
    ("log-rank", "-", "o", INK, True),
    ("late-weighted log-rank", "--", "s", CURED, True),
    ("mean time to month 24", "-.", "D", NEGATIVE, False),
    ("mean time to month 40", ":", "^", POSITIVE, False),
)


def patients_needed(delay: float) -> tuple[float, ...]:
    """Return the patients that each of four comparisons of event-free time needs."""
    control, dual = late_arms(delay)
    return (
        rank_test(control, dual, _TRIAL).patients(),
        rank_test(control, dual, _TRIAL, weights=(0.0, 1.0)).patients(),
        *(
            difference_at(control, dual, _TRIAL, month, measure="restricted mean").patients()
            for month in (24, 40)
        ),
    )


def late_separation(delays: Sequence[float] = (0, 3, 6, 9, 12)) -> Drawing:
    """Draw curves that part late, and the patients that four comparisons then need.

    Parameters
    ----------
    delays : sequence of float, optional
        Months before antigen-negative relapse begins, ascending from 0.

    Returns
    -------
    Drawing
        Left, the curves of the first and the last delay; right, patients for a power of 80 %.
    """
    needed = np.array([patients_needed(delay) for delay in delays])
    last = float(delays[-1])
    grid = np.linspace(0.0, 40.0, 161)
    numbers = {
        "delay": quote(last, 2),
        "rank_first": quote(needed[0, 0], 3),
        "rank_last": quote(needed[-1, 0], 3),
        "weighted_first": quote(needed[0, 1], 3),
        "weighted_last": quote(needed[-1, 1], 3),
        "short_first": quote(needed[0, 2], 3),
        "short_last": quote(needed[-1, 2], 4),
        "long_first": quote(needed[0, 3], 3),
        "long_last": quote(needed[-1, 3], 3),
        "control_end": percent(float(late_arms(last)[0].event_free(40.0))),
        "dual_end": percent(float(late_arms(last)[1].event_free(40.0))),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.6)
        for delay, colour, word in ((0.0, INK, "at once"), (last, NEGATIVE, "late")):
            names = ("one target", "two targets")
            for arm, dashes, name in zip(late_arms(delay), ("--", "-"), names, strict=True):
                ax.plot(
                    grid, 100 * arm.event_free(grid), dashes, color=colour,
                    marker="" if word == "at once" else "o", markevery=20, markersize=5,
                    label=f"{name}, {word}",
                )  # fmt: skip
        ax.set_xlim(0, 40)
        ax.set_ylim(0, 100)
        ax.set_xlabel("months after infusion")
        ax.set_ylabel("without event (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
        for row, (name, dashes, marker, colour, filled) in zip(needed.T, _TESTS, strict=True):
            right.plot(
                delays, row, dashes, marker=marker, color=colour, label=name, markersize=7,
                markerfacecolor=colour if filled else "white",
            )  # fmt: skip
        right.set_yscale("log")
        right.set_yticks([200, 500, 1000, 2000], ["200", "500", "1,000", "2,000"])
        right.minorticks_off()
        right.set_ylim(180, 2600)
        right.set_xticks(list(delays))
        right.set_xlabel("months before the arms part")
        right.set_ylabel("patients for 80 % power")
        right.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0))
    return Drawing(
        figure=figure,
        caption="A mean over a short time pays most for curves that part late; a test that weighs "
        "late events gains.",
        alt="Left: event-free curves of one target and two that part at once or after "
        f"{n['delay']} months, and end at {n['control_end']} and {n['dual_end']} %. Right: "
        "patients needed as the parting moves from the start to then. Log-rank test "
        f"{n['rank_first']} and {n['rank_last']}; late-weighted {n['weighted_first']} and "
        f"{n['weighted_last']}; mean event-free time to month 24 {n['short_first']} and "
        f"{n['short_last']}, to month 40 {n['long_first']} and {n['long_last']}.",
        numbers=numbers,
        data={
            "delay": np.array(delays, dtype=float),
            "log_rank": needed[:, 0],
            "late_weighted": needed[:, 1],
            "mean_24": needed[:, 2],
            "mean_40": needed[:, 3],
        },
    )


_MONTHS = np.array([6.0, 12.0, 18.0, 24.0, 30.0, 36.0, 42.0, 48.0, 60.0, 72.0, 84.0, 96.0, 120.0])


def event_clock(
    fades: Sequence[float] = (8, 24), *, event_free: float = 0.5, hazard_ratio: float = 0.6
) -> Drawing:
    """Draw the events of a trial that was planned for a hazard that never fades.

    Parameters
    ----------
    fades : sequence of float, optional
        Months in which the hazard falls to 1/e, one or two values.
    event_free : float, optional
        Share of the control arm without event at month 24, in (0, 1): the plan and all truths
        agree in it.
    hazard_ratio : float, optional
        Hazard ratio, in (0, 1): of the plan and of the truth.

    Returns
    -------
    Drawing
        Left, expected events by month of the calendar beside the number asked for; right, power.
    """
    plan = logrank_size(constant_rate(1.0 - event_free, 24), hazard_ratio, _TRIAL)
    patients = math.ceil(plan.patients)
    truths = {
        "never": virtual.Biology.from_incidences(
            {_NEG: 1.0 - event_free}, shape=virtual.Constant(), horizon=24
        ),
        **{f"{months:.3g}": fading(event_free, months) for months in fades},
    }
    long = Calendar(accrual=24, follow_up=96)
    events, power = {}, {}
    for name, control in truths.items():
        other = control.multiplied({_NEG: hazard_ratio})
        events[name] = patients * expected_events(control, other, long, _MONTHS)
        power[name] = np.array(
            [
                rank_test(control, other, Calendar(accrual=24, follow_up=m - 24.0)).power(patients)
                for m in _MONTHS[_MONTHS > 24]
            ]
        )
    fast = f"{fades[0]:.3g}"
    numbers = {
        "patients": count(patients),
        "target": count(math.ceil(plan.events)),
        "fade": Quoted(value=float(fades[0]), text=fast),
        "planned_48": quote(float(events["never"][7]), 3),
        "fast_48": quote(float(events[fast][7]), 2),
        "fast_120": quote(float(events[fast][-1]), 2),
        "power_planned": percent(float(power["never"][3])),
        "power_fast_48": percent(float(power[fast][3])),
        "power_fast_120": percent(float(power[fast][-1])),
    }
    n = {key: value.text for key, value in numbers.items()}
    looks = (("-", "o", INK, True), ("--", "s", NEGATIVE, True), (":", "D", POSITIVE, False))
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.4)
        ax.axhline(plan.events, color=NEUTRAL, linewidth=1.2)
        ax.text(2, plan.events * 1.02, "asked for", va="bottom", color=NEUTRAL)
        for (name, row), (dashes, marker, colour, filled) in zip(
            events.items(), looks, strict=False
        ):
            face = colour if filled else "white"
            label = "never fades" if name == "never" else f"fades in {name} months"
            ax.plot(
                _MONTHS, row, dashes, marker=marker, color=colour, markerfacecolor=face,
                markersize=6, label=label,
            )  # fmt: skip
            right.plot(
                _MONTHS[_MONTHS > 24], 100 * power[name], dashes, marker=marker, color=colour,
                markerfacecolor=face, markersize=6,
            )  # fmt: skip
        ax.set_xlim(0, 122)
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(FixedLocator([0, 24, 48, 72, 96, 120]))
        ax.set_xlabel("months of the calendar")
        ax.set_ylabel("events expected")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
        right.set_xlim(24, 122)
        right.set_ylim(0, 100)
        right.xaxis.set_major_locator(FixedLocator([24, 48, 72, 96, 120]))
        right.set_xlabel("months of the calendar")
        right.set_ylabel("power if analysed then (%)")
    return Drawing(
        figure=figure,
        caption="Where the hazard fades, the events asked for may never come, and to wait longer "
        "buys no power.",
        alt=f"Left: expected events of {n['patients']} patients by month of the calendar; "
        f"{n['target']} are asked for. With a hazard that never fades there are {n['planned_48']} "
        f"in month 48; with one that fades in {n['fade']} months there are {n['fast_48']} then "
        f"and {n['fast_120']} in month 120. Right: power if analysed in month 48, "
        f"{n['power_planned']} % without fading and {n['power_fast_48']} % with it, and "
        f"{n['power_fast_120']} % in month 120.",
        numbers=numbers,
        data={
            "month": _MONTHS,
            **{f"events_{name}": row for name, row in events.items()},
            # Power is drawn from the end of accrual on; nothing is tested before.
            **{
                f"power_{name}": np.concatenate([np.zeros(_MONTHS.size - row.size), row])
                for name, row in power.items()
            },
        },
    )
