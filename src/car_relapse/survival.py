r"""Who gets through: exact probabilities of cure and of both kinds of relapse.

For a cell in antigen state :math:`i`, with :math:`\tau` days to go to a horizon so late
that nothing decided after it matters, let :math:`p_i` be the probability that its line
still holds a *targeted* cell at the horizon and grows on, and let
:math:`e^{-h_i}(1 - p_i)` be the probability that its line leaves neither such a cell nor a
surviving cell that has lost every target. Then (nested branching; the one-type case is
Kendall 1948, doi:10.1214/aoms/1177730285)

.. math::

    \frac{d\ln p_i}{d\tau} &= b\,\frac{\sum_j m_{ij}p_j}{p_i}\,(1-p_i) - (d+\kappa), \\
    \frac{dh_i}{d\tau} &= b \sum_j m_{ij}(1-p_j)(1-e^{-h_j})
                          - \frac{d+\kappa}{1-p_i}\,(e^{h_i}-1) .

Working with :math:`\ln p` and with :math:`h` means that no small probability is ever the
difference of two large ones. With one antigen :math:`p_0 = 1/(1+I)`,
:math:`I = \int (d+\kappa)e^{\int (d+\kappa-b)}`.

All lines are independent, so the numbers of lines that get through are Poisson and the
three routes multiply:

.. math:: P(\text{cure}) = e^{-(\Lambda_{+} + \Lambda_{\text{pre}} + \Lambda_{\text{acq}})} .

With several antigens a line founded by a partial loss may be counted as positive and as
pre-existing at once; such *shared* lines are then subtracted once from the exponent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad, solve_ivp

from car_relapse.errors import ParameterError, require_positive
from car_relapse.patient import Patient

__all__ = ["RelapseProbabilities", "antigen_positive_probability", "relapse_probabilities"]

# Error control of the backward equations; the tests compare with references at 1e-8.
_RTOL = 1e-11
# h is of the size of the loss probability: any absolute tolerance above that would lose it.
_ATOL = 1e-30
# A line's fate is settled once untreated growth has multiplied it by e^40.
_SETTLED = 40.0


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

    @property
    def negative_lines(self) -> float:
        """Expected number of surviving lines without any target."""
        return self.preexisting_lines + self.completed_lines + self.acquired_lines

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


def _horizon(patient: Patient) -> float:
    """Return a day after which no line's fate can still change.

    After the last day on which killing exceeds net growth, the net rate only rises. The
    horizon is where untreated lines have grown by e^40, found by doubling.
    """
    leukaemia, therapy = patient.leukaemia, patient.therapy
    turn = therapy.last_day_above(leukaemia.net_rate)
    width = _SETTLED / leukaemia.net_rate

    def growth(days: float) -> float:
        grid = turn + np.linspace(0.0, days, 200)
        return float(np.trapezoid(leukaemia.net_rate - therapy.killing_rate(grid), grid))

    while growth(width) < _SETTLED:
        width *= 1.5
    return turn + width


class _Nested:
    """Backward equations of one patient over the targeted states 0 .. 2^k - 2."""

    def __init__(self, patient: Patient) -> None:
        self.birth = patient.leukaemia.birth_rate
        self.death = patient.leukaemia.death_rate
        matrix = patient.losses.transition_matrix()
        escaped = patient.losses.escaped
        self.stay = matrix[:escaped, :escaped]
        # Escaped cells are not killed: a line of theirs survives with probability s.
        self.into_escape = matrix[:escaped, escaped] * patient.leukaemia.survival
        self.targeted = escaped
        self.therapy = patient.therapy

    def slope(self, removal: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        log_p, h = state[: self.targeted], state[self.targeted :]
        q = -np.expm1(log_p)
        # Ratios p_j / p_i through logs: under very strong killing p itself is below 1e-308.
        ratio = np.exp(np.minimum(log_p[None, :] - log_p[:, None], 700.0))
        drive = self.birth * (self.stay * ratio).sum(axis=1) * q
        gain = self.birth * (self.stay @ (q * -np.expm1(-h)) + self.into_escape)
        return np.concatenate([drive - removal, gain - removal / q * np.expm1(h)])

    def through_therapy(self, horizon: float, kinks: tuple[float, ...]) -> NDArray[np.float64]:
        """Return (ln p, h) of every targeted state on the day of infusion."""
        removal = self.death + float(self.therapy.killing_rate(horizon))
        # Any positive start is forgotten over the e^40 that the horizon leaves.
        state = np.concatenate(
            [
                np.full(self.targeted, np.log1p(-min(removal / self.birth, 0.5))),
                np.zeros(self.targeted),
            ]
        )
        corners = sorted((day for day in kinks if 0 < day < horizon), reverse=True)
        for right, left in zip([horizon, *corners], [*corners, 0.0], strict=True):
            run = solve_ivp(
                lambda day, y: (
                    -self.slope(self.death + float(self.therapy.killing_rate(max(day, 0.0))), y)
                ),
                (right, left),
                state,
                method="LSODA",
                rtol=_RTOL,
                atol=_ATOL,
            )
            state = run.y[:, -1]
            if not (run.success and np.isfinite(state).all()):
                raise ParameterError(
                    f"the equations of survival could not be solved between day {left:g} and day "
                    f"{right:g}; rates and exposure must be of a size that a body can have; check "
                    "them against the ranges of the ledger"
                )
        return np.asarray(state)


def _partial_loss_lines(
    nested: _Nested, start: NDArray[np.float64], patient: Patient
) -> tuple[float, float]:
    r"""Return the expected surviving lines that stem from partial loss before infusion.

    First losses happen along deterministic growth at ages with density
    :math:`\lambda e^{-\lambda x}`; a line of age x lives through x untreated days and then
    therapy. Returns those that survive targeted and those that survive escaped.
    """
    leukaemia, losses = patient.leukaemia, patient.losses
    net, size = leukaemia.net_rate, leukaemia.burden
    oldest = np.log(size * leukaemia.survival) / net
    growth = solve_ivp(
        lambda _, y: nested.slope(nested.death, y),
        (0.0, oldest),
        start,
        method="LSODA",
        rtol=_RTOL,
        atol=_ATOL,
        dense_output=True,
    ).sol
    founders = losses.transition_matrix()[0] * size / leukaemia.survival

    def density(age: float, state: int, *, escaped: bool) -> float:
        y = growth(age)
        log_p, h = y[state], y[nested.targeted + state]
        fate = np.expm1(log_p) * np.expm1(-h) if escaped else np.exp(log_p)
        return float(net * np.exp(-net * age) * fate)

    totals = [0.0, 0.0]
    for state in range(1, nested.targeted):
        for index, escaped in enumerate((False, True)):
            value, _ = quad(
                lambda age, s=state, e=escaped: density(age, s, escaped=e),
                0.0,
                oldest,
                epsrel=1e-9,
                epsabs=0.0,
                limit=400,
            )
            totals[index] += founders[state] * value
    return totals[0], totals[1]


def relapse_probabilities(patient: Patient) -> RelapseProbabilities:
    r"""Return the expected surviving lines of one patient, by route, and probabilities.

    Composition at infusion is that of a leukaemia grown to the *fixed size* N. With one
    targeted antigen and loss probability U = u + c per division,

    .. math::

        \Lambda_{+} = -N\ln(1-p_0), \qquad \Lambda_{\text{pre}} = N U, \qquad
        \Lambda_{\text{acq}} = N h_0 ,

    the middle one because mU/s mutation events each found a surviving line with
    probability s (Komarova & Wodarz 2005, doi:10.1073/pnas.0501870102).

    Parameters
    ----------
    patient : Patient
        One to six targeted antigens.

    Returns
    -------
    RelapseProbabilities
        Expected lines (Poisson means) and the probabilities that follow.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> round(relapse_probabilities(typical_patient()).antigen_negative, 3)
    0.186
    """
    nested = _Nested(patient)
    size = patient.leukaemia.burden
    start = nested.through_therapy(_horizon(patient), patient.therapy.exposure.kinks)
    log_p, h = start[0], start[nested.targeted]
    positive = -size * float(np.log1p(-np.exp(log_p)))
    direct = size * float(patient.losses.transition_matrix()[0, patient.losses.escaped])
    preexisting, completed, shared = direct, 0.0, 0.0
    if nested.targeted > 1:
        partial_positive, partial_negative = _partial_loss_lines(nested, start, patient)
        # With h = 0 on the day of infusion only escapes before it count: first those in lines
        # that therapy clears of targeted cells, then, with ln p at the floor, all of them.
        log_p_only = np.where(np.arange(start.size) < nested.targeted, start, 0.0)
        _, before_cleared = _partial_loss_lines(nested, log_p_only, patient)
        floor = np.where(np.arange(start.size) < nested.targeted, -700.0, 0.0)
        _, before = _partial_loss_lines(nested, floor, patient)
        positive += partial_positive
        completed = partial_negative - before_cleared
        preexisting += before
        shared = before - before_cleared
    return RelapseProbabilities(
        positive_lines=float(positive),
        preexisting_lines=float(preexisting),
        completed_lines=float(completed),
        acquired_lines=size * float(h),
        shared_lines=float(shared),
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
        When an argument is not finite and > 0.

    Examples
    --------
    >>> round(float(antigen_positive_probability(1e10, 25.0)), 4)
    0.1297
    """
    lines = require_positive("burden", burden, "give a number of cells")
    hazard = require_positive("log_hazard", log_hazard, "give ln(1 + I) of one line")
    # ln(1 - e^-J), by the form that keeps its digits on each side of ln 2.
    few, many = np.minimum(hazard, 0.7), np.maximum(hazard, 0.6)
    log_cleared = np.where(hazard < np.log(2.0), np.log(-np.expm1(-few)), np.log1p(-np.exp(-many)))
    return np.asarray(-np.expm1(lines * log_cleared))
