"""What a reader of a plan should not overlook, found by rules and said in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from car_relapse.design._words import percent, share
from car_relapse.design.plan import BiologyPlan, Plan, harm, is_harm
from car_relapse.design.sections import EndpointSection
from car_relapse.followup import Cause
from car_relapse.trial.virtual import Biology, Performance

__all__: list[str] = []

# A gain in event-free survival below this is none that a patient would notice.
_NO_GAIN = 0.01


def findings(plan: Plan) -> tuple[str, ...]:
    """Return sentences on what a plan shows, the gravest first.

    Parameters
    ----------
    plan : Plan
        The plan, as `plan_trial` makes it.
    """
    return (
        *_mechanism_without_benefit(plan),
        *_of_the_design(plan),
        *_false_mechanism(plan),
        *_harm(plan),
        *_shares(plan),
        *_level(plan),
        *_formulas(plan),
        *_failures(plan),
    )


def event_free(biology: BiologyPlan, month: float) -> tuple[float, float]:
    """Return the share of all patients in remission at a month: control, experimental."""
    control, experimental = (
        arm.response * float(arm.biology.event_free(month)) for arm in biology.version.trial.arms
    )
    return control, experimental


def _counted(plan: Plan) -> Iterator[tuple[BiologyPlan, EndpointSection, Performance]]:
    for biology in plan.biologies:
        for size, row in biology.judged:
            yield biology, size.endpoint, row


def _mechanism_without_benefit(plan: Plan) -> Iterator[str]:
    primary, month = plan.scenario.endpoints.primary, plan.scenario.last_month
    if primary.causes is None:
        return
    for biology in plan.biologies:
        row, (before, after) = biology.performance[0], event_free(biology, month)
        if row.rejected - harm(row, primary.analysis) > 0.5 and after - before < _NO_GAIN:
            kind = "no better" if after - before > -_NO_GAIN else "worse"
            yield (
                f"**{biology.name}: success without benefit.** The primary endpoint rejects in "
                f"{share(row)} of the trials, and patients are {kind} off: "
                f"{percent(after, 1)} % are in remission at month {month:g}, against "
                f"{percent(before, 1)} % in the control arm."
            )


def _of_the_design(plan: Plan) -> Iterator[str]:
    """Say where an endpoint differs although the patients of both arms have the same hazards."""
    level = plan.scenario.design.alpha
    for biology in plan.biologies:
        control, experimental = biology.version.trial.arms
        if control.biology != experimental.biology or control.response != experimental.response:
            continue
        rows = [
            f"{size.endpoint.label} in {share(row)}"
            for size, row in biology.judged
            if row.rejected - level > 4.0 * row.rejected_error
        ]
        if rows:
            yield (
                f"**{biology.name}: an effect of the design.** Hazards are the same in both arms, "
                "and yet trials reject, because the arms differ in transplants, visits, tests or "
                f"loss: {'; '.join(rows)}."
            )


def _false_mechanism(plan: Plan) -> Iterator[str]:
    """Say where incidences differ although the hazard of their cause did not change."""
    level = plan.scenario.design.alpha
    for biology in plan.biologies:
        control, experimental = (arm.biology for arm in biology.version.trial.arms)
        rows = [
            f"{size.endpoint.label} in {share(row)}"
            for size, row in biology.judged
            if size.endpoint.test in ("gray", "incidence")
            and size.endpoint.causes is not None
            and control != experimental
            and _same_hazard(control, experimental, size.endpoint.causes, plan.scenario.last_month)
            and row.rejected - level > 4.0 * row.rejected_error
        ]
        if rows:
            yield (
                f"**{biology.name}: an effect that is none.** The hazard of the cause is the same "
                "in both arms, and yet trials reject, because another cause takes its candidates: "
                f"{'; '.join(rows)}."
            )


def _same_hazard(
    control: Biology, experimental: Biology, causes: tuple[Cause, ...], month: float
) -> bool:
    sums = [
        sum(
            float(hazard)
            for cause, hazard in zip(arm.causes, arm.cumulative_hazard(month), strict=True)
            if cause in causes
        )
        for arm in (control, experimental)
    ]
    return abs(sums[1] - sums[0]) < 1e-9 * max(sums)


def _harm(plan: Plan) -> Iterator[str]:
    for biology in plan.biologies:
        rows = [
            f"{size.endpoint.label} in {percent(harm(row, size.endpoint.analysis), 1)} %"
            for size, row in biology.judged
            if size.endpoint.causes is None and is_harm(row, size.endpoint.analysis)
        ]
        if rows:
            yield (
                f"**{biology.name}: harm would be seen.** Some trials reject because the "
                f"experimental arm does worse: {'; '.join(rows)}."
            )


def _shares(plan: Plan) -> Iterator[str]:
    rows = [(b, r) for b, e, r in _counted(plan) if e.test == "share"]
    if not rows:
        return
    most = max(rows, key=lambda pair: pair[1].rejected)
    least = min(
        (pair for pair in rows if _better(plan, pair[0])), key=lambda pair: pair[1].rejected,
        default=None,
    )  # fmt: skip
    before, after = event_free(most[0], plan.scenario.last_month)
    text = (
        "**The share of relapses of one kind misleads.** It rejects most often in "
        f"{most[0].name} ({share(most[1])}), where {percent(after, 1)} % are in remission at "
        f"the end, against {percent(before, 1)} % in the control arm"
    )
    if least is not None and least[0] is not most[0]:
        text += f"; and in {least[0].name}, where patients gain, in {share(least[1])}"
    yield f"{text}. Do not use it as an endpoint."


def _better(plan: Plan, biology: BiologyPlan) -> bool:
    before, after = event_free(biology, plan.scenario.last_month)
    return after - before > 0.1


def _level(plan: Plan) -> Iterator[str]:
    level = plan.scenario.design.alpha
    off = [
        f"{size.endpoint.label} in {biology.name} ({share(row)})"
        for biology in plan.biologies
        for size, row in biology.judged
        if size.formula.calendar == float("inf")
        and abs(row.rejected - level) > 4.0 * max(row.rejected_error, 1e-3)
    ]
    if off:
        yield f"**The level is not kept** where nothing differs: {'; '.join(off)}."
    elif any(s.formula.calendar == float("inf") for b in plan.biologies for s in b.sizes):
        yield (
            "Where an endpoint differs in nothing between the arms, it rejects in "
            f"{percent(level, 1)} % of the trials within four Monte Carlo errors, as it "
            "should."
        )


def _formulas(plan: Plan) -> Iterator[str]:
    size = plan.primary
    closed, found = size.formula.closed_form, size.simulated
    if closed is None or found is None or closed == float("inf"):
        return
    off = closed / found.exact - 1.0
    if abs(off) > 0.05:
        side = "too small" if off < 0 else "too large"
        yield (
            f"The closed form is {percent(abs(off))} % {side} for the primary endpoint: "
            f"{closed:,.0f} patients, where simulation finds {found.exact:,.0f} ± "
            f"{found.std_error:,.0f}."
        )


def _failures(plan: Plan) -> Iterator[str]:
    failed = [
        f"{endpoint.label} in {biology.name}: {row.failed:,} of {row.trials:,}"
        for biology, endpoint, row in _counted(plan)
        if row.failed
    ]
    if failed:
        yield (
            "Trials in which an endpoint could not be analysed count as no rejection: "
            f"{'; '.join(failed)}."
        )
