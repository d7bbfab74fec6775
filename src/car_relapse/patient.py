"""One patient: a leukaemia, how it loses antigens, and the therapy it meets."""

from __future__ import annotations

from dataclasses import dataclass, field

from car_relapse.antigens import Losses, Plasticity
from car_relapse.branching import survival_probability
from car_relapse.densities import AntigenDensities
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.exposure import stein_typical
from car_relapse.killing import default_killing
from car_relapse.parameters import default
from car_relapse.therapy import Therapy, products

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
    """Number N of leukaemia cells that show every target on the day of infusion (of all cells,
    when the patient has a mixture), cells, with N s >= 10. Ledger: ``leukaemia.burden``."""

    def __post_init__(self) -> None:
        for name in ("birth_rate", "burden"):
            require_positive(
                name, getattr(self, name), f"see ledger row leukaemia.{name}", scalar=True
            )
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
    therapy: Therapy | tuple[Therapy, ...]
    """One product, or a tuple of several, whose killing rates add. By default any cell that
    still shows one target is killed at the full rate; a cell that shows none is not killed."""
    plasticity: Plasticity = field(default_factory=Plasticity)
    """Switching, stripping and the cost of a loss; none by default."""
    density: AntigenDensities | None = None
    """Spread of antigen density between cells; None: a shown antigen engages fully."""
    mixture: tuple[tuple[int, float], ...] | None = None
    """Antigen states present at infusion besides what growth brings, as pairs of a bit mask of
    lost antigens and its share of the burden, adding up to 1; None: all cells descend from one
    that had every antigen."""

    def __post_init__(self) -> None:
        require_instance("leukaemia", self.leukaemia, Leukaemia, "give a Leukaemia")
        require_instance("losses", self.losses, Losses, "give Losses")
        require_instance("plasticity", self.plasticity, Plasticity, "give a Plasticity")
        antigens = self.losses.antigens
        self.plasticity.check_antigens(antigens)
        for product in self.products:
            product.gate.reads(antigens)
        if self.density is not None:
            require_instance("density", self.density, AntigenDensities, "give AntigenDensities")
            if self.density.antigens != antigens:
                raise ParameterError(
                    f"density has {self.density.antigens} antigens and losses {antigens}; each "
                    "antigen has one density; give as many"
                )
        if self.mixture is not None:
            self._check_mixture(self.mixture)

    def _check_mixture(self, mixture: tuple[tuple[int, float], ...]) -> None:
        remedy = "write mixture=((0, 0.9), (1, 0.1))"
        pairs = isinstance(mixture, tuple) and all(
            isinstance(part, tuple) and len(part) == 2 for part in mixture
        )
        if not pairs or not mixture:
            raise ParameterError(
                f"mixture is {mixture!r}; it must be a tuple of pairs (lost antigens, share); "
                f"{remedy}"
            )
        for state, share in mixture:
            require_count("a state of mixture", state, remedy, maximum=self.losses.escaped)
            require_fraction("a share of mixture", share, remedy, scalar=True)
        total = sum(share for _, share in mixture)
        if abs(total - 1.0) > 1e-9 or len({state for state, _ in mixture}) < len(mixture):
            raise ParameterError(
                f"mixture is {mixture!r}; its states must differ and its shares add up to 1 (they "
                f"add up to {total:g}); {remedy}"
            )

    @property
    def products(self) -> tuple[Therapy, ...]:
        """The products given, also when there is only one."""
        return products(self.therapy)


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
