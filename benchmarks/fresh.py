"""Run a few lines in a fresh interpreter and see how long it takes and what memory it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.contest import FAILED, ONE_THREAD, ROOT, TOO_LONG, Entry

# The kernel keeps the peak of each address space; getrusage would also tell the parent's.
_REPORT = """
import json as _json, sys as _sys
_peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')]
print(_json.dumps({'mib': int(_peak[0]) / 1024, 'modules': sorted(_sys.modules)}))
"""


def fresh(code: str, limit: float = 120.0) -> dict[str, Any]:
    """Run `code` by a new interpreter.

    Parameters
    ----------
    code : str
        Python.
    limit : float
        Elapsed time after which it is stopped, seconds.

    Returns
    -------
    dict
        ``seconds`` (elapsed, start of the interpreter included), ``mib`` (largest resident
        memory) and ``modules`` (names of all that were imported).

    Raises
    ------
    subprocess.SubprocessError
        When it fails or outlasts the limit.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code + _REPORT],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
        timeout=limit,
    )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


def attempt(entry: Entry, code: str, limit: float = 120.0) -> dict[str, Any] | None:
    """Run `code` as one round of an entry; record what came of it.

    Parameters
    ----------
    entry : Entry
        Gets the elapsed time per unit, or why there is none.
    code : str
        Python.
    limit : float
        Elapsed time after which it is stopped, seconds.

    Returns
    -------
    dict or None
        As `fresh`; None when it failed.
    """
    entry.limit = limit
    try:
        found = fresh(code, limit)
    except subprocess.TimeoutExpired:
        entry.status, entry.message = TOO_LONG, f"stopped after {limit:g} s"
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()
        entry.status, entry.message = FAILED, last[-1][:300] if last else "it ended without a word"
    else:
        entry.seconds.append(found["seconds"] / entry.units)
        return found
    return None
