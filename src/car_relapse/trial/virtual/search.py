r"""How many patients a trial needs, by simulation.

Of a test whose statistic is about normal, :math:`\Phi^{-1}(\text{power})` is a straight line in
:math:`\sqrt N`. A pilot finds about where the wanted power lies; four sizes around it are simulated
and the line through them, weighted by their Monte Carlo errors, is read at the wanted power.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
)
from car_relapse.trial.virtual.analyses import Analysis
from car_relapse.trial.virtual.design import MOST_PATIENTS, Trial
from car_relapse.trial.virtual.run import Run, run

__all__ = ["SampleSize", "sample_size"]

Floats = NDArray[np.float64]

_PILOTS = 4
_AROUND = (0.82, 0.94, 1.06, 1.18)


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleSize:
    """The number of patients at which a test has the wanted power."""

    analysis: Analysis
    """The test."""
    power: float
    """Wanted share of trials that reject."""
    alpha: float
    """Two-sided level."""
    exact: float
    """Where the line reaches the power, patients in all arms together."""
    std_error: float
    """Monte Carlo standard error of `exact`, patients."""
    sizes: NDArray[np.int64]
    """Sizes that were simulated, shape (4,)."""
    rejected: Floats
    """Share of trials that rejected at each, shape (4,)."""
    replicates: int
    """Trials of each size."""
    seed: int
    """Seed."""

    @property
    def patients(self) -> int:
        """Patients in all arms together: `exact`, rounded up to a multiple of two."""
        return 2 * int(np.ceil(self.exact / 2.0))


def _even(n: float) -> int:
    return 2 * max(2, int(np.ceil(n / 2.0)))


def _rejected(found: Run, arm: int, alpha: float) -> float:
    return float(found.rejected(alpha)[0][arm - 1, 0])


def _pilot(
    trial: Trial, analysis: Analysis, power: float, alpha: float, largest: int, arm: int,
    replicates: int, options: dict[str, Any],
) -> float:  # fmt: skip
    """Return about how many patients are needed."""
    critical = float(-ndtri(alpha / 2.0))
    target = critical + float(ndtri(power))
    size = float(trial.patients)
    for number in range(_PILOTS):
        found = run(
            replace(trial, patients=_even(size)), (analysis,), replicates,
            scenario=number, **options,
        )  # fmt: skip
        value, p = found.estimate[arm - 1, 0], found.p_value[arm - 1, 0]
        good = ~np.isnan(p)
        signed = np.sign(value[good]) * -ndtri(np.maximum(p[good], 1e-300) / 2.0)
        # Mean statistic, or none that differs from the noise of the pilot.
        effect = abs(float(signed.mean())) if good.sum() > 1 else 0.0
        noise = 4.0 * float(signed.std()) / np.sqrt(good.sum()) if good.sum() > 1 else np.inf
        if effect > noise:
            guess = size * (target / effect) ** 2
        elif size >= largest:
            guess = np.inf
        else:
            guess = size * 16.0
        if guess > largest and (effect > noise or size >= largest):
            raise ParameterError(
                f"largest is {largest}; at {_even(size)} patients the mean statistic is "
                f"{effect:.2f}, and {target:.2f} is needed: about "
                f"{'no number' if np.isinf(guess) else f'{guess:.0f}'} of patients gives that "
                "power; allow more, ask for less power, or choose another endpoint"
            )
        done = effect > noise and 0.5 < guess / size < 2.0
        size = min(max(guess, 4.0 * len(trial.arms)), float(largest))
        if done:
            break
    return size


def sample_size(
    trial: Trial,
    analysis: Analysis,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    arm: int = 1,
    replicates: int = 2000,
    seed: int,
    largest: int = 20_000,
    client: Any = None,
    workers: int | None = None,
) -> SampleSize:
    """Find the number of patients with which a test rejects in a share `power` of the trials.

    A rejection counts whichever arm does better, so that a size at which *harm* would be seen can
    be found, too; `Performance.rejected_below` tells them apart.

    Parameters
    ----------
    trial : Trial
        The design; its number of patients is where the search begins.
    analysis : Analysis
        The test.
    power : float, optional
        Wanted power, in (0.1, 0.999).
    alpha : float, optional
        Two-sided level, in (0, 0.5).
    arm : int, optional
        Number of the experimental arm, >= 1.
    replicates : int, optional
        Trials of each of four sizes, >= 100. The error of the size falls with its root.
    seed : int
        Seed, >= 0.
    largest : int, optional
        Patients beyond which the search gives up.
    client, workers
        As in `run`.

    Returns
    -------
    SampleSize

    Raises
    ------
    ParameterError
        When the test has no such power at `largest` patients, as where nothing differs, or an
        argument is out of range.

    Examples
    --------
    >>> from car_relapse.followup import Cause
    >>> from car_relapse.trial import virtual
    >>> one, two = (
    ...     virtual.Biology.from_incidences(
    ...         {Cause.ANTIGEN_NEGATIVE: f, Cause.DEATH: 0.05}, shape=virtual.Decay(8), horizon=24
    ...     )
    ...     for f in (0.25, 0.10)
    ... )
    >>> arms = (virtual.Arm(name="single", biology=one), virtual.Arm(name="dual", biology=two))
    >>> design = virtual.Trial(arms=arms, patients=200, follow_up=24)
    >>> test = virtual.Analysis(kind="log-rank", causes=(Cause.ANTIGEN_NEGATIVE,))
    >>> 150 < sample_size(design, test, replicates=500, seed=1).patients < 250
    True
    """
    require_instance("trial", trial, Trial, "give a Trial")
    require_instance("analysis", analysis, Analysis, "give an Analysis")
    wanted = float(require_fraction("power", power, "give 0.8 or so", scalar=True))
    level = float(require_fraction("alpha", alpha, "give 0.05 or so", scalar=True))
    if not 0.1 < wanted < 0.999 or not 0.0 < level < 0.5 or wanted <= level:
        raise ParameterError(
            f"power is {wanted:g} and alpha is {level:g}; power lies between 0.1 and 0.999, alpha "
            "between 0 and 0.5 and below power; give 0.8 and 0.05 or so"
        )
    most = require_count(
        "largest", largest, "give a number of patients", minimum=100, maximum=MOST_PATIENTS // 2
    )
    count = require_count("replicates", replicates, "give 2000 or so", minimum=100)
    which = require_count(
        "arm", arm, "1 is the first arm after the control", minimum=1, maximum=len(trial.arms) - 1
    )
    options: dict[str, Any] = {"seed": seed, "client": client, "workers": workers}
    guess = _pilot(trial, analysis, wanted, level, most, which, min(count, 1000), options)
    sizes = np.array([_even(f * guess) for f in _AROUND])
    shares = []
    for number, size in enumerate(sizes, _PILOTS):
        found = run(
            replace(trial, patients=int(size)), (analysis,), count, scenario=number, **options
        )
        shares.append(_rejected(found, which, level))
    share = np.array(shares)
    exact, error = _line(sizes, share, wanted, count)
    return SampleSize(
        analysis=analysis,
        power=wanted,
        alpha=level,
        exact=exact,
        std_error=error,
        sizes=sizes,
        rejected=share,
        replicates=count,
        seed=int(seed),
    )


def _line(
    sizes: NDArray[np.int64], share: Floats, power: float, replicates: int
) -> tuple[float, float]:
    """Return where the weighted line of probit(share) in root size reaches `power`."""
    # All or none rejected has no probit; half a trial is the usual stand-in.
    inside = np.clip(share, 0.5 / replicates, 1.0 - 0.5 / replicates)
    probit = ndtri(inside)
    density = np.exp(-(probit**2) / 2.0) / np.sqrt(2.0 * np.pi)
    weight = density**2 * replicates / (inside * (1.0 - inside))
    design = np.stack([np.ones(sizes.size), np.sqrt(sizes)], axis=1)
    information = design.T @ (weight[:, None] * design)
    covariance = np.linalg.inv(information)
    intercept, slope = covariance @ design.T @ (weight * probit)
    if slope <= 0.0:
        raise ParameterError(
            f"replicates is {replicates}; power did not rise with size over "
            f"{', '.join(map(str, sizes))} patients; give more replicates"
        )
    root = (float(ndtri(power)) - intercept) / slope
    gradient = np.array([1.0, root]) / slope
    root_error = float(np.sqrt(gradient @ covariance @ gradient))
    return float(root**2), float(2.0 * abs(root) * root_error)
