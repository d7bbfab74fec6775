r"""Sampling the fate of many patients at once: only the founders of surviving lines.

Given a patient's CAR-T curve and burden, the numbers of lines that outlive therapy are
Poisson with the closed-form means of `car_relapse.survival`, evaluated here by quadrature
for a block of patients. Only the founders of those lines are sampled, so the cost does not
depend on the number of leukaemia cells. With :math:`\rho(t)=\int_0^t(d+\kappa-b)`,
:math:`S_1(t)=b\int_t^\infty e^{\rho}` and :math:`R = S_1(0)`,

* a targeted line survives with probability :math:`1/R`, and :math:`K` survivors grow to
  :math:`e^{-\rho(t)} R\,\Gamma(K)`;
* the lines that therapy clears follow the mean path
  :math:`D(t) = (S_1 - e^{\rho})\,S_1\,e^{-\rho} / (R(R-1))` per cell, and found escaped
  lines at rate :math:`b\,U N D(t)`, of which a fraction :math:`s` survives;
* an escaped line founded on day :math:`t` grows to :math:`e^{\lambda(T-t)}E/s`, with
  :math:`E\sim` Exp(1).

These limit sizes are exact for late days; at the size at which a relapse is found their
relative error is of the order of one over the square root of that size. Escaped lines that
the *surviving* targeted lines found while they regrow are left out: at relapse they are a
fraction of the order of the loss probability times the logarithm of the burden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.exposure import SteinExposure
from car_relapse.growth import sample_surviving_mass
from car_relapse.killing import Killing
from car_relapse.outcomes import Cohort, Detection, Outcome
from car_relapse.patient import Leukaemia
from car_relapse.quadrature import Panels, panels

__all__ = ["LineHistory", "line_history", "sample_fates"]

# Targeted lines are followed until untreated growth has multiplied them by e^40.
_SETTLED = 40.0
_PANELS_RISE, _PANELS_FALL, _PANELS_REGROWTH = 8, 32, 32


@dataclass(frozen=True, kw_only=True)
class LineHistory:
    """Integrals along the life of one targeted line, for a block of patients.

    Arrays have axes (panel, node, patient) unless said otherwise.
    """

    rule: Panels
    """Quadrature nodes (days after infusion) and weights."""
    kill: NDArray[np.float64]
    """Killing rate at each node, 1/day."""
    rho: NDArray[np.float64]
    r""":math:`\rho`, minus the log of the mean size of a line, dimensionless."""
    log_r: NDArray[np.float64]
    """Log of 1 over the probability that a line outlives therapy, shape (patients,)."""
    log_cleared: NDArray[np.float64]
    """Log of the mean size D of a line that therapy will clear, dimensionless."""


def _stretch(
    length: NDArray[np.float64], scale: NDArray[np.float64], parts: int
) -> NDArray[np.float64]:
    """Return `parts` + 1 edges from 0 to `length`, fine near 0 on the given `scale`."""
    step = np.linspace(0.0, 1.0, parts + 1)[:, None]
    edges = scale * np.expm1(step * np.log1p(length / scale))
    edges[-1] = length
    return edges


def _edges(net: float, killing: Killing, curve: SteinExposure) -> NDArray[np.float64]:
    """Return panel edges for each patient: rise, fall until growth resumes, regrowth."""
    peak = np.asarray(curve.peak_day)
    fast, slow = np.asarray(curve.contraction_rate), np.asarray(curve.memory_rate)
    level = killing.level_for(net)
    turn = np.maximum(curve.last_day_above(level), peak) if np.isfinite(level) else peak
    # Once killing is below net growth its log falls at least at this rate, which bounds the
    # days until untreated growth has made up e^40: x^2/(2+x) <= x - 1 + e^-x.
    share = max(1.0 - net / killing.maximal_rate, 0.0) if np.isfinite(level) else 0.0
    fade = np.minimum(fast, slow) * (share if share > 0 else 1.0)
    made_up = _SETTLED * np.linspace(0.0, 1.0, _PANELS_REGROWTH + 1) ** 2
    need = made_up[:, None] * fade / net
    bound = turn + 0.5 * (need + np.sqrt(need**2 + 8.0 * need)) / fade
    # Within these bounds, edges at set steps of the growth itself keep e^rho tame.
    rule = panels(bound)
    growth = np.zeros_like(bound)
    growth[1:] = np.cumsum(
        rule.integral_to_edges(net - killing.rate(curve.level(rule.node))), axis=0
    )
    back = np.stack(
        [np.interp(made_up, growth[:, i], bound[:, i]) for i in range(bound.shape[1])], axis=1
    )
    rise = np.linspace(0.0, 1.0, _PANELS_RISE + 1)[:, None] * peak
    fall = peak + _stretch(turn - peak, 1.0 / np.maximum(fast, slow), _PANELS_FALL)
    return np.concatenate([rise, fall[1:], back[1:]])


def line_history(
    leukaemia: Leukaemia, loss: float, killing: Killing, curve: SteinExposure
) -> LineHistory:
    """Return the integrals along one targeted line for each patient of a block.

    Parameters
    ----------
    leukaemia : Leukaemia
        Growth rates, shared by the block.
    loss : float
        Probability per division that one daughter escapes.
    killing : Killing
        Response of killing to the transgene level.
    curve : SteinExposure
        With array fields of shape (patients,).
    """
    b, d, net = leukaemia.birth_rate, leukaemia.death_rate, leukaemia.net_rate
    rule = panels(_edges(net, killing, curve))
    kill = killing.rate(curve.level(rule.node))
    # A division that loses the antigen leaves one targeted cell, so it is no birth to them.
    birth = b * (1.0 - loss)
    rho = rule.running(d + kill - birth)
    top = rho.max(axis=(0, 1))
    weight = np.exp(rho - top)
    # Beyond the last node the line grows untreated: the tail is one exponential.
    tail = np.exp(rho[-1, -1] - top) / net
    log_s1 = top + np.log(rule.remaining(birth * weight) + birth * tail)
    log_r = top + np.log(rule.integral_to_edges(birth * weight).sum(axis=0) + birth * tail)
    # S1 - e^rho is the integral of (d + kappa) e^rho: summed directly, never subtracted.
    log_removed = top + np.log(rule.remaining((d + kill) * weight) + d * tail)
    log_r_less_1 = log_r + np.log1p(-np.exp(-log_r))
    return LineHistory(
        rule=rule,
        kill=kill,
        rho=rho,
        log_r=log_r,
        log_cleared=log_removed + log_s1 - rho - log_r - log_r_less_1,
    )


def _crossing(
    day: NDArray[np.float64],
    log_size: NDArray[np.float64],
    slope: NDArray[np.float64],
    start: NDArray[np.int64],
    limit: float,
    late_rate: float,
) -> NDArray[np.float64]:
    """Return the first day at or after node `start` on which `log_size` reaches `limit`.

    Between nodes the log size is the cubic that matches values and slopes; after the last
    node growth is exponential at `late_rate`.
    """
    nodes, patients = log_size.shape
    column = np.arange(patients)
    late = np.arange(nodes)[:, None] >= start
    over = late & (log_size >= limit)
    after = day[-1] + (limit - log_size[-1]) / late_rate
    found = over.any(axis=0)
    right = np.where(found, over.argmax(axis=0), 1)
    right = np.maximum(right, 1)
    left = right - 1
    t0, t1 = day[left, column], day[right, column]
    width = t1 - t0
    y0, y1 = log_size[left, column], log_size[right, column]
    m0, m1 = slope[left, column] * width, slope[right, column] * width
    low, high = np.zeros(patients), np.ones(patients)
    for _ in range(50):
        x = 0.5 * (low + high)
        value = (
            y0 * (1 + 2 * x) * (1 - x) ** 2
            + m0 * x * (1 - x) ** 2
            + y1 * x**2 * (3 - 2 * x)
            + m1 * x**2 * (x - 1)
        )
        above = value >= limit
        high, low = np.where(above, x, high), np.where(above, low, x)
    return np.asarray(np.where(found, t0 + high * width, after))


def sample_fates(
    leukaemia: Leukaemia,
    loss: float,
    killing: Killing,
    detection: Detection,
    curve: SteinExposure,
    burden: NDArray[np.float64],
    rng: np.random.Generator,
) -> Cohort:
    """Draw what becomes of each patient of a block.

    Parameters
    ----------
    leukaemia : Leukaemia
        Growth rates, shared by the block; its burden is not used.
    loss : float
        Probability per division that one daughter escapes, well below 1.
    killing : Killing
        Response of killing to the transgene level.
    detection : Detection
        Limits of remission and relapse.
    curve : SteinExposure
        With array fields of shape (patients,).
    burden : ndarray, shape (patients,)
        Targeted cells at infusion.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Cohort
    """
    net, s = leukaemia.net_rate, leukaemia.survival
    history = line_history(leukaemia, loss, killing, curve)
    rule, patients = history.rule, burden.size
    founding = leukaemia.birth_rate * loss * s * burden
    rate = founding * np.exp(history.log_cleared) * rule.weights()
    positive = -burden * np.log1p(-np.exp(-history.log_r))
    preexisting = burden * loss

    survivors = rng.poisson(positive)
    founded = rng.standard_gamma(rng.poisson(rate)) * np.exp(-net * rule.node)
    escaped = sample_surviving_mass(preexisting, s, rng) + founded.sum(axis=(0, 1)) / s
    # Where nothing survives the log is -inf on purpose.
    with np.errstate(divide="ignore"):
        log_regrowth = history.log_r + np.log(rng.standard_gamma(survivors))
        log_escaped = np.log(escaped)

    day = rule.node.reshape(-1, patients)
    rho = history.rho.reshape(-1, patients)
    log_cleared = np.log(burden) + history.log_cleared.reshape(-1, patients)
    log_negative = log_escaped + net * day
    log_total = np.logaddexp(np.logaddexp(log_cleared, log_regrowth - rho), log_negative)
    low = log_total <= np.log(detection.remission_cells)
    remission = low.any(axis=0)

    cured = (survivors == 0) & (escaped == 0.0)
    # The cured get one imaginary line, so that no infinity meets another; they never relapse.
    rising = np.where(cured, 0.0, log_regrowth) - rho
    late_total = np.logaddexp(rising, log_negative)
    share = np.exp(rising - late_total)
    regrowth = leukaemia.birth_rate * (1.0 - loss) - leukaemia.death_rate
    slope = share * (regrowth - history.kill.reshape(-1, patients)) + (1.0 - share) * net
    limit = float(np.log(detection.relapse_cells))
    when = _crossing(day, late_total, slope, low.argmax(axis=0), limit, net)

    # On the day of relapse one kind is the majority: the one that alone makes half the limit.
    negative_then = log_escaped + net * when
    majority = np.where(negative_then >= limit - np.log(2.0), Outcome.ANTIGEN_NEGATIVE,
                        Outcome.ANTIGEN_POSITIVE)  # fmt: skip
    outcome = np.where(cured, Outcome.CURED, majority)
    when = np.where(cured, np.inf, when)
    return Cohort(
        outcome=np.where(remission, outcome, Outcome.NO_REMISSION).astype(np.int8),
        relapse_day=np.where(remission, when, 0.0),
        burden=burden,
        positive_lines=positive,
        preexisting_lines=preexisting,
        acquired_lines=rate.sum(axis=(0, 1)),
    )
