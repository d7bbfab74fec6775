"""Claims: what the book states as a take-away, each with the one test that could refute it.

A data claim is a test against the evidence tables::

    @data_claim("claim-two-ways-separate")
    def test_loss_of_function_goes_with_antigen_positive_relapse() -> None:
        assert relapse_split(trials()["pillai2019_cd19dim"]).antigen_positive > 0

A model claim says whether it holds for one set of ledger values. It must hold at the ledger's
defaults, and in a stated share of a sample over the plausible ranges of what it varies::

    @model_claim("claim-x-y", varies=("loss.cd19", "leukaemia.burden"), at_least=0.9)
    def test_escape_is_rare(ledger: Mapping[str, float]) -> bool:
        return ledger["loss.cd19"] * ledger["leukaemia.burden"] < 1

The file of a page's claims is ``test_<page>.py``, its hyphens turned into underscores. The book
is built where pytest is not installed, and runs the claims too: these files do not import it.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from car_relapse.parameters import Parameter, ledger, parameter
from tests.kept import kept

__all__ = ["CLAIMS", "DRAWS", "Claim", "Result", "checked", "data_claim", "load", "model_claim"]

FOLDER = Path(__file__).parent
#: Sampled sets of ledger values per model claim, unless a claim asks for fewer.
DRAWS = 128
_FEWEST = 32  # fewer would make the share's standard error larger than a twelfth
_SEED = 20_260_000  # with the claim's id, the seed of its sample: the same on every run
_ID = re.compile(r"claim(-[a-z0-9]+){2,}")
# A range wider than this factor is sampled evenly in the logarithm.
_WIDE = 10.0
_NINE_TENTHS = 1.645  # standard deviations on either side that hold nine tenths of a normal law

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run of a claim found."""

    passed: bool
    """Whether the claim stands."""
    message: str = ""
    """Why not, when it does not."""
    held: int | None = None
    """Draws in which a model claim held; None for a data claim, or when the defaults refute it."""
    draws: int | None = None
    """Draws of a model claim."""

    @property
    def share(self) -> float | None:
        """Share of the draws in which the claim held, dimensionless."""
        return None if self.held is None or not self.draws else self.held / self.draws

    @property
    def standard_error(self) -> float | None:
        """Binomial standard error of `share`; not zero where all or none of the draws agree.

        The chance in its formula is (held + 1) / (draws + 2), the rule of succession.
        """
        if self.held is None or not self.draws:
            return None
        chance = (self.held + 1) / (self.draws + 2)
        return math.sqrt(chance * (1 - chance) / self.draws)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim and its test."""

    id: str
    """``claim-<page>-<what>``, never renamed: other sites link to it."""
    kind: Literal["data", "model"]
    test: str
    """Name of the test function."""
    file: Path
    """File of the test."""
    check: Callable[[], Result]
    """Runs the test; a refuted claim is a result, an error in its code is raised."""
    varies: tuple[str, ...] = ()
    """Ledger keys that the sample of a model claim varies."""
    at_least: float | None = None
    """Share of the sample in which a model claim must hold."""


def checked(claim: Claim) -> Result:
    """Return the result of a claim's test, run now or kept from an earlier run."""
    if claim.file.parent != FOLDER:
        return claim.check()
    found = kept(claim.id, (FOLDER,), lambda: asdict(claim.check()), lambda found: found["passed"])
    return Result(**found)


#: Every claim whose test file has been loaded, by id.
CLAIMS: dict[str, Claim] = {}


def _register(claim: Claim) -> Callable[[], None]:
    if not _ID.fullmatch(claim.id):
        raise ValueError(f"{claim.id!r} is no id of a claim; ids look like claim-two-ways-separate")
    known = CLAIMS.get(claim.id)
    if known is not None and (known.file, known.test) != (claim.file, claim.test):
        raise ValueError(
            f"{claim.id!r} has two tests, {known.test} and {claim.test}; a claim has one; join them"
        )
    CLAIMS[claim.id] = claim

    def test() -> None:
        result = checked(claim)
        assert result.passed, f"{claim.id}: {result.message}"

    test.__name__ = test.__qualname__ = claim.test
    return test


def _file_of(function: Callable[..., object]) -> Path:
    return Path(function.__code__.co_filename)


def _expect_arguments(function: Callable[..., object], expected: list[str], kind: str) -> None:
    found = list(inspect.signature(function).parameters)
    if found != expected:
        raise TypeError(
            f"{function.__name__} takes {found}; the test of a {kind} claim takes {expected}; "
            "it can use no fixture, because the book runs it too"
        )


def data_claim(id: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a function that asserts something of the data the test of a claim."""

    def decorate(function: Callable[[], None]) -> Callable[[], None]:
        _expect_arguments(function, [], "data")

        def check() -> Result:
            try:
                function()
            except AssertionError as refuted:
                return Result(passed=False, message=str(refuted) or "the data do not show it")
            return Result(passed=True)

        claim = Claim(
            id=id, kind="data", test=function.__name__, file=_file_of(function), check=check
        )
        return _register(claim)

    return decorate


def plausible(row: Parameter) -> tuple[float, float]:
    """Return the plausible range of a ledger row, in its unit.

    Low to high; for a kinetic parameter without them, the middle nine tenths of patients: its
    value times and over the exponential of 1.645 standard deviations, which the ledger keeps as a
    variance on the logarithmic scale.
    """
    if row.low is not None and row.high is not None:
        return row.low, row.high
    group, _, name = row.key.partition(".")
    spread = ledger().get(f"{group}.spread.{name}")
    if spread is None:
        raise ValueError(
            f"{row.key} has no range in the ledger; a claim varies only what has one; add low and "
            "high to the row, with their source, or leave the key out"
        )
    factor = math.exp(_NINE_TENTHS * math.sqrt(spread.value))
    return row.value / factor, row.value * factor


def samples(id: str, varies: tuple[str, ...], draws: int) -> list[Values]:
    """Return sets of ledger values: defaults, with `varies` drawn from their plausible ranges.

    Even in the logarithm where a range is wider than ten-fold and positive, even otherwise. The
    draws belong to the claim's id, and are the same on every run.
    """
    generator = np.random.default_rng([_SEED, zlib.crc32(id.encode())])
    defaults = {key: row.value for key, row in ledger().items()}
    columns = {}
    for key in varies:
        low, high = plausible(parameter(key))
        even = generator.random(draws)
        columns[key] = (
            low * (high / low) ** even
            if low > 0 and high / low > _WIDE
            else low + (high - low) * even
        )
    return [
        MappingProxyType(defaults | {key: float(column[i]) for key, column in columns.items()})
        for i in range(draws)
    ]


def _explained(function: Callable[[Values], bool], values: Values, varies: tuple[str, ...]) -> bool:
    try:
        return bool(function(values))
    except Exception as error:
        shown = ", ".join(f"{key} = {values[key]:.6g}" for key in varies)
        error.add_note(f"The ledger values were the defaults, with {shown}.")
        raise


def model_claim(
    id: str, *, varies: tuple[str, ...], at_least: float, draws: int = DRAWS
) -> Callable[[Callable[[Values], bool]], Callable[[], None]]:
    """Make a function of one set of ledger values the test of a claim about the model.

    Parameters
    ----------
    id : str
        The claim's id.
    varies : tuple of str
        Ledger keys to draw from their low-high ranges; the other keys keep their defaults.
    at_least : float
        Share of the draws in which the claim must hold, in (0, 1].
    draws : int
        Sampled sets of values; fewer than the default only where one costs much.
    """
    if isinstance(varies, str) or not varies:
        raise ValueError(
            f"varies is {varies!r}; a model claim varies one key or more; give a tuple"
        )
    if not 0 < at_least <= 1:
        raise ValueError(f"at_least is {at_least}; it is a share; give a number in (0, 1]")
    if not _FEWEST <= draws <= DRAWS:
        raise ValueError(f"draws is {draws}; give {_FEWEST} to {DRAWS}")
    for key in varies:
        plausible(parameter(key))

    def decorate(function: Callable[[Values], bool]) -> Callable[[], None]:
        _expect_arguments(function, ["ledger"], "model")

        def check() -> Result:
            defaults = MappingProxyType({key: row.value for key, row in ledger().items()})
            if not function(defaults):
                return Result(passed=False, message="it does not hold at the ledger's defaults")
            sets = samples(id, varies, draws)
            held = sum(_explained(function, values, varies) for values in sets)
            message = (
                ""
                if held >= at_least * draws
                else f"it holds in {held} of {draws} draws over {', '.join(varies)}; "
                f"{at_least:.0%} was asked"
            )
            return Result(passed=not message, message=message, held=held, draws=draws)

        claim = Claim(
            id=id,
            kind="model",
            test=function.__name__,
            file=_file_of(function),
            check=check,
            varies=varies,
            at_least=at_least,
        )
        return _register(claim)

    return decorate


def load(folder: Path = FOLDER) -> Mapping[str, Claim]:
    """Load every test file of a folder and return all claims known then, by id."""
    for path in sorted(folder.glob("test_*.py")):
        name = f"claims_of_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be loaded; it must be a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return MappingProxyType(CLAIMS)
