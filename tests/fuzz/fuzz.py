"""Call every public function with random input: extreme but allowed, or bad.

    python -m tests.fuzz.fuzz survival.relapse_probabilities:7    repeat one case, say what happens
    python -m tests.fuzz.fuzz survival.relapse_probabilities      all cases of a function

What may come out of a case: a finite number (or an infinity that the docstring announces), a
probability within [0, 1], or an error that the package raises on purpose. What may not: NaN, a
warning, any other exception, bad input that is taken for a number, or more than a few seconds.

The public functions are found by the ``__all__`` of every module, so that none is forgotten.
The cases of a function are numbered, and drawn from its name and the number alone: what another
function is, or whether there is one, does not change them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from car_relapse.errors import CarRelapseError

from . import draws, rules
from .discovery import Target, classes, public, targets
from .draws import Context
from .judge import problems, short

SEED = 20260301
#: Cases of a function of weight 1 (`rules.SLOW`), and the fewest of any.
CASES_EACH, FEWEST = 21, 8
#: Processor seconds after which a case counts as hung. A guard, not a measure of speed: the
#: slowest good case needs 3 to 4 on an idle machine, and was seen to need over 5 beside other work.
SECONDS = 20.0
MEMORY = 6 * 2**30
#: Part of the cases in which one argument is spoilt.
BAD_SHARE = 0.45

# --- building arguments --------------------------------------------------------------------------


def _parameters(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {
        name: p
        for name, p in inspect.signature(call).parameters.items()
        if name != "self" and p.kind is not inspect.Parameter.VAR_KEYWORD
    }


@cache
def _exposures() -> list[str]:
    """Return the classes that an exposure may be: what has the methods of the protocol."""
    return [
        name
        for name, kind in classes().items()
        if all(hasattr(kind, m) for m in ("level", "last_day_above", "kinks"))
    ]


def _kinds(annotation: str) -> list[str]:
    """Return the public classes that an annotation names."""
    words = set(re.findall(r"[A-Za-z_]\w*", annotation))
    names = [name for name in classes() if name.rpartition(".")[2] in words]
    if "Exposure" in words:
        names += _exposures()
    return names


def draw_argument(full_name: str, annotation: str, c: Context) -> Any:
    draw = rules.find(full_name)
    if draw is not None:
        return draw(c)
    if "np.random.Generator" in annotation or annotation.startswith("Generator"):
        return np.random.default_rng(int(c.rng.integers(2**32)))
    if annotation == "bool":
        return bool(c.rng.integers(2))
    kinds = _kinds(annotation)
    if kinds:
        one = c.make(c.pick(*kinds))
        return (one,) if annotation.startswith("tuple[") else one
    raise NoRule(f"no rule draws {full_name} ({annotation}); add one to tests/fuzz/rules.py")


def draw_arguments(target_name: str, call: Callable[..., Any], c: Context) -> dict[str, Any]:
    whole = rules.find(f"{target_name}()")
    if whole is not None:
        return dict(whole(c))
    return {
        name: draw_argument(f"{target_name}.{name}", str(p.annotation), c)
        for name, p in _parameters(call).items()
        if p.default is inspect.Parameter.empty
        or c.rng.random() < 0.6
        or rules.ALWAYS_DRAWN.search(f"{target_name}.{name}")
    }


def _call(call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call with keywords, except for what can only be given by position."""
    positional: list[Any] = []
    keywords = dict(arguments)
    for name, p in inspect.signature(call).parameters.items():
        if name not in keywords:
            continue
        if p.kind is inspect.Parameter.VAR_POSITIONAL:
            positional.extend(keywords.pop(name))
        elif p.kind is inspect.Parameter.POSITIONAL_ONLY or name == "self":
            positional.append(keywords.pop(name))
    return call(*positional, **keywords)


def make(name: str, c: Context) -> Any:
    """Build an instance of a public class; a few tries, because some draws contradict others."""
    kind = classes().get(name) or public()[name]
    full = f"{short(kind.__module__)}.{kind.__qualname__}"
    producer = rules.PRODUCERS.get(full)
    error: CarRelapseError | None = None
    for _ in range(20):
        inner = dataclasses.replace(c, shape=())
        inner.make = partial(make, c=inner)
        try:
            if producer is not None:
                return producer(inner)
            return _call(kind, draw_arguments(full, kind, inner))
        except CarRelapseError as refused:
            error = refused
    raise Unmakeable(f"{name}: {error}")


class NoRule(Exception):
    """An argument of a public function has no rule that draws it."""


class Unmakeable(Exception):
    """No draw of twenty made an instance."""


# --- what is bad ---------------------------------------------------------------------------------


def _is_number(annotation: str, full_name: str) -> bool:
    if re.search(r"\b(str|Literal|Callable|IO|Any|bool|type|SpreadReading|Rate)\b", annotation):
        return False
    if _kinds(annotation) or "Generator" in annotation:
        return False
    return (
        re.search(
            r"\b(int|float|ArrayLike|NDArray|Sequence|Schedule|Days|Number|Floats)\b", annotation
        )
        is not None
    )


def _is_word(annotation: str) -> bool:
    return re.search(r"\bstr\b|Literal|SpreadReading|EradicationLaw", annotation) is not None


def _takes_arrays(annotation: str) -> bool:
    return (
        re.search(r"ArrayLike|NDArray|Sequence|tuple|Schedule|Number|Floats", annotation)
        is not None
    )


def spoil(full_name: str, annotation: str, c: Context) -> tuple[Any, bool] | None:
    """Return a bad value for an argument, and whether it has to be refused."""
    if _is_number(annotation, full_name):
        optional = "None" in annotation
        arrays = _takes_arrays(annotation)
        group = c.pick("no numbers", "lists", "edges")
        if group == "edges":
            return c.pick(*draws.EDGES), False
        if group == "lists":
            if arrays:
                return (
                    (c.pick(*draws.BAD_LISTS), True)
                    if c.rng.random() < 0.5
                    else (c.pick(*draws.SHAPES), False)
                )
            return c.pick(*draws.LISTS), True
        value = c.pick(*draws.NO_NUMBERS)
        return value, not (value is None and optional)
    if _kinds(annotation) or "Generator" in annotation:
        value = c.pick(None, 7.0, "word", object)
        return value, not (value is None and "None" in annotation)
    if _is_word(annotation):
        return c.pick(*draws.NO_WORDS), False
    return None


# --- running -------------------------------------------------------------------------------------


class Hang(BaseException):
    """A case took too long; no `except Exception` on the way may catch it."""


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    # Time of this process alone: other work on the machine must not make a case fail.
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in an empty folder of its own, so that no case finds or leaves files of another."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Let a demand for absurd amounts of memory fail instead of stopping the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@dataclass
class Case:
    """One call and what became of it."""

    number: int
    target: Target
    kind: str
    """``good`` or ``bad``."""
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    instance: Any = None
    verdict: str = ""
    """``result``, ``refused`` or ``failed``."""
    refusal: str = ""
    """What the package says when it refuses."""
    faults: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        shown = ", ".join(f"{k}={_brief(v)}" for k, v in self.arguments.items())
        own = "" if self.instance is None else f" of {_brief(self.instance)}"
        said = "; ".join(self.faults) or self.refusal
        return f"{self.target.name}:{self.number} ({self.kind}): ({shown}){own}: {said}"


def _brief(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number too long to print"
    return " ".join(text.split())[:600]


def number_of_cases(target: Target) -> int:
    """Return how many cases a function has; it is its own affair, like what they are."""
    return max(FEWEST, math.ceil(rules.weight(target.name) * CASES_EACH))


def all_cases() -> int:
    return sum(number_of_cases(target) for target in targets())


def part(shard: int, shards: int) -> Sequence[Target]:
    """Return one part of the functions."""
    return targets()[shard::shards]


def run(target: Target, number: int) -> Case:
    """Run one case of a function."""
    rng = np.random.default_rng([SEED, zlib.crc32(target.name.encode()), number])
    c = Context(rng)
    c.shape = c.pick((), (), (1,), (3,), (2, 3))
    c.make = lambda name: make(name, c)
    case = Case(number, target, "good")
    try:
        with _elsewhere(), _watched():
            _run(case, c)
    except Hang:
        case.verdict = "failed"
        case.faults.append(f"no answer after {SECONDS:g} s of computing")
    return case


def _run(case: Case, c: Context) -> None:
    target = case.target
    must_refuse = False
    try:
        if target.owner is not None:
            full = f"{short(target.owner.__module__)}.{target.owner.__qualname__}"
            name = next(key for key, kind in classes().items() if kind is target.owner)
            case.instance = make(name if full not in classes() else full, c)
        case.arguments = draw_arguments(target.name, target.call, c)
        if c.rng.random() < BAD_SHARE:
            must_refuse = _spoil_one(case, c)
    except (Unmakeable, CarRelapseError) as refusal:
        case.verdict, case.refusal = "refused", str(refusal)
        return
    except NoRule:
        raise
    except Exception as fault:
        case.verdict = "failed"
        place = traceback.extract_tb(fault.__traceback__)[-1]
        case.faults = [f"making its arguments, {place.name}: {type(fault).__name__}: {fault}"]
        return
    given = case.arguments if target.owner is None else {"self": case.instance, **case.arguments}
    try:
        result = _call(target.call, given)
        if isinstance(result, Iterator):
            result = [item for item, _ in zip(result, range(3), strict=False)]
        case.faults = list(problems(result, target.name, inspect.getdoc(target.call) or ""))
    except CarRelapseError as refusal:
        case.verdict, case.refusal = "refused", str(refusal)
        return
    except Exception as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        case.faults = [f"{type(fault).__name__}: {fault} (in {place.name})"]
    if must_refuse and not case.faults:
        case.faults = ["bad input taken without complaint"]
    case.verdict = "failed" if case.faults else "result"


def _spoil_one(case: Case, c: Context) -> bool:
    parameters = _parameters(case.target.call)
    names = [n for n in parameters if not rules.NEVER_SPOILT.search(f"{case.target.name}.{n}")]
    if not names:
        return False
    name = c.pick(*names)
    p = parameters[name]
    spoilt = spoil(f"{case.target.name}.{name}", str(p.annotation), c)
    if spoilt is None:
        return False
    value, must_refuse = spoilt
    full = f"{case.target.name}.{name}"
    if any(value is rows for rows in draws.RAGGED) and rules.ROWS.search(full):
        must_refuse = False
    if any(value is number for number in draws.COMPLEX) and rules.COMPLEX.search(full):
        must_refuse = False
    if value is draws.HUGE and rules.ANY_SIZE.search(full):
        must_refuse = False
    if p.kind is inspect.Parameter.VAR_POSITIONAL:
        whole = list(case.arguments.get(name, ())) or [value]
        whole[int(c.rng.integers(len(whole)))] = value
        value = whole
    case.arguments[name] = value
    case.kind = "bad"
    return must_refuse and not rules.MAY_BE_IGNORED.search(full)


def main(arguments: list[str]) -> int:
    """Repeat cases by the name of the function and their number."""
    known = {target.name: target for target in targets()}
    failed = 0
    with bounded_memory():
        for text in arguments:
            name, _, number = text.partition(":")
            target = known[name]
            for chosen in [int(number)] if number else range(number_of_cases(target)):
                case = run(target, chosen)
                sys.stdout.write(f"{case.verdict}: {case}\n")
                failed += case.verdict == "failed"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
