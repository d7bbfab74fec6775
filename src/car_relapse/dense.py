"""The dense solution of an integrator as plain polynomials: quick to call, with exact roots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["polynomial_pieces"]

# The interpolant of DOP853 is a polynomial of degree 7: eight points give it back.
_POINTS = 0.5 - 0.5 * np.cos(np.pi * (np.arange(8) + 0.5) / 8.0)


def polynomial_pieces(solution: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the polynomials that a dense solution of DOP853 consists of.

    Parameters
    ----------
    solution : scipy.integrate.OdeSolution
        The ``sol`` of ``solve_ivp(..., method="DOP853", dense_output=True)``, forwards in time.

    Returns
    -------
    breaks : ndarray, shape (m + 1,)
        Ends of the steps.
    coefficients : ndarray, shape (8, m, states)
        Highest power first, in the time since the start of the step, as
        `scipy.interpolate.PPoly` wants them.

    Examples
    --------
    >>> from scipy.integrate import solve_ivp
    >>> run = solve_ivp(lambda t, y: -y, (0, 5), [1.0], "DOP853", dense_output=True)
    >>> breaks, coefficients = polynomial_pieces(run.sol)
    >>> float(coefficients[-1, 0, 0].round(9))
    1.0
    """
    steps = solution.interpolants
    breaks = np.array([steps[0].t_old, *(step.t for step in steps)])
    # Legendre's basis first: powers alone would lose digits in the solution.
    basis = np.polynomial.legendre.legvander(2.0 * _POINTS - 1.0, 7)
    values = np.stack([step(step.t_old + _POINTS * (step.t - step.t_old)).T for step in steps], 1)
    legendre = np.linalg.solve(basis, values.reshape(8, -1))
    powers = np.zeros_like(legendre)
    for degree in range(8):
        shifted = np.polynomial.Legendre.basis(degree, domain=[0.0, 1.0]).convert(
            kind=np.polynomial.Polynomial, domain=[-1.0, 1.0]
        )
        powers[: degree + 1] += np.outer(shifted.coef, legendre[degree])
    width = np.diff(breaks)[None, :, None] ** np.arange(8.0)[:, None, None]
    return breaks, (powers.reshape(values.shape) / width)[::-1]
