"""One patient: a leukaemia, how it loses antigens, and the therapy it meets."""

from __future__ import annotations

from dataclasses import dataclass

from car_relapse.antigens import Losses
from car_relapse.branching import survival_probability
from car_relapse.errors import ParameterError, require_positive
from car_relapse.exposure import stein_typical
from car_relapse.killing import default_killing
from car_relapse.parameters import default
from car_relapse.therapy import Therapy

__all__ = ["Leukaemia", "Patient", "typical_leukaemia", "typical_patient"]


@dataclass(frozen=True, kw_only=True)
class Leukaemia:
    """A leukaemia that grows exponentially when it is not treated."""

    birth_rate: float
    """Division rate b per cell, 1/day, > 0. Ledger: ``leukaemia.birth_rate``."""
    death_rate: float
    """Natural death rate d per cell, 1/day, with 0 <= d < b. Ledger:
    ``leukaemia.death_rate``."""
    burden: float
    """Number N of leukaemia cells that show every target on the day of infusion, cells,
    with N s >= 10. Ledger: ``leukaemia.burden``."""

    def __post_init__(self) -> None:
        require_positive("birth_rate", self.birth_rate, "see ledger row leukaemia.birth_rate")
        require_positive("burden", self.burden, "see ledger row leukaemia.burden")
        # The laws of composition at infusion take growth as deterministic at large sizes.
        if self.burden * self.survival < 10:
            raise ParameterError(
                f"burden is {self.burden:g} cells; burden times 1 - d/b must be at least 10 for "
                "the laws of large populations to hold; give a larger burden"
            )

    @property
    def net_rate(self) -> float:
        r"""Net growth rate :math:`\lambda = b - d` without treatment, 1/day."""
        return self.birth_rate - self.death_rate

    @property
    def survival(self) -> float:
        """Probability s = 1 - d/b that an untreated line never dies out."""
        return survival_probability(self.birth_rate, self.death_rate)


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Everything that decides whether, when and how one patient relapses."""

    leukaemia: Leukaemia
    """The disease on the day of infusion."""
    losses: Losses
    """Antigen loss per division; the number of targeted antigens is set here."""
    therapy: Therapy
    """Exposure and killing. Any cell that still shows one target is killed at the full
    rate (an OR gate); a cell that shows none is not killed."""


def typical_leukaemia(burden: float | None = None) -> Leukaemia:
    """Return the leukaemia of the ledger, at `burden` cells if given."""
    return Leukaemia(
        birth_rate=default("leukaemia.birth_rate"),
        death_rate=default("leukaemia.death_rate"),
        burden=default("leukaemia.burden") if burden is None else burden,
    )


def typical_patient(burden: float | None = None) -> Patient:
    """Return the patient whose every parameter is the default of the ledger.

    One targeted antigen, CD19; tisagenlecleucel kinetics of Stein et al. 2019
    (doi:10.1002/psp4.12388).

    Examples
    --------
    >>> typical_patient().losses.antigens
    1
    """
    return Patient(
        leukaemia=typical_leukaemia(burden),
        losses=Losses(per_antigen=(default("loss.cd19"),), common_mode=default("loss.common_mode")),
        therapy=Therapy(exposure=stein_typical(), killing=default_killing()),
    )
