"""The trials of a block, run side by side: who is enrolled when, and when the design is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.trial.dose.designs import STOP, WAIT, Design, DoseData, Ints, Patients, tally
from car_relapse.trial.dose.scenario import Calendar, DoseScenario
from car_relapse.trial.dose.simulated import SimulatedTrials

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Underdosed = Literal["received", "planned", "exclude", "weight"]

TRIALS_PER_BLOCK = 1000
"""Trials per random stream; results never depend on anything smaller or larger."""

# What is drawn of each patient: size of the product, toxicity, response, time of the toxicity,
# time since the patient before, and the same once a wait is over.
_MAKE, _TOXIC, _RESPONSE, _WHEN, _COMES, _RESUMES = range(6)
_AT_ONCE = 32
_COLUMNS = ("counted", "received", "infused", "toxic", "toxic_at", "responds", "share")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the protocol fixes."""

    cohorts: int | None
    cohort_size: int
    start: int
    calendar: Calendar | None
    underdosed: Underdosed
    underdose_weight: float
    most_enrolled: int


class Uniforms:
    """Uniform numbers of the patients of a block: always the same ones, made when asked for."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._made = np.empty((0, 6, TRIALS_PER_BLOCK))

    def of(self, patient: Ints, trial: Ints) -> Floats:
        """Return the numbers of one patient of each trial, shape (6, trials)."""
        while patient.size and int(patient.max()) >= len(self._made):
            more = self._rng.random((_AT_ONCE, 6, TRIALS_PER_BLOCK))
            self._made = np.concatenate([self._made, more])
        return self._made[patient, :, trial].T


class Block:
    """Trials that run side by side. Arrays have one row per trial, and one column per patient."""

    def __init__(
        self, design: Design, scenario: DoseScenario, plan: Plan, uniforms: Uniforms, size: int
    ) -> None:
        self.design, self.scenario, self.plan, self.uniforms = design, scenario, plan, uniforms
        # Without a calendar time only orders what happens.
        self.calendar = plan.calendar or Calendar(accrual=1.0, window=1.0)
        self.follows_all = plan.calendar is None or getattr(design, "needs_responses", False)
        self.current = np.full(size, plan.start)
        self.open = np.ones(size, dtype=bool)
        self.stopped = np.zeros(size, dtype=bool)
        self.exhausted = np.zeros(size, dtype=bool)
        self.enrolled = np.zeros(size, dtype=np.int64)
        self.failed = np.zeros(size, dtype=np.int64)
        self.underdosed = np.zeros(size, dtype=np.int64)
        self.earliest = np.zeros(size)
        self.clock = np.zeros(size)
        self.tried = np.zeros((size, scenario.levels), dtype=bool)
        every = np.arange(size)
        self.comes = self.calendar._gap(uniforms.of(self.enrolled, every)[_COMES])
        self.filled = np.zeros(size, dtype=np.int64)
        self.counted = np.zeros((size, _AT_ONCE), dtype=np.int64)
        self.received = np.zeros((size, _AT_ONCE), dtype=np.int64)
        self.infused = np.zeros((size, _AT_ONCE))
        self.toxic = np.zeros((size, _AT_ONCE), dtype=bool)
        self.toxic_at = np.zeros((size, _AT_ONCE))
        self.responds = np.zeros((size, _AT_ONCE), dtype=bool)
        self.share = np.ones((size, _AT_ONCE))

    def _next_columns(self, rows: Ints) -> Ints:
        """Return the column of the next patient of each of these trials."""
        columns = self.filled[rows]
        self.filled[rows] += 1
        if columns.size and int(columns.max()) == self.counted.shape[1]:
            for name in _COLUMNS:
                held = getattr(self, name)
                setattr(self, name, np.hstack([held, np.zeros_like(held)]))
        return columns

    @property
    def _held(self) -> slice:
        return slice(int(self.filled.max(initial=0)))

    def run(self) -> None:
        cohort = 0
        while self.open.any():
            for _ in range(self.plan.cohort_size):
                self._fill_slot()
            cohort += 1
            if cohort == self.plan.cohorts:
                break
            self._decide()

    def _fill_slot(self) -> None:
        """Treat one more patient who counts in every open trial."""
        need = self.open.copy()
        while True:
            spent = need & (self.enrolled >= self.plan.most_enrolled)
            self.exhausted |= spent
            self.open &= ~spent
            need &= ~spent
            rows = np.flatnonzero(need)
            if not rows.size:
                return
            need[rows[self._enrol(rows)]] = False

    def _enrol(self, rows: Ints) -> Truths:
        """Enrol a patient in each of these trials; return where one is treated and counts."""
        calendar, plan = self.calendar, self.plan
        u = self.uniforms.of(self.enrolled[rows], rows)
        self.enrolled[rows] += 1
        comes = self.comes[rows]
        planned = self.current[rows]
        got = np.minimum(planned, self.scenario._enough_for(u[_MAKE]))
        made = got > 0
        ready = comes + calendar.manufacturing
        self.failed[rows] += ~made
        self.clock[rows] = np.maximum(self.clock[rows], ready)
        infused = np.maximum(ready, self.earliest[rows])
        self._infuse(rows[made], planned[made], got[made], infused[made], u[:, made])
        # After a failure the place is offered when the failure is known.
        free = np.where(made, comes, ready)
        self.comes[rows] = free + calendar._gap(self.uniforms.of(self.enrolled[rows], rows)[_COMES])
        return np.asarray(made & ((got == planned) | (plan.underdosed != "exclude")))

    def _infuse(self, rows: Ints, planned: Ints, got: Ints, infused: Floats, u: Floats) -> None:
        calendar, plan = self.calendar, self.plan
        less = got < planned
        self.underdosed[rows] += less
        first = ~self.tried[rows, planned - 1]
        self.tried[rows, planned - 1] = True
        pause = np.where(first, max(calendar.after_first, calendar.between), calendar.between)
        self.earliest[rows] = infused + pause
        self.clock[rows] = np.maximum(self.clock[rows], infused + calendar.window)
        counted = {
            "received": got,
            "planned": planned,
            "weight": planned,
            "exclude": np.where(less, 0, planned),
        }[plan.underdosed]
        toxic, responds = self.scenario._outcomes(got, u[_TOXIC], u[_RESPONSE])
        column = self._next_columns(rows)
        self.counted[rows, column] = counted
        self.received[rows, column] = got
        self.infused[rows, column] = infused
        self.toxic[rows, column] = toxic
        self.toxic_at[rows, column] = infused + calendar._toxicity_month(u[_WHEN])
        self.responds[rows, column] = responds
        weighs = less & (plan.underdosed == "weight")
        self.share[rows, column] = np.where(weighs, plan.underdose_weight, 1.0)

    def _seen(self, rows: Ints, month: Floats) -> DoseData:
        """Return what is known of these trials at a month each."""
        held = self._held
        infused = self.infused[rows, held]
        now = month[:, None]
        window = self.calendar.window
        ended = now >= infused + window
        # A toxicity at the very end of the window belongs to it, however its time is rounded.
        toxic = self.toxic[rows, held] & (ended | (now >= self.toxic_at[rows, held]))
        passed = np.where(ended, 1.0, np.clip((now - infused) / window, 0.0, 1.0 - 1e-12))
        return tally(
            Patients(
                level=self.counted[rows, held],
                toxic=toxic,
                weight=passed * self.share[rows, held],
                response=self.responds[rows, held] & ended,
            ),
            self.scenario.levels,
        )

    def _next_event(self, rows: Ints, month: Floats) -> Floats:
        """Return the next month at which something becomes known; infinite for never."""
        held = self._held
        counts = self.counted[rows, held] > 0
        now = month[:, None]
        end = self.infused[rows, held] + self.calendar.window
        toxic_at = np.minimum(self.toxic_at[rows, held], end)
        hit = np.where(counts & self.toxic[rows, held] & (toxic_at > now), toxic_at, np.inf)
        end = np.where(counts & (end > now), end, np.inf)
        return np.asarray(np.minimum(hit, end).min(axis=1, initial=np.inf))

    def _decide(self) -> None:
        """Ask the design about the next cohort of every open trial."""
        rows = np.flatnonzero(self.open)
        month = self.comes[rows].copy()
        if self.follows_all:
            held = self._held
            ends = self.infused[rows, held] + self.calendar.window
            ends = np.where(self.counted[rows, held] > 0, ends, 0.0)
            month = np.maximum(month, ends.max(axis=1, initial=0.0))
        answer = np.array(self.design.next_level(self._seen(rows, month), self.current[rows]))
        while True:
            waits = np.flatnonzero(answer == WAIT)
            if not waits.size:
                break
            event = self._next_event(rows[waits], month[waits])
            for_ever = np.isinf(event)
            if for_ever.any():
                self._refuse_endless_wait()
                answer[waits[for_ever]] = self.current[rows[waits[for_ever]]]
                waits, event = waits[~for_ever], event[~for_ever]
            month[waits] = event
            asked = rows[waits]
            answer[waits] = self.design.next_level(self._seen(asked, event), self.current[asked])
        if np.any((answer < WAIT) | (answer > self.scenario.levels)):
            raise ParameterError(
                f"design answers {answer.min() if answer.min() < WAIT else answer.max()}; it must "
                f"name a level from 1 to {self.scenario.levels}, or STOP, or WAIT; mend the design"
            )
        self.stopped[rows] = answer == STOP
        self.open[rows] = answer != STOP
        self.clock[rows] = np.where(
            answer == STOP, self.clock[rows], np.maximum(self.clock[rows], month)
        )
        self.current[rows] = np.where(answer == STOP, self.current[rows], answer)
        late = rows[month > self.comes[rows]]
        if late.size:
            gap = self.calendar._gap(self.uniforms.of(self.enrolled[late], late)[_RESUMES])
            self.comes[late] = month[month > self.comes[rows]] + gap

    def _refuse_endless_wait(self) -> None:
        # With the rule "weight" some count in part for good; a design may wait for them in vain.
        if self.plan.underdosed != "weight":
            raise ParameterError(
                "design answers WAIT where everybody has been followed; it must name a level or "
                "STOP then; mend the design"
            )

    def outcome(self, seed: int) -> SimulatedTrials:
        rows = np.arange(len(self.current))
        final = self._seen(rows, np.full(len(rows), np.inf))
        held = self._held
        levels = np.arange(1, self.scenario.levels + 1)
        at = self.received[:, held, None] == levels
        months = self.clock if self.plan.calendar else np.full(len(rows), np.nan)
        return SimulatedTrials(
            scenario=self.scenario,
            seed=seed,
            recommended=np.asarray(self.design.recommend(final)),
            treated=at.sum(axis=1),
            toxic=(at & self.toxic[:, held, None]).sum(axis=1),
            responses=(at & self.responds[:, held, None]).sum(axis=1),
            enrolled=self.enrolled,
            failed=self.failed,
            underdosed=self.underdosed,
            months=months,
            stopped=self.stopped,
            exhausted=self.exhausted,
        )
