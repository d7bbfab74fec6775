"""diffrax: Tsitouras' method, compiled by JAX for a batch of patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.r3_model import TOLERANCE, cohort, errors

#: Patients at a time: all of them make the same number of steps, so more patients cost more each.
BATCH = 1024


def solve(units: int) -> tuple[Callable[[int], Any], Callable[[Any], dict[str, Any]]]:
    """Solve `units` patients in log-populations, in double precision."""
    import diffrax
    import jax
    import jax.numpy as jnp

    rates, start, days = cohort(units)

    def slopes(_: Any, y: Any, p: Any) -> Any:
        (rho, half, loss, forms, wakes, dies, grows, capacity, lose, kills, half_kill, influx,
         life) = p  # fmt: skip
        killers, seen, unseen, normal = (jnp.exp(y[i]) for i in (0, 2, 3, 4))
        share = (seen + normal) / (half + seen + normal)
        ratio = jnp.exp(y[1] - y[0])
        kill = kills * killers / (half_kill + killers)
        room = grows * (1.0 - (seen + unseen) / capacity)
        return jnp.stack(
            [
                rho * share - loss + wakes * share * ratio,
                forms / ratio - wakes * share - dies,
                room - kill - lose,
                room + lose * jnp.exp(y[2] - y[3]),
                influx / normal - 1.0 / life - kill,
            ]
        )

    def one(p: Any) -> Any:
        return diffrax.diffeqsolve(
            diffrax.ODETerm(slopes),
            diffrax.Tsit5(),
            0.0,
            float(days[-1]),
            0.1,
            jnp.asarray(start),
            args=p,
            saveat=diffrax.SaveAt(ts=jnp.asarray(days)),
            stepsize_controller=diffrax.PIDController(rtol=0.0, atol=TOLERANCE),
            max_steps=4096,
        ).ys

    many = jax.jit(jax.vmap(one))
    columns = [jnp.asarray(rates.T[left : left + BATCH]) for left in range(0, units, BATCH)]
    for part in columns[:1] + columns[-1:]:
        many(part).block_until_ready()  # compiles, once for each size

    def work(_: int) -> Any:
        return np.concatenate([np.asarray(many(part)) for part in columns])

    return work, lambda found: errors(found.transpose(2, 1, 0))
