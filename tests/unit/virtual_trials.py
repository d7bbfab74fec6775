"""The trial that the tests of virtual trials vary."""

from __future__ import annotations

from typing import Any

from car_relapse.followup import Cause
from car_relapse.trial.virtual import Analysis, Arm, Biology, Decay, TransplantPolicy, Trial

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
CONTROL = Biology.from_incidences(
    {NEGATIVE: 0.25, POSITIVE: 0.20, DEATH: 0.05}, shape=Decay(8), horizon=24
)
DUAL = CONTROL.reaching({NEGATIVE: 0.10})
SCT = TransplantPolicy(
    share=0.35, first=2, last=4, relapse_ratio=0.3, mortality=0.1, mortality_months=6
)
ESCAPE = Analysis(kind="log-rank", causes=(NEGATIVE,))
EVERY = (
    ESCAPE,
    Analysis(kind="gray", causes=(NEGATIVE,)),
    Analysis(kind="incidence", causes=(NEGATIVE,), month=18),
    Analysis(kind="incidence", month=18),
    Analysis(kind="log-rank"),
    Analysis(kind="early log-rank"),
    Analysis(kind="restricted mean", month=18),
    Analysis(kind="share", causes=(NEGATIVE,)),
)
#: Standard errors beyond which a deviation is no chance: 1 in 10,000.
FAR = 4.0


def pair(control: Biology = CONTROL, dual: Biology = DUAL, **same: Any) -> tuple[Arm, Arm]:
    """Return two arms that are alike but for their biologies."""
    return Arm(name="single", biology=control, **same), Arm(name="dual", biology=dual, **same)


def trial(patients: int = 100, arms: tuple[Arm, ...] | None = None, **other: Any) -> Trial:
    """Return a trial with accrual and losses, unless told otherwise."""
    plan = {"follow_up": 12.0, "accrual": 12.0, "lost_per_year": 0.05} | other
    return Trial(arms=arms or pair(), patients=patients, **plan)


#: Two years for everybody.
WHOLE = {"follow_up": 24.0, "accrual": 0.0, "lost_per_year": 0.0}
