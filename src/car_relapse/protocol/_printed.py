"""How numbers are printed."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["listed", "months", "percent"]


def percent(share: float, digits: int | None = None) -> str:
    """Return a share in per cent, with as many decimals as it needs or as asked for."""
    text = f"{100 * share:.4g}" if digits is None else f"{100 * share:.{digits}f}"
    return f"{text}\N{NO-BREAK SPACE}%"  # which no line break may tear apart


def months(number: float) -> str:
    """Return a time in words."""
    return f"{number:g} month" + ("" if number == 1 else "s")


def listed(parts: Iterable[str]) -> str:
    """Return parts as a list in a sentence."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
