"""The synthetic trials of the notebooks: read as their files say, and not to be changed."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse import ParameterError
from car_relapse.trial.example_trials import example_trial


@pytest.mark.parametrize(("name", "patients"), [("cr_small", 24), ("cr_200", 200)])
def test_groups_are_of_one_size_and_causes_are_known(name, patients):
    found = example_trial(name)
    assert found.time.shape == found.cause.shape == found.group.shape == (patients,)
    assert np.bincount(found.group).tolist() == [patients // 2, patients // 2]
    assert set(found.cause.tolist()) == {0, 1, 2, 3}
    assert (found.time > 0).all()


def test_only_the_large_trial_has_transplants_and_burdens():
    small, large = example_trial("cr_small"), example_trial("cr_200")
    assert np.isinf(small.transplant).all()
    assert small.high_burden is None
    had = np.isfinite(large.transplant)
    assert 20 < had.sum() < 80
    # Nobody is transplanted after the end of the record.
    assert (large.transplant[had] <= large.time[had]).all()
    assert 0 < np.mean(large.high_burden) < 1


def test_a_trial_is_shared_and_cannot_be_changed():
    found = example_trial("cr_200")
    assert example_trial("cr_200") is found
    with pytest.raises(ValueError, match="read-only"):
        found.time[0] = 0.0


def test_an_unknown_trial_is_refused():
    with pytest.raises(ParameterError, match="name is 'cr_9'; it must be one of cr_small, cr_200"):
        example_trial("cr_9")
