"""Design and analysis of trials: doses, single arms, competing risks, sample sizes, virtual trials.

Each topic is a module of its own; take it from here by name, as in
``from car_relapse.trial import single_arm``. Times are in months. A teaching model, not guidance
for care.
"""

__all__: list[str] = []
