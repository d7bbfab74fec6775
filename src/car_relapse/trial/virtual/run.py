r"""Run virtual trials: every analysis on the same data sets, on as many processors as there are.

Trials come in blocks of 1,000 with random streams of their own, so results are the same, bit for
bit, in whatever parts and on however many workers they are run. Each number of a table has its
Monte Carlo standard error: :math:`\sqrt{p(1-p)/R}` of a share of R trials.

An analysis that cannot be made (no event in an arm, nobody followed to the month) counts as no
rejection, and is reported as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
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
from car_relapse.progress import Meter, Progress
from car_relapse.scaleout import require_versions, versions
from car_relapse.trial.virtual.analyses import Analysis, Reader
from car_relapse.trial.virtual.design import Trial
from car_relapse.trial.virtual.worlds import BLOCK, generate
from car_relapse.workers import Span, place_of, processes, results

__all__ = ["Performance", "Run", "run"]

Floats = NDArray[np.float64]

MOST_REPLICATES = 10**7
_MOST_ANALYSES = 100
_CELLS = 300_000  # patients analysed at a time, so that arrays stay in the processor's cache
_TASK = 200_000  # patients per task, at least one block


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How one analysis of one arm does over all trials: a row of the table.

    None stands where nothing is known: no trial could be analysed, or there is no `truth`.
    """

    arm: str
    """Experimental arm."""
    analysis: str
    """Name of the analysis."""
    trials: int
    """Number of trials."""
    failed: int
    """Trials in which it could not be made; they count as no rejection."""
    rejected: float
    """Share of trials with a p-value below alpha: power, or type I error where nothing differs."""
    rejected_error: float
    """Its Monte Carlo standard error."""
    rejected_below: float
    """Share of trials with such a p-value and an estimate below 0: fewer events, or less time."""
    estimate: float | None
    """Mean estimate: log hazard ratio (by one step), or difference, experimental less control."""
    estimate_error: float | None
    """Its Monte Carlo standard error."""
    spread: float | None
    """Standard deviation of the estimates between trials."""
    std_error: float | None
    """Mean of the standard errors that the analysis states; to be compared with `spread`."""
    truth: float | None
    """What is estimated; None where no closed form is known."""
    bias: float | None
    """Mean estimate less truth; its Monte Carlo error is `estimate_error`."""
    coverage: float | None
    """Share of the trials that were analysed whose 95 % interval holds the truth."""
    coverage_error: float | None
    """Its Monte Carlo standard error."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a run of virtual trials found. Arrays have shape (arms - 1, analyses, trials)."""

    trial: Trial
    """The design."""
    analyses: tuple[Analysis, ...]
    """The analyses."""
    seed: int
    """Seed of the run."""
    scenario: int
    """Number of the scenario."""
    estimate: Floats
    """Estimates; NaN where an analysis failed."""
    std_error: Floats
    """Their standard errors; NaN where an analysis failed."""
    p_value: Floats
    """Two-sided p-values; NaN where an analysis failed."""

    @property
    def replicates(self) -> int:
        """Number of trials."""
        return int(self.p_value.shape[2])

    def rejections(self, alpha: float = 0.05) -> NDArray[np.bool_]:
        """Return where the p-value is below alpha; an analysis that failed does not reject."""
        return np.asarray(self.p_value < _level(alpha))

    def rejected(self, alpha: float = 0.05) -> tuple[Floats, Floats]:
        """Return the share of rejections and its Monte Carlo error, (arms - 1, analyses)."""
        share = self.rejections(alpha).mean(axis=2)
        return share, np.sqrt(share * (1.0 - share) / self.replicates)

    def gain(self, first: int, second: int, alpha: float = 0.05) -> tuple[Floats, Floats]:
        """Return how much more often the second analysis rejects than the first, and its error.

        Both see the same trials, so the error is that of the difference in each trial: smaller
        than the two errors suggest.

        Parameters
        ----------
        first, second : int
            Numbers of two analyses.
        alpha : float, optional
            Two-sided level.

        Returns
        -------
        tuple of ndarray
            Difference and Monte Carlo standard error, shape (arms - 1,).
        """
        last = len(self.analyses) - 1
        rows = [
            require_count("analysis", i, "give its number in analyses", maximum=last)
            for i in (first, second)
        ]
        hits = self.rejections(alpha)[:, rows].astype(float)
        each = hits[:, 1] - hits[:, 0]
        return each.mean(axis=1), each.std(axis=1) / np.sqrt(self.replicates)

    def table(self, alpha: float = 0.05) -> tuple[Performance, ...]:
        """Return one row for each arm and analysis.

        Parameters
        ----------
        alpha : float, optional
            Two-sided level of the tests.
        """
        level = _level(alpha)
        return tuple(
            self._row(arm, number, level)
            for arm in range(len(self.trial.arms) - 1)
            for number in range(len(self.analyses))
        )

    def records(self, alpha: float = 0.05) -> list[dict[str, Any]]:
        """Return `table` as dictionaries."""
        return [asdict(row) for row in self.table(alpha)]

    def _row(self, arm: int, number: int, alpha: float) -> Performance:
        p, value, error = (a[arm, number] for a in (self.p_value, self.estimate, self.std_error))
        good = ~np.isnan(p)
        n = int(good.sum())
        hit = p < alpha
        share = float(hit.mean())
        truth = self.analyses[number].truth(self.trial, arm + 1)
        mean = spread = bias = coverage = None
        if n:
            mean, spread = float(value[good].mean()), float(value[good].std())
            if truth is not None:
                bias = mean - truth
                held = np.abs(value[good] - truth) <= -float(ndtri(0.025)) * error[good]
                coverage = float(held.mean())
        return Performance(
            arm=self.trial.arms[arm + 1].name,
            analysis=self.analyses[number].name,
            trials=self.replicates,
            failed=self.replicates - n,
            rejected=share,
            rejected_error=_share_error(share, self.replicates),
            rejected_below=float((hit & (value < 0)).mean()),
            estimate=mean,
            estimate_error=None if spread is None else float(spread / np.sqrt(n)),
            spread=spread,
            std_error=float(error[good].mean()) if n else None,
            truth=truth,
            bias=bias,
            coverage=coverage,
            coverage_error=None if coverage is None else _share_error(coverage, n),
        )


def _share_error(share: float, n: int) -> float:
    return float(np.sqrt(share * (1.0 - share) / n))


def _level(alpha: float) -> float:
    level = float(require_fraction("alpha", alpha, "give 0.05 or so", scalar=True))
    if not 0.0 < level < 1.0:
        raise ParameterError(
            f"alpha is {level:g}; it must lie strictly between 0 and 1; give 0.05 or so"
        )
    return level


def _trials(
    trial: Trial, analyses: tuple[Analysis, ...], seed: int, scenario: int,
    made_with: dict[str, str], first: int, last: int,
) -> Floats:  # fmt: skip
    """Return estimates, errors and p-values of some trials: (3, arms - 1, analyses, trials)."""
    require_versions(made_with)
    arms = len(trial.arms) - 1
    found = np.empty((3, arms, len(analyses), last - first))
    step = max(1, _CELLS // trial.patients)
    for start in range(first, last, BLOCK):
        count = min(BLOCK, last - start)
        worlds = generate(trial, count, seed=seed, scenario=scenario, block=start // BLOCK)
        for row in range(0, count, step):
            rows = slice(row, min(row + step, count))
            place = slice(start - first + rows.start, start - first + rows.stop)
            for arm in range(arms):
                reader = Reader(worlds, rows, arm + 1)
                for number, analysis in enumerate(analyses):
                    found[:, arm, number, place] = reader.results(analysis)
    return found


def _spans(replicates: int, chunk: int) -> Iterator[Span]:
    for first in range(0, replicates, chunk):
        yield first, min(first + chunk, replicates)


def run(
    trial: Trial,
    analyses: tuple[Analysis, ...],
    replicates: int = 2000,
    *,
    seed: int,
    scenario: int = 0,
    client: Any = None,
    workers: int | None = None,
    chunk: int | None = None,
    progress: bool | Callable[[Progress], None] = False,
) -> Run:
    """Run a trial many times, and each analysis on every one of them.

    Parameters
    ----------
    trial : Trial
        The design.
    analyses : tuple of Analysis
        What to compute from each trial.
    replicates : int, optional
        Number of trials, from 1 to 1e7.
    seed : int
        Seed, >= 0; the same seed gives the same trials, bit for bit.
    scenario : int, optional
        Number of the scenario, >= 0: give each its own, or the same for the same random numbers.
    client : distributed.Client, optional
        Dask cluster to run on, with the same results.
    workers : int, optional
        Processes of this machine to run on, with the same results; not with a `client`.
    chunk : int, optional
        Trials per task, rounded up to whole blocks of 1,000; changes speed, never results.
    progress : bool or callable, optional
        As in `car_relapse.cohort.simulate`; patients of all trials are counted.

    Returns
    -------
    Run

    Raises
    ------
    ParameterError
        When there is no analysis, a number is out of range, or there are both `client` and
        `workers`.

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
    >>> row = run(design, (test,), 500, seed=1).table()[0]
    >>> 0.7 < row.rejected < 0.9
    True
    """
    require_instance("trial", trial, Trial, "give a Trial")
    if not isinstance(analyses, tuple) or not 1 <= len(analyses) <= _MOST_ANALYSES:
        raise ParameterError(
            f"analyses is {analyses!r:.100}; it must be a tuple of 1 to {_MOST_ANALYSES} analyses; "
            "give at least one Analysis"
        )
    for analysis in analyses:
        require_instance("analyses", analysis, Analysis, "give an Analysis")
    count = require_count(
        "replicates", replicates, "give a number of trials", minimum=1, maximum=MOST_REPLICATES
    )
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    number = require_count("scenario", scenario, "give a whole number >= 0", maximum=2**31)
    asked = max(BLOCK, _TASK // trial.patients) if chunk is None else chunk
    step = require_count("chunk", asked, "give a number of trials per task", minimum=1)
    step = -(-step // BLOCK) * BLOCK
    if client is not None and workers is not None:
        raise ParameterError(
            f"workers is {workers!r} and there is a client; a run is spread over processes of this "
            "machine or over a cluster, not both; leave one out"
        )
    work = partial(_trials, trial, analyses, root, number, versions())
    found = np.empty((3, len(trial.arms) - 1, len(analyses), count))
    meter = Meter(count * trial.patients, progress)

    def gather(place: Any) -> None:
        with closing(results(place, work, _spans(count, step))) as parts:
            for (first, last), part in parts:
                found[..., first:last] = part
                meter.add((last - first) * trial.patients)

    with meter.watch(kept=False):
        if workers is None:
            gather(place_of(client))
        else:
            size = require_count("workers", workers, "give a number of processes", minimum=1)
            with processes(size) as place:
                gather(place)
    return Run(
        trial=trial,
        analyses=analyses,
        seed=root,
        scenario=number,
        estimate=found[0],
        std_error=found[1],
        p_value=found[2],
    )
