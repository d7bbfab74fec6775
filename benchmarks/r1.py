"""R1: virtual cohorts beside COPASI."""

from __future__ import annotations

from benchmarks.contest import Contestant, Entry, contest, rates
from benchmarks.r1_model import CASES
from benchmarks.results import Quantity, Result, times_slower
from benchmarks.two_types import CELLS, DAYS, KILLING, treated_escape

#: The easier problem that COPASI can do: the treatment of one patient under constant killing.
_EASIER = (
    f"an easier problem: one given patient with {CELLS:g} cells, constant killing of {KILLING} per "
    f"day for {DAYS:g} days, no growth before, looked at daily"
)
HYBRID, LEAPING = "COPASI hybrid", "COPASI tau-leaping"
HYBRID_RARE, LEAPING_RARE = f"{HYBRID}, rare losses", f"{LEAPING}, rare losses"


def _copasi(name: str, method: str, case: str, note: str) -> Contestant:
    options = {
        "method": method,
        "loss": CASES[case].per_antigen,
        "days": DAYS,
        "intervals": round(DAYS),
    }
    return Contestant(
        name=name,
        target="benchmarks.peers.copasi:treatment",
        units=20,
        options=options,
        note=f"{_EASIER}; losses of case {case}{note}",
    )


CONTESTANTS = (
    *(
        Contestant(
            name=f"cohort, case {case}",
            target="benchmarks.r1_model:cohort",
            units=8192,
            options={"case": case},
            own=True,
            at_least=0.5,
        )
        for case in CASES
    ),
    _copasi(HYBRID, "hybridlsoda", "A", ""),
    _copasi(LEAPING, "tauleap", "A", "; it gives up at 1e12 cells, before the last day"),
    _copasi(HYBRID_RARE, "hybridlsoda", "B", ""),
    _copasi(LEAPING_RARE, "tauleap", "B", ""),
)


def _answers(entries: dict[str, Entry]) -> list[Quantity]:
    """Compare COPASI's escapes with theory."""
    mean, _ = treated_escape(CASES["A"].per_antigen)
    _, share = treated_escape(CASES["B"].per_antigen)
    return [
        Quantity(
            name=f"escaped cells by {HYBRID} over theory",
            values=[answer["escaped_mean"] / mean for answer in entries[HYBRID].answers],
        ),
        *(
            Quantity(
                name=f"patients with escapes by {name}, over theory",
                values=[a["patients_with_escaped_cells"] / share for a in entries[name].answers],
            )
            for name in (HYBRID_RARE, LEAPING_RARE)
        ),
    ]


def run(rounds: int) -> Result:
    """Simulate all cases and COPASI's part in turns."""
    entries = contest(CONTESTANTS, rounds, "patient")
    beside = {"A": (HYBRID, LEAPING), "B": (HYBRID_RARE, LEAPING_RARE)}
    return Result(
        title="Virtual cohorts: fate and day of relapse of every patient",
        workload="8192 patients of five populations (1 to 3 antigens, 1e9 to 1e11 cells, 730 "
        "days), blocks of 128, each patient with a curve, rates and losses of their own; one core",
        entries=list(entries.values()),
        quantities=[
            *(
                times_slower(f"{name} / cohort", entries[name], entries[f"cohort, case {case}"])
                for case, names in beside.items()
                for name in names
            ),
            *_answers(entries),
            *(
                Quantity(
                    name=f"patients per second, case {case}",
                    values=rates(entries[f"cohort, case {case}"]),
                )
                for case in CASES
            ),
        ],
    )
