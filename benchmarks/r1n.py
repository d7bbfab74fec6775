"""R1n: the cost of a virtual patient against the number of leukaemia cells."""

from __future__ import annotations

from benchmarks.contest import Contestant, Entry, contest
from benchmarks.results import Quantity, Result, times_slower

CASE = "B"
BURDENS = (1e3, 1e5, 1e6, 1e9, 1e12)
#: Patients per round at the burdens that exact simulation can do.
EXACT = {1e3: 400, 1e4: 100, 1e5: 20}


def _cohort(burden: float) -> str:
    return f"cohort, {burden:g} cells"


def _exact(burden: float) -> str:
    return f"exact simulation, {burden:g} cells"


CONTESTANTS = (
    *(
        Contestant(
            name=_cohort(burden),
            target="benchmarks.r1_model:cohort",
            units=8192,
            options={"case": CASE, "burden": burden},
            own=True,
            at_least=0.3,
        )
        for burden in BURDENS
    ),
    *(
        Contestant(
            name=_exact(burden),
            target="benchmarks.peers.exact_cells:simulate",
            units=units,
            options={"case": CASE, "burden": burden},
            note="compiled by numba for this model; growth from one cell included",
        )
        for burden, units in EXACT.items()
    ),
)


def spread(entries: list[Entry]) -> list[float]:
    """Divide the dearest by the cheapest, round by round."""
    rounds = zip(*(entry.seconds for entry in entries), strict=False)
    return [max(costs) / min(costs) for costs in rounds]


def run(rounds: int) -> Result:
    """Simulate all burdens both ways in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    return Result(
        title="The cost of a patient does not depend on the number of cells",
        workload=f"case {CASE}, one burden for all, relapse at half of it, 8192 patients, beside "
        "exact simulation of the same patients cell by cell",
        entries=list(entries.values()),
        quantities=[
            Quantity(
                name="dearest / cheapest burden",
                values=spread([entries[_cohort(burden)] for burden in BURDENS]),
            ),
            times_slower(
                "exact simulation / cohort at 1e5 cells",
                entries[_exact(1e5)],
                entries[_cohort(1e5)],
            ),
        ],
    )
