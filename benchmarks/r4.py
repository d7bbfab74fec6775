"""R4: tests and curves of many randomised trials."""

from __future__ import annotations

from benchmarks.contest import Contestant, contest, rates
from benchmarks.results import Quantity, Result, times_slower

OWN, LOG_RANK, GRAY = "log-rank and incidences", "log-rank", "Gray"
STATSMODELS, SKSURV = "statsmodels", "scikit-survival"
LIFELINES, LIFELINES_LOG_RANK = "lifelines", "lifelines log-rank"
_PEERS = "benchmarks.peers.trial_tests"
CONTESTANTS = (
    Contestant(name=OWN, target="benchmarks.r4_model:everything", units=40_960, own=True),
    Contestant(
        name=LOG_RANK,
        target="benchmarks.r4_model:log_rank",
        units=40_960,
        own=True,
        note="the log-rank test alone",
    ),
    Contestant(
        name=GRAY,
        target="benchmarks.r4_model:gray",
        units=40_960,
        own=True,
        note="Gray's test alone, with the variance of R's cmprsk",
    ),
    Contestant(
        name=STATSMODELS,
        target=f"{_PEERS}:statsmodels",
        units=512,
        note="survdiff and CumIncidenceRight, which also gives standard errors",
    ),
    Contestant(
        name=SKSURV,
        target=f"{_PEERS}:scikit_survival",
        units=256,
        note="compare_survival and cumulative_incidence_competing_risks",
    ),
    Contestant(
        name=LIFELINES_LOG_RANK,
        target=f"{_PEERS}:lifelines_log_rank",
        units=64,
        note="logrank_test alone",
    ),
    Contestant(
        name=LIFELINES,
        target=f"{_PEERS}:lifelines",
        units=32,
        note="logrank_test and AalenJohansenFitter, without its variance",
    ),
)


def run(rounds: int) -> Result:
    """Let all analyse their trials in turns."""
    entries = contest(CONTESTANTS, rounds, "trial")
    own = entries[OWN]
    peers = (STATSMODELS, SKSURV, LIFELINES_LOG_RANK, LIFELINES)
    return Result(
        title="Randomised trials: log-rank test and cumulative incidences",
        workload="60 patients per arm, three causes, accrual over 12 months, data cut at 36; "
        "log-rank test of all events, Aalen-Johansen incidence of one cause at 24 months in both "
        "arms; the data are given",
        entries=list(entries.values()),
        quantities=[
            Quantity(name="trials per second", values=rates(own)),
            *(times_slower(f"{name} / {OWN}", entries[name], own) for name in peers),
            times_slower(f"{GRAY} / {LOG_RANK}", entries[GRAY], entries[LOG_RANK]),
            *(
                Quantity(
                    name=f"largest difference from {name}",
                    values=[a["largest_difference"] for a in entries[name].answers],
                )
                for name in peers
            ),
        ],
    )
