"""Every fast path stands beside its slow twin, and the comparison can tell them apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from . import twins


@pytest.mark.parametrize("index", range(len(twins.COMPARISONS)))
def test_the_fast_path_agrees_with_its_twin(index: int) -> None:
    found = twins.checked(index)
    assert found.passed, f"{found.what}: {found.reached:g} {found.measure}, limit {found.limit:g}"


def test_a_difference_beyond_the_limit_does_not_pass() -> None:
    found = twins.COMPARISONS[0]()
    assert not replace(found, reached=1.01 * found.limit).passed


def test_a_wrong_expectation_is_many_standard_errors_away() -> None:
    values = np.random.default_rng(1).random(10_000)
    compare = twins.standard_errors
    assert compare("", "", "", values, 0.5).passed
    assert not compare("", "", "", values, 0.52).passed
