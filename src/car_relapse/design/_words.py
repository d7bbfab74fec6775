"""How numbers are printed in a report."""

from __future__ import annotations

from car_relapse.trial.virtual import Performance

__all__: list[str] = []


def percent(share: float, decimals: int = 0) -> str:
    """Return a share in percent, without the sign."""
    return f"{100.0 * share:.{decimals}f}"


def rejections(row: Performance) -> str:
    """Return how many trials reject, in percent, with the Monte Carlo standard error."""
    return f"{percent(row.rejected, 1)}\u00a0±\u00a0{percent(row.rejected_error, 1)}"


def share(row: Performance) -> str:
    """Return the same with the sign."""
    return f"{rejections(row)} %"
