"""Scale-out: the same patients, bit for bit, wherever and in whatever parts they are made."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_relapse import scaleout, workers
from car_relapse.cohort import BLOCK, Cohort, default_population, simulate, simulate_range
from car_relapse.errors import CarRelapseError, ParameterError
from car_relapse.outcomes import Outcome
from car_relapse.progress import Progress
from car_relapse.scaleout import (
    TASK,
    cohort_hash,
    reduce_on,
    simulate_in_processes,
    simulate_on,
    stream_summary,
)
from car_relapse.summary import Summary, summarise
from car_relapse.workers import local_cluster

POPULATION = default_population()
N = 10 * BLOCK + 37
SEED = 91
DAYS = [30.0, 365.0, 1000.0]


@pytest.fixture(scope="module")
def expected() -> str:
    return cohort_hash(simulate(POPULATION, N, seed=SEED))


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_cluster(2) as client:
        yield client


def stop_after(tasks: int) -> Callable[[Progress], None]:
    heard: list[Progress] = []

    def hook(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == tasks:
            raise KeyboardInterrupt

    return hook


def same(one: Summary, two: Summary) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(Summary))


def test_a_task_is_whole_blocks_and_long_enough_for_the_scheduler():
    assert TASK % BLOCK == 0
    assert TASK >= 10_000


@settings(max_examples=8)
@given(st.integers(1, 2 * N))
def test_the_chunk_changes_no_bit(expected, chunk):
    assert cohort_hash(simulate_on(None, POPULATION, N, seed=SEED, chunk=chunk)) == expected


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_processes_changes_no_bit(expected, workers):
    cohort = simulate_in_processes(POPULATION, N, seed=SEED, workers=workers, chunk=3 * BLOCK)
    assert cohort_hash(cohort) == expected


@pytest.mark.parametrize("chunk", [1, 3 * BLOCK, TASK])
def test_a_cluster_changes_no_bit(expected, client, chunk):
    assert cohort_hash(simulate_on(client, POPULATION, N, seed=SEED, chunk=chunk)) == expected


def test_other_bits_have_another_hash():
    cohort = simulate(POPULATION, 200, seed=SEED)
    hashes = {cohort_hash(cohort), cohort_hash(simulate(POPULATION, 199, seed=SEED))}
    for f in fields(Cohort):
        values = getattr(cohort, f.name).copy()
        values[-1] = values[-1] + 1 if values.dtype.kind == "i" else np.nextafter(values[-1], -1)
        hashes.add(cohort_hash(replace(cohort, **{f.name: values})))
    hashes.add(cohort_hash(replace(cohort, burden=cohort.burden.astype(np.float32))))
    assert len(hashes) == 3 + len(fields(Cohort))


def test_a_worker_killed_in_mid_run_changes_no_bit(expected, client):
    victims: list[int] = []

    def kill_one(progress: Progress) -> None:
        if not victims:
            victims.append(next(iter(client.run(os.getpid).values())))
            os.kill(victims[0], signal.SIGKILL)

    cohort = simulate_on(client, POPULATION, N, seed=SEED, chunk=BLOCK, progress=kill_one)
    assert cohort_hash(cohort) == expected
    assert len(victims) == 1
    client.wait_for_workers(2, timeout=30)
    assert victims[0] not in client.run(os.getpid).values()


def test_a_stopped_run_goes_on_from_its_checkpoint(expected, client, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        simulate_on(
            client, POPULATION, N, seed=SEED, chunk=2 * BLOCK, checkpoint=tmp_path,
            progress=stop_after(2),
        )  # fmt: skip
    assert len(list(tmp_path.glob("patients-*.npz"))) == 2
    heard: list[Progress] = []
    cohort = simulate_in_processes(
        POPULATION, N, seed=SEED, workers=2, chunk=2 * BLOCK, checkpoint=tmp_path,
        progress=heard.append,
    )  # fmt: skip
    assert cohort_hash(cohort) == expected
    assert heard[-1].done == N
    assert 2 * BLOCK < heard[-1].resumed <= 4 * BLOCK


def test_a_finished_checkpoint_is_read_and_not_simulated_again(expected, tmp_path, monkeypatch):
    simulate_on(None, POPULATION, N, seed=SEED, chunk=2 * BLOCK, checkpoint=tmp_path)
    made: list[int] = []

    def counted(population, start, stop, *, seed):
        made.append(stop - start)
        return simulate_range(population, start, stop, seed=seed)

    monkeypatch.setattr(scaleout, "simulate_range", counted)
    again = simulate_on(None, POPULATION, N, seed=SEED, chunk=2 * BLOCK, checkpoint=tmp_path)
    assert cohort_hash(again) == expected
    assert made == [BLOCK]  # the look at whether the patients would come out the same


def test_a_checkpoint_serves_for_more_patients_too(tmp_path):
    simulate_on(None, POPULATION, 2 * BLOCK, seed=SEED, chunk=BLOCK, checkpoint=tmp_path)
    heard: list[Progress] = []
    more = simulate_on(
        None, POPULATION, 3 * BLOCK, seed=SEED, chunk=BLOCK, checkpoint=tmp_path,
        progress=heard.append,
    )  # fmt: skip
    assert cohort_hash(more) == cohort_hash(simulate(POPULATION, 3 * BLOCK, seed=SEED))
    assert heard[-1].resumed == 2 * BLOCK


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            {"population": replace(POPULATION, burden_log10_sd=0.5)},
            rf"population\.burden_log10_sd was {POPULATION.burden_log10_sd} and is 0\.5",
        ),
        ({"seed": 92}, "seed was 91 and is 92"),
        ({"chunk": 2 * BLOCK}, "chunk was 128 and is 256"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_the_difference_named(
    tmp_path, change, difference
):
    call = {"population": POPULATION, "n": BLOCK, "seed": SEED, "chunk": BLOCK}
    simulate_on(None, **call, checkpoint=tmp_path)
    with pytest.raises(ParameterError, match=difference):
        simulate_on(None, **{**call, **change}, checkpoint=tmp_path)


def test_a_checkpoint_of_another_engine_is_refused(tmp_path, monkeypatch):
    simulate_on(None, POPULATION, 2 * BLOCK, seed=SEED, chunk=BLOCK, checkpoint=tmp_path)

    def other(population, start, stop, *, seed):
        cohort = simulate_range(population, start, stop, seed=seed)
        return replace(cohort, burden=np.nextafter(cohort.burden, 0))

    monkeypatch.setattr(scaleout, "simulate_range", other)
    with pytest.raises(ParameterError, match="not those that this installation makes"):
        simulate_on(None, POPULATION, 2 * BLOCK, seed=SEED, chunk=BLOCK, checkpoint=tmp_path)


def test_a_damaged_file_of_a_checkpoint_is_made_again(expected, tmp_path):
    simulate_on(None, POPULATION, N, seed=SEED, chunk=4 * BLOCK, checkpoint=tmp_path)
    damaged = min(tmp_path.glob("patients-*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.warns(RuntimeWarning, match="made again"):
        cohort = simulate_on(None, POPULATION, N, seed=SEED, chunk=4 * BLOCK, checkpoint=tmp_path)
    assert cohort_hash(cohort) == expected
    assert len(damaged.read_bytes()) > 1000


def _slowly(first: int, last: int) -> int:
    time.sleep(0.1)
    return last - first


def tasks_on(client) -> int:
    return client.run_on_scheduler(
        lambda dask_scheduler: sum("car-relapse" in str(key) for key in dask_scheduler.tasks)
    )


def assert_nothing_stays_on(client) -> None:
    deadline = time.monotonic() + 20
    while tasks_on(client) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tasks_on(client) == 0


def test_nothing_stays_on_the_cluster_after_a_run_or_a_stop(client):
    simulate_on(client, POPULATION, 4 * BLOCK, seed=SEED, chunk=BLOCK)
    with pytest.raises(KeyboardInterrupt):
        simulate_on(client, POPULATION, 20 * BLOCK, seed=SEED, chunk=BLOCK, progress=stop_after(1))
    assert_nothing_stays_on(client)


def test_results_leave_the_cluster_without_waiting_for_the_garbage_collector(client, monkeypatch):
    monkeypatch.setattr(workers, "_LOOK_AGAIN", 0.01)
    gc.collect()
    gc.disable()
    try:
        # Slow enough that the wait for the first result is given up and taken up again.
        for _ in workers.results(workers.place_of(client), _slowly, [(0, 1), (1, 2), (2, 3)]):
            pass
        assert_nothing_stays_on(client)
    finally:
        gc.enable()


def test_a_cluster_has_at_most_two_tasks_per_worker_at_a_time(client):
    seen: list[int] = []

    def look(progress: Progress) -> None:
        seen.append(tasks_on(client))

    simulate_on(client, POPULATION, 20 * BLOCK, seed=SEED, chunk=BLOCK, progress=look)
    assert 1 <= max(seen) <= 4


def test_workers_keep_their_memory_from_block_to_block(client):
    def faults() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    simulate_on(client, POPULATION, 8 * BLOCK, seed=SEED, chunk=BLOCK)
    before = client.run(faults)
    simulate_on(client, POPULATION, 20 * BLOCK, seed=SEED, chunk=5 * BLOCK)
    after = client.run(faults)
    # With Dask's own setting a block costs some 8,000 page faults, half of its time.
    assert sum(after.values()) - sum(before.values()) < 20 * 2000


@pytest.mark.parametrize("chunk", [BLOCK, 5 * BLOCK, TASK])
def test_a_streamed_summary_is_that_of_the_cohort_in_whatever_parts(client, chunk):
    whole = summarise(simulate(POPULATION, N, seed=SEED), DAYS)
    for where in (None, client):
        streamed = stream_summary(POPULATION, N, seed=SEED, days=DAYS, chunk=chunk, client=where)
        assert same(streamed, whole)
    assert whole.share(Outcome.CURED)[0] > 0


def burdens(cohort: Cohort) -> list[float]:
    return cohort.burden.tolist()


def test_reduced_parts_are_combined_in_the_order_of_the_patients(client):
    whole = simulate(POPULATION, N, seed=SEED).burden.tolist()
    joined = reduce_on(client, POPULATION, N, seed=SEED, reducer=burdens, chunk=BLOCK)
    assert joined == whole


def test_of_streamed_patients_only_one_task_is_held_at_a_time(monkeypatch):
    held: set[int] = set()
    most: list[int] = []

    def watched(population, start, stop, *, seed):
        cohort = simulate_range(population, start, stop, seed=seed)
        held.add(start)
        weakref.finalize(cohort, held.discard, start)
        most.append(len(held))
        return cohort

    monkeypatch.setattr(scaleout, "simulate_range", watched)
    stream_summary(POPULATION, 20 * BLOCK, seed=SEED, days=DAYS, chunk=BLOCK)
    assert most == [1] * 20
    assert not held


def test_progress_reaches_everybody_and_the_line_goes_to_stderr(capsys):
    heard: list[Progress] = []
    simulate_on(None, POPULATION, N, seed=SEED, chunk=BLOCK, progress=heard.append)
    assert [p.done for p in heard] == [min(k * BLOCK, N) for k in range(1, 12)]
    stream_summary(POPULATION, N, seed=SEED, days=DAYS, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("1,317 of 1,317 patients (100 %)")


def test_a_worker_of_another_version_is_refused():
    with pytest.raises(CarRelapseError, match=r"run began with .*'0\.0'.*same everywhere"):
        scaleout._patients(POPULATION, SEED, {"car-relapse": "0.0"}, 0, 10)


def test_distributed_is_imported_only_when_a_cluster_is_used():
    program = (
        "import sys; from car_relapse import scaleout, cohort; "
        "scaleout.simulate_on(None, cohort.default_population(), 2, seed=1); "
        "print([m for m in sys.modules if m.split('.')[0] in ('dask', 'distributed')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path.home()
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: simulate_on(None, POPULATION, 0, seed=1), "n is 0"),
        (lambda: simulate_on(None, POPULATION, 1, seed=-1), "seed is -1"),
        (lambda: simulate_on(None, POPULATION, 1, seed=1, chunk=0), "chunk is 0"),
        (lambda: simulate_in_processes(POPULATION, 1, seed=1, workers=0), "workers is 0"),
        (lambda: simulate_on("here", POPULATION, 1, seed=1), "client is str"),
        (lambda: reduce_on(None, POPULATION, 0.5, seed=1, reducer=burdens), "n is 0.5"),
        (lambda: stream_summary(POPULATION, 9, seed=1, days=[3, 2]), "days has shape"),
    ],
)
def test_bad_input_is_named(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
