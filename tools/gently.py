"""Run a command on what everything else leaves of the processor: `python tools/gently.py COMMAND`.

Linux shares the processor out between sessions before it looks at how nice their processes are,
and Jupyter's kernels and browsers have sessions of their own. So the command gets a session too,
and the session is made nice as well as the process. It ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

LEAST = 19
GROUP = Path("/proc/self/autogroup")
SIGNAL_WHEN_PARENT_ENDS = 1  # PR_SET_PDEATHSIG of Linux


def step_back() -> None:
    """Make this process, in a session of its own, give way to all others."""
    with contextlib.suppress(PermissionError):  # it leads a session already
        os.setsid()
    if sys.platform == "linux":
        # The keys that stop its parent do not reach another session.
        ctypes.CDLL(None).prctl(SIGNAL_WHEN_PARENT_ENDS, signal.SIGTERM)
    os.nice(LEAST)
    # Absent on other systems, and where the kernel does not group processes by session.
    with contextlib.suppress(OSError):
        GROUP.write_text(str(LEAST), encoding="utf-8")


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python tools/gently.py COMMAND [ARGUMENT ...]")
    step_back()
    os.execvp(sys.argv[1], sys.argv[1:])
