"""What a random case hands to each argument: extreme but allowed numbers, and bad ones.

Which of the draws belongs to which argument stands in `rules`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

Draw = Callable[["Context"], Any]

#: A century of follow-up, days.
CENTURY = 36_525.0


@dataclass
class Context:
    """Randomness of one case, and the shape that its arrays share."""

    rng: np.random.Generator
    shape: tuple[int, ...] = ()
    #: Builds an instance of a public class by its name.
    make: Callable[[str], Any] = lambda name: None

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def log_uniform(self, low: float, high: float) -> float:
        return float(10.0 ** self.rng.uniform(np.log10(low), np.log10(high)))


def between(low: float, high: float, *ends: float) -> Draw:
    """Draw log-uniformly, and now and then an end of the range or one of `ends`."""

    def draw(c: Context) -> float:
        if c.rng.random() < 0.2:
            return float(c.pick(low, high, *ends))
        return c.log_uniform(low, high)

    return draw


rate = between(1e-12, 1e3, 0.1, 1.0)
rate_or_none = between(1e-12, 1e3, 0.0, 0.1)
population = between(1.0, 1e13, 1e9)
day = between(1e-3, CENTURY, 0.0, 1.0, 28.0)
positive_day = between(1e-3, CENTURY, 1.0, 28.0)
level = between(1e-12, 1e13, 1.0)


def fraction(c: Context) -> float:
    """Draw from [0, 1], with the ends and what lies next to them."""
    if c.rng.random() < 0.4:
        return float(c.pick(0.0, 1.0, 1e-300, 0.5, 1.0 - 2.0**-53))
    return float(c.pick(c.rng.random(), c.log_uniform(1e-16, 1.0)))


def part(c: Context) -> float:
    """Draw from (0, 1)."""
    if c.rng.random() < 0.3:
        return float(c.pick(1e-300, 0.5, 1.0 - 2.0**-53))
    return float(c.pick(c.rng.uniform(1e-9, 1.0 - 1e-9), c.log_uniform(1e-16, 0.9)))


def whole(low: int, high: int) -> Draw:
    return lambda c: int(c.rng.integers(low, high + 1))


def one_of(*choices: Any) -> Draw:
    return lambda c: c.pick(*choices)


def maybe(draw: Draw, nothing: Any = None) -> Draw:
    return lambda c: nothing if c.rng.random() < 0.3 else draw(c)


def several(draw: Draw) -> Draw:
    """Draw one number, or an array of the shape that the case's arrays share."""

    def draws(c: Context) -> Any:
        if not c.shape or c.rng.random() < 0.3:
            return draw(c)
        values = [draw(c) for _ in range(int(np.prod(c.shape)))]
        array = np.array(values, dtype=float).reshape(c.shape)
        return array.tolist() if c.rng.random() < 0.3 else array

    return draws


def row(draw: Draw, low: int = 1, high: int = 4) -> Draw:
    """Draw a list of numbers."""
    return lambda c: [draw(c) for _ in range(int(c.rng.integers(low, high + 1)))]


def rising(draw: Draw, low: int = 1, high: int = 5) -> Draw:
    """Draw a list of increasing numbers."""
    numbers = row(draw, low, high)
    return lambda c: sorted(set(numbers(c)))


def schedule(amount: Draw, high: int = 3) -> Draw:
    """Draw (day, amount) pairs in the order of the days."""

    def draws(c: Context) -> list[tuple[float, float]]:
        days = sorted({c.log_uniform(0.1, 400.0) for _ in range(int(c.rng.integers(high + 1)))})
        return [(t, amount(c)) for t in days]

    return draws


def varying_rate(c: Context) -> Callable[[float], float]:
    height, decay = rate_or_none(c), c.log_uniform(1e-3, 10.0)
    return c.pick(lambda _: height, lambda t: height * (1.0 + np.exp(-decay * abs(t))))


def counts(c: Context) -> list[int]:
    return [int(n) for n in c.rng.geometric(c.pick(0.9, 0.2, 1e-3), size=int(c.rng.integers(2, 9)))]


def table(name: str) -> Draw:
    """Draw a shipped table with one cell overwritten."""

    def draw(c: Context) -> io.StringIO:
        path = resources.files("car_relapse") / "data" / f"{name}.csv"
        lines = path.read_text(encoding="utf-8").splitlines()
        chosen = lines[:1] + [lines[int(c.rng.integers(1, len(lines)))] for _ in range(2)]
        cells = chosen[-1].split(",")
        cells[int(c.rng.integers(len(cells)))] = c.pick("", "nan", "1e400", "-7", "?", '"', "a,b")
        return io.StringIO("\n".join([*chosen[:-1], c.pick(",".join(cells), chosen[-1])]))

    return draw


# --- bad values ---------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")

#: A whole number that no float holds; as a seed it is as good as any.
HUGE = 10**400
#: Numbers to some arguments, and to most not.
COMPLEX: tuple[Any, ...] = (1j, np.array([1j]))
#: Never a number: to be refused wherever a number is expected.
NO_NUMBERS: tuple[Any, ...] = (
    None, "many", "0.5", b"1", COMPLEX[0], NAN, {}, {1.0}, object, True, np.True_, HUGE,
    np.datetime64("2020-01-01"), np.array(None), np.array("0.5"),
)  # fmt: skip
#: Several numbers where one is expected.
LISTS: tuple[Any, ...] = (
    [], [0.5, 0.5], (0.1,), np.array([]), np.ones(1), np.ones((2, 2)), np.zeros((0, 3)),
)  # fmt: skip
#: Rows of unequal length: no array, and yet entries that broadcast.
RAGGED = ([[0.5], [0.5, 0.5]], [[], [], [1.0]])
#: Lists that are not made of numbers alone, to be refused where arrays are welcome.
BAD_LISTS: tuple[Any, ...] = (
    [0.5, None], [0.5, "0.5"], [0.5, NAN], COMPLEX[1], np.array([True]), [True, 0.5],
    *RAGGED, np.array([0.5], dtype=object), np.array(["a"]),
)  # fmt: skip
#: Numbers and shapes that may be out of range: to be refused, or to give a sane result.
EDGES: tuple[Any, ...] = (
    INF, -INF, -1.0, -1e-300, 0.0, 0, 1e-320, 1e308, -1e308, 2.5, 10**30, np.float32(0.1),
    np.int8(1),
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    [], np.array([]), np.zeros((0, 3)), np.full(7, 0.5), np.full((5, 4), 0.5),
    np.full((2, 1, 2), 0.5), [INF, 0.5], [-1.0, 0.5],
)  # fmt: skip
#: Never a word.
NO_WORDS: tuple[Any, ...] = (None, "nonsense", "", 7, [], NAN, b"size")
