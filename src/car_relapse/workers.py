"""Where tasks run: this process, the processors of this machine, or a Dask cluster.

A task is a function and a range of patients. Whoever runs it, no more than two tasks per worker
are under way at a time, and a result leaves its worker as soon as it is there; so memory is
bounded by the number of workers, never by the number of patients.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from car_relapse.errors import CarRelapseError, ParameterError, require_count

__all__ = ["Place", "Span", "local_cluster", "place_of", "processes", "results"]

Span = tuple[int, int]
"""A range of patients: the first, and one past the last."""

_Result = TypeVar("_Result")

# Tasks at a worker: the one it runs and the one it starts next.
_PER_WORKER = 2
# How far results may run ahead of the one whose turn it is, in tasks per task under way.
_AHEAD = 4
_LOOK_AGAIN = 2.0  # seconds between looks at a cluster from which nothing comes
_PATIENCE = 60.0  # seconds that a cluster may be without any worker

# Dask makes the C library of its workers hand free memory back at once. The engine asks for the
# same arrays again for every block, so half of a worker's time would go into page faults.
_KEEP_MEMORY = {
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(2**25),
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(2**26),
    "distributed.nanny.pre-spawn-environ.MALLOC_TOP_PAD_": str(2**24),
}


class Place(Protocol):
    """Somewhere that runs tasks."""

    def room(self) -> int:
        """Return how many tasks may be there at a time."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Hand over a task; return its future."""

    def finished(self, flying: Collection[Any]) -> Iterable[Any]:
        """Wait until some of the futures are done; return those."""

    def result(self, future: Any) -> Any:
        """Return what a finished task made, or raise what it raised."""

    def drop(self, flying: Collection[Any]) -> None:
        """Forget tasks that nobody waits for any more."""


class _ThisProcess:
    """The process itself, one task at a time."""

    def room(self) -> int:
        return 1

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments))
        return future

    def finished(self, flying: Collection[Future[Any]]) -> Iterable[Future[Any]]:
        return list(flying)

    def result(self, future: Future[Any]) -> Any:
        return future.result()

    def drop(self, flying: Collection[Future[Any]]) -> None:
        """Nothing is under way between two calls."""


def _ignore_interrupt() -> None:
    # Ctrl-C reaches every process of the terminal; stopping is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Processes:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        # A fork is there at once, but a fork of a process with threads may never get going.
        fork = sys.platform == "linux" and threading.active_count() == 1
        self._pool = ProcessPoolExecutor(
            workers,
            mp_context=get_context("fork" if fork else "spawn"),
            initializer=_ignore_interrupt,
        )

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def room(self) -> int:
        return _PER_WORKER * self._workers

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return self._pool.submit(work, *arguments)
        except BrokenProcessPool as error:
            raise self._broken() from error

    def finished(self, flying: Collection[Future[Any]]) -> Iterable[Future[Any]]:
        return wait(flying, return_when=FIRST_COMPLETED).done

    def result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise self._broken() from error

    def drop(self, flying: Collection[Future[Any]]) -> None:
        for future in flying:
            future.cancel()

    @staticmethod
    def _broken() -> CarRelapseError:
        return CarRelapseError(
            "a worker process died, and the pool with it; most often memory ran out; give fewer "
            "workers or a smaller chunk, and a checkpoint to go on from (a script must also keep "
            'its calls under `if __name__ == "__main__":`)'
        )


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise CarRelapseError(
            "the package distributed is not installed; cohorts on a cluster need it; "
            'pip install "car-relapse[scale]", or use simulate_in_processes'
        ) from error


class _Cluster:
    """A Dask cluster. Its scheduler gives the tasks of a dead worker to another."""

    def __init__(self, client: Any) -> None:
        self._distributed = _distributed()
        if not isinstance(client, self._distributed.Client):
            raise ParameterError(
                f"client is {type(client).__name__}; it must be a distributed.Client; give "
                "distributed.Client(address), or None to stay in this process"
            )
        if client.asynchronous:
            raise ParameterError(
                "client is asynchronous; results are waited for here; give one made without "
                "asynchronous=True"
            )
        self._client = client
        self._keys = (f"car-relapse-{uuid.uuid4().hex}", 0)
        self._empty_since: float | None = None
        self._look()

    def _look(self) -> int:
        """Return the number of workers; raise when there is no cluster, or none for long."""
        if self._client.status != "running":
            raise CarRelapseError(
                f"the Dask client is {self._client.status}; its cluster cannot be reached; "
                "connect again, and go on from the checkpoint if one was given"
            )
        workers = len(self._client.nthreads())
        now = time.monotonic()
        if workers:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since > _PATIENCE:
            raise CarRelapseError(
                f"the Dask cluster has had no worker for {_PATIENCE:g} seconds; tasks need at "
                "least one; start workers, and go on from the checkpoint if one was given"
            )
        return workers

    def room(self) -> int:
        # Asked after every result, so that workers who join later get tasks too.
        return _PER_WORKER * max(1, self._look())

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Any:
        run, count = self._keys
        self._keys = (run, count + 1)
        return self._client.submit(work, *arguments, key=f"{run}-{count}")

    def finished(self, flying: Collection[Any]) -> Iterable[Any]:
        while True:
            try:
                return list(
                    self._distributed.wait(
                        list(flying), timeout=_LOOK_AGAIN, return_when=FIRST_COMPLETED
                    ).done
                )
            except TimeoutError:
                self._look()
            except CancelledError as error:
                raise self._lost() from error

    def result(self, future: Any) -> Any:
        try:
            return future.result()
        except self._distributed.scheduler.KilledWorker as error:
            raise CarRelapseError(
                f"one task was on {error.allowed_failures + 1} workers when they died; most often "
                "memory ran out; give workers more memory or a smaller chunk, and go on from the "
                "checkpoint if one was given"
            ) from error
        except CancelledError as error:
            raise self._lost() from error
        finally:
            # Not left to the end of the last reference: a wait that was given up leaves a cycle of
            # them, which only the garbage collector ends, and the result stays on the cluster.
            future.release()

    def drop(self, flying: Collection[Any]) -> None:
        if flying and self._client.status == "running":
            self._client.cancel(list(flying))

    @staticmethod
    def _lost() -> CarRelapseError:
        return CarRelapseError(
            "the Dask cluster cancelled the tasks: it was restarted, or somebody else did it; run "
            "again, and go on from the checkpoint if one was given"
        )


def place_of(client: Any) -> Place:
    """Return the cluster of a Dask client, or this process when there is none.

    Raises
    ------
    ParameterError
        When `client` is neither None nor a synchronous client.
    CarRelapseError
        When distributed is not installed, or the client is closed.
    """
    return _ThisProcess() if client is None else _Cluster(client)


@contextmanager
def local_cluster(workers: int, *, own_processes: bool = True) -> Iterator[Any]:
    """Run a Dask cluster on this machine while the context lasts; yield its client.

    It listens on 127.0.0.1 alone, on free ports. Each worker has one thread and keeps up to 64 MB
    of memory that it has used, which halves the CPU time of a patient. A worker that dies is
    started again.

    Parameters
    ----------
    workers : int
        Number of workers, >= 0.
    own_processes : bool, optional
        Whether each worker is a process of its own; without, they are threads of this one.

    Raises
    ------
    ParameterError
        When `workers` is not a whole number >= 0.
    CarRelapseError
        When distributed is not installed.
    """
    count = require_count("workers", workers, "give a number of workers")
    distributed = _distributed()
    with (
        importlib.import_module("dask").config.set(_KEEP_MEMORY),
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=own_processes,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def processes(workers: int) -> Iterator[Place]:
    """Run tasks in that many processes of this machine while the context lasts."""
    with closing(_Processes(workers)) as place:
        yield place


def results(
    place: Place,
    work: Callable[[int, int], _Result],
    spans: Iterable[Span],
    *,
    in_order: bool = False,
) -> Generator[tuple[Span, _Result], None, None]:
    """Yield what `work` makes of each span: as results come, or in the order of the spans.

    Parameters
    ----------
    place : Place
        Where tasks run.
    work : callable
        Pure function of (first, last); on other processes it must be importable there.
    spans : iterable of Span
        Tasks; taken up only as there is room for them.
    in_order : bool, optional
        Whether a result waits for those before it.

    Yields
    ------
    tuple
        Span and result.
    """
    waiting = iter(enumerate(spans))
    flying: dict[Any, tuple[int, Span]] = {}
    early: dict[int, tuple[Span, _Result]] = {}
    turn = 0
    try:
        while True:
            room = place.room()
            free = min(room, _AHEAD * room - len(early)) - len(flying)
            for index, span in islice(waiting, max(free, 0)):
                flying[place.submit(work, *span)] = (index, span)
            if not flying:
                return
            for future in place.finished(flying.keys()):
                index, span = flying.pop(future)
                result = place.result(future)
                if not in_order:
                    yield span, result
                    continue
                early[index] = span, result
                while turn in early:
                    yield early.pop(turn)
                    turn += 1
    finally:
        place.drop(flying.keys())
