r"""Kara et al. 2024: antigen-positive and antigen-negative tumour, and bystander killing.

Volumes of tumour with antigen :math:`T_s` and without :math:`T_r` (mm³), CAR-T :math:`C` and
bystander T cells :math:`B`, in mice. CAR-T kill by the ratio law of de Pillis, and the killing
calls up bystanders that also kill cells without antigen:

.. math::

    D_C &= d_C\frac{(C/T_s)^\ell}{s + (C/T_s)^\ell}, \quad
    D_S = d_B\frac{(B/T_s)^\ell}{s + (B/T_s)^\ell}, \quad
    D_R = d_B\frac{(B/T_r)^\ell}{s + (B/T_r)^\ell}, \\
    T_s' &= r_1 T_s\Big(1-\frac{T_s+T_r}{K_1}\Big) - (D_C + D_S) T_s, \qquad
    T_r' = r_2 T_r\Big(1-\frac{T_s+T_r}{K_1}\Big) - D_R T_r, \\
    C' &= -\gamma_C C - \mu_C \ln\frac{B+C}{K_2}\,\frac{D_C^2}{k + D_C^2}\,C - \omega_C C T_s, \\
    B' &= b - \gamma_B B - \mu_B \ln\frac{B+C}{K_2}\,\frac{D_S^2}{k + D_S^2}\,C
          - \omega_B (T_s + T_r) .

Explains how a tumour of which a part lacks the antigen can still shrink, and that without
bystanders that part alone decides. Does not contain loss of antigen: the antigen-negative part is
there from the start, and no cell changes sides.

Without bystanders :math:`D_S = D_R = 0` and the paper's code writes :math:`\ln((b+C)/K_2)`, with
the bystander influx :math:`b` in the place of :math:`B`; this module does the same. :math:`B` is
a difference of rates and may cross 0 in a large tumour; it then kills nothing.

npj Syst. Biol. Appl. 2024, doi:10.1038/s41540-024-00435-4; values and schedule of the authors'
code (github.com/erkara/Bystander-Effect-CAR-T-Modeling, get_ode.m).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
)
from car_relapse.published._integrate import (
    check_days,
    check_positive_fields,
    check_schedule,
    integrate,
)

__all__ = ["KaraCourse", "KaraParameters", "response", "solve"]

# The logarithm of what is not there: no growth within a mouse's life makes a cell of it.
_ABSENT = -1e4
_SMALLEST = 1e-300

_DOSES = ((4.0, 0.1), (6.0, 0.1))


@dataclass(frozen=True, kw_only=True)
class KaraParameters:
    """Values of Kara et al. 2024, the baseline set of get_ode.m (doi:10.1038/s41540-024-00435-4).

    CAR-T and bystanders are counted in the paper's arbitrary units.
    """

    sensitive_rate: float = 0.18
    """Growth rate :math:`r_1` of tumour with antigen, 1/day, > 0."""
    resistant_rate: float = 0.21
    """Growth rate :math:`r_2` of tumour without antigen, 1/day, > 0."""
    capacity: float = 5100.0
    """Carrying capacity :math:`K_1` of the tumour, mm³, > 0."""
    exponent: float = 1.56
    r"""Exponent :math:`\ell` of the ratio law, dimensionless, > 0."""
    car_killing: float = 0.41
    """Largest killing rate :math:`d_C` of CAR-T, 1/day, > 0."""
    car_expansion: float = 0.6
    r"""Expansion rate :math:`\mu_C` of CAR-T, 1/day, > 0."""
    half_ratio: float = 0.305
    r"""Value :math:`s` of (effectors/tumour)^:math:`\ell` at half the killing, > 0."""
    car_death: float = 0.0293
    r"""Death rate :math:`\gamma_C` of CAR-T, 1/day, > 0."""
    half_signal: float = 2.019e-7
    """Squared killing rate :math:`k` of half the expansion, 1/day², > 0."""
    car_inactivation: float = 3e-5
    r"""Inactivation :math:`\omega_C` of CAR-T by tumour, 1/(day mm³), > 0."""
    effector_capacity: float = 1650.0
    """Carrying capacity :math:`K_2` of CAR-T and bystanders, units of CAR-T, > 0."""
    bystander_killing: float = 0.3
    """Largest killing rate :math:`d_B` of bystanders, 1/day, > 0."""
    bystander_expansion: float = 0.89
    r"""Rate :math:`\mu_B` at which killing calls up bystanders, 1/day, > 0."""
    bystander_influx: float = 1.4e-3
    """Influx :math:`b` of bystanders, units of CAR-T per day, > 0."""
    bystander_death: float = 7e-3
    r"""Death rate :math:`\gamma_B` of bystanders, 1/day, > 0."""
    bystander_inactivation: float = 3.42e-6
    r"""Loss :math:`\omega_B` of bystanders to tumour, units of CAR-T/(day mm³), > 0."""
    tumour_start: float = 50.0
    """Tumour on the first day, mm³, > 0."""
    bystander_start: float = 0.1
    """Bystanders on the first day, units of CAR-T, > 0."""
    first_day: float = 3.0
    """Day on which the course starts, days after the tumour was implanted, > 0."""

    def __post_init__(self) -> None:
        check_positive_fields(
            self, tuple(KaraParameters.__dataclass_fields__), "doi:10.1038/s41540-024-00435-4"
        )


@dataclass(frozen=True, kw_only=True)
class KaraCourse:
    """Course of tumour and effector cells in one mouse."""

    day: NDArray[np.float64]
    """Days after the tumour was implanted, shape (n,)."""
    sensitive: NDArray[np.float64]
    """Tumour with antigen, mm³, shape (n,)."""
    resistant: NDArray[np.float64]
    """Tumour without antigen, mm³, shape (n,)."""
    car: NDArray[np.float64]
    """CAR-T, arbitrary units, shape (n,)."""
    bystanders: NDArray[np.float64]
    """Bystander T cells, arbitrary units, shape (n,)."""

    @property
    def tumour(self) -> NDArray[np.float64]:
        """All tumour, mm³."""
        return self.sensitive + self.resistant


def _killing(p: KaraParameters, rate: float, log_effectors: float, log_tumour: float) -> float:
    ratio = p.exponent * (log_effectors - log_tumour) - float(np.log(p.half_ratio))
    return rate * float(expit(ratio))


def _slope(p: KaraParameters, state: NDArray[np.float64], *, bystander: bool) -> list[float]:
    log_s, log_r, log_c, bystanders = map(float, state)
    sensitive, resistant, car = float(np.exp(log_s)), float(np.exp(log_r)), float(np.exp(log_c))
    room = 1.0 - (sensitive + resistant) / p.capacity
    by_car = _killing(p, p.car_killing, log_c, log_s)
    present = max(bystanders, _SMALLEST)
    on_s = on_r = 0.0
    if bystander:
        on_s = _killing(p, p.bystander_killing, float(np.log(present)), log_s)
        on_r = _killing(p, p.bystander_killing, float(np.log(present)), log_r)
    others = present if bystander else p.bystander_influx
    space = -float(np.log((others + car) / p.effector_capacity))
    calls = p.bystander_expansion * space * on_s**2 / (p.half_signal + on_s**2) * car
    lost = p.bystander_inactivation * (sensitive + resistant)
    return [
        p.sensitive_rate * room - by_car - on_s,
        p.resistant_rate * room - on_r,
        -p.car_death
        + p.car_expansion * space * by_car**2 / (p.half_signal + by_car**2)
        - p.car_inactivation * sensitive,
        p.bystander_influx - p.bystander_death * bystanders + calls - lost if bystander else 0.0,
    ]


def _check_doses(p: KaraParameters, doses: Sequence[tuple[float, float]]) -> None:
    check_schedule(doses, "dose", "units of CAR-T")
    last = p.first_day
    for day, _ in doses:
        if day < last:
            raise ParameterError(
                f"a dose is on day {day:g}; doses must be in order and not before day "
                f"{p.first_day:g}; sort them"
            )
        last = day


def solve(
    parameters: KaraParameters,
    days: ArrayLike,
    *,
    positive_fraction: float,
    bystander: bool = True,
    doses: Sequence[tuple[float, float]] = _DOSES,
) -> KaraCourse:
    """Return the course on `days`.

    Parameters
    ----------
    parameters : KaraParameters
    days : array_like, shape (n,)
        Increasing days after the tumour was implanted, from the first day on.
    positive_fraction : float
        Part of the tumour that has the antigen on the first day, in (0, 1]. Not 0: the ratio
        law reads a vanishing target as a full signal, and CAR-T would expand on nothing.
    bystander : bool, optional
        Whether bystanders act.
    doses : sequence of (day, amount), optional
        CAR-T given, arbitrary units; on its day a dose already counts.

    Raises
    ------
    ParameterError
        When `days` or `doses` are out of order or a value is out of range.

    Examples
    --------
    >>> alone = solve(KaraParameters(), [30.0], positive_fraction=0.9, bystander=False)
    >>> helped = solve(KaraParameters(), [30.0], positive_fraction=0.9)
    >>> alone.tumour.round(), helped.tumour.round(2)
    (array([1098.]), array([1.89]))
    """
    require_instance("parameters", parameters, KaraParameters, "give KaraParameters(...)")
    p = parameters
    grid = check_days(days, p.first_day)
    share = float(
        require_fraction("positive_fraction", positive_fraction, "give a part of 1", scalar=True)
    )
    if share == 0:
        raise ParameterError(
            "positive_fraction is 0; the ratio law has no meaning without any antigen, so it must "
            "be > 0; give a small part"
        )
    _check_doses(p, doses)
    parts = p.tumour_start * np.array([share, 1.0 - share])
    logs = np.where(parts > 0, np.log(np.maximum(parts, _SMALLEST)), _ABSENT)
    state = np.array([*logs, _ABSENT, p.bystander_start if bystander else 0.0])
    tables = []
    now = p.first_day
    for stop, amount in [*doses, (np.inf, 1.0)]:
        asked = grid[(grid >= now) & (grid < stop)]
        # Past the last dose there is nothing to reach but the days asked for.
        stops = np.append(asked, min(stop, grid[-1]))
        run = integrate(
            lambda _, y: _slope(p, y, bystander=bystander), state, np.unique(stops), first=now
        )
        tables.append(run[:, : asked.size])
        state = run[:, -1].copy()
        state[2] = np.logaddexp(state[2], np.log(amount))
        now = stop
    log_s, log_r, log_c, bystanders = np.hstack(tables)
    return KaraCourse(
        day=grid,
        sensitive=np.exp(log_s),
        resistant=np.exp(log_r),
        car=np.exp(log_c),
        bystanders=np.maximum(bystanders, 0.0),
    )


def response(volume: float) -> Literal["response", "partial response", "no response"]:
    """Return the paper's reading of the tumour volume on day 30 in mm³: below 2, below 50, or not.

    Raises
    ------
    ParameterError
        When `volume` is not finite and >= 0.

    Examples
    --------
    >>> response(1.9), response(1098)
    ('response', 'no response')
    """
    size = float(require_non_negative("volume", volume, "give a tumour volume in mm³", scalar=True))
    if size < 2:
        return "response"
    return "partial response" if size < 50 else "no response"
