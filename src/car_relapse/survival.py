r"""Who gets through: exact probabilities of cure and of every kind of relapse.

A line may be left, long after therapy, with cells that kept every target, with cells that
lost some, with cells that lost all, or with cells that switched lineage. These four classes
are ranked in this order (`car_relapse.celltypes`), and a line counts for the *least* that its
survivors have lost. With :math:`Q^{(r)}` the probability that a line leaves no survivor of
class :math:`r` or lower (`car_relapse.lines`; nested branching, whose one-type case is
Kendall 1948, doi:10.1214/aoms/1177730285), a cell alive at infusion adds

.. math:: h^{(r)} = \ln Q^{(r-1)} - \ln Q^{(r)} \ge 0

to the exponent of class :math:`r`. With one antigen :math:`1-Q^{(0)} = 1/(1+I)`,
:math:`I = \int (d+\kappa)e^{\int (d+\kappa-b)}`.

All lines are independent, so the numbers of lines that get through are Poisson and the
exponents add:

.. math:: P(\text{cure}) = e^{-(\Lambda_0 + \Lambda_1 + \Lambda_2 + \Lambda_3)} .

Lines whose first loss predates infusion were founded while the leukaemia grew to its
*fixed size*, at ages :math:`x` with density :math:`\lambda e^{-\lambda x}`; they live through
:math:`x` untreated days and then through therapy.

A second count asks for antigen-negative lines whatever else survives in them, and when their
last loss fell. With several antigens a line founded by a partial loss may then be counted as
positive and as pre-existing at once; such *shared* lines are subtracted once from the exponent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.celltypes import KEPT, PARTIAL_LOSS
from car_relapse.errors import require_broadcast, require_count, require_positive
from car_relapse.exponents import class_lines, negative_lines
from car_relapse.patient import Patient
from car_relapse.patient_lines import patient_lines

__all__ = ["RelapseProbabilities", "antigen_positive_probability", "relapse_probabilities"]

_NONE = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class RelapseProbabilities:
    """Expected numbers of lines that outlive therapy, and what follows from them.

    Each expectation is the mean of a Poisson law. The routes are independent, but for the
    lines that two of them share (`shared_lines`).
    """

    positive_lines: float
    """Expected number of lines that still show a target and outlive therapy,
    dimensionless, >= 0."""
    preexisting_lines: float
    """Expected number of surviving lines that had lost every target before infusion,
    dimensionless, >= 0."""
    completed_lines: float
    """Expected number of surviving lines that had lost some targets before infusion and lose
    the rest under therapy; 0 with one target; dimensionless, >= 0."""
    acquired_lines: float
    """Expected number of surviving lines that lose every target under therapy, out of lines
    that therapy would have cleared; dimensionless, >= 0."""
    shared_lines: float = 0.0
    """Expected number of lines counted both as positive and as pre-existing: a partial loss
    founded them, and only some of their cells had escaped; 0 with one target; dimensionless,
    >= 0."""
    class_lines: tuple[float, ...] = _NONE
    """Expected number of lines whose least-lost survivors kept every target, lost some, lost
    all, or switched lineage; they add up to minus the log of `cure`; dimensionless, >= 0."""
    preexisting_class_lines: tuple[float, ...] = _NONE
    """That part of `class_lines` whose lines had lost something before infusion;
    dimensionless, >= 0."""

    @property
    def negative_lines(self) -> float:
        """Expected number of surviving lines without any target."""
        return self.preexisting_lines + self.completed_lines + self.acquired_lines

    @property
    def acquired_class_lines(self) -> tuple[float, ...]:
        """The part of `class_lines` whose every loss falls under therapy or later."""
        pairs = zip(self.class_lines, self.preexisting_class_lines, strict=True)
        return tuple(max(whole - before, 0.0) for whole, before in pairs)

    def least_lost(self, relapse_class: int) -> float:
        """Return the probability that the least-lost surviving cell is of this class.

        Parameters
        ----------
        relapse_class : int
            0 antigen-positive, 1 partial loss, 2 full antigen-negative, 3 lineage switch. With
            `cure` the four probabilities add up to 1.
        """
        index = require_count("relapse_class", relapse_class, "count from 0", maximum=3)
        none_before = np.exp(-sum(self.class_lines[:index]))
        return float(none_before * -np.expm1(-self.class_lines[index]))

    @property
    def antigen_positive(self) -> float:
        """Probability that a targeted line outlives therapy."""
        return float(-np.expm1(-self.positive_lines))

    @property
    def preexisting(self) -> float:
        """Probability that an escaped line founded before infusion survives."""
        return float(-np.expm1(-self.preexisting_lines))

    @property
    def acquired(self) -> float:
        """Probability that a line whose last loss falls under therapy survives."""
        return float(-np.expm1(-(self.completed_lines + self.acquired_lines)))

    @property
    def antigen_negative(self) -> float:
        """Probability that an escaped line survives, wherever it came from."""
        return float(-np.expm1(-self.negative_lines))

    @property
    def cure(self) -> float:
        """Probability that no line survives."""
        return float(np.exp(-(self.positive_lines + self.negative_lines - self.shared_lines)))

    @property
    def only_positive(self) -> float:
        """Probability that targeted lines survive and escaped lines do not."""
        alone = self.positive_lines - self.shared_lines
        return float(-np.expm1(-alone) * np.exp(-self.negative_lines))

    @property
    def only_negative(self) -> float:
        """Probability that escaped lines survive and targeted lines do not."""
        alone = self.negative_lines - self.shared_lines
        return float(-np.expm1(-alone) * np.exp(-self.positive_lines))

    @property
    def both(self) -> float:
        """Probability that lines of both kinds survive; time decides which is seen first."""
        # A shared line is both at once; otherwise the two kinds are independent.
        apart = -np.expm1(-(self.positive_lines - self.shared_lines)) * -np.expm1(
            -(self.negative_lines - self.shared_lines)
        )
        return float(-np.expm1(-self.shared_lines) + np.exp(-self.shared_lines) * apart)


def relapse_probabilities(patient: Patient) -> RelapseProbabilities:
    r"""Return the expected surviving lines of one patient, by route and kind.

    Composition at infusion is that of a leukaemia grown to the *fixed size* N. With one
    targeted antigen and loss probability U = u + c per division,

    .. math::

        \Lambda_{+} = -N\ln(1-p_0), \qquad \Lambda_{\text{pre}} = N U, \qquad
        \Lambda_{\text{acq}} = N h_0 ,

    the middle one because mU/s mutation events each found a surviving line with
    probability s (Komarova & Wodarz 2005, doi:10.1073/pnas.0501870102).

    Relative accuracy of every exponent: 1e-8 or better, down to 1e-300.

    Parameters
    ----------
    patient : Patient
        One to six targeted antigens, any products, gates, switching and antigen densities.

    Returns
    -------
    RelapseProbabilities
        Expected lines (Poisson means) and the probabilities that follow.

    Raises
    ------
    ParameterError
        When rates and exposure are so far apart in scale that the equations cannot be solved.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> round(relapse_probabilities(typical_patient()).antigen_negative, 3)
    0.186
    >>> low_burden = relapse_probabilities(typical_patient(1e8))
    >>> [f"{low_burden.least_lost(kind):.1e}" for kind in range(4)]
    ['4.5e-01', '0.0e+00', '9.6e-05', '1.6e-05']
    """
    lines = patient_lines(patient)
    whole, before = (part.sum(axis=1).tolist() for part in class_lines(lines))
    preexisting, completed, acquired, shared = (float(p.sum()) for p in negative_lines(lines))
    return RelapseProbabilities(
        positive_lines=whole[KEPT] + whole[PARTIAL_LOSS],
        preexisting_lines=preexisting,
        completed_lines=completed,
        acquired_lines=acquired,
        shared_lines=shared,
        class_lines=tuple(whole),
        preexisting_class_lines=tuple(before),
    )


def antigen_positive_probability(burden: ArrayLike, log_hazard: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`1 - (1 - e^{-J})^{N}`, the probability that one of N lines survives.

    Parameters
    ----------
    burden : array_like
        Number of lines N at the start, cells, > 0.
    log_hazard : array_like
        :math:`J = \ln(1+I)` of one line, dimensionless, > 0.

    Returns
    -------
    ndarray
        Probabilities, broadcast.

    Raises
    ------
    ParameterError
        When an argument is not finite and > 0, or their shapes do not fit.

    Examples
    --------
    >>> round(float(antigen_positive_probability(1e10, 25.0)), 4)
    0.1297
    """
    lines = require_positive("burden", burden, "give a number of cells")
    hazard = require_positive("log_hazard", log_hazard, "give ln(1 + I) of one line")
    require_broadcast("give one hazard, or one for each burden", burden=lines, log_hazard=hazard)
    # ln(1 - e^-J), by the form that keeps its digits on each side of ln 2.
    few, many = np.minimum(hazard, 0.7), np.maximum(hazard, 0.6)
    log_cleared = np.where(hazard < np.log(2.0), np.log(-np.expm1(-few)), np.log1p(-np.exp(-many)))
    return np.asarray(-np.expm1(lines * log_cleared))
