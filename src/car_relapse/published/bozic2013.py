r"""Bozic et al. 2013: two drugs at once, and the chance that no cell resists both.

Cells divide at rate :math:`b` and die at rate :math:`d`; under treatment every cell that is
sensitive to at least one drug has :math:`b'` and :math:`d' > b'`, and a cell that resists both
keeps :math:`b` and :math:`d`. Each of :math:`n_1` mutations gives resistance to the first drug
alone, each of :math:`n_2` to the second alone, each of :math:`n_{12}` to both, all at rate
:math:`u` per division. With :math:`s = 1-d/b`, :math:`s' = 1-d'/b' < 0`, and :math:`M` cells when
treatment starts, the paper's equation (1) for the probability of eradication is

.. math::

    P &= p_1^{\uparrow} p_1^{\downarrow} p_2^{\uparrow} p_2^{\downarrow}, \qquad
    p_1^{\uparrow} = e^{-M u n_{12}}, \qquad p_1^{\downarrow} = e^{M u n_{12} s/s'}, \\
    p_2^{\uparrow} &= \exp\Big\{M u^2 a \sum_{i} n_i v_i
        \ln\Big(\frac{1}{sM} + u v_i a\Big)\Big\}, \qquad a = \frac{s'-s}{s s'}, \\
    p_2^{\downarrow} &= \exp\Big\{-M u^2 \big(2 n_1 n_2 + n_{12}(n_1+n_2)\big)
        \frac{s}{s'^2}\Big\},

with :math:`v_1 = n_2 + n_{12}` and :math:`v_2 = n_1 + n_{12}`; one step or two to full
resistance, up to treatment (:math:`\uparrow`) or during it (:math:`\downarrow`).

Explains why one mutation that defeats both drugs decides the outcome. For CAR-T read loss of the
first and second antigen for the two resistances, and a common-mode loss for the third. It has no
immune cells: treatment is a constant, never ends and never weakens.

Equation (1) overstates failure when cells turn over fast. With :math:`b=1` and
:math:`M=10^{11}` it gives 0.551, the paper's own simulations 0.53. A resistant clone of age
:math:`x` has made second mutants in proportion to :math:`e^{\lambda x} - 1`; summing over ages
gives :math:`\lambda T - 1`, and the :math:`-1` is missing. `eradication_as_printed` leaves it
out, `eradication_corrected` puts it back, and `eradication_nested` solves the branching process
itself and gives 0.528. Table 1 of the paper was computed with equation (1).

eLife 2:e00747, doi:10.7554/eLife.00747.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
)
from car_relapse.published._bozic_model import BozicParameters
from car_relapse.published._integrate import positive

__all__ = [
    "BozicParameters",
    "EradicationLaw",
    "eradication_as_printed",
    "eradication_corrected",
    "eradication_nested",
    "expected_resistant_cells",
    "failure_probability",
    "no_one_step_resistance",
    "no_two_step_resistance",
]

EradicationLaw = Literal["as printed", "corrected", "nested"]

_RTOL = 1e-11


def _check_size(p: BozicParameters, size: float) -> float:
    cells = positive("size", size, "give the number of cells at the start")
    if cells * p.survival <= 1:
        raise ParameterError(
            f"size is {cells:g}; a tumour that has outgrown chance has more than "
            f"b/(b-d) = {1 / p.survival:g} cells; give a larger one"
        )
    return cells


def expected_resistant_cells(parameters: BozicParameters, size: float) -> float:
    r"""Return the mean number of cells that resist both drugs when there are `size` cells.

    .. math::

        X = M\left[n_{12}\mu + \left(n_1 n_2 + \tfrac{n_{12}}{2}(n_1+n_2-n_{12})\right)\mu^2\right],
        \qquad \mu = \frac{u}{s}\ln(Ms) .

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> round(expected_resistant_cells(BozicParameters(shared_mutations=1), 1e9), 1)
    253.3
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    p, cells = parameters, _check_size(parameters, size)
    n1, n2, both = p.first_mutations, p.second_mutations, p.shared_mutations
    mean = p.mutation_rate / p.survival * float(np.log(cells * p.survival))
    return cells * (both * mean + (n1 * n2 + both / 2 * (n1 + n2 - both)) * mean**2)


def _log_loss(p: BozicParameters) -> float:
    """Return ln(s)/(1 - s), which is -1 without death."""
    s = p.survival
    return float(np.log(s)) / (1.0 - s) if s < 1 else -1.0


def no_one_step_resistance(parameters: BozicParameters, size: float) -> float:
    r"""Return :math:`p_1`, the probability of no living cell that resists both by one mutation.

    :math:`p_1 = \exp(M u n_{12} \ln s/(1-s))` at detection; living, not surviving for ever.

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> round(no_one_step_resistance(BozicParameters(shared_mutations=1), 1e9), 4)
    0.0583
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    p, cells = parameters, _check_size(parameters, size)
    return float(np.exp(cells * p.mutation_rate * p.shared_mutations * _log_loss(p)))


def _two_step_weight(p: BozicParameters) -> float:
    return sum(n * v for n, v in p.second_steps)


def no_two_step_resistance(parameters: BozicParameters, size: float) -> float:
    r"""Return :math:`p_2`, the paper's approximate probability of none by two mutations.

    .. math::

        p_2 \approx \exp\left[M u^2 \big(2n_1n_2 + n_{12}(n_1+n_2)\big)
                    \frac{\ln s\,\ln(Ms)}{s(1-s)}\right]

    It is linear in the second mutation and counts too many: with b = 0.25, d = 0.15, one site
    each, u = 1e-7 and 1e11 cells it gives 0.830, and nested branching 0.899.

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> round(no_two_step_resistance(BozicParameters(), 1e9), 4)
    0.9964
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    p, cells = parameters, _check_size(parameters, size)
    weight = cells * p.mutation_rate**2 * _two_step_weight(p)
    return float(np.exp(weight * _log_loss(p) * np.log(cells * p.survival) / p.survival))


def _log_printed(p: BozicParameters, cells: float) -> float:
    u, s, treated = p.mutation_rate, p.survival, p.treated_survival
    a = (treated - s) / (s * treated)
    one_step = cells * u * p.shared_mutations * (s / treated - 1.0)
    before = cells * u**2 * a * sum(
        n * v * float(np.log(1.0 / (s * cells) + u * v * a)) for n, v in p.second_steps
    )  # fmt: skip
    during = -cells * u**2 * _two_step_weight(p) * s / treated**2
    return one_step + before + during


def eradication_as_printed(parameters: BozicParameters, size: float) -> float:
    """Return the probability of eradication by equation (1) as printed, without its lost term.

    The paper's figure 5A calls the complement the share of failures "present at the start of
    treatment"; it includes the lines that appear during treatment.

    Parameters
    ----------
    parameters : BozicParameters
    size : float
        Cells M when treatment starts, above b/(b - d).

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> round(eradication_as_printed(BozicParameters(shared_mutations=1), 1e9), 3)
    0.263
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    return float(np.exp(_log_printed(parameters, _check_size(parameters, size))))


def eradication_corrected(parameters: BozicParameters, size: float) -> float:
    r"""Return the probability of eradication by equation (1) with its lost term put back.

    Multiplies by :math:`\exp\{u^2 M \sum_i n_i v_i/s\}`, which is the :math:`-1` of
    :math:`\int\lambda e^{-\lambda x} u(e^{\lambda x}-1)\,dx = u(\lambda T - 1)`. This is the
    book's correction and not the paper's.

    Parameters
    ----------
    parameters : BozicParameters
    size : float
        Cells M when treatment starts, above b/(b - d).

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> fast = BozicParameters(birth_rate=1.0, death_rate=0.99, treated_birth_rate=1.0,
    ...                        treated_death_rate=1.03)
    >>> [round(1 - f(fast, 1e11), 3) for f in (eradication_as_printed, eradication_corrected)]
    [0.551, 0.528]
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    p, cells = parameters, _check_size(parameters, size)
    lost = p.mutation_rate**2 * cells * _two_step_weight(p) / p.survival
    return float(np.exp(_log_printed(p, cells) + lost))


def _fixed_point(birth: float, death: float, leave: float, gain: float) -> float:
    """Return the f in (0, 1) with birth ((1 - leave) f + gain)(1 - f) = death f."""
    square = birth * (1.0 - leave)
    linear = death + birth * gain - square
    return 2.0 * birth * gain / (linear + float(np.sqrt(linear**2 + 4.0 * square * birth * gain)))


def _untreated_mean(p: BozicParameters, start: float, leave: float, oldest: float) -> float:
    """Return the mean, over ages of resistant clones, of the chance that they defeat both drugs.

    `start` is that chance for one cell on the first day of treatment.
    """
    net, s = p.birth_rate - p.death_rate, p.survival

    def slope(age: float, state: NDArray[np.float64]) -> list[float]:
        f = float(np.exp(state[0]))
        ever = (1.0 - leave) * f + leave * s
        return [
            p.birth_rate * ever / f * (1.0 - f) - p.death_rate,
            net * float(np.exp(state[0] - net * age)),
        ]

    run = solve_ivp(
        slope, (0.0, oldest), [np.log(start), 0.0], "LSODA", rtol=_RTOL, atol=(_RTOL, 1e-30)
    )
    return float(run.y[1, -1])


def eradication_nested(parameters: BozicParameters, size: float) -> float:
    r"""Return the probability of eradication of the branching process itself.

    Let :math:`f` be the probability that the line of a half-resistant cell ever holds a fully
    resistant one that lives on. Treatment is permanent, so :math:`f` starts from its fixed point
    and grows backwards through the untreated time:

    .. math:: f' = b\,[(1-uv)f + uvs](1-f) - d f .

    First mutations come along deterministic growth, so

    .. math::

        P = (1-f_{00})^M \exp\Big[-\frac{uM}{s}\sum_i n_i\int_0^{T}\lambda e^{-\lambda x}
            f_i(x)\,dx - u n_{12}M\big(1 - e^{-\lambda T}\big)\Big], \qquad
            T = \frac{\ln(Ms)}{\lambda} .

    `car_relapse.survival` solves the same equations for a therapy that ends and leaves division
    alone; here neither holds, and the fixed point takes the place of its horizon.

    Parameters
    ----------
    parameters : BozicParameters
    size : float
        Cells M when treatment starts, above b/(b - d).

    Raises
    ------
    ParameterError
        When `size` is not above b/(b - d).

    Examples
    --------
    >>> round(eradication_nested(BozicParameters(), 1e11), 4)
    0.8839
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    p, cells = parameters, _check_size(parameters, size)
    u, s, net = p.mutation_rate, p.survival, p.birth_rate - p.death_rate
    oldest = float(np.log(cells * s)) / net
    gain = u * p.shared_mutations * s
    exponent = -u * p.shared_mutations * cells * -float(np.expm1(-net * oldest))
    for first, second in p.second_steps:
        leave = u * second
        if first * leave > 0:
            start = _fixed_point(p.treated_birth_rate, p.treated_death_rate, leave, leave * s)
            exponent -= u * first * cells / s * _untreated_mean(p, start, leave, oldest)
            gain += u * first * start
    leave = u * (p.first_mutations + p.second_mutations + p.shared_mutations)
    sensitive = _fixed_point(p.treated_birth_rate, p.treated_death_rate, leave, gain)
    return float(np.exp(exponent + cells * np.log1p(-sensitive)))


_LAWS = {
    "as printed": eradication_as_printed,
    "corrected": eradication_corrected,
    "nested": eradication_nested,
}


def failure_probability(
    parameters: BozicParameters,
    size: float,
    *,
    lesions: int = 1,
    law: EradicationLaw = "nested",
) -> float:
    """Return the probability that treatment fails in at least one of several equal lesions.

    Parameters
    ----------
    parameters : BozicParameters
    size : float
        Cells in all lesions together; each has more than b/(b - d).
    lesions : int, optional
        Number of lesions, >= 1.
    law : {"as printed", "corrected", "nested"}, optional
        Which law of eradication; the paper's Table 1 uses the printed one.

    Raises
    ------
    ParameterError
        When an argument is out of range or the law is unknown.

    Examples
    --------
    >>> round(failure_probability(BozicParameters(), 2.6e11, lesions=18, law="as printed"), 2)
    0.29
    """
    require_instance("parameters", parameters, BozicParameters, "give BozicParameters(...)")
    if not isinstance(law, str) or law not in _LAWS:
        raise ParameterError(f"law is {law!r}; it must be one of {', '.join(_LAWS)}; choose one")
    number = require_count("lesions", lesions, "give a number of lesions", minimum=1)
    total = positive("size", size, "give the number of cells at the start")
    return float(1.0 - _LAWS[law](parameters, total / number) ** number)
