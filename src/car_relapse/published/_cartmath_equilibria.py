"""States of Barros et al. 2021 that do not change; see `car_relapse.published.cartmath2021`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from car_relapse.errors import require_instance
from car_relapse.published._cartmath_model import CartmathParameters, rates

__all__ = ["Equilibrium", "equilibria"]


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """A state that does not change."""

    effector: float
    """Effector CAR-T cells, >= 0."""
    memory: float
    """Memory CAR-T cells, >= 0."""
    tumour: float
    """Tumour cells, >= 0."""
    stable: bool
    """Whether a small push dies away."""


def _equilibrium(p: CartmathParameters, tumour: float, effector: float) -> Equilibrium:
    memory = p.memory_formation * effector / (p.memory_activation * tumour + p.memory_death)
    jacobian = np.empty((3, 3))
    jacobian[:2, :2] = rates(p, tumour)
    wake = p.memory_activation * memory
    jacobian[:2, 2] = [wake - p.inhibition * effector, -wake]
    jacobian[2] = [
        -p.killing_rate * tumour,
        0.0,
        p.tumour_rate * (1.0 - 2.0 * p.crowding * tumour) - p.killing_rate * effector,
    ]
    return Equilibrium(
        effector=effector,
        memory=memory,
        tumour=tumour,
        stable=bool(np.linalg.eigvals(jacobian).real.max() < 0),
    )


def equilibria(parameters: CartmathParameters) -> tuple[Equilibrium, ...]:
    r"""Return the states that do not change: empty, escape, and up to two of coexistence.

    Setting :math:`C_M' = 0` and :math:`C_T' = 0` leaves a quadratic for the tumour,

    .. math:: \alpha\theta T^2 + [(\rho-\varphi)\theta + \alpha\mu - \varepsilon\theta]\,T
              + (\rho-\varphi)\mu = 0,

    and :math:`C_T = r(1-bT)/\gamma`. The thresholds printed in the paper were not used.

    Examples
    --------
    >>> from car_relapse.published.cartmath2021 import HDLM2
    >>> [f"{e.tumour:.3g}" for e in equilibria(HDLM2)]
    ['0', '7.12e+11', '1.09e+03', '1.44e+06']
    """
    require_instance("parameters", parameters, CartmathParameters, "give CartmathParameters(...)")
    p = parameters
    found = [_equilibrium(p, 0.0, 0.0)]
    if p.crowding > 0:
        found.append(_equilibrium(p, 1.0 / p.crowding, 0.0))
    net = p.loss_rate - p.proliferation_rate
    square = p.inhibition * p.memory_activation
    linear = (net - p.memory_formation) * p.memory_activation + p.inhibition * p.memory_death
    constant = net * p.memory_death
    discriminant = linear**2 - 4.0 * square * constant
    if linear < 0 <= discriminant:
        # The form that keeps the digits of the small root.
        large = 0.5 * (-linear + float(np.sqrt(discriminant)))
        for tumour in (constant / large, large / square):
            if p.crowding * tumour < 1:
                effector = p.tumour_rate * (1.0 - p.crowding * tumour) / p.killing_rate
                found.append(_equilibrium(p, tumour, effector))
    return tuple(found)
