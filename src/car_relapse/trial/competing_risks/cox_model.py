r"""Cox's model: how a covariate multiplies the rate of an event among those still at risk.

The cause-specific hazard of cause k for covariates z is
:math:`\lambda_k(t\mid z) = \lambda_{k0}(t)\,e^{\beta z}`, with any baseline (Cox 1972, J R Stat
Soc B 34:187). Records that end with another cause are censored *for this purpose*: they say
nothing on the rate of cause k afterwards. So the ratio answers "does the product change the rate
of escape among those still in remission", and not "do fewer patients ever escape": for that see
`fine_gray`. With all causes together it is the hazard ratio of event-free survival.

Efron's treatment of ties is lifelines'. Breslow's is Fine and Gray's model without competing
events; it is far quicker, and the same where no two events share a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError
from car_relapse.trial.competing_risks._endpoint import endpoint
from car_relapse.trial.competing_risks._partial_likelihood import at_risk_of, maximise
from car_relapse.trial.competing_risks.regression import (
    Regression,
    as_strata,
    design_matrix,
    refuse_unbounded,
    standardised,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cox"]

Floats = NDArray[np.float64]
Ties = Literal["efron", "breslow"]


def maximum(
    columns: Mapping[str, NDArray[Any]], scaled: Floats, names: tuple[str, ...], ties: Ties
) -> tuple[Floats, Floats, float]:
    """Maximise the partial likelihood.

    Parameters
    ----------
    columns : mapping
        Arrays ``stop`` and ``event`` and, where they apply, ``stratum``, or ``start`` and ``id``
        of the parts of a patient's record, in which covariates may differ.
    scaled : numpy.ndarray
        Standardised covariates, shape (records, covariates).
    names : tuple of str
        Their names, for messages.
    ties : {"efron", "breslow"}
        How events at the same time are counted.

    Returns
    -------
    tuple
        Coefficients and standard errors on the scale of `scaled`, and the log-likelihood.

    Raises
    ------
    ParameterError
        When there is no maximum, or `ties` is another word.
    """
    if ties == "efron":
        return _efron(columns, scaled, names)
    if ties != "breslow":
        raise ParameterError(
            f"ties is {ties!r}; it must be 'efron' or 'breslow'; leave it out for Efron's"
        )
    stratum = columns.get("stratum", np.zeros(len(scaled), dtype=np.int64))
    groups = [np.flatnonzero(stratum == g) for g in range(int(stratum.max()) + 1)]
    stop, event, start = columns["stop"], columns["event"], columns.get("start")
    parts = [
        (at_risk_of(stop[g], event[g], start=None if start is None else start[g]), scaled[g])
        for g in groups
        if event[g].any()
    ]
    best = maximise(parts, names)
    std_error = np.sqrt(np.diag(np.linalg.inv(best.information)))
    return best.coefficient, std_error, best.log_likelihood


def _efron(
    columns: Mapping[str, NDArray[Any]], scaled: Floats, names: tuple[str, ...]
) -> tuple[Floats, Floats, float]:
    """Maximise Efron's partial likelihood with lifelines."""
    # Loaded here: it takes two seconds, and pandas with it.
    import pandas as pd
    from lifelines import CoxPHFitter, CoxTimeVaryingFitter
    from lifelines.exceptions import ConvergenceError

    table: pd.DataFrame = pd.DataFrame(dict(columns))
    for j in range(scaled.shape[1]):
        table[f"z{j}"] = scaled[:, j]
    # Whole Newton steps until the log-likelihood changes by less than a billionth of itself, as in
    # R's survival, so that both print the same digits.
    options = {"step_size": 1.0, "precision": 1e-20, "r_precision": 1e-9, "max_steps": 100}
    strata = ["stratum"] if "stratum" in columns else None
    with warnings.catch_warnings():
        # It warns of a likelihood without maximum; what it gives then is judged below.
        warnings.simplefilter("ignore")
        try:
            if "start" in columns:
                fitter = CoxTimeVaryingFitter().fit(
                    table, "event", start_col="start", stop_col="stop", id_col="id",
                    fit_options=options,
                )  # fmt: skip
            else:
                fitter = CoxPHFitter().fit(
                    table, "stop", "event", strata=strata, fit_options=options
                )
        except (ConvergenceError, np.linalg.LinAlgError):
            refuse_unbounded(np.full(len(names), np.inf), names)
    std_error = fitter.standard_errors_.to_numpy()
    refuse_unbounded(std_error, names)
    return fitter.params_.to_numpy(), std_error, float(fitter.log_likelihood_)


def cox(
    time: ArrayLike,
    cause: ArrayLike,
    covariates: Mapping[str, ArrayLike],
    *,
    of: int | None = None,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
) -> Regression:
    """Fit Cox's model to the event of one cause, or of any cause.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), >= 0, months or any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    covariates : mapping of str to array_like
        One number per patient under each name, such as ``{"arm": group}``.
    of : int, optional
        The cause of interest; by default an event of any cause.
    strata : array_like, optional
        Stratum of each patient; each has a baseline of its own.
    ties : {"efron", "breslow"}, optional
        How events at the same time are counted.

    Returns
    -------
    Regression
        Ratios of (cause-specific) hazards; standard errors from the observed information.

    Raises
    ------
    ParameterError
        When the data are malformed, nobody had the event, a covariate says nothing new, or the
        likelihood has no maximum because a covariate separates those with the event.

    Examples
    --------
    >>> months = [1, 2, 3, 4, 5, 6, 7, 8]
    >>> fit = cox(months, [1, 1, 2, 1, 0, 1, 2, 0], {"arm": [0, 1, 0, 0, 1, 1, 0, 1]}, of=1)
    >>> round(float(fit.ratio[0]), 3), fit.events
    (0.707, 4)
    """
    t, _, happened = endpoint(time, cause, of)
    names = tuple(covariates) if isinstance(covariates, Mapping) else ()
    matrix = design_matrix(covariates, t.size)
    stratum = as_strata(strata, t.size)
    scaled, spread = standardised(matrix, names, stratum)
    columns = {"stop": t, "event": happened}
    if strata is not None:
        columns["stratum"] = stratum
    coefficient, std_error, height = maximum(columns, scaled, names, ties)
    return Regression(
        names=names,
        coefficient=coefficient / spread,
        std_error=std_error / spread,
        log_likelihood=height,
        patients=int(t.size),
        events=int(happened.sum()),
    )
