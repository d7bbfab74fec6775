"""How far a long run is: patients done, share, and speed, on one plain line or in a function.

Nothing here changes what is simulated. The line goes to stderr, so that what a program prints
stays clean.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from car_relapse.errors import ParameterError

__all__ = ["Line", "Meter", "Progress"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is. ``str`` gives the line that is shown."""

    done: int
    """Patients that are there, with those from the checkpoint."""
    total: int
    """Patients asked for."""
    resumed: int
    """Patients that came from the checkpoint."""
    seconds: float
    """Time since the run began, seconds."""

    @property
    def share(self) -> float:
        """Share of the patients that are there, in [0, 1]."""
        return self.done / self.total

    @property
    def patients_per_second(self) -> float:
        """Patients simulated per second in this run; 0 before the first."""
        return (self.done - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        text = (
            f"{self.done:,} of {self.total:,} patients ({100 * self.share:.0f} %), "
            f"{self.patients_per_second:,.0f} patients/s"
        )
        return f"{text}, {self.resumed:,} from the checkpoint" if self.resumed else text


class Line:
    """One line on stderr: rewritten in place on a terminal, every tenth of the way in a log."""

    def __init__(self) -> None:
        self._tenth = -1
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Show how far the run is."""
        text, tenth = str(progress), int(10 * progress.share)
        if sys.stderr.isatty():
            sys.stderr.write("\r" + text.ljust(self._width))
            self._width = len(text)
        elif tenth > self._tenth:
            sys.stderr.write(text + "\n")
        self._tenth = tenth
        sys.stderr.flush()

    def end(self, remark: str = "") -> None:
        """Leave the line, and write a remark under it."""
        lead = "\n" if self._width else ""
        self._width, self._tenth = 0, -1
        sys.stderr.write(f"{lead}{remark}\n" if remark else lead)
        sys.stderr.flush()


class Meter:
    """Counts patients and tells whoever wants to know."""

    def __init__(self, total: int, show: bool | Callable[[Progress], None]) -> None:
        if not isinstance(show, bool) and (not callable(show) or isinstance(show, type)):
            raise ParameterError(
                f"progress is {show!r}; it must be True, False or a function of a Progress; choose "
                "one"
            )
        self._line = Line() if show is True else None
        self._tell = self._line or (show if callable(show) else None)
        self._total = total
        self._begin = time.monotonic()
        self._done = self._resumed = 0

    def add(self, patients: int, *, resumed: bool = False) -> None:
        """Count patients that are there now."""
        self._done += patients
        self._resumed += patients if resumed else 0
        if self._tell is not None:
            seconds = time.monotonic() - self._begin
            self._tell(
                Progress(done=self._done, total=self._total, resumed=self._resumed, seconds=seconds)
            )

    @contextmanager
    def watch(self, *, kept: bool) -> Iterator[None]:
        """End the line, and say how to go on when the user stops the run."""
        remark = ""
        try:
            yield
        except KeyboardInterrupt:
            how = "the same call goes on from there" if kept else "nothing was kept"
            remark = f"stopped after {self._done:,} of {self._total:,} patients; {how}"
            raise
        finally:
            if self._line is not None:
                self._line.end(remark)
