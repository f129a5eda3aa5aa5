"""Gradient rules: how the derivative of the loss is obtained."""

from paramfit.gradients.analytic import AnalyticGradient
from paramfit.gradients.autograd import AutogradGradient
from paramfit.gradients.base import GradientRule
from paramfit.gradients.numerical import NumericalGradient

__all__ = ["AnalyticGradient", "AutogradGradient", "GradientRule", "NumericalGradient"]
