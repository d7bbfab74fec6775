"""R3: ordinary differential equations of many patients."""

from __future__ import annotations

from benchmarks.contest import Contestant, contest, rates
from benchmarks.r3_model import LOOKED_AT
from benchmarks.results import Quantity, Result, times_slower

BATCH, ROADRUNNER, DIFFRAX = "batch", "libRoadRunner", "diffrax"
ODEINT, ODEINT_LOG = "scipy odeint", "scipy odeint, log-populations"
CONTESTANTS = (
    Contestant(name=BATCH, target="benchmarks.r3_model:batch", units=8192, own=True),
    Contestant(
        name=ODEINT,
        target="benchmarks.peers.odeint:linear",
        units=200,
        note="LSODA, one patient at a time, slopes in plain Python as the equations are printed, "
        "on a linear scale, absolute tolerance 0.01 cells",
    ),
    Contestant(
        name=ODEINT_LOG,
        target="benchmarks.peers.odeint:logarithmic",
        units=200,
        note="the same in log-populations, written by hand with math.exp: the best that plain "
        "Python does here",
    ),
    Contestant(
        name=ROADRUNNER,
        target="benchmarks.peers.roadrunner:cvode",
        units=2048,
        note="CVODE on a linear scale, absolute tolerance 0.01 cells: clones far below one cell "
        "are lost to it",
    ),
    Contestant(
        name=DIFFRAX,
        target="benchmarks.peers.diffrax_tsit5:solve",
        units=8192,
        limit=300.0,
        note="Tsit5, vmap over 1024 patients at a time, its quickest here, double precision, "
        "log-populations; compiling excluded",
    ),
)


def run(rounds: int) -> Result:
    """Let all solve the cohort in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    own = entries[BATCH]
    return Result(
        title="ODE cohorts: a feedback model for many patients",
        workload="5 states, 13 parameters (6 vary, log-normal, sd 0.2), 364 days, 53 outputs, "
        f"relative tolerance 1e-6; errors against DOP853 at 1e-11 for {LOOKED_AT} patients",
        entries=list(entries.values()),
        quantities=[
            Quantity(name="patients per second", values=rates(own)),
            *(
                times_slower(f"{name} / {BATCH}", entries[name], own)
                for name in (ODEINT, ODEINT_LOG, ROADRUNNER, DIFFRAX)
            ),
            *(
                Quantity(
                    name=f"median relative error of {entry.name}",
                    values=[a["median_relative_error"] for a in entry.answers],
                )
                for entry in entries.values()
            ),
        ],
    )
