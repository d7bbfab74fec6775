"""What a route may return besides a number."""

from __future__ import annotations

__all__ = ["Log"]


class Log(float):
    """The natural logarithm of an answer that no float can hold."""
