"""One program of a benchmark, in a process of its own: it is told what to do line by line.

`python -m benchmarks.worker module:function` reads JSON lines. The first names the arguments of
the function; each further one names a seed. Each is answered by one line.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time


def processor_time() -> float:
    """Processor time of this process and of the finished ones that it started, seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The process clock is finer than what getrusage says of the process itself.
    return time.process_time() + children.ru_utime + children.ru_stime


def main(target: str) -> None:
    """Serve until the input ends."""
    # Libraries print to standard output; the answers need a channel that is theirs alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, name = target.partition(":")
    start = time.perf_counter()
    built = getattr(importlib.import_module(module), name)(**json.loads(sys.stdin.readline()))
    work, summary = built if isinstance(built, tuple) else (built, dict)
    answers.write(json.dumps({"wall": time.perf_counter() - start}) + "\n")
    answers.flush()
    for line in sys.stdin:
        question = json.loads(line)
        times, found = 0, None
        cpu, wall = processor_time(), time.perf_counter()
        while times == 0 or processor_time() - cpu < question["at_least"]:
            found = work(question["seed"] + 1_000_000 * times)
            times += 1
        cpu, wall = processor_time() - cpu, time.perf_counter() - wall
        said = {"cpu": cpu, "wall": wall, "times": times, "answers": summary(found)}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
