"""Checks of arguments that the modules on trials share."""

from __future__ import annotations

from car_relapse.errors import ParameterError, require_fraction

__all__: list[str] = []


def strictly_between(name: str, value: float, remedy: str, *, margin: float = 0.0) -> float:
    """Return a probability that is neither 0 nor 1, nor closer to them than `margin`, or raise."""
    p = float(require_fraction(name, value, remedy, scalar=True))
    if not (0.0 < p < 1.0 and margin <= p <= 1.0 - margin):
        raise ParameterError(f"{name} is {p:g}; it must lie strictly between 0 and 1; {remedy}")
    return p


def choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise unless a value is one of the choices."""
    if value not in choices:
        raise ParameterError(
            f"{name} is {value!r}; it must be one of {', '.join(choices)}; choose one"
        )
