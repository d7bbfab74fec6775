"""Settings of the unit tests: property tests repeat the same examples on every run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile(
    "unit", deadline=None, derandomize=True, max_examples=40, database=None, print_blob=False
)
settings.load_profile("unit")
