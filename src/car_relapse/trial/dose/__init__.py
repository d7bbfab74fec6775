"""Finding a dose: designs, what they do exactly, and what making the product costs."""

from car_relapse.trial.dose.designs import (
    NONE,
    STOP,
    WAIT,
    Design,
    DoseData,
    Patients,
    tally,
)

__all__ = ["NONE", "STOP", "WAIT", "Design", "DoseData", "Patients", "tally"]
