"""Plain, slow versions of what the package computes fast: oracles for the tests.

Each is written from the definition of the process, not from the formula it checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import hyp2f1


def forward_equations(birth: float, death: float, days: float, start: int, largest: int):
    """Return P(n), n = 0 .. largest, by the matrix exponential of the truncated generator."""
    n = np.arange(largest + 1)
    generator = np.diag(-(birth + death) * n.astype(float))
    generator[n[:-1], n[1:]] = birth * n[:-1]
    generator[n[1:], n[:-1]] = death * n[1:]
    return expm(generator * days)[start]


def gillespie_line(birth: float, death: float, days: float, rng: np.random.Generator) -> int:
    """Simulate one line event by event and return its size."""
    cells, day = 1, 0.0
    while cells:
        day += rng.exponential(1.0 / (cells * (birth + death)))
        if day > days:
            break
        cells += 1 if rng.random() < birth / (birth + death) else -1
    return cells


def clone_pgf(z, *, death_ratio: float, growth: float, detection: float):
    """Return the generating function of one clone's count, by the closed hypergeometric form."""
    z = 1.0 - detection + detection * z
    r, d = 1.0 / growth, death_ratio
    return 1.0 - (1.0 - d) * hyp2f1(1.0, r, 1.0 + r, (d - z) / (1.0 - z))


def coefficients(pgf, largest: int, radius: float = 0.97, points: int = 4096):
    """Return p_0 .. p_largest of a generating function, by Cauchy's integral on a circle."""
    z = radius * np.exp(2j * np.pi * np.arange(points) / points)
    return (np.fft.fft(pgf(z)) / points).real[: largest + 1] / radius ** np.arange(largest + 1)


def grow_with_mutants(
    birth: float, death: float, loss: float, size: int, runs: int, rng: np.random.Generator
):
    """Grow from one sensitive cell to `size` of them, event by event; return mutant numbers.

    Runs in which the sensitive cells die out are started again.
    """
    cells = np.zeros((runs, 2), dtype=np.int64)
    cells[:, 0] = 1
    birth_share = birth / (birth + death)
    while (active := np.flatnonzero(cells[:, 0] < size)).size:
        now = cells[active]
        mutant = rng.random(active.size) * now.sum(axis=1) >= now[:, 0]
        born = rng.random(active.size) < birth_share
        lost = born & ~mutant & (rng.random(active.size) < loss)
        step = np.where(born, 1, -1)
        now[:, 0] += np.where(mutant | lost, 0, step)
        now[:, 1] += np.where(mutant | lost, step, 0)
        now[now[:, 0] == 0] = (1, 0)
        cells[active] = now
    return cells[:, 1]


def surviving_mass(lines: float, survival: float, runs: int, rng: np.random.Generator):
    """Sum E/(sU) over a Poisson number of lines, run by run."""
    out = np.empty(runs)
    for i in range(runs):
        k = rng.poisson(lines)
        out[i] = np.sum(rng.standard_exponential(k) / rng.random(k)) / survival
    return out


@dataclass(frozen=True)
class StepExposure:
    """A curve that stays at one level for some days and is then gone."""

    height: float
    days: float

    def level(self, day):
        return np.where(np.asarray(day, dtype=float) < self.days, self.height, 0.0)

    @property
    def kinks(self) -> tuple[float, ...]:
        return (self.days,)

    def last_day_above(self, level):
        return np.where(np.asarray(level) <= self.height, self.days, 0.0)


def exact_fates(
    birth: float,
    death: float,
    kill: float,
    days: float,
    transition: np.ndarray,
    size: int,
    runs: int,
    rng: np.random.Generator,
):
    """Follow every cell through growth to `size`, a therapy of constant killing, and after.

    Return, per run, whether cells that show a target and whether cells that show none
    outlive the therapy. Every event is drawn; runs advance side by side.
    """
    states = len(transition)
    cells = np.zeros((runs, states), dtype=np.int64)
    cells[:, 0] = 1
    large = 60  # a line of this size no longer dies out

    def event(now, deaths):
        """Let one event happen in each row; return the waiting times."""
        rates = now * (birth + deaths)
        total = rates.sum(axis=1)
        row = np.arange(len(now))
        kind = (np.cumsum(rates, axis=1) < (rng.random(len(now)) * total)[:, None]).sum(axis=1)
        born = rng.random(len(now)) < birth / (birth + deaths[kind])
        daughter = (np.cumsum(transition, axis=1)[kind] < rng.random(len(now))[:, None]).sum(axis=1)
        changed = np.where(born, np.minimum(daughter, states - 1), kind)
        return rng.standard_exponential(len(now)) / total, row, changed, np.where(born, 1, -1)

    natural = np.full(states, death)
    while (active := np.flatnonzero(cells[:, 0] < size)).size:
        now = cells[active]
        _, row, changed, step = event(now, natural)
        now[row, changed] += step
        now[now[:, 0] == 0] = np.eye(states, dtype=np.int64)[0]
        cells[active] = now

    treated = natural + np.append(np.full(states - 1, kill), 0.0)
    clock = np.zeros(runs)
    while (active := np.flatnonzero((clock < days) & cells.any(axis=1))).size:
        now = cells[active]
        wait, row, changed, step = event(now, treated)
        clock[active] += wait
        happens = clock[active] < days
        now[row[happens], changed[happens]] += step[happens]
        cells[active] = now

    def settled(n):
        return (n == 0) | (n >= large)

    while True:
        targeted = cells[:, :-1].sum(axis=1)
        escaped = cells[:, -1]
        done = (targeted >= large) | (settled(targeted) & settled(escaped))
        if done.all():
            return targeted > 0, escaped > 0
        active = np.flatnonzero(~done)
        now = cells[active]
        # Once safe, the escaped cells need not be followed.
        frozen = now[:, -1] >= large
        moving = np.where(np.arange(states) == states - 1, ~frozen[:, None], True) * now
        _, row, changed, step = event(moving, natural)
        now[row, changed] += step
        cells[active] = now


def kendall_integral(birth: float, removal, horizon: float, kinks=()) -> float:
    """Return I = integral of r e^(integral of (r - b)), by nested quadrature."""
    points = [0.0, *[k for k in sorted(kinks) if 0 < k < horizon], horizon]

    def rho(t: float) -> float:
        ends = [*[p for p in points if p < t], t]
        return sum(
            quad(lambda x: removal(x) - birth, a, b, epsabs=1e-12, epsrel=1e-12)[0]
            for a, b in pairwise(ends)
        )

    return sum(
        quad(lambda t: removal(t) * np.exp(rho(t)), a, b, epsrel=1e-9, limit=400)[0]
        for a, b in pairwise(points)
    )
