"""Parameters of Bozic et al. 2013; see `car_relapse.published.bozic2013`."""

from __future__ import annotations

from dataclasses import dataclass

from car_relapse.branching import survival_probability
from car_relapse.errors import ParameterError, require_fraction
from car_relapse.published._integrate import check_non_negative_fields, check_positive_fields

__all__ = ["BozicParameters"]


@dataclass(frozen=True, kw_only=True)
class BozicParameters:
    """Typical values of Bozic et al. 2013, legend of Table 1 (doi:10.7554/eLife.00747)."""

    birth_rate: float = 0.14
    """Division rate :math:`b`, 1/day, > 0. Table 1."""
    death_rate: float = 0.13
    """Death rate :math:`d` without treatment, 1/day, >= 0 and below :math:`b`. Table 1."""
    treated_birth_rate: float = 0.14
    """Division rate :math:`b'` of sensitive cells under treatment, 1/day, > 0. Table 1; lower
    for a cytostatic drug."""
    treated_death_rate: float = 0.17
    """Death rate :math:`d'` of sensitive cells under treatment, 1/day, above :math:`b'`.
    Table 1."""
    mutation_rate: float = 1e-9
    """Probability :math:`u` per division and site, dimensionless, in [0, 1]. Table 1."""
    first_mutations: float = 50.0
    """Mutations :math:`n_1` that give resistance to drug 1 alone, >= 0. Table 1."""
    second_mutations: float = 50.0
    """Mutations :math:`n_2` that give resistance to drug 2 alone, >= 0. Table 1."""
    shared_mutations: float = 0.0
    """Mutations :math:`n_{12}` that give resistance to both, >= 0. Table 1: 0 or 1."""

    def __post_init__(self) -> None:
        table = "Table 1 of doi:10.7554/eLife.00747"
        where = f"see {table}"
        check_positive_fields(
            self, ("birth_rate", "treated_birth_rate", "treated_death_rate"), table
        )
        check_non_negative_fields(
            self,
            ("death_rate", "first_mutations", "second_mutations", "shared_mutations"),
            table,
        )
        survival_probability(self.birth_rate, self.death_rate)
        require_fraction("mutation_rate", self.mutation_rate, where, scalar=True)
        if self.treated_death_rate <= self.treated_birth_rate:
            raise ParameterError(
                f"treated_death_rate is {self.treated_death_rate:g}; treatment must shrink the "
                f"tumour, so it must be > treated_birth_rate, {self.treated_birth_rate:g}; {where}"
            )
        sites = self.first_mutations + self.second_mutations + self.shared_mutations
        if sites * self.mutation_rate > 1:
            raise ParameterError(
                f"mutation_rate is {self.mutation_rate:g} at {sites:g} sites; a division mutates "
                f"at most one of them, so their product must be <= 1; {where}"
            )

    @property
    def survival(self) -> float:
        """Probability :math:`s` that the line of an untreated or fully resistant cell lives on."""
        return survival_probability(self.birth_rate, self.death_rate)

    @property
    def treated_survival(self) -> float:
        """The paper's :math:`s' = 1 - d'/b'`, below 0 and so no probability."""
        return 1.0 - self.treated_death_rate / self.treated_birth_rate

    @property
    def second_steps(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Mutations :math:`n_i` of a first step with the :math:`v_i` that complete resistance."""
        n1, n2, both = self.first_mutations, self.second_mutations, self.shared_mutations
        return (n1, n2 + both), (n2, n1 + both)
