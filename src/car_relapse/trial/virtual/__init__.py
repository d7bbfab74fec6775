from car_relapse.trial.virtual.biology import Biology, Frailty, Hazard
from car_relapse.trial.virtual.design import Arm, TransplantPolicy, Trial
from car_relapse.trial.virtual.shapes import Constant, Decay, Piecewise, Shape, Weibull
from car_relapse.trial.virtual.worlds import BLOCK, Estimand, Worlds, generate
