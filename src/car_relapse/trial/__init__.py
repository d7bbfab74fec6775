"""Trials of CAR-T products: their design, their analysis, and virtual ones to try a design on.

Import the module that you need: ``from car_relapse.trial import competing_risks``. Probabilities
lie in [0, 1]; times are in months after infusion unless a docstring says otherwise; cause 0 is
censored; group 0 is control and group 1 experimental.
"""

__all__: list[str] = []
