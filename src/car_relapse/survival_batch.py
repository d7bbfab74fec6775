r"""The exponents of survival for many patients at once, without a loop over them.

One patient serves as the template: it says which products are given, through which gates,
and which antigens can be lost. Any rate, probability, curve or killing law may then differ
from patient to patient. The equations are those of `car_relapse.survival`, on panels that
`car_relapse.batch_panels` chooses for each patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.antigens import Losses
from car_relapse.batch_panels import TICKS, Batch, panel_edges, plan
from car_relapse.celltypes import KEPT, PARTIAL_LOSS, CellTypes, density_groups
from car_relapse.errors import (
    ParameterError,
    is_list,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exponents import LinesAtInfusion, class_lines, negative_lines
from car_relapse.exposure import Curves
from car_relapse.killing import Killing, LinearKilling
from car_relapse.line_rates import LineRates, gauss_rule
from car_relapse.lines import settled, solve_lines
from car_relapse.patient import Patient

__all__ = ["BatchLines", "relapse_lines_batch"]

_Array = NDArray[np.float64]

# Values in one array of the solver: small enough for the cache of a processor.
_BLOCK_VALUES = 60_000


@dataclass(frozen=True, kw_only=True)
class BatchLines:
    """Expected surviving lines of many patients, as `survival.RelapseProbabilities` has them.

    Arrays have shape (patients,) unless said otherwise; dimensionless, >= 0.
    """

    positive_lines: NDArray[np.float64]
    """Lines that still show a target."""
    preexisting_lines: NDArray[np.float64]
    """Lines that had lost every target before infusion."""
    completed_lines: NDArray[np.float64]
    """Lines that had lost some targets before infusion and lose the rest under therapy."""
    acquired_lines: NDArray[np.float64]
    """Lines that lose every target under therapy."""
    shared_lines: NDArray[np.float64]
    """Lines counted both as positive and as pre-existing."""
    class_lines: NDArray[np.float64]
    """Lines by the least that their survivors have lost, shape (4, patients)."""
    preexisting_class_lines: NDArray[np.float64]
    """That part of them that had lost something before infusion, shape (4, patients)."""

    @property
    def cure(self) -> NDArray[np.float64]:
        """Probability that no line survives."""
        return np.asarray(np.exp(-self.class_lines.sum(axis=0)))


def _per_patient(name: str, value: ArrayLike, patients: int) -> _Array:
    array = require_non_negative(name, value, "give one number, or one for each patient")
    if array.ndim > 1 or array.size not in (1, patients):
        raise ParameterError(
            f"{name} has shape {array.shape} and there are {patients} patients; give one number, "
            "or one for each patient"
        )
    return np.broadcast_to(array, (patients,)).astype(float)


def _losses(patient: Patient) -> list[tuple[str, int, _Array]]:
    """Return where each kind of loss leads, as matrices for a probability of 1."""
    k = patient.losses.antigens
    none = (0.0,) * k
    kinds: list[tuple[str, int, Losses]] = [
        ("per_antigen", j, replace(patient.losses, per_antigen=tuple(np.eye(k)[j].tolist()),
                                   common_mode=0.0, shared_defect=0.0))
        for j in range(k)
    ]  # fmt: skip
    kinds.append(("common_mode", 0, Losses(per_antigen=none, common_mode=1.0)))
    kinds.append(("shared_defect", 0, Losses(per_antigen=none, shared_defect=1.0)))
    matrices = []
    for name, j, losses in kinds:
        daughters = density_groups(replace(patient, losses=losses))[1].daughters
        matrices.append((name, j, daughters - np.diag(np.diagonal(daughters))))
    return matrices


def _daughters(batch: Batch, lineage: bool, kinds: list[tuple[str, int, _Array]]) -> _Array:
    """Return daughter probabilities, shape (n, n, B)."""
    # Only the template of common mode has the type of a lineage switch, the last one.
    n = max(matrix.shape[0] for *_, matrix in kinds) - (not lineage)
    total = np.zeros((n, n, batch.birth.size))
    for name, j, matrix in kinds:
        chance = batch.per_antigen[:, j] if name == "per_antigen" else getattr(batch, name)
        size = min(n, len(matrix))
        total[:size, :size] += matrix[:size, :size, None] * chance
    each = np.arange(n)
    total[each, each] = 1.0 - total.sum(axis=1)
    return total


def relapse_lines_batch(
    template: Patient,
    *,
    birth_rate: ArrayLike | None = None,
    death_rate: ArrayLike | None = None,
    burden: ArrayLike | None = None,
    per_antigen: ArrayLike | None = None,
    common_mode: ArrayLike | None = None,
    shared_defect: ArrayLike | None = None,
    curves: Sequence[Curves] | None = None,
    killing: Sequence[Killing | LinearKilling] | None = None,
) -> BatchLines:
    """Return the exponents of many patients who differ from a template in some numbers.

    Relative accuracy 1e-6 of every exponent; one below 1e-39 may come out as 0.

    Parameters
    ----------
    template : Patient
        Supplies gates, the number of antigens, and every number that is not given here. All
        products start on day 0; no switching, stripping, densities or mixture.
    birth_rate, death_rate, burden : array_like, shape (patients,), optional
        As in `car_relapse.patient.Leukaemia`.
    per_antigen : array_like, shape (patients, k), optional
        Loss probabilities per division.
    common_mode, shared_defect : array_like, shape (patients,), optional
        As in `car_relapse.antigens.Losses`.
    curves : sequence of Curves, optional
        For each product the curves of all patients, such as a `SteinExposure` with array fields.
    killing : sequence of Killing or LinearKilling, optional
        For each product the laws of all patients.

    Returns
    -------
    BatchLines

    Raises
    ------
    ParameterError
        When a value breaks its rule, shapes differ, or the template is of another kind.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> lines = relapse_lines_batch(typical_patient(), burden=[1e9, 1e11])
    >>> lines.preexisting_lines.round(4)
    array([0.0013, 0.1335])
    """
    require_instance("template", template, Patient, "give a Patient")
    simple = not any(vars(template.plasticity)[f] for f in ("switch_off", "switch_on", "stripping"))
    if (
        not simple
        or template.density is not None
        or template.mixture is not None
        or any(product.first_day > 0 for product in template.products)
    ):
        raise ParameterError(
            "the template has switching, stripping, antigen densities, a mixture or a product "
            "given later; batches do without; use survival.relapse_probabilities for each patient"
        )  # fmt: skip
    disease, losses = template.leukaemia, template.losses
    given = [birth_rate, death_rate, burden, common_mode, shared_defect]
    sizes = [np.size(v) for v in given if v is not None]
    remedy = "give one row for each patient and one column for each antigen"
    chances = require_fraction(
        "per_antigen", losses.per_antigen if per_antigen is None else per_antigen, remedy
    )
    if chances.shape[-1:] != (losses.antigens,) or chances.ndim > 2:
        raise ParameterError(
            f"per_antigen has shape {chances.shape} and the template {losses.antigens} antigens; "
            f"{remedy}"
        )
    sizes += [] if per_antigen is None else [chances.shape[0]]
    products = template.products
    for name, listed in (("killing", killing), ("curves", curves)):
        if listed is not None and not is_list(listed):
            raise ParameterError(
                f"{name} is {listed!r}; it must be a list; give one entry for each product"
            )
    laws = tuple(p.killing for p in products) if killing is None else tuple(killing)
    # Any exposure with a peak serves as a curve; what its type lacks, peak and declines, is
    # asked for below.
    paths: tuple[Curves, ...] = (
        tuple(p.exposure for p in products) if curves is None else tuple(curves)  # type: ignore[misc]
    )
    for name, items in (("killing", laws), ("curves", paths)):
        if len(items) != len(products):
            raise ParameterError(
                f"{name} has {len(items)} entries and the template {len(products)} products; give "
                "one for each product"
            )
    for path in paths:
        if not hasattr(path, "slowest_decline"):
            raise ParameterError(
                f"curves holds {path!r}, which does not say how it declines; batches take curves "
                "with one peak; use survival.relapse_probabilities for each patient"
            )
        sizes.append(np.size(path.level(0.0)))
    sizes += [np.size(law.rate(1.0)) for law in laws]
    patients = max(sizes, default=1)

    def number(name: str, value: ArrayLike | None, default: float) -> _Array:
        return _per_patient(name, default if value is None else value, patients)

    batch = Batch(
        birth=number("birth_rate", birth_rate, disease.birth_rate),
        death=number("death_rate", death_rate, disease.death_rate),
        burden=number("burden", burden, disease.burden),
        per_antigen=np.broadcast_to(chances, (patients, losses.antigens)),
        common_mode=number("common_mode", common_mode, losses.common_mode),
        shared_defect=number("shared_defect", shared_defect, losses.shared_defect),
        curves=paths,
        killing=laws,
    )
    _check(batch)
    kinds = _losses(template)
    lineage = bool(batch.common_mode.any())
    shown = replace(losses, common_mode=0.1 if lineage else 0.0, shared_defect=0.0,
                    per_antigen=(0.1,) * losses.antigens)  # fmt: skip
    _, types = density_groups(replace(template, losses=shown))
    turn, end, work = plan(batch, types)
    # Patients who take as many panels as each other are solved together.
    order = np.argsort(work)
    results = []
    first = 0
    while first < patients:
        panels = work[order[first]] / TICKS + 8.0
        size = max(int(_BLOCK_VALUES / (types.size * panels * gauss_rule()[0].size)), 4)
        who = order[first : first + size]
        first += size
        some = batch.of(who)
        edges = panel_edges(some, types, turn[who], end[who])
        lines = _lines(some, types, _daughters(some, lineage, kinds), edges)
        results.append((*negative_lines(lines), *class_lines(lines)))
    back = np.argsort(order)
    preexisting, completed, acquired, shared, whole, before = (
        np.concatenate(parts, axis=-1)[..., back] for parts in zip(*results, strict=True)
    )
    return BatchLines(
        positive_lines=whole[KEPT] + whole[PARTIAL_LOSS],
        preexisting_lines=preexisting,
        completed_lines=completed,
        acquired_lines=acquired,
        shared_lines=shared,
        class_lines=whole,
        preexisting_class_lines=before,
    )


def _check(batch: Batch) -> None:
    require_positive("birth_rate", batch.birth, "give a rate per day")
    require_non_negative("death_rate", batch.death, "give a rate per day")
    require_positive("burden", batch.burden, "give a number of cells")
    for name in ("per_antigen", "common_mode", "shared_defect"):
        require_fraction(name, getattr(batch, name), "give a probability per division")
    total = batch.per_antigen.sum(axis=1) + batch.common_mode + batch.shared_defect
    if np.any(total > 1):
        raise ParameterError(
            f"the loss probabilities of a patient add up to {total.max():g}; at most one loss "
            "happens at a division, so they must add up to at most 1; lower them"
        )
    grown = batch.burden * (1.0 - batch.death / batch.birth)
    if np.any(grown < 10):
        raise ParameterError(
            f"burden times 1 - d/b of a patient is {grown.min():g}; it must be at least 10 for the "
            "laws of large populations to hold; give a larger burden, or d < b"
        )


def _lines(batch: Batch, types: CellTypes, daughters: _Array, edges: _Array) -> LinesAtInfusion:
    """Return the fates of single cells of every patient of a block."""
    width = np.diff(edges, axis=0)
    nodes = gauss_rule()[0]
    # Nodes first, so that the patient is the last axis of the days; then to the solver's order.
    day = edges[:-1, None] + nodes[:, None] * width[:, None]
    kill = batch.kill(day).transpose(0, 1, 3, 2)[:, ::-1, :, ::-1]
    fitness = types.birth / types.birth.max()
    birth = batch.birth * fitness[:, None]
    death = np.broadcast_to(batch.death, birth.shape)
    reach = types.engagement[0]
    start = settled(
        birth, death + np.einsum("pn,pb->nb", reach, batch.kill(edges[-1])), daughters, None,
        types.relapse_class, types.block,
    )  # fmt: skip
    rates = LineRates(
        width=width[::-1],
        birth=birth,
        removal=death[:, None, :, None] + np.einsum("pn,pkbq->nkbq", reach, kill),
        daughters=daughters,
        switching=None,
        block=types.block,
    )
    return LinesAtInfusion(
        birth=birth,
        death=np.asarray(death),
        daughters=daughters,
        switching=types.switching,
        block=types.block,
        relapse_class=types.relapse_class,
        cells=types.initial[:, None] * batch.burden,
        burden=batch.burden,
        classes=tuple(int(c) for c in np.unique(types.relapse_class)),
        fates=solve_lines(rates, start).at_end,
    )
