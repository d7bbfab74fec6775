"""Plain, slow versions of what the package computes fast: oracles for the tests.

Each is written from the definition of the process, not from the formula it checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp
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
    if d == 0:  # Pfaff's transformation: scipy's function loses digits where |z/(1-z)| = 1
        return 1.0 - (1.0 - z) * hyp2f1(1.0, 1.0, 1.0 + r, z) if r != 1 else _lea_coulson(z)
    return 1.0 - (1.0 - d) * hyp2f1(1.0, r, 1.0 + r, (d - z) / (1.0 - z))


def _lea_coulson(z):
    return 1.0 + (1.0 / z - 1.0) * np.log(1.0 - z)


def coefficients(pgf, largest: int, radius: float = 0.97, points: int = 4096):
    """Return p_0 .. p_largest of a generating function, by Cauchy's integral on a circle."""
    z = radius * np.exp(2j * np.pi * np.arange(points) / points)
    return (np.fft.fft(pgf(z)) / points).real[: largest + 1] / radius ** np.arange(largest + 1)


def grow_with_mutants(
    birth: float, death: float, loss: float, size: int, runs: int, rng: np.random.Generator
):
    """Grow from one sensitive cell to `size` of them, event by event; return mutant numbers.

    Mutants are no longer followed from 100 on, where the tests no longer tell them apart.
    Runs in which the sensitive cells die out are started again.
    """
    cells = np.zeros((runs, 2), dtype=np.int64)
    cells[:, 0] = 1
    birth_share = birth / (birth + death)
    while (active := np.flatnonzero(cells[:, 0] < size)).size:
        now = cells[active]
        moving = np.where(now[:, 1] < 100, now[:, 1], 0)
        mutant = rng.random(active.size) * (now[:, 0] + moving) >= now[:, 0]
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

    Every event is drawn; runs advance side by side. Escaped cells are no longer followed
    from 60 on, when their line is safe, nor are runs with a partial loss in 2000 cells.
    Return, per run, whether cells that show a target outlive the therapy, whether cells that
    show none do, and whether the run was given up.
    """
    states = len(transition)
    natural = np.full(states, death)
    treated = natural + np.append(np.full(states - 1, kill), 0.0)
    reach = np.cumsum(transition, axis=1)
    safe, too_many = 60, 2000
    cells = np.zeros((runs, states), dtype=np.int64)
    cells[:, 0] = 1
    clock = np.zeros(runs)
    given_up = np.zeros(runs, dtype=bool)

    def events(active, deaths, until):
        now = cells[active]
        moving = np.where(now < safe, now, 0)
        moving[:, :-1] = now[:, :-1]
        rates = np.cumsum(moving * (birth + deaths), axis=1)
        total = rates[:, -1]
        with np.errstate(divide="ignore"):  # nothing but safe cells: nothing happens any more
            clock[active] += rng.standard_exponential(active.size) / total
        kind = (rates <= (rng.random(active.size) * total)[:, None]).sum(axis=1) % states
        born = rng.random(active.size) < (birth / (birth + deaths))[kind]
        daughter = (reach[kind] <= rng.random(active.size)[:, None]).sum(axis=1)
        changed = np.where(born, np.minimum(daughter, states - 1), kind)
        cells[active, changed] += np.where(clock[active] < until, np.where(born, 1, -1), 0)
        given_up[active] |= cells[active, 1:-1].max(axis=1, initial=0) >= too_many

    while (active := np.flatnonzero((cells[:, 0] < size) & ~given_up)).size:
        events(active, natural, np.inf)
        extinct = active[cells[active, 0] == 0]
        cells[extinct] = np.eye(states, dtype=np.int64)[0]
    clock[:] = 0.0
    while (active := np.flatnonzero((clock < days) & cells.any(axis=1) & ~given_up)).size:
        events(active, treated, days)
    while True:
        targeted, escaped = cells[:, :-1].sum(axis=1), cells[:, -1]
        open_end = (targeted < safe) & ((targeted > 0) | ((escaped > 0) & (escaped < safe)))
        active = np.flatnonzero(open_end & ~given_up)
        if not active.size:
            return targeted > 0, escaped > 0, given_up
        events(active, natural, np.inf)


def kendall_integral(birth: float, removal, horizon: float, kinks=()) -> float:
    """Return I = integral of r e^(integral of (r - b)), both as one initial value problem."""

    def slope(t: float, y):
        rate = removal(t)
        return rate - birth, rate * np.exp(y[0])

    points = [0.0, *[k for k in sorted(kinks) if 0 < k < horizon], horizon]
    state = (0.0, 0.0)
    for start, end in pairwise(points):
        solved = solve_ivp(slope, (start, end), state, "DOP853", rtol=1e-11, atol=1e-11)
        state = solved.y[:, -1]
    return float(state[1])
