r"""An arm compared with a control that was there before it: what may be borrowed of the past.

A platform trial adds arms as it goes. Its control has patients from before an arm came
(non-concurrent controls), who were treated as patients were treated then. Let arm :math:`a` have
the share :math:`p_{at}` of patients with an event in period :math:`t`, a period being the time
between two changes of the arms. All comparisons here fit the same line by least squares,

.. math:: p_{at} = \mu_t + \delta_a, \qquad \delta_0 = 0,

and differ in what they put in. ``"concurrent"`` has the arm and the control alone, so that periods
without the arm say nothing about it. ``"adjusted"`` has all arms: arms that were there in two
periods tell how these differ, and only so much of the earlier controls is borrowed. ``"all"`` has
no periods: controls of any time count as equal.

Each is a sum of the observed shares with fixed weights, so that its bias under any drift of the
periods is the same sum of the drift. A drift that is the same in all arms leaves the first two
without bias; the step model and its limits are in Bofill Roig and others 2022
(doi:10.1186/s12874-022-01683-w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from car_relapse.errors import ParameterError, require_count, require_non_negative
from car_relapse.trial._checks import choice

__all__ = ["ControlDifference", "Controls", "compare_with_control", "control_weights"]

Floats = NDArray[np.float64]
Controls = Literal["concurrent", "adjusted", "all"]

_PATIENTS = "give the patients of each arm in each period, the control first, 0 where it was not"
_MOST = 10**6


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlDifference:
    """An arm less the control, in one trial or in many: arrays in the shape of the trials."""

    estimate: Floats
    """Difference of the shares with an event."""
    std_error: Floats
    """Its standard error, from the binomial variance of each arm in each period."""

    @property
    def z(self) -> Floats:
        """Estimate over its standard error; 0 where nothing varies."""
        some = self.std_error > 0
        return np.divide(
            self.estimate, self.std_error, out=np.zeros_like(self.estimate), where=some
        )

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value, by the normal law."""
        return np.asarray(2.0 * ndtr(-np.abs(self.z)))


def _sizes(patients: ArrayLike) -> Floats:
    sizes = require_non_negative("patients", patients, _PATIENTS)
    if sizes.ndim != 2 or sizes.shape[0] < 2 or sizes.size > 10_000:
        raise ParameterError(
            f"patients has shape {sizes.shape}; it must be a table of at least two arms by at "
            f"least one period; {_PATIENTS}"
        )
    if np.any(sizes != np.floor(sizes)) or sizes.max() > _MOST:
        raise ParameterError(
            f"patients has {float(sizes.max()):g} as its largest number; all must be whole and at "
            f"most {_MOST:,}; {_PATIENTS}"
        )
    return sizes


def control_weights(patients: ArrayLike, *, arm: int, controls: Controls = "adjusted") -> Floats:
    """Return the weight of each observed share in the difference of an arm and the control.

    Parameters
    ----------
    patients : array_like
        Patients, shape (arms, periods); the control first, 0 where an arm was not there.
    arm : int
        Arm that is compared with the control, counted from 1.
    controls : {"adjusted", "concurrent", "all"}, optional
        What is taken from controls of other periods.

    Returns
    -------
    ndarray
        Shape (arms, periods). Weights of the arm add up to 1 and those of the control to -1;
        unless all controls count as equal, those of each period add up to 0.

    Raises
    ------
    ParameterError
        When an argument is out of range, or nothing links the arm to the control.

    Examples
    --------
    The second arm comes in the second period; the first arm, there in both, lends it a part of the
    earlier controls.

    >>> control_weights([[50, 50], [50, 50], [0, 50]], arm=2).round(2).tolist()
    [[-0.25, -0.75], [0.25, -0.25], [0.0, 1.0]]
    """
    sizes = _sizes(patients)
    arms, periods = sizes.shape
    chosen = require_count("arm", arm, "count arms from 1", minimum=1, maximum=arms - 1)
    choice("controls", controls, get_args(Controls))
    used = np.zeros(arms, dtype=bool)
    used[list(range(arms)) if controls == "adjusted" else [0, chosen]] = True
    cells = np.argwhere((sizes > 0) & used[:, None])
    row, column = cells.T
    time = np.ones((len(cells), 1)) if controls == "all" else np.eye(periods)[column]
    # The control has no effect of its own.
    design = np.hstack([time, np.eye(arms)[row][:, 1:]])
    root = np.sqrt(sizes[row, column])[:, None]
    solution = np.linalg.pinv(design * root, rcond=1e-10) * root.T
    place = time.shape[1] + chosen - 1
    wanted = np.zeros(design.shape[1])
    wanted[place] = 1.0
    # An effect that the data determine is found whatever the others are.
    if np.abs(solution[place] @ design - wanted).max() > 1e-6:
        raise ParameterError(
            f"patients of arm {chosen} share no period with the control, nor with an arm that "
            "links them; their difference cannot be told from that of the periods; give patients "
            "of both in one period"
        )
    weights = np.zeros_like(sizes)
    weights[row, column] = solution[place]
    return weights


def compare_with_control(
    events: ArrayLike, patients: ArrayLike, *, arm: int, controls: Controls = "adjusted"
) -> ControlDifference:
    """Compare an arm of a platform trial with its control.

    Parameters
    ----------
    events : array_like
        Patients with an event, shape (..., arms, periods): one trial, or many with the same
        numbers of patients.
    patients, arm, controls
        As for `control_weights`.

    Returns
    -------
    ControlDifference

    Raises
    ------
    ParameterError
        When an argument is out of range, there are more events than patients, or nothing links
        the arm to the control.

    Examples
    --------
    Events became rarer in all arms; earlier controls counted as equal make the arm look better.

    >>> events, patients = [[25, 15], [25, 15], [0, 15]], [[50, 50], [50, 50], [0, 50]]
    >>> for controls in ("all", "concurrent", "adjusted"):
    ...     found = compare_with_control(events, patients, arm=2, controls=controls)
    ...     print(controls, round(abs(float(found.estimate)), 3), round(float(found.std_error), 3))
    all 0.1 0.081
    concurrent 0.0 0.092
    adjusted 0.0 0.086
    """
    sizes = _sizes(patients)
    counts = require_non_negative("events", events, "give the patients with an event in each arm")
    if counts.shape[-2:] != sizes.shape:
        raise ParameterError(
            f"events has shape {counts.shape} and patients {sizes.shape}; each arm and period has "
            "both; give events of the same arms and periods"
        )
    if np.any(counts > sizes):
        raise ParameterError(
            f"events has {float((counts - sizes).max()):g} more than there are patients in some "
            "arm and period; events are a part of the patients; correct them"
        )
    weights = control_weights(sizes, arm=arm, controls=controls)
    some = np.maximum(sizes, 1.0)
    shares = counts / some
    variance = weights**2 * shares * (1.0 - shares) / some
    return ControlDifference(
        estimate=np.asarray((weights * shares).sum(axis=(-2, -1))),
        std_error=np.asarray(np.sqrt(variance.sum(axis=(-2, -1)))),
    )
