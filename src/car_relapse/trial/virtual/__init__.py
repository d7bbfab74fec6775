from car_relapse.trial.virtual.biology import Biology, Frailty, Hazard
from car_relapse.trial.virtual.shapes import Constant, Decay, Piecewise, Shape, Weibull
