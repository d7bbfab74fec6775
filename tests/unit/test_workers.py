"""Places where tasks run: never too many under way, and clear errors when a place breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import closing

import dask
import distributed
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse import workers
from car_relapse.errors import CarRelapseError, ParameterError
from car_relapse.workers import local_cluster, place_of, processes, results

SPANS = [(first, first + 10) for first in range(0, 200, 10)]


def total(first: int, last: int) -> int:
    return sum(range(first, last))


def die(first: int, last: int) -> None:
    os._exit(1)


def fail(first: int, last: int) -> None:
    raise ValueError(f"patient {first} has no curve")


def ignores_interrupt(first: int, last: int) -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


class Whimsical:
    """A place that ends tasks in random order, and remembers how many it had at a time."""

    def __init__(self, room: int, seed: int) -> None:
        self.places = room
        self.rng = np.random.default_rng(seed)
        self.most = self.held = 0
        self.dropped: list[Future] = []

    def room(self) -> int:
        return self.places

    def submit(self, work, *arguments) -> Future:
        future: Future = Future()
        future.set_result(work(*arguments))
        self.held += 1
        self.most = max(self.most, self.held)
        return future

    def finished(self, flying: Collection[Future]) -> list[Future]:
        some = self.rng.permutation(np.arange(len(flying)))[: self.rng.integers(1, len(flying) + 1)]
        self.held -= len(some)
        return [list(flying)[i] for i in some]

    def result(self, future: Future) -> int:
        return future.result()

    def drop(self, flying: Collection[Future]) -> None:
        self.dropped = list(flying)


@given(st.integers(1, 7), st.integers(0, 99), st.integers(0, 20), st.booleans())
def test_every_task_comes_back_once_and_no_more_are_under_way_than_there_is_room(
    room, seed, n, in_order
):
    place = Whimsical(room, seed)
    found = list(results(place, total, SPANS[:n], in_order=in_order))
    assert sorted(found) == [(span, total(*span)) for span in SPANS[:n]]
    assert place.most <= room
    if in_order:
        assert [span for span, _ in found] == SPANS[:n]


class Straggler(Whimsical):
    """A place whose first task ends only when nothing else is left to end."""

    def finished(self, flying: Collection[Future]) -> list[Future]:
        return list(flying)[-1:]


def test_results_that_must_wait_their_turn_are_few():
    taken: list[int] = []

    def spans() -> Iterator[tuple[int, int]]:
        for first in range(0, 10**4, 10):
            taken.append(first)
            yield first, first + 10

    with closing(results(Straggler(2, 0), total, spans(), in_order=True)) as parts:
        assert next(parts) == ((0, 10), total(0, 10))
    assert len(taken) <= 10


def test_tasks_that_nobody_waits_for_are_dropped():
    place = Whimsical(4, 3)
    with closing(results(place, total, SPANS)) as parts:
        next(parts)
    assert 0 < len(place.dropped) < 4


def test_processes_make_what_this_process_makes():
    with processes(2) as place:
        found = dict(results(place, total, SPANS))
    assert found == dict(results(place_of(None), total, SPANS))


def test_processes_started_afresh_make_the_same(monkeypatch):
    # As on systems without fork, or when this process has threads.
    monkeypatch.setattr("car_relapse.workers.threading.active_count", lambda: 2)
    with processes(1) as place:
        assert dict(results(place, total, SPANS[:3])) == dict(
            results(place_of(None), total, SPANS[:3])
        )


def test_stopping_is_left_to_the_parent_of_the_processes():
    with processes(1) as place:
        assert [answer for _, answer in results(place, ignores_interrupt, SPANS[:1])] == [True]


def test_a_pool_whose_worker_died_says_so():
    with (
        processes(1) as place,
        pytest.raises(CarRelapseError, match=r"a worker process died.*smaller chunk"),
    ):
        list(results(place, die, SPANS))
    with processes(1) as place:
        future = place.submit(die, 0, 1)
        with pytest.raises(CarRelapseError, match="a worker process died"):
            place.result(future)
        with pytest.raises(CarRelapseError, match="a worker process died"):
            place.submit(total, 0, 1)


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    with local_cluster(1, own_processes=False) as client:
        yield client


def test_what_a_task_raises_is_raised_here(client):
    with processes(1) as pool:
        for place in (place_of(None), pool, place_of(client)):
            # A cluster may finish the second task first.
            with pytest.raises(ValueError, match=r"patient \d+ has no curve"):
                list(results(place, fail, SPANS))


def test_a_cluster_makes_what_this_process_makes(client):
    found = dict(results(place_of(client), total, SPANS))
    assert found == dict(results(place_of(None), total, SPANS))


def test_tasks_cancelled_by_somebody_else_are_an_error(client):
    place = place_of(client)
    future = place.submit(total, 0, 10)
    client.cancel([future])
    with pytest.raises(CarRelapseError, match="the Dask cluster cancelled the tasks"):
        list(place.finished([future]))
    with pytest.raises(CarRelapseError, match="the Dask cluster cancelled the tasks"):
        place.result(future)


def test_a_cluster_without_workers_is_waited_for_and_then_given_up(monkeypatch):
    monkeypatch.setattr(workers, "_LOOK_AGAIN", 0.05)
    monkeypatch.setattr(workers, "_PATIENCE", 0.3)
    with local_cluster(0, own_processes=False) as empty:
        with pytest.raises(CarRelapseError, match=r"no worker for 0\.3 seconds.*start workers"):
            list(results(place_of(empty), total, SPANS))
        empty.cluster.scale(1)
        assert len(list(results(place_of(empty), total, SPANS))) == len(SPANS)
        place = place_of(empty)
    with pytest.raises(CarRelapseError, match=r"the Dask client is closed.*connect again"):
        place.room()
    place.drop([object()])


def test_a_task_that_kills_every_worker_is_given_up():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(1) as client,
        pytest.raises(CarRelapseError, match=r"1 workers when they died.*smaller chunk"),
    ):
        list(results(place_of(client), die, SPANS[:1]))


def test_without_distributed_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CarRelapseError, match=r'pip install "car-relapse\[scale\]"'):
        place_of(object())


def test_only_a_synchronous_client_is_a_client():
    with pytest.raises(ParameterError, match=r"client is str; it must be a distributed\.Client"):
        place_of("tcp://127.0.0.1:8786")

    async def offer() -> None:
        async with (
            distributed.LocalCluster(
                n_workers=0, processes=False, dashboard_address="127.0.0.1:0",
                asynchronous=True,
            ) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):  # fmt: skip
            place_of(client)

    with pytest.raises(ParameterError, match="client is asynchronous"):
        asyncio.run(offer())


def test_a_cluster_of_less_than_no_worker_is_refused():
    with pytest.raises(ParameterError, match="workers is -1"), local_cluster(-1):
        pass
